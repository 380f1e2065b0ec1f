"""Comparisons of templates that have one answer whatever the inventory says (U05)."""

from __future__ import annotations

import shutil
from pathlib import Path

import made_up
import pytest
from made_up import change

from generator import lint
from generator.findings import Finding
from generator.templating.templates import TemplateTree, built_in

SCHEMA = """\
        version: {type: [string, integer], description: A version.}
        size: {type: integer, description: A size.}
        big: {type: boolean, description: A decision.}
        mode: {enum: [fast, slow], description: A choice.}
        either: {type: [string, boolean], description: Text or a decision.}
        free: {description: Anything.}
        names: {type: array, items: {type: string}, description: Names.}
"""
STEP = "directory/main/set_address.ps1.j2"
ROLE = "directory/main/role.yml"

NEVER = [
    # A whole number becomes its text where text may stand.
    ("server.version == 2019", "'server.version == 2019' is never true: server.version is text"),
    ("2019 == server.version", "'2019 == server.version' is never true: 2019 is a number"),
    ("server.size == '5'", "'server.size == '5'' is never true: server.size is a number"),
    ("server.size != '5'", "'server.size != '5'' is always true"),
    ("server.big == 'true'", "server.big is true or false, 'true' is text"),
    ("server.either == none", "server.either is text or true or false, none is nothing"),
    ("server.mode == 'last'", "server.mode is one of 'fast', 'slow'"),
    ("server.version in [2016, '2019']", "'server.version == 2016' is never true"),
    ("server.version not in [2016]", "'server.version not in [2016]' is always true"),
    ("5 in server.names", "'5 in server.names' is never true: 5 is a number, an item of"),
    ("server.names == 'a'", "server.names is a list, 'a' is text"),
    ("server.version is eq 5", "'server.version == 5' is never true"),
    ("server.size is in ['5']", "'server.size in ['5']' is never true"),
    ("server.site == none", "server.site is text, none is nothing"),
    ("'a' == server.site == 5", "'server.site == 5' is never true"),
    ("(server.site if backward else 'x') == 5", "is never true: ... is text"),
    ("host.site == 5", "'host.site == 5' is never true: host.site is text"),
    ("host.netbios == 5", "host.netbios is text"),
    ("directory.servers[0].size == '5'", "directory.servers[0].size is a number"),
    ("runbook.number == 10", "runbook.number is text"),
    ("backward and not (server.size == '5')", "server.size is a number"),
]
MAY_BE_TRUE = [
    "server.version == '2019'", "server.size == 5", "server.size != 5", "server.big == true",
    "server.big == 1", "server.size == true", "server.either == 'x'", "server.either == true",
    "server.free == 5", "server.free == '5'", "server.mode == 'fast'", "server.mode == server.site",
    "server.version in ['2016', '2019']", "server.version in ['2016', '2019'][:1]",
    "'a' in server.names", "'a' in server.site", "server.names == ['a']", "server.site[2:] == 'x'",
    "directory.address == 5", "server.size > 3", "server.site == server.version",
    "(server.site if backward else server.size) == 5",
]  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> TemplateTree:
    made = made_up.templates(tmp_path)
    change(made, "directory/schema.yml", "        site:", f"{SCHEMA}        site:")
    return made


def found(tree: TemplateTree) -> list[Finding]:
    return [one for one in lint.templates(tree) if one.code == "T232"]


def in_a_loop(tree: TemplateTree, expression: str) -> None:
    """The expression as a condition inside the loop over the servers, in line 6."""
    text = f"{{% if {expression} %}}{{% endif %}}\n        # {{{{ server.fqdn"
    change(tree, STEP, "        # {{ server.fqdn", text)


@pytest.mark.parametrize(("expression", "says"), NEVER, ids=[case[0] for case in NEVER])
def test_U05_a_comparison_that_never_holds_is_a_finding_with_its_reason(
    tree: TemplateTree, expression: str, says: str
) -> None:
    in_a_loop(tree, expression)
    (finding,) = found(tree)
    assert says in finding.message
    assert (finding.file, finding.line) == (f"templates/{STEP}", 6)


@pytest.mark.parametrize("expression", MAY_BE_TRUE)
def test_U05_a_comparison_that_may_hold_is_none(tree: TemplateTree, expression: str) -> None:
    in_a_loop(tree, expression)
    assert found(tree) == []


def test_U05_each_item_of_a_list_that_never_matches_is_named(tree: TemplateTree) -> None:
    in_a_loop(tree, "server.version in [2016, '2019', 2019]")
    assert [one.message.partition(":")[0] for one in found(tree)] == [
        "'server.version == 2016' is never true", "'server.version == 2019' is never true",
    ]  # fmt: skip


def test_U05_the_condition_of_a_loop_is_judged_too(tree: TemplateTree) -> None:
    change(tree, STEP, "in directory.servers %", "in directory.servers if server.size == '5' %")
    assert len(found(tree)) == 1


def test_U05_a_name_that_the_template_gives_a_value_is_not_judged(tree: TemplateTree) -> None:
    words = "{% set host = {'site': 5} %}\n{% if host.site == 5 %}{% endif %}\n"
    change(tree, STEP, "        # {{ server", f"{words}        # {{{{ server")
    assert found(tree) == []


FILTERED = [
    ("directory.servers | selectattr('size', 'equalto', '5') | list", "item.size is a number"),
    ("directory.servers | rejectattr('site', 'in', [5]) | list", "item.site is text"),
    ("directory.servers[0].names | select('eq', 5) | list", "item is text"),
    ("5 in directory.servers | map(attribute='site') | list", "5 is a number, an item of"),
    ("host.site | lower == 5", "site | lower is text"),
    ("directory.servers | length == '2'", "directory.servers | length is a number"),
    ("(directory.servers | first).site == 5", "first.site is text"),
    ("host.site | default('x') == 5", "is text"),
]


@pytest.mark.parametrize("key", ["hosts", "when", "step"])
@pytest.mark.parametrize(("expression", "says"), FILTERED, ids=[case[0] for case in FILTERED])
def test_U05_in_the_expressions_of_a_role(
    tree: TemplateTree, key: str, expression: str, says: str
) -> None:
    if key == "hosts":
        expression = expression.replace("host.", "directory.servers[0].")
        change(tree, ROLE, "hosts: directory.servers", f'hosts: "{expression}"')
    else:
        old = "    effect:" if key == "when" else "        back:"
        new = f'    when: "{expression}"\n' if key == "when" else f'        when: "{expression}"\n'
        change(tree, ROLE, old, new + old)
    (finding,) = found(tree)
    assert finding.file == f"templates/{ROLE}"
    assert says in finding.message


@pytest.mark.parametrize(
    "expression",
    [
        "directory.servers | selectattr('size', 'equalto', 5) | list",
        "directory.servers | selectattr('site', 'defined') | list",
        "host.size | default('x') == 'x'",
        "'a' in directory.servers | map(attribute='site')",
        "'a' in directory.servers | map(attribute='site') | map('lower')",
        "directory.servers | map('upper') | first == 'A'",
    ],
)
def test_U05_filters_whose_answers_may_match(tree: TemplateTree, expression: str) -> None:
    change(tree, ROLE, "    effect:", f'    when: "{expression}"\n    effect:')
    assert found(tree) == []


def test_U05_in_a_sentence_of_a_role(tree: TemplateTree) -> None:
    change(tree, ROLE, "{{ host.netbios }}", "{{ 'x' if host.size == '5' else 'y' }}")
    (finding,) = found(tree)
    assert (finding.line, "host.size" in finding.message) == (7, True)


def test_U05_a_check_knows_the_items_that_it_goes_through(tree: TemplateTree) -> None:
    change(tree, "directory/checks.yml", "item.site == 'x'", "item.site == 5")
    (finding,) = found(tree)
    assert (finding.file, finding.line) == ("templates/directory/checks.yml", 3)


def test_an_item_of_a_check_has_the_keys_of_its_schema(tree: TemplateTree) -> None:
    change(tree, "directory/checks.yml", "item.site == 'x'", "item.sites == 'x'")
    (finding,) = lint.templates(tree)
    assert (finding.code, finding.hint) == ("T131", "did you mean 'site'?")
    change(tree, "directory/checks.yml", "item.sites == 'x'", "item.netbios == 'X'")
    assert lint.templates(tree) == ()


@pytest.mark.parametrize(
    ("where", "old", "new"),
    [
        ("exchange/shell.ps1.j2", "host.version == '2013'", "host.version == 2013"),
        ("exchange/server/role.yml", "exchange.iis_restart == 'wait'",
         "exchange.iis_restart == 'waits'"),
        ("exchange/checks.yml", "item.version == 'SE'", "item.version == 'Se'"),
        ("skype/front_end/mailbox.ps1.j2", "skype.version != '2013'", "skype.version != 2013"),
        ("skype/front_end/partner_applications.ps1.j2", "not skype.hybrid",
         "skype.hybrid == 'false'"),
    ],
)  # fmt: skip
def test_U05_in_the_templates_as_shipped(tmp_path: Path, where: str, old: str, new: str) -> None:
    shutil.copytree(built_in(), tmp_path / "templates")
    tree = TemplateTree((tmp_path / "templates",))
    change(tree, where, old, new)
    assert [one.file for one in found(tree)] == [f"templates/{where}"]


def test_U05_comparisons_in_one_another_take_no_time(tree: TemplateTree) -> None:
    deep = "server.size"
    for _ in range(20):
        deep = f"({deep} == [5])"
    in_a_loop(tree, deep)
    assert found(tree)
