"""Every runbook of litwareinc, byte for byte: the diff of a snapshot is what gets reviewed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension
from syrupy.types import SerializedData

from generator import pipeline
from generator.built import Build, RenderedRunbook
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


def test_a_changed_word_fails_its_own_snapshot_and_those_gated_on_it(tmp_path: Path) -> None:
    """The hash of a text stands in those that wait for it, so these differ in that hash alone."""
    name = "skype/front_end/partner_application.ps1.j2"
    own = tmp_path / "templates"
    (own / name).parent.mkdir(parents=True)
    shutil.copy(ROOT / "templates" / name, own / name)
    text = (own / name).read_text("utf-8")
    before, _, after = text.partition("{% block apply %}\n")
    (own / name).write_text(f"{before}{{% block apply %}}\n        # Word.\n{after}", "utf-8")
    changed = pipeline.build(INVENTORY, TemplateTree.for_project(own))

    differ = {
        new.runbook.id for new in changed.rendered if new.data != files()[new.runbook.id].data
    }
    source = next(
        r for r in built().plan.forward if r.definition.name == "skype.partner-application"
    )
    expected = {source.id}
    for runbook in built().plan.runbooks:
        touched = {need.id for need in runbook.needs} | {runbook.undoes}
        if touched & expected:
            expected.add(runbook.id)
    assert differ == expected
    for new in changed.rendered:
        old = files()[new.runbook.id]
        added = set(new.data.splitlines()) - set(old.data.splitlines())
        words = [line for line in added if b"ash = '" not in line]
        assert words == ([b"        # Word."] if new.runbook.id == source.id else [])


def test_every_script_ends_with_the_same_engine() -> None:
    engines = {script.pieces[-1].marked for script in files().values()}
    assert len(engines) == 1
    (engine,) = engines
    tail = engine.replace("\n", "\r\n").encode()
    assert all(script.data.endswith(tail) for script in files().values())
