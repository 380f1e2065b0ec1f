"""Every runbook of litwareinc, byte for byte: the diff of a snapshot is what gets reviewed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension
from syrupy.types import SerializedData

from generator import pipeline
from generator.model.build import Build, RenderedRunbook
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parent.parent.parent
INVENTORY = ROOT / "inventories" / "litwareinc.yml"


class RunbookSnapshot(SingleFileSnapshotExtension):
    """One .ps1 for each runbook: compared byte for byte, shown as a line diff."""

    file_extension = "ps1"

    def diff_lines(
        self, serialized_data: SerializedData, snapshot_data: SerializedData
    ) -> Iterator[str]:
        """Lines of text instead of one line of escaped bytes."""
        return super().diff_lines(_as_text(serialized_data), _as_text(snapshot_data))


def _as_text(data: SerializedData) -> str:
    return data.decode("utf-8") if isinstance(data, bytes) else data


# The plan is enough to name the tests: no script is made when they are only collected.
NAMES = [one.id for one in pipeline.order(INVENTORY, TemplateTree.for_project())[0].runbooks]


@cache
def built() -> Build:
    return pipeline.build(INVENTORY, TemplateTree.for_project())


@cache
def files() -> dict[str, RenderedRunbook]:
    return {script.runbook.id: script for script in built().rendered}


@pytest.fixture
def runbook_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(RunbookSnapshot)


@pytest.mark.parametrize("name", NAMES)
def test_snapshot_of_runbook(name: str, runbook_snapshot: SnapshotAssertion) -> None:
    assert files()[name].data == runbook_snapshot


def test_every_script_ends_with_the_same_engine() -> None:
    engines = {script.pieces[-1].marked for script in files().values()}
    assert len(engines) == 1
    (engine,) = engines
    tail = engine.replace("\n", "\r\n").encode()
    assert all(script.data.endswith(tail) for script in files().values())
