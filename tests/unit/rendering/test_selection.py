"""A part of a change: what is picked, the bytes of the whole, and that it says it is one."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from builders import a_build

from generator.documents import runsheet
from generator.errors import UsageError
from generator.output import bundle, manifest
from generator.rendering import selection


def picked(*patterns: str) -> list[str]:
    part = selection.pick(a_build(), patterns)
    return [script.runbook.file.partition("_")[0] for script in part.rendered]


@pytest.mark.parametrize(
    "pattern", ["WEB01", "web01", "web01.contoso.com", "WEB*", "web01.*", "WEB0?"]
)
def test_a_host_by_short_or_full_name_in_any_case(pattern: str) -> None:
    assert picked(pattern) == [
        "30-001-directory-register",
        "undo/01-001-undo-directory-register",
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        "30-001",
        "30-*",
        "30-001-directory-register_WEB01",
        "30-001-directory-register_WEB01.ps1",
        "*-directory-register_*",
    ],
)
def test_a_runbook_by_number_id_or_file_with_its_undo(pattern: str) -> None:
    assert picked(pattern) == [
        "30-001-directory-register",
        "undo/01-001-undo-directory-register",
    ]


def test_a_gate_brings_its_counterpart_on_the_way_back() -> None:
    assert picked("20-001") == [
        "20-001-directory-restart",
        "undo/03-001-undo-directory-restart",
    ]


@pytest.mark.parametrize(
    "pattern", ["undo/02-001", "undo\\02-001", "02-001-undo-directory-set-address_APP01"]
)
def test_an_undo_alone(pattern: str) -> None:
    assert picked(pattern) == ["undo/02-001-undo-directory-set-address"]


def test_several_patterns_add_up_in_the_order_of_work() -> None:
    assert picked("30-001", "00-001") == [
        "00-001-directory-preflight",
        "30-001-directory-register",
        "undo/01-001-undo-directory-register",
    ]


def test_a_pattern_that_names_nothing_is_refused_with_a_close_match() -> None:
    with pytest.raises(UsageError, match=r"--limit web02: .*did you mean WEB01\?"):
        picked("30-001", "web02")
    with pytest.raises(UsageError, match="`runbook plan` shows"):
        picked("zzzzzzzz")


def test_its_files_are_those_of_the_whole(tmp_path: Path) -> None:
    whole = bundle.write(a_build(), tmp_path).folder
    part = bundle.write(selection.pick(a_build(), ["WEB01"]), tmp_path).folder
    assert (whole.name, part.name) == ("contoso", "contoso.part")
    names = sorted(p.relative_to(part) for p in part.rglob("*.ps1"))
    assert [len(name.parts) for name in names] == [1, 1, 2]
    for name in names:
        # The launcher's table is that of the whole change: a part has receipts of all of it.
        assert (part / name).read_bytes() == (whole / name).read_bytes()


def test_it_leaves_the_whole_as_it_was(tmp_path: Path) -> None:
    bundle.write(a_build(), tmp_path)
    bundle.write(selection.pick(a_build(), ["WEB01"]), tmp_path)
    assert not bundle.write(a_build(), tmp_path).comparison.differs


def test_the_manifest_says_so(tmp_path: Path) -> None:
    folder = bundle.write(selection.pick(a_build(), ["WEB01", "00-001"]), tmp_path).folder
    made = json.loads((folder / "manifest.json").read_text())
    assert made["part"] == {"limit": ["WEB01", "00-001"], "of": 7}
    assert len(made["runbooks"]) == 3
    schema = json.loads(manifest.SCHEMA.read_text())
    jsonschema_rs.validator_for(schema, offline=True).validate(made)
    whole = bundle.write(a_build(), tmp_path).folder
    assert json.loads((whole / "manifest.json").read_text())["part"] is None


def test_the_run_sheet_says_so_and_names_only_its_servers() -> None:
    text = runsheet.render(selection.pick(a_build(), ["WEB01"]))
    assert "**This is a part of the change only: 2 of its 7 runbooks" in text
    assert "`WEB01`" in text
    assert "| Servers | WEB01 (web01.contoso.com) |" in text
    assert "part of the change" not in runsheet.render(a_build())


def test_a_part_that_changes_nothing_has_nothing_to_take_back() -> None:
    text = runsheet.render(selection.pick(a_build(), ["00-001"]))
    assert "No runbook of this part alters anything" in text
