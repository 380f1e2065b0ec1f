"""The judge is started once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile.judge import Judge


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    found = Judge()
    yield found
    found.close()
