"""Cross-checks as data: paths, mistakes, places, and the checks of our own products."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from generator.findings import FindingsError
from generator.inventory.checks import find, load_checks, run
from generator.schema import yaml_source
from generator.templating.expressions import ExpressionError
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[3]
OUR_FILES = sorted((ROOT / "templates").glob("*/checks.yml"))

DATA = yaml_source.parse(
    """
mail:
  version: '2016'
  servers:
    - {name: a, size: 1}
    - {name: B, size: 2, kind: old}
    - {name: b, size: 3, kind: old}
  pools:
    - {name: p, members: [{name: x}, {name: y}]}
    - {name: q}
""",
    "x.yml",
)


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("mail.version", ["mail.version"]),
        ("mail.servers", ["mail.servers"]),
        ("mail.servers[*]", ["mail.servers.0", "mail.servers.1", "mail.servers.2"]),
        ("mail.servers[1].name", ["mail.servers.1.name"]),
        ("mail.servers[kind=old]", ["mail.servers.1", "mail.servers.2"]),
        ("mail.servers[*].kind", ["mail.servers.1.kind", "mail.servers.2.kind"]),
        ("mail.pools[*].members[*]", ["mail.pools.0.members.0", "mail.pools.0.members.1"]),
        ("mail.nowhere[*].x", []),
        ("mail.version[*]", []),
        ("mail.servers.name", []),
    ],
)
def test_a_path_finds_what_stands_there(pattern: str, paths: list[str]) -> None:
    found = find(pattern, DATA.data)
    assert [".".join(map(str, path)) for path, _, _ in found] == paths


def test_a_path_knows_the_mapping_around_what_it_finds() -> None:
    (_, member, pool), *_ = find("mail.pools[*].members[*]", DATA.data)
    assert (member["name"], pool["name"]) == ("x", "p")


@pytest.mark.parametrize("pattern", ["mail.servers[", "mail..x", "mail.servers[*", "[x y]", "1"])
def test_what_is_no_path_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError, match="not a path like"):
        find(pattern, DATA.data)


def found(checks: str, faulty: tuple[tuple[str | int, ...], ...] = ()) -> list[str]:
    document = yaml_source.parse(checks, "checks.yml")
    return [finding.format().split("\n")[0] for finding in run(document, DATA.data, DATA, faulty)]


def test_a_mistake_is_placed_and_told_with_the_values_of_the_item() -> None:
    assert found("""
- code: E901
  for: mail.servers[*]
  when: item.size > 2
  place: .size
  message: "{{ item.name }} is number {{ index }} of {{ parent.version }}"
  hint: make it smaller than {{ item.size }}
""") == ["x.yml:7:23: error[E901] mail.servers[2].size: b is number 2 of 2016"
         " (make it smaller than 3)"]  # fmt: skip


def test_a_message_stays_one_that_can_be_read() -> None:
    check = "- {code: E908, when: 'true', message: \"{{ 'x' * 5000 }}\", place: mail}"
    assert found(check)[0].endswith("x" * 300 + "...")


def test_a_check_without_items_looks_at_the_whole_inventory() -> None:
    assert found("""
- code: E902
  when: mail.servers | length > 2 and voice is not defined
  place: mail.servers
  message: too many
""") == ["x.yml:5:5: error[E902] mail.servers: too many"]


def test_a_check_without_a_place_points_at_the_item() -> None:
    assert found("""
- {code: E903, for: 'mail.servers[kind=old]', when: item.size == 2, message: old}
""") == ["x.yml:6:7: error[E903] mail.servers[1]: old"]


def test_what_may_not_repeat_names_the_first() -> None:
    assert found("""
- code: E904
  for: mail.servers[*]
  unique: item.name | lower
  place: .name
  message: twice
  hint: first at {{ first }}
""") == ["x.yml:7:14: error[E904] mail.servers[2].name: twice (first at mail.servers[1])"]


def test_a_check_may_look_at_several_paths() -> None:
    assert found("""
- code: E905
  for: ['mail.servers[*]', 'mail.pools[*]']
  when: item.name in ['a', 'q']
  message: found
""") == [
        "x.yml:5:7: error[E905] mail.servers[0]: found",
        "x.yml:10:7: error[E905] mail.pools[1]: found",
    ]  # fmt: skip


CHECK = "- {code: E906, for: 'mail.servers[*]', when: item.size > 1, place: .size, message: m}"


@pytest.mark.parametrize(
    ("faulty", "left"),
    [
        (("mail", "servers", 1, "size"), 1),
        (("mail", "servers", 1), 1),
        (("mail", "servers"), 0),
        (("mail", "servers", 1, "size", "below"), 1),
        (("mail", "servers", 1, "name"), 2),
        (("mail", "version"), 2),
        ((), 0),
    ],
)
def test_a_mistake_at_a_faulty_place_is_an_echo(faulty: tuple[str | int, ...], left: int) -> None:
    assert len(found(CHECK, (faulty,))) == left


def test_a_check_that_cannot_be_computed_is_a_finding_in_its_own_file() -> None:
    text = "- code: E907\n  when: mail.servers[0].color == 'red'\n  message: m\n"
    assert found(text) == [
        "checks.yml:1:9: error[T110] mail.servers[0].color == 'red':"
        " 'dict object' has no attribute 'color'"
    ]
    # On faulty values it is no wonder.
    assert found(text, (("mail", "version"),)) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- {code: E1, when: 'true', message: m}", "is not a capital letter and three digits"),
        ("- {code: E100, message: m}", "breaks the rule 'anyOf' of the schema"),
        ("- {code: E100, wen: 'true', message: m}", "unknown key (did you mean 'when'?)"),
        ("code: E100", "a list is wanted here, not a mapping"),
    ],
)
def test_a_mistake_in_a_checks_file_is_found(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "exchange").mkdir()
    (tmp_path / "exchange" / "checks.yml").write_text(text)
    with pytest.raises(FindingsError, match=re.escape(sentence)) as caught:
        load_checks(TemplateTree.for_project(tmp_path), "exchange/checks.yml")
    assert "templates/exchange/checks.yml:1:" in str(caught.value)


def test_no_checks_are_no_mistake() -> None:
    assert load_checks(TemplateTree.for_project(), "exchange/nothing.yml") is None


def test_a_code_means_one_thing() -> None:
    codes = Counter(check["code"] for path in OUR_FILES for check in yaml_source.load(path).data)
    assert [code for code, count in codes.items() if count > 1] == []
    sources = "".join(p.read_text() for p in (ROOT / "generator").rglob("*.py"))
    assert [code for code in codes if f'"{code}"' in sources] == []


@pytest.mark.parametrize("path", OUR_FILES, ids=lambda path: path.parent.name)
def test_codes_say_whose_check_it_is(path: Path) -> None:
    band = {"_runbook": "E21", "exchange": "E3", "skype": "E4"}[path.parent.name]
    codes = [check["code"] for check in yaml_source.load(path).data]
    assert codes == sorted(codes)
    assert all(code.startswith(band) for code in codes)


def test_every_check_has_an_inventory_that_it_refuses() -> None:
    texts = "".join(
        p.read_bytes().decode("utf-8", "replace")
        for p in (ROOT / "tests/data/inventories").glob("*.yml")
    )
    codes = {check["code"] for path in OUR_FILES for check in yaml_source.load(path).data}
    assert {code for code in codes if f"error[{code}]" not in texts} == set()
