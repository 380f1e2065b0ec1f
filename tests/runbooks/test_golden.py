"""What two inventories give, byte for byte: the diff of tests/golden is what gets reviewed."""

from __future__ import annotations

import difflib
from pathlib import Path

import golden
import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.data import Snapshot, SnapshotCollection
from syrupy.extensions.single_file import SingleFileSnapshotExtension
from syrupy.location import PyTestLocation
from syrupy.types import SnapshotIndex


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return golden.files()


class Golden(SingleFileSnapshotExtension):
    """A file of tests/golden for each snapshot, at the path that is its name."""

    file_extension = ""

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        """The folder of all of them: what stands there and has no test is unused."""
        return str(golden.FOLDER)

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:
        """The file of a snapshot."""
        return str(golden.FOLDER / str(index))

    @classmethod
    def matches_test_location(
        cls, *, test_location: PyTestLocation, snapshot_location: str
    ) -> bool:
        """All of them belong to the one test."""
        return True

    def is_snapshot_location(self, *, location: str) -> bool:
        """Whatever stands in the folder is one."""
        return True

    def read_snapshot_collection(self, *, snapshot_location: str) -> SnapshotCollection:
        """The one snapshot of a file, by the name that the test gave it."""
        path = Path(snapshot_location).relative_to(golden.FOLDER).as_posix()
        name = self._sanitize_filename(f"test_everything_is_as_it_was_reviewed[{path}]")
        found = SnapshotCollection(location=snapshot_location)
        found.add(Snapshot(name=name))
        return found


def lines(data: bytes) -> list[str]:
    return data.decode("utf-8").replace("\r\n", "\n").split("\n")


def different(name: str, new: bytes) -> str:
    path = golden.FOLDER / name
    old = path.read_bytes() if path.is_file() else b""
    found = list(difflib.unified_diff(lines(old), lines(new), name, name, lineterm="", n=1))
    return "\n".join(found[:60] or [f"{name}: other line ends"])


def test_everything_is_as_it_was_reviewed(
    made: dict[str, bytes], snapshot: SnapshotAssertion
) -> None:
    kept = snapshot.use_extension(Golden)
    found = [different(name, data) for name, data in made.items() if kept(name=name) != data]
    assert not found, "\n".join([*found[:10], "`make snapshots` writes tests/golden anew"])


def test_nothing_stands_there_that_nobody_made(made: dict[str, bytes]) -> None:
    paths = (path for path in golden.FOLDER.rglob("*") if path.is_file())
    assert {path.relative_to(golden.FOLDER).as_posix() for path in paths} == made.keys()


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
