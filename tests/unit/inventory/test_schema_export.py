"""The schema for editors: self-contained, and it agrees with what `validate` says of schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from generator import cli
from generator.findings import FindingsError
from generator.inventory import schema_export
from generator.schema import yaml_source
from generator.templating.templates import TemplateTree, built_in

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = schema_export.document(TemplateTree.for_project())
VALIDATOR = jsonschema_rs.validator_for(SCHEMA, offline=True, validate_formats=True)


def broken() -> Iterator[Path]:
    """The broken inventories whose first line tells of a mistake against the schemas."""
    for path in sorted((ROOT / "tests/data/inventories").glob("*.yml")):
        first = path.read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
        if re.search(r"error\[E10[1-9]\]", first):
            yield path


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


def test_it_is_a_schema_without_references_to_other_files() -> None:
    jsonschema_rs.meta.validate(SCHEMA)
    references = [node["$ref"] for node in nodes(SCHEMA) if isinstance(node.get("$ref"), str)]
    assert len(references) > 20
    assert all(reference.startswith("#/$defs/") for reference in references)


def test_our_own_words_are_not_in_it() -> None:
    keys = {key for node in nodes(SCHEMA) for key in node}
    assert not {key for key in keys if key.startswith("x-")}
    assert "patternErrorMessage" in keys


def test_every_key_is_described() -> None:
    for node in nodes(SCHEMA):
        for name, about in node.get("properties", {}).items():
            if isinstance(about, dict) and about.keys() != {"$ref"}:
                assert "description" in about, name


@pytest.mark.parametrize("name", ["litwareinc", "contoso"])
def test_it_accepts_the_shipped_inventories_as_an_editor_reads_them(name: str) -> None:
    data = yaml_source.load(ROOT / "inventories" / f"{name}.yml").data
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("path", list(broken()), ids=lambda path: path.stem)
def test_it_finds_what_the_schemas_find(path: Path) -> None:
    try:
        data = yaml_source.load(path).data
    except FindingsError:
        pytest.fail("the file can be read, or its first line would say otherwise")
    assert not VALIDATOR.is_valid(data)


def test_a_number_may_stand_for_a_text_that_can_be_one() -> None:
    kinds = SCHEMA["$defs"]["_runbook"]["$defs"]
    assert kinds["safe_name"]["type"] == ["string", "integer"]
    assert kinds["host_name"]["type"] == "string"


def test_a_product_of_the_project_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "directory"
    folder.mkdir()
    (folder / "product.yml").write_text("title: D\norder: 9\nteam: t\nhosts: []\n")
    (folder / "schema.yml").write_text(
        "type: object\ndescription: d\nproperties:\n"
        "  name: {description: n, $ref: '../_runbook/schema.yml#/$defs/host_name'}\n"
        "  own: {description: n, $ref: '#/$defs/own'}\n$defs:\n  own: {enum: [a, b]}\n"
    )
    made = schema_export.document(TemplateTree((tmp_path, built_in())))
    part = {"$ref": "#/$defs/directory", "$defs": made["$defs"]}
    validator = jsonschema_rs.validator_for(part, offline=True)
    assert validator.is_valid({"name": "a.contoso.com", "own": "a"})
    assert not validator.is_valid({"name": "a.contoso.com", "own": "c"})
    assert not validator.is_valid({"name": "a b"})


class TestCommand:
    def test_standard_output_is_one_document_of_ascii(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["schema"]) == 0
        shown = capsys.readouterr().out
        assert shown.isascii()
        assert json.loads(shown) == SCHEMA

    def test_a_file_is_written_once(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "schema.json"
        assert cli.run(["schema", "--output", str(path), "--dry-run"]) == 0
        assert not path.exists()
        assert cli.run(["schema", "--output", str(path)]) == 0
        assert json.loads(path.read_bytes()) == SCHEMA
        assert cli.run(["schema", "--output", str(path)]) == 0
        shown = capsys.readouterr().err
        assert "would change" in shown
        assert "schema.json: written." in shown
        assert "schema.json: unchanged." in shown
        assert [one.name for one in tmp_path.iterdir()] == ["schema.json"]

    def test_a_folder_that_is_not_there_is_wrong_usage(self, tmp_path: Path) -> None:
        assert cli.run(["schema", "--output", str(tmp_path / "no" / "s.json")]) == 2
