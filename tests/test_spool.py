"""What is put aside comes back as it was, from memory and from a file."""

from __future__ import annotations

import pytest

from generator import spool
from generator.spool import Spool

LISTS = {"a": ["", "x\ny", "\ud800 é 字"], "b": [], "c": ["1,2\n3" * 1000, "", ""]}


@pytest.mark.parametrize("in_memory", [spool.IN_MEMORY, 10])
def test_texts_come_back(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    with Spool() as aside:
        for name, texts in LISTS.items():
            aside.put(name, texts)
        for name in ("c", "a", "b", "a"):
            assert aside.take(name) == LISTS[name]
