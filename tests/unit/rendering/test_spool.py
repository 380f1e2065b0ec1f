"""What is put aside comes back as it was, from memory and from a file."""

from __future__ import annotations

import pytest

from generator.rendering import spool
from generator.rendering.spool import Spool

LISTS = [["", "x\ny", "\ud800 é 字"], [], ["1,2\n3" * 1000, "", ""], [""]]


@pytest.mark.parametrize("in_memory", [spool.IN_MEMORY, 10])
def test_texts_come_back_in_their_order(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    with Spool() as aside:
        for texts in LISTS:
            aside.put(texts)
        assert list(aside) == LISTS
        assert list(aside) == LISTS
