"""What two inventories give, byte for byte: the diff of tests/golden is what gets reviewed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import golden
import pytest


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return golden.files()


def kept() -> dict[str, bytes]:
    paths = (path for path in golden.FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(golden.FOLDER).as_posix(): path.read_bytes() for path in paths}


def lines(data: bytes) -> list[str]:
    return data.decode("utf-8").replace("\r\n", "\n").split("\n")


def different(made: dict[str, bytes]) -> Iterator[str]:
    before = kept()
    for name in sorted(made.keys() | before.keys()):
        if made.get(name) != before.get(name):
            old, new = before.get(name, b""), made.get(name, b"")
            found = list(difflib.unified_diff(lines(old), lines(new), name, name, lineterm="", n=1))
            yield "\n".join(found[:60] or [f"{name}: other line ends"])


def test_everything_is_as_it_was_reviewed(made: dict[str, bytes]) -> None:
    found = list(different(made))
    assert not found, "\n".join([*found[:10], "`make snapshots` writes tests/golden anew"])


def test_every_script_has_the_same_engine_at_its_end(made: dict[str, bytes]) -> None:
    scripts = {
        name: data
        for name, data in made.items()
        if name.endswith(".ps1") and "/" in name and not name.endswith("/Start-Change.ps1")
    }
    assert len(scripts) > 40
    assert [name for name, data in scripts.items() if not data.endswith(golden.INSTEAD)] == []
    assert made[golden.ENGINE].count(b"\n") > 1000


def test_what_two_servers_of_a_role_do_not_share_is_shown(made: dict[str, bytes]) -> None:
    """A reviewer who has read the script of one server reads these lines for the other."""
    shown = {name: data for name, data in made.items() if name.startswith("differences/")}
    assert len(shown) > 5
    assert all(b"\n-# Run on" in data and b"\n+# Run on" in data for data in shown.values())
