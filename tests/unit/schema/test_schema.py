"""Schemas: verdicts in our sentences, defaults, and the schema files themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.findings import FindingsError
from generator.schema import references, schema_files, validator, yaml_source
from generator.schema.messages import did_you_mean
from generator.schema.yaml_errors import MAX_FINDINGS
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[3]
TREE = TemplateTree.for_project()
NAMES = ["_runbook/schema.yml", "exchange/schema.yml", "skype/schema.yml"]

RULES = yaml_source.parse(
    """
type: object
additionalProperties: false
required: [name]
properties:
  name: {type: string, description: What it is called. And more about it.}
  number: {type: integer, minimum: 1, maximum: 9, default: 3}
  flag: {type: boolean, default: false}
  kind: {enum: [red, green], x-hints: [{pattern: pink, hint: pink is out of fashion}]}
  code: {type: string, pattern: "^[a-z]{2}$", x-expects: two small letters}
  plain: {type: string, pattern: "^x$"}
  short: {type: string, maxLength: 3}
  time: {type: string, format: date-time}
  list: {type: array, items: {type: string}, maxItems: 2, uniqueItems: true}
  either: {anyOf: [{type: integer}, {const: none}], description: A number or none.}
  only: {const: fixed}
  never: {enum: []}
  nested: {$ref: "#/$defs/nested"}
$defs:
  nested:
    type: object
    additionalProperties: false
    default: {}
    properties:
      depth: {type: string, default: deep}
""",
    "rules.yml",
).data


def found(text: str, rules: dict[str, Any] = RULES) -> list[str]:
    document = yaml_source.parse(text, "x.yml")
    return [
        finding.format().split("\n")[0].removeprefix("x.yml:")
        for finding in validator.validate(document, rules, {})
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: a\nnumbr: 1", "2:1: error[E101] numbr: unknown key (did you mean 'number'?)"),
        ("name: a\nnested: {zz: 1}",
         "2:10: error[E101] nested.zz: unknown key (known here: depth)"),
        ("number: 1", "1:1: error[E102] name: missing key (What it is called)"),
        ("name: a\nnumber: x",
         "2:9: error[E103] number: a whole number is wanted here, not the text 'x'"),
        ("name: a\nflag: 1",
         "2:7: error[E103] flag: true or false is wanted here, not the number 1"),
        ("name: [a]", "1:7: error[E103] name: text is wanted here, not a list"),
        ("name: {}", "1:7: error[E103] name: text is wanted here, not an empty mapping"),
        ("name:", "1:1: error[E103] name: a value is missing"),
        ("name: a\nkind: pink",
         "2:7: error[E104] kind: 'pink' is none of red, green (pink is out of fashion)"),
        ("name: a\nkind: gren",
         "2:7: error[E104] kind: 'gren' is none of red, green (did you mean 'green'?)"),
        ("name: a\nkind: [red]", "2:7: error[E104] kind: a list is none of red, green"),
        ("name: a\ncode: abc", "2:7: error[E105] code: 'abc' is not two small letters"),
        ('name: a\ncode: "ab\\n"', "2:7: error[E105] code: 'ab\\n' is not two small letters"),
        ("name: a\nplain: y", "2:8: error[E105] plain: 'y' is not of the form ^x$"),
        ("name: a\ntime: noon", "2:7: error[E105] time: 'noon' is not of the form date-time"),
        ("name: a\nlist: [a, b, c]", "2:7: error[E106] list: at most 2 items wanted here"),
        ("name: a\nlist: [a, a]",
         "2:11: error[E107] list[1]: 'a' is in the list twice (first at list[0])"),
        ("name: a\neither: x",
         "2:9: error[E109] either: 'x' breaks the rule 'anyOf' of the schema"),
        ("name: a\nonly: x", "2:7: error[E104] only: 'x' is not fixed"),
        ("name: a\nnever: x",
         "2:8: error[E104] never: 'x' stands where the schema allows no value"),
        ("name: a\nshort: abcd",
         "2:8: error[E108] short: 'abcd' has 4 characters, the limit is 3"),
        ("name: a\nnumber: 0",
         "2:9: error[E108] number: 0 is out of range, at least 1 is wanted"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_has_its_sentence(text: str, sentence: str) -> None:
    assert found(text) == [sentence]


def test_all_mistakes_come_at_once_with_those_of_the_reading() -> None:
    document = yaml_source.parse("nme: a\nnumber: x\nnumber: 5\nkind: 5\nzz: 1\n", "x.yml")
    findings = validator.validate(document, RULES, {})
    assert sorted(finding.code for finding in findings) == ["E016", "E101", "E101", "E103", "E104"]


def test_a_file_of_another_kind_is_given_up_after_thousands_of_mistakes() -> None:
    text = "\n".join(f"key{n}: 1" for n in range(MAX_FINDINGS + 5))
    assert len(found(text)) == MAX_FINDINGS
    rules = {"type": "array", "items": {"type": "boolean"}}
    assert len(found("[" + "1," * (MAX_FINDINGS + 5) + "]", rules)) == MAX_FINDINGS


def test_a_misspelt_key_is_not_missing_as_well() -> None:
    assert len(found("nmae: a\n")) == 1


def test_codes_can_begin_otherwise() -> None:
    document = yaml_source.parse("name: 1\nzz: 1\n", "x.yml")
    assert [f.code for f in validator.validate(document, RULES, {}, codes="T3")] == ["T301"]


def test_defaults_are_filled_in_and_numbers_become_text_where_text_stands() -> None:
    data = {"name": 2016, "list": [1, "b"], "number": 4}
    assert validator.complete(data, RULES, {}) == {
        "name": "2016", "list": ["1", "b"], "number": 4, "flag": False, "nested": {"depth": "deep"},
    }  # fmt: skip
    assert data == {"name": 2016, "list": [1, "b"], "number": 4}


def test_two_documents_never_share_a_default() -> None:
    one, two = (validator.complete({"name": "a"}, RULES, {}) for _ in range(2))
    one["nested"]["depth"] = "changed"
    assert two["nested"]["depth"] == "deep"


def test_what_does_not_fit_is_left_as_it_is() -> None:
    wrong = {"name": None, "list": {"a": 1}, "nested": [1], "zz": {"k": 1}}
    assert validator.complete(wrong, RULES, {}).items() >= wrong.items()
    assert validator.complete([1], RULES, {}) == [1]


def test_a_reference_leads_into_another_file() -> None:
    registry: dict[str, Any] = {
        "a/schema.yml": {"type": "object", "properties": {"x": {"$ref": "../b/s.yml#/$defs/y"}}},
        "b/s.yml": {"$defs": {"y": {"$ref": "#/$defs/z"}, "z": {"type": "string", "default": "d"}}},
    }
    document = yaml_source.parse("x: true\n", "x.yml")
    findings = validator.validate(document, registry["a/schema.yml"], registry)
    assert [finding.code for finding in findings] == ["E103"]
    assert validator.complete({}, registry["a/schema.yml"], registry) == {"x": "d"}


def test_the_nearest_name_is_offered_and_a_far_one_is_not() -> None:
    assert did_you_mean("rols", ["fqdn", "roles"]) == "roles"
    assert did_you_mean("SIP-Domains", ["sip_domains"]) == "sip_domains"
    assert did_you_mean("color", ["fqdn", "roles"]) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("type: object\nproprties: {}",
         "2:1: error[T122] unknown keyword 'proprties' (did you mean 'properties'?)"),
        ("items: {descripton: x}",
         "1:9: error[T122] unknown keyword 'descripton' (did you mean 'description'?)"),
        ("properties: {a: {$ref: '#/$defs/b'}}",
         "1:24: error[T123] $ref '#/$defs/b' points at nothing"),
        ("properties: {a: {$ref: other.yml}}",
         "1:24: error[T123] $ref 'other.yml' points at nothing"),
        ("type: strng", "1:7: error[T124] not a JSON Schema: "),
        ("pattern: '('", "1:10: error[T126] '(' is not a regular expression"),
        ("required: [a, b]\nproperties: {a: {}}",
         "1:15: error[T125] required names 'b', which is no property"),
        ("- a", "1:1: error[T121] a schema must be a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_schema_file_is_found(text: str, sentence: str) -> None:
    document = yaml_source.parse(text, "s.yml")
    findings = schema_files.check_schema(document, "s.yml", {"s.yml": document.data})
    assert len(findings) == 1
    assert findings[0].format().startswith(f"s.yml:{sentence}")


def test_a_broken_schema_of_a_project_is_reported_with_its_place(tmp_path: Path) -> None:
    own = tmp_path / "templates" / "exchange"
    own.mkdir(parents=True)
    (own / "schema.yml").write_text("type: object\nrequird: [version]\n")
    with pytest.raises(FindingsError) as caught:
        schema_files.load_registry(TemplateTree.for_project(tmp_path / "templates"))
    first = str(caught.value).split("\n")[0]
    assert first == (
        "templates/exchange/schema.yml:2:1: error[T122] unknown keyword 'requird'"
        " (did you mean 'required'?)"
    )


def properties(rules: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property and list item of a schema, with its path."""
    if not isinstance(rules, dict):
        return
    for name, item in rules.get("properties", {}).items():
        yield f"{path}.{name}", item
        yield from properties(item, f"{path}.{name}")
    if "items" in rules:
        yield f"{path}[]", rules["items"]
        yield from properties(rules["items"], f"{path}[]")
    for name, item in rules.get("$defs", {}).items():
        yield from properties(item, f"{path}#{name}")


# What a list of cmdlets may hold is judged where those lists are used.
SCHEMAS = [
    ROOT / "templates" / name
    for name in [*NAMES, *(f"_runbook/{kind}.schema.yml" for kind in ("checks", "product", "role"))]
]


@pytest.mark.parametrize(
    "path", SCHEMAS, ids=lambda p: p.relative_to(ROOT / "templates").as_posix()
)
def test_every_key_says_what_it_is_for(path: Path) -> None:
    rules = yaml_source.load(path).data
    assert rules["description"]
    registry = {name: yaml_source.load(ROOT / "templates" / name).data for name in NAMES}
    name = path.relative_to(ROOT / "templates").as_posix()
    registry.setdefault(name, rules)
    for key, item in properties(rules):
        # Inside our own files a shared definition may bring the words.
        target = references.resolve(item["$ref"], name, registry)[0] if "$ref" in item else {}
        assert item.get("description") or target.get("description"), f"{name}: {key}"


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_an_inventory_is_described_in_sentences(name: str) -> None:
    rules = yaml_source.load(ROOT / "templates" / name).data
    count = 0
    for key, item in properties(rules):
        count += 1
        text = item.get("description", "")
        assert text[:1].isupper() or text.split(" ")[0] == "standard", f"{name}: {key}"
        assert text.endswith("."), f"{name}: {key}"
        assert "  " not in text, f"{name}: {key}"
    assert count > 5


@pytest.mark.parametrize(
    "path", SCHEMAS, ids=lambda p: p.relative_to(ROOT / "templates").as_posix()
)
def test_our_own_schema_files_have_no_mistakes(path: Path) -> None:
    registry = {name: yaml_source.load(ROOT / "templates" / name).data for name in NAMES}
    document = yaml_source.load(path)
    name = path.relative_to(ROOT / "templates").as_posix()
    assert schema_files.check_schema(document, name, {**registry, name: document.data}) == []


@pytest.mark.parametrize(
    "path", SCHEMAS, ids=lambda p: p.relative_to(ROOT / "templates").as_posix()
)
def test_every_default_and_hint_is_itself_valid(path: Path) -> None:
    registry = {name: yaml_source.load(ROOT / "templates" / name).data for name in NAMES}
    name = path.relative_to(ROOT / "templates").as_posix()
    registry.setdefault(name, yaml_source.load(path).data)
    for key, item in properties(registry[name]):
        target = references.resolve(item["$ref"], name, registry)[0] if "$ref" in item else item
        for entry in target.get("x-hints", ()):
            assert set(entry) == {"pattern", "hint"}, key
            re.compile(entry["pattern"])
        if item.get("default") not in (None, {}):
            document = yaml_source.parse(f"v: {item['default']}".lower(), "x.yml")
            rules = {"properties": {"v": {k: v for k, v in target.items() if k != "$ref"}}}
            if "pattern" not in target:
                assert validator.validate(document, rules, {}) == [], key
