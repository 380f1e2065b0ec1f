"""Schemas of one's own: references that lead back to themselves, patterns that never end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from programs import ROOT
from security.projects import Project, shown

from generator.findings import FindingsError
from generator.schema import patterns, references, schema_files, validator, yaml_source
from generator.templating.templates import TemplateTree

pytestmark = pytest.mark.usefixtures("watchdog")

SCHEMA = "skype/schema.yml"
KEY = "  version:\n    description:"

RINGS = {
    "itself": "    $ref: '#/properties/version'\n",
    "the file": "    $ref: '#'\n",
    "mutual": "    $ref: '#/$defs/a'\n",
    "through allOf": "    allOf: [{$ref: '#/properties/version'}]\n",
    "through anyOf and not": "    anyOf: [{not: {$ref: '#/properties/version'}}]\n",
    "through a property": "    type: object\n    properties: {x: {description: x, $ref: '#'}}\n",
    "through items": "    type: array\n    items: {$ref: '#/properties/version'}\n",
    "through data": "    $ref: '#/properties/version/default'\n"
    "    default: {$ref: '#/properties/version'}\n",
    "another file": "    $ref: ../exchange/schema.yml#/properties/version\n",
    "through another file": "    $ref: ../skype/schema.yml#/$defs/a\n",
}
DEFINITIONS = "\n$defs:\n  a: {$ref: '#/$defs/b'}\n  b: {allOf: [{$ref: '#/$defs/a'}]}\n"


def with_ring(project: Project, text: str) -> None:
    path = project.change(SCHEMA)
    own = path.read_text("utf-8").replace("  version:\n", f"  version:\n{text}", 1)
    path.write_text(own.rstrip("\n") + DEFINITIONS)
    if "another file" in text or "exchange" in text:
        project.change(
            "exchange/schema.yml",
            ("  version:\n", "  version:\n    $ref: ../skype/schema.yml#/properties/version\n"),
        )


@pytest.mark.parametrize("ring", RINGS)
def test_G06_a_reference_that_leads_back_is_a_finding(project: Project, ring: str) -> None:
    with_ring(project, RINGS[ring])
    said = project.validate()
    assert said.code == 1
    places = said.found("T127")
    assert places, said.text
    assert all(re.search(r"/schema\.yml:\d+:\d+$", place) for place in places), places
    assert any("skype/schema.yml" in place for place in places)


def test_G06_every_command_ends(project: Project) -> None:
    with_ring(project, RINGS["mutual"])
    answers = project.every()
    for said in answers.values():
        assert said.code == 1, shown(answers)
        assert len(said.found("T127")) >= 1, shown(answers)


@pytest.mark.parametrize("form", ["product", "role", "checks", "cmdlets", "phases"])
def test_G06_the_schemas_of_templates_are_judged_too(project: Project, form: str) -> None:
    name = f"_runbook/{form}.schema.yml"
    path = project.change(name)
    path.write_text(path.read_text("utf-8") + "\nallOf: [{$ref: '#'}]\n")
    for said in (project.run("lint"), project.run("plan", str(project.inventory))):
        assert said.code == 1
        assert said.found("T127"), said.text
    assert any(place.startswith(str(path)) for place in project.run("lint").found("T127"))


def test_G06_all_rings_of_a_file_are_found_in_one_run(project: Project) -> None:
    with_ring(project, RINGS["itself"])
    said = project.run("lint")
    # That of the key, and the two definitions.
    assert len(said.found("T127")) == 2, said.text


def test_G06_references_that_double_are_a_finding(project: Project) -> None:
    """No ring, and as endless: with forty levels it would be a million million schemas."""
    path = project.change(SCHEMA)
    levels = "".join(
        f"  a{n}: {{anyOf: [{{$ref: '#/$defs/a{n + 1}'}}, {{$ref: '#/$defs/a{n + 1}'}}]}}\n"
        for n in range(14)
    )
    own = path.read_text("utf-8").replace("  version:\n", "  version:\n    $ref: '#/$defs/a0'\n", 1)
    path.write_text(f"{own}\n$defs:\n{levels}  a14: {{type: integer}}\n")
    for said in (project.validate(), project.run("lint"), project.run("schema")):
        assert said.code == 1
        assert len(said.found("T128")) == 1, said.text
        assert said.found("T128")[0].startswith(f"{path}:"), said.text


def test_G06_a_reference_in_a_form_that_nobody_checked_ends() -> None:
    rules = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    document = yaml_source.parse("a: 1\n", "x.yml")
    with pytest.raises(FindingsError, match=r"T127.*leads back to itself"):
        validator.validate(document, rules, {})
    with pytest.raises(FindingsError, match="T121"):
        validator.validate(document, ["a"], {})  # type: ignore[arg-type]


def test_G06_defaults_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator, "MAX_VALUES", 1_000)
    keys = {f"k{n}": {"default": {}, "properties": {"x": {"default": "y"}}} for n in range(100)}
    rules = {"items": {"type": "object", "properties": keys}}
    document = yaml_source.parse("[" + "{}, " * 100 + "]\n", "x.yml")
    with pytest.raises(FindingsError, match=r"E013.*with its defaults"):
        validator.validate(document, rules, {})


def test_G06_the_built_in_schemas_are_small() -> None:
    registry = schema_files.load_registry(TemplateTree.for_project())
    for name, rules in registry.items():
        assert references.faults(rules, name, registry) == []
    files = sorted((ROOT / "templates/_runbook").glob("*.schema.yml"))
    assert len(files) == 6
    for path in files:
        data = yaml_source.load(path).data
        assert references.faults(data, path.name, {path.name: data}) == []


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("$id: http://x/y\n", "T122", "1:1"),
        ("$schema: http://json-schema.org/draft-04/schema#\n", "T124", "1:10"),
        ("x-hints: 5\n", "T124", "1:10"),
        ("x-hints: [5]\n", "T124", "1:11"),
        ("x-hints: [{pattern: x}]\n", "T124", "1:11"),
        ("x-hints: [{pattern: '(', hint: x}]\n", "T126", "1:21"),
        ("x-hints: [{pattern: '(?!a)', hint: x}]\n", "T129", "1:21"),
        ("x-expects: [a]\n", "T124", "1:12"),
        ("required: 5\nproperties: {}\n", "T124", "1:11"),
        ("pattern: '(a)\\1'\n", "T129", "1:10"),
        ("pattern: '^(?!a)b'\n", "T129", "1:10"),
        ("pattern: '(a{1000}){1000}'\n", "T126", "1:10"),
        ("patternProperties: {'(?<=a)b': {}}\n", "T129", "1:32"),
        ("properties: {a: {pattern: '(?=a)'}}\n", "T129", "1:27"),
        ("properties: 5\n", "T124", "1:13"),
        ("type: strng\nrequired: 5\n", "T124", "1:7"),
        ("$ref: '#a'\n", "T123", "1:7"),
        ("$ref: [a]\n", "T123", "1:7"),
    ],
)  # fmt: skip
def test_G04_a_schema_file_is_judged_before_it_is_used(text: str, code: str, place: str) -> None:
    document = yaml_source.parse(text, "s.yml")
    findings = schema_files.check_schema(document, "s.yml", {"s.yml": document.data})
    assert (code, f"s.yml:{place}") in [
        (finding.code, f"{finding.file}:{finding.line}:{finding.column}") for finding in findings
    ], [finding.format() for finding in findings]


def test_G04_a_hint_that_would_search_for_years_does_not(project: Project) -> None:
    project.change(
        SCHEMA,
        ("    x-hints:\n", '    x-hints:\n      - {pattern: "^(a+)+$", hint: never}\n'),
        ("      - {pattern: \"(?i)lync\"", '      - {pattern: "(a|a)*b$", hint: never}\n'
         "      - {pattern: \"(?i)lync\""),
    )  # fmt: skip
    text = project.inventory.read_text("utf-8")
    project.inventory.write_text(text.replace("  version: 2015\n", f"  version: {'a' * 50_000}!\n"))
    said = project.validate()
    assert said.code == 1
    assert said.found("E104"), said.text


def test_G04_a_hint_is_searched_for_by_the_same_engine(project: Project) -> None:
    """One that Python's own does not know tells them apart."""
    hint = '    x-hints:\n      - {pattern: "^\\\\p{Lu}+$", hint: not in capitals}\n'
    project.change(SCHEMA, ("    x-hints:\n", hint))
    text = project.inventory.read_text("utf-8")
    project.inventory.write_text(text.replace("  version: 2015\n", "  version: LYNC\n"))
    assert "(not in capitals)" in project.validate().text


def test_G04_a_pattern_is_matched_by_the_engine_of_the_validator() -> None:
    assert patterns.found("^(a+)+$", "a" * 100_000)
    assert not patterns.found("^(a+)+$", "a" * 100_000 + "b")
    assert not patterns.found("(", "x")
    assert not patterns.found("x", "\ud800x")


def test_G04_no_schema_of_ours_needs_lookaround() -> None:
    count = 0
    for path in (ROOT / "templates").rglob("*.yml"):
        for _, part in references.parts(yaml_source.load(path).data):
            for pattern in [part.get("pattern"), *(h["pattern"] for h in part.get("x-hints", []))]:
                if isinstance(pattern, str):
                    count += 1
                    assert patterns.fault(pattern) is None, (path, pattern)
    assert count > 30


@pytest.mark.parametrize(
    ("definition", "good", "bad"),
    [
        ("safe_name", ["CHG1", "con1", "a", "x.con", "common", "a" * 40, "com", "lpt10"],
         ["con", "CON.txt", "nul", "com1", "LPT9.x", "aux.", ".a", "a.", "a" * 41, "a b", ""]),
        ("netbios", ["EX1", "1a", "a-1", "x" * 15], ["1", "123", "-a", "x" * 16, "a.b", ""]),
        ("group", ["Admins", "S-1-5-21-1", "S-1", "s-1-x", "Администраторы", "x" * 64,
                   "S-1-5-21-1004336348-1177238915-682003330-1604"],
         ["S-1-", "S-1-x", "S-1-5", "a@b", "a\\b", "x" * 65, "", "S-1-5-21-12345678901"]),
    ],
)  # fmt: skip
def test_G04_the_patterns_without_lookaround_say_the_same(
    definition: str, good: list[str], bad: list[str]
) -> None:
    path = ROOT / "templates/_runbook/schema.yml"
    rules = yaml_source.load(path).data["$defs"][definition]
    for text in good:
        assert validator.is_valid(text, rules), text
    for text in bad:
        assert not validator.is_valid(text, rules), text


def test_G04_what_a_value_may_not_be_is_said_in_the_same_words(tmp_path: Path) -> None:
    rules = yaml_source.load(ROOT / "templates/_runbook/schema.yml").data["$defs"]["netbios"]
    document = yaml_source.parse("'123'\n", "x.yml")
    (found,) = validator.validate(document, rules, {})
    assert found.format().split("\n")[0] == (
        "x.yml:1:1: error[E105] '123' is not a NetBIOS computer name: at most 15 letters, digits "
        "and hyphens (Windows refuses a name of digits alone)"
    )
    document = yaml_source.parse("[a]\n", "x.yml")
    assert [found.code for found in validator.validate(document, rules, {})] == ["E103"]
