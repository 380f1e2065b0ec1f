"""Mistakes in templates, each found at its line without an inventory."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import made_up
import pytest
from made_up import change

from generator import cli, lint, pipeline
from generator.findings import FindingsError
from generator.templating.templates import TemplateTree, built_in

ROOT = Path(__file__).resolve().parents[3]
LITWAREINC = ROOT / "inventories" / "litwareinc.yml"


@pytest.fixture
def tree(tmp_path: Path) -> TemplateTree:
    """The spine with the made-up product alone."""
    return made_up.templates(tmp_path)


def shown(tree: TemplateTree) -> list[str]:
    """The findings, without source line and caret."""
    return [finding.format().split("\n")[0] for finding in lint.templates(tree)]


def test_the_built_in_templates_have_no_mistake() -> None:
    findings = lint.templates(TemplateTree.for_project())
    assert [finding.format() for finding in findings] == []


def test_the_made_up_product_has_no_mistake(tree: TemplateTree) -> None:
    assert shown(tree) == []


STEP_FILE = "directory/main/set_address.ps1.j2"

BROKEN = [
    (
        STEP_FILE, "directory.address | ps }}", "directory.address }}",
        "2:22: error[T221] the value directory.address is written without a filter "
        "(write {{ directory.address | ps }}, in a comment ps_comment)",
    ),
    (
        STEP_FILE, "directory.address | ps", "directory.adress | ps",
        "2:22: error[T226] 'directory.adress' is not defined (did you mean 'address'?)",
    ),
    (
        STEP_FILE, "server.fqdn | ps_comment", "server.fdqn | ps_comment",
        "6:14: error[T226] 'server.fdqn' is not defined (did you mean 'fqdn'?)",
    ),
    (
        STEP_FILE, "host.site", "host.sites",
        "12:35: error[T226] 'host.sites' is not defined (did you mean 'site'?)",
    ),
    (
        STEP_FILE, "host.site", "hosts.site",
        "12:35: error[T226] 'hosts' is not defined (did you mean 'host'?)",
    ),
    (
        STEP_FILE, "host.site | ps", "past['directory.set-adress'] | ps",
        "12:35: error[T226] 'past['directory.set-adress']' is not defined "
        "(did you mean 'directory.set-address'?)",
    ),
    (
        STEP_FILE, "host.site | ps", "(host.site ~ 'x') | ps",
        "12:46: error[T222] the operator ~ builds text that no filter has seen",
    ),
    (
        STEP_FILE, "host.site | ps", "host.site | upper | ps",
        "12:47: error[T225] No filter named 'upper' (there are ps, ps_list, ps_comment",
    ),
    (
        STEP_FILE, "{%     if backward %}", "{%     if backward is odder %}",
        "11:23: error[T225] No test named 'odder'",
    ),
    (
        STEP_FILE, "        [ordered]", "{% filter ps %}x{% endfilter %}\n        [ordered]",
        "8:1: error[T223] a filter block goes round the PowerShell filters",
    ),
    (
        STEP_FILE, "        [ordered]", "{% set x %}x{% endset %}\n        [ordered]",
        "8:1: error[T224] a set block makes text that no filter has seen",
    ),
    (
        STEP_FILE, "        [ordered]", "{% call f() %}{% endcall %}\n        [ordered]",
        "8:1: error[T228] a call block writes text that no filter has seen",
    ),
    (
        STEP_FILE, "        [ordered]", "{% macro m() %}x{% endmacro %}\n        [ordered]",
        "8:1: error[T230] a macro answers with text that no filter has seen",
    ),
    (
        STEP_FILE, "{%     endif %}", "",
        "14:1: error[T202] Encountered unknown tag 'endblock'. You probably made a nesting ",
    ),
    (
        "directory/main/role.yml", "    effect:", "    efect:",
        "8:5: error[T101] runbooks[0].efect: unknown key (did you mean 'effect'?)",
    ),
    (
        "directory/main/role.yml", "        back: {title: Take the address back}\n", "",
        "12:13: error[T207] step 'set-address' changes something and has no texts for its undo "
        "(add 'back' with a title)",
    ),
    (
        "directory/main/role.yml", 'phase: "10"', 'phase: "11"',
        "4:1: error[T211] there is no phase '11' in phases.yml",
    ),
    (
        "directory/main/role.yml", "host.netbios", "host.netbois",
        "7:12: error[T131] 'host.netbois' is not defined, in 'Set the address of "
        "{{ host.netbois }}' (did you mean 'netbios'?)",
    ),
    (
        "directory/main/role.yml", "hosts: directory", "hosts: directry",
        "2:8: error[T131] 'directry' is not defined, in 'directry.servers' "
        "(did you mean 'directory'?)",
    ),
    (
        "directory/main/role.yml", "- id: set-address\n",
        "- id: set-address\n        file: x.ps1.j2\n",
        "12:13: error[T201] there is no step file templates/directory/main/x.ps1.j2",
    ),
    (
        "directory/product.yml", "order: 1", "order: first",
        "2:8: error[T103] order: a whole number is wanted here, not the text 'first'",
    ),
    (
        "directory/product.yml", "servers[*]", "servers[",
        "4:9: error[T130] servers[: not a path like servers[*].name",
    ),
    (
        "directory/product.yml", "directory.servers[0]", "directory.servers[0",
        "6:28: error[T130] unexpected '}', expected ']', in ",
    ),
    (
        "directory/checks.yml", "item.site ==", "item.site | uper ==",
        "3:9: error[T130] No filter named 'uper', in 'item.site | uper == 'x''",
    ),
    (
        "directory/checks.yml", "when: item", "when: itm",
        "3:9: error[T131] 'itm' is not defined, in 'itm.site == 'x'' (did you mean 'item'?)",
    ),
    (
        "directory/checks.yml", "E901", "E101",
        "1:9: error[T132] the code E101 is one of runbook itself (use E and a number from 300 on)",
    ),
    (
        "directory/checks.yml", "E901", "E210",
        "1:9: error[T132] the code E210 is taken (by templates/_runbook/checks.yml:2)",
    ),
    (
        "directory/schema.yml", ", description: Its name.", "",
        "13:9: error[T133] the key 'fqdn' has no description "
        "(say what it is for; editors show it, and the message for a missing key)",
    ),
    (
        "directory/schema.yml", "required:", "requird:",
        "4:1: error[T122] unknown keyword 'requird' (did you mean 'required'?)",
    ),
    (
        "directory/shell.ps1.j2", "{% block probe %}\n{% endblock %}\n", "",
        "1:1: error[T214] the block 'probe' is missing",
    ),
    (
        "_runbook/runbook.ps1.j2", "{% block facts %}", "{% block fact %}",
        "1:1: error[T239] the block 'facts' is missing",
    ),
    (
        "_runbook/start_change.ps1.j2", "{% block program %}", "{% block programme %}",
        "1:1: error[T239] the block 'program' is missing",
    ),
    (
        "_runbook/phases.yml", '"05"', '"50"',
        "5:10: error[T216] the band '10' must be greater than '50' above it",
    ),
    (
        "_runbook/phases.yml", "title: Preflight", "titel: Preflight",
        "3:16: error[T101] [0].titel: unknown key (did you mean 'title'?)",
    ),
    (
        "_runbook/cmdlets.yml", "commands:", "comands:",
        "error[T101] comands: unknown key (did you mean 'commands'?)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    BROKEN,
    ids=[entry[3].partition(" ")[2][:50] for entry in BROKEN],
)
def test_a_mistake_is_found_at_its_line(
    tree: TemplateTree, name: str, old: str, new: str, expected: str
) -> None:
    change(tree, name, old, new)
    lines = shown(tree)
    assert any(line.startswith(f"templates/{name}:") and expected in line for line in lines), (
        "\n".join(lines)
    )


@pytest.mark.parametrize(("name", "old", "new", "expected"), BROKEN[:16:3])
def test_one_mistake_is_one_finding(
    tree: TemplateTree, name: str, old: str, new: str, expected: str
) -> None:
    change(tree, name, old, new)
    assert len(shown(tree)) == 1


def test_all_mistakes_are_found_in_one_run(tree: TemplateTree) -> None:
    change(tree, STEP_FILE, "directory.address | ps }}", "directory.address }}")
    change(tree, STEP_FILE, "host.site | ps", "(host.site ~ host.site) | upper | ps")
    change(tree, "directory/checks.yml", "when: item", "when: itm")
    change(tree, "directory/schema.yml", ", description: Its name.", "")
    codes = [line.partition("[")[2].partition("]")[0] for line in shown(tree)]
    assert codes == ["T131", "T221", "T222", "T225", "T133"]


def test_a_file_that_nothing_uses_is_found(tree: TemplateTree) -> None:
    (tree.roots[0] / "directory" / "main" / "stray.ps1.j2").write_text("x\n")
    assert shown(tree) == [
        "templates/directory/main/stray.ps1.j2:1:1: error[T215] "
        "no step and no other template uses this file"
    ]


def test_an_included_file_may_use_what_the_one_around_it_sets(tree: TemplateTree) -> None:
    (tree.roots[0] / "directory" / "part.ps1.j2").write_text("{{ local | ps }}\n")
    include = "{%     set local = 'x' %}\n{%     include 'directory/part.ps1.j2' %}\n"
    change(tree, STEP_FILE, "        [ordered]", f"{include}        [ordered]")
    assert shown(tree) == []


def test_a_file_that_is_no_text_is_one_finding_with_its_line(tree: TemplateTree) -> None:
    path = tree.roots[0] / STEP_FILE
    path.write_bytes(path.read_bytes() + b"# \xe4\n")
    expected = f"templates/{STEP_FILE}:17:1: error[T227] the byte 0xE4 is not UTF-8 text"
    assert f"{expected} (save the file as UTF-8)" in shown(tree)


def test_a_broken_role_makes_no_echo(tree: TemplateTree) -> None:
    change(tree, "directory/main/role.yml", "runbooks:", "runboks:")
    assert [line.partition(" ")[2] for line in shown(tree)] == [
        "error[T101] runboks: unknown key (did you mean 'runbooks'?)"
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("exchange/server/role.yml", "hosts: ", "hosts: exchange.nothing or ", "T304"),
        ("exchange/server/role.yml", "hosts: ", "hosts: '[1]' # ", "T305"),
        ("exchange/server/role.yml", "hours: change.", "hours: change.id or change.", "T305"),
        (
            "exchange/shell.ps1.j2",
            "{% block product %}",
            "{% block product %}{{ (1/0) | ps }}",
            "T220",
        ),
        (
            "exchange/shell.ps1.j2",
            "{% block product %}",
            "{% block product %}{{ nobody | ps }}",
            "T226",
        ),
        (
            "exchange/shell.ps1.j2",
            "{% block product %}",
            "{% block product %}{{ change.id }}",
            "T221",
        ),
    ],
)
def test_what_only_a_build_can_find_has_its_file_and_line(
    tmp_path: Path, name: str, old: str, new: str, expected: str
) -> None:
    shutil.copytree(built_in(), tmp_path / "t")
    tree = TemplateTree((tmp_path / "t",))
    change(tree, name, old, new)
    with pytest.raises(FindingsError) as caught:
        pipeline.build(LITWAREINC, tree)
    finding = caught.value.findings[0]
    assert (finding.code, finding.file) == (expected, f"templates/{name}")
    assert finding.line > 0


STEP = "skype/front_end/partner_application.ps1.j2"
MISSPELT = "{{ exchange.metadat_url"


@pytest.mark.parametrize("command", ["lint", "build"])
def test_files_of_a_folder_of_ones_own_have_its_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """Where the editor finds it, with the column and the fix that lint knows, in a build too."""
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "deploy" / "mine" / STEP
    own.parent.mkdir(parents=True)
    own.write_text((built_in() / STEP).read_text().replace("{{ exchange.metadata_url", MISSPELT, 1))
    arguments = [command, str(LITWAREINC), "--templates", "deploy/mine"]
    assert cli.run(arguments) == 1
    said = "".join(capsys.readouterr())
    assert re.search(
        rf"^deploy/mine/{STEP}:\d+:\d\d: error\[T226\] 'exchange.metadat_url' is not defined "
        r"\(did you mean 'metadata_url'\?\)$",
        said,
        re.MULTILINE,
    )
    assert not (tmp_path / "out").exists()


def buildable(tree: TemplateTree) -> Path:
    """An inventory for the made-up product, whose change nobody verifies on purpose."""
    change(tree, "directory/main/role.yml", "minutes: 5", "minutes: 5\n    unverified: by nobody")
    inventory = tree.roots[0] / "x.yml"
    inventory.write_text(
        "change: {id: C-1, title: x, window: {from: 2027-03-06T22:00:00Z, "
        "until: 2027-03-07T22:00:00Z}}\ndirectory: {servers: [{fqdn: a.contoso.com, site: y}]}\n"
    )
    return inventory


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("runbook.ps1.j2", "header"),
        ("runbook.ps1.j2", "facts"),
        ("runbook.ps1.j2", "product"),
        ("runbook.ps1.j2", "step"),
        ("start_change.ps1.j2", "program"),
    ],
)
def test_G08_a_spine_without_one_of_its_blocks_is_a_finding_of_a_build(
    tree: TemplateTree, name: str, block: str
) -> None:
    inventory = buildable(tree)
    change(tree, f"_runbook/{name}", f"{{% block {block} %}}", "{% block other %}")
    with pytest.raises(FindingsError, match=rf"error\[T239\] the block '{block}' is missing"):
        pipeline.build(inventory, tree)


@pytest.mark.parametrize("form", ["product", "role", "checks", "cmdlets", "phases"])
def test_a_broken_schema_of_the_templates_is_a_finding_everywhere(
    tree: TemplateTree, form: str
) -> None:
    change(tree, f"_runbook/{form}.schema.yml", "description: ", "description: 1 #")
    assert any(
        line.startswith(f"templates/_runbook/{form}.schema.yml:") and "error[T124]" in line
        for line in shown(tree)
    )
    inventory = buildable(tree)
    with pytest.raises(FindingsError, match=r"error\[T124\].*`runbook lint` names its line"):
        pipeline.build(inventory, tree)
