"""manifest.json: valid by its own schema, complete, and the same anywhere."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from builders import a_build, a_plan

from generator import pipeline
from generator.files import names
from generator.model.build import Build
from generator.model.plan import Plan
from generator.output import bundle, manifest
from generator.rendering import launcher
from generator.templating.templates import TemplateTree

PROJECT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads(manifest.SCHEMA.read_text("utf-8"))


def streamed(build: Build) -> bytes:
    """The bytes of the manifest of a build with one document beside it."""
    digests = {one.runbook.file: manifest.sha256(one.data) for one in build.rendered}
    digests[launcher.NAME] = manifest.sha256(build.launcher.data)
    digests["RUNSHEET.md"] = manifest.sha256(b"text")
    summaries = [one.summary for one in build.rendered]
    return b"".join(manifest.stream(build, summaries, ["RUNSHEET.md"], digests))


@pytest.fixture
def made() -> dict[str, Any]:
    return json.loads(streamed(a_build()))


def entry(made: dict[str, Any], number: str, direction: str = "forward") -> dict[str, Any]:
    (found,) = (
        one for one in made["runbooks"] if (one["number"], one["direction"]) == (number, direction)
    )
    return found


def test_it_is_valid_by_its_schema(made: dict[str, Any]) -> None:
    jsonschema_rs.validator_for(SCHEMA, offline=True).validate(made)


def test_the_schema_refuses_what_it_does_not_know(made: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA, offline=True)
    for change in (
        {"format": 2},
        {"built_at": "2027-03-06"},
        {"engine_sha256": "A" * 64},
        {"runbooks": [{**made["runbooks"][0], "path": "../x.ps1"}]},
        {"runbooks": [{**made["runbooks"][0], "direction": "sideways"}]},
    ):
        assert not validator.is_valid({**copy.deepcopy(made), **change}), change


def test_every_key_of_the_schema_is_described() -> None:
    def properties(node: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(node, dict):
            yield from node.get("properties", {}).items()
            for value in node.values():
                yield from properties(value)

    definitions = SCHEMA["$defs"]
    for name, node in properties(SCHEMA):
        reference = node.get("$ref", "").removeprefix("#/$defs/")
        assert "description" in node or "description" in definitions[reference], name


def test_it_lists_the_runbooks_in_the_order_of_work(made: dict[str, Any]) -> None:
    assert [(one["direction"], one["number"]) for one in made["runbooks"]] == [
        ("forward", "00-001"), ("forward", "10-001"), ("forward", "20-001"), ("forward", "30-001"),
        ("undo", "01-001"), ("undo", "02-001"), ("undo", "03-001"),
    ]  # fmt: skip


def test_an_entry_says_what_the_file_is_for(made: dict[str, Any]) -> None:
    data = b"# 30-001-directory-register_WEB01\r\n# first text\r\n"
    assert entry(made, "30-001") == {
        "path": "30-001-directory-register_WEB01.ps1",
        "id": "30-001-directory-register_WEB01",
        "number": "30-001",
        "phase": "30",
        "direction": "forward",
        "product": "directory",
        "host": {"netbios": "WEB01", "fqdn": "web01.contoso.com"},
        "title": "Set the address of the partner",
        "sha256": hashlib.sha256(data).hexdigest(),
        "content_sha256": hashlib.sha256(b"content of " + data).hexdigest(),
        "engine_sha256": hashlib.sha256(b"engine").hexdigest(),
        "predecessors": ["10-001-directory-set-address_APP01", "20-001-directory-restart_APP01"],
        "undo": "01-001-undo-directory-register_WEB01",
        "undoes": None,
        "serves": [],
    }


def test_forward_and_undo_name_each_other(made: dict[str, Any]) -> None:
    forward, undo = entry(made, "10-001"), entry(made, "02-001", "undo")
    assert (forward["undo"], undo["undoes"]) == (undo["id"], forward["id"])
    assert undo["path"] == f"undo/{undo['id']}.ps1"
    assert entry(made, "20-001")["serves"] == [forward["id"]]
    assert entry(made, "03-001", "undo")["serves"] == [undo["id"]]


def test_a_change_without_window_is_valid_too() -> None:
    made = json.loads(streamed(a_build(a_plan(window=None))))
    assert made["change"]["window"] is None
    jsonschema_rs.validator_for(SCHEMA, offline=True).validate(made)


@pytest.mark.parametrize("name", ["litwareinc", "contoso"])
def test_those_of_the_shipped_inventories_are_valid_and_their_names_fit(name: str) -> None:
    tree = TemplateTree.for_project()
    files = bundle.contents(pipeline.build(PROJECT / "inventories" / f"{name}.yml", tree), tree)
    jsonschema_rs.validator_for(SCHEMA, offline=True).validate(json.loads(files[manifest.NAME]))
    assert names.problems_of_one(name) == names.problems(files) == []


@pytest.mark.parametrize(
    "build", [a_build(), a_build(Plan(a_plan().inventory, (), ()))], ids=["some", "none"]
)
def test_in_parts_it_has_the_bytes_of_the_whole(build: Build) -> None:
    data = streamed(build)
    assert manifest.encode(json.loads(data)) == data
    assert len(json.loads(data)["runbooks"]) == len(build.rendered)


def test_hashes_name_every_file_once(made: dict[str, Any]) -> None:
    hashes = manifest.hashes(made)
    assert len(hashes) == 9
    assert hashes["RUNSHEET.md"] == hashlib.sha256(b"text").hexdigest()


def test_it_is_seven_bit_text_with_one_line_end_at_its_end() -> None:
    data = streamed(a_build(a_plan(title="Größe \u202e\ud800")))
    assert data.isascii()
    assert data.endswith(b"}\n")
    assert b"\r" not in data
    assert json.loads(data)["change"]["title"] == "Größe \u202e\ud800"
