"""`after` of a step: demanded where it reads what a step above changes, refused elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import made_up
import pytest
from made_up import change

from generator import lint
from generator.templating.templates import TemplateTree, built_in

ROLE = "directory/main/role.yml"
CMDLETS = """\
source: made up
versions: [2019]
commands:
  Get-Thing: {parameters: {}}
  Get-Part: {parameters: {}}
  Get-Box: {parameters: {}}
  Set-Thing: {parameters: {Identity: {}, Url: {}, Name: {}, Force: {switch: true}}}
  New-Thing: {parameters: {Name: {}}}
  Set-Part: {also: [Box], parameters: {Url: {}}}
  Show-Thing: {reads: true, parameters: {}}
scripts:
  Configure-Thing.ps1: {commands: [Get-Box, New-Thing], parameters: {}}
"""
SECOND = """\
      - id: second
        title: The second step
        back: {title: Take the second step back}
"""
BLOCKS = """\
{%% block wanted %%}
        address = 'x'
{%% endblock %%}
{%% block read %%}
%s
        [ordered] @{ address = '' }
{%% endblock %%}
{%% block require %%}
%s
{%% endblock %%}
{%% block apply %%}
%s
{%% endblock %%}
{%% block undo_apply %%}
%s
{%% endblock %%}
"""


def step(read: str = "", require: str = "", apply: str = "", undo: str = "") -> str:
    """The file of a step; what it does not say, nothing of it is told by commands."""
    return BLOCKS % (read, require, apply, undo)


@pytest.fixture
def tree(tmp_path: Path) -> TemplateTree:
    files = {**made_up.FILES, "cmdlets.yml": CMDLETS, "main/second.ps1.j2": step()}
    files["main/role.yml"] += SECOND
    return made_up.templates(tmp_path, files)


def two(tree: TemplateTree, first: str, second: str, after: str = "") -> list[str]:
    """Codes and messages for these two steps."""
    folder = tree.roots[0] / "directory" / "main"
    (folder / "set_address.ps1.j2").write_text(first)
    (folder / "second.ps1.j2").write_text(second)
    if after:
        change(tree, ROLE, "        title: The sec", f"        {after}\n        title: The sec")
    found = lint.templates(tree)
    return [f"{one.code} {one.message}" for one in found]


DEPENDS = [
    (step(apply="New-Thing -Name 'a'"), step(read="Get-Thing"), "Get-Thing"),
    (step(apply="New-Thing -Name 'a'"), step(require="Get-Thing"), "Get-Thing"),
    (step(apply="Set-Thing -Url 'a'"), step(read="(Get-Thing).Url"), "Get-Thing"),
    (step(apply="Set-Thing -Identity 'a' -Force"), step(read="Get-Thing"), "Get-Thing"),
    (step(apply="$at = @{ Url = 'a' }\nSet-Thing @at"), step(read="(Get-Thing).url"), "Get-Thing"),
    (step(apply="Set-Thing -Name 'a' @lost"), step(read="(Get-Thing).Url"), "Get-Thing"),
    (step(apply="Set-Part -Url 'a'"), step(read="(Get-Box).Url"), "Get-Box"),
    (step(apply="Set-Thing -Url 'a'"), step(read="(Show-Thing).Url"), "Show-Thing"),
    (step(apply="Remove-Unlisted"), step(read="Get-Unlisted"), "Get-Unlisted"),
    (
        step(apply="$script = 'C:\\Configure-Thing.ps1'\n& $script"),
        step(read="Get-Thing"),
        "Get-Thing",
    ),
    (step(), step(read="$past[{{ runbook.id | ps }}].State['set-address']"), "its record"),
    (
        step(apply="{% if host.site == 'a' %}\nNew-Thing -Name 'a'\n{% endif %}"),
        step(read="{% for server in directory.servers %}\nGet-Thing\n{% endfor %}"),
        "Get-Thing",
    ),
    (
        step(apply="{% if not backward %}\nNew-Thing -Name 'a'\n{% endif %}"),
        step(read="{% if backward %}\n# x\n{% else %}\nGet-Thing\n{% endif %}"),
        "Get-Thing",
    ),
]


@pytest.mark.parametrize(("first", "second", "by"), DEPENDS)
def test_after_is_demanded_where_a_step_reads_what_another_changes(
    tree: TemplateTree, first: str, second: str, by: str
) -> None:
    assert two(tree, first, second) == [f"T233 'second' reads what 'set-address' changes, by {by}"]
    assert two(tree, first, second, "after: [set-address]") == []


def test_what_an_included_file_reads_counts(tree: TemplateTree) -> None:
    (tree.roots[0] / "directory" / "part.ps1.j2").write_text("Get-Thing\n")
    second = step(read="{% include 'directory/part.ps1.j2' %}")
    (told,) = two(tree, step(apply="New-Thing -Name 'a'"), second)
    assert told.startswith("T233")


APART = [
    (step(apply="New-Thing -Name 'a'"), step(read="Get-Part")),
    (step(apply="Set-Thing -Url 'a'"), step(read="(Get-Part).Url")),
    (step(read="Get-Thing", apply="Set-Part -Url 'a'"), step(read="Get-Thing")),
]


@pytest.mark.parametrize(("first", "second"), APART)
def test_after_is_refused_where_a_step_reads_nothing_of_the_other(
    tree: TemplateTree, first: str, second: str
) -> None:
    assert two(tree, first, second) == []
    assert two(tree, first, second, "after: [set-address]") == [
        "T238 'second' reads nothing that 'set-address' changes"
    ]


MAY_DEPEND = [
    # Another property of the same thing, or what the commands do not tell.
    (step(apply="Set-Thing -Url 'a'"), step(read="(Get-Thing).Name")),
    (step(apply='& "$env:SystemRoot\\System32\\iisreset.exe"'), step(read="Get-Part")),
    (step(apply="Set-Thing -Url 'a'"), step(apply="(Get-Thing).Url")),
    (step(undo="New-Thing -Name 'a'"), step(read="Get-Thing")),
    (step(apply="{% if backward %}\nNew-Thing -Name 'a'\n{% endif %}"), step(read="Get-Thing")),
    (
        step(apply="{% if not backward %}\n# x\n{% else %}\nNew-Thing -Name 'a'\n{% endif %}"),
        step(read="Get-Thing"),
    ),
    (step(apply="Start-Service -Name 'a'"), step(read="Get-Service -Name 'b'")),
    (step(apply="Set-Thing -Url 'a' # New-Thing"), step(read="# Get-Thing Url")),
]


@pytest.mark.parametrize(("first", "second"), MAY_DEPEND)
def test_what_is_not_certain_is_not_demanded(tree: TemplateTree, first: str, second: str) -> None:
    assert two(tree, first, second) == []


@pytest.mark.parametrize(("first", "second"), MAY_DEPEND[:2])
def test_what_is_not_certain_is_not_refused(tree: TemplateTree, first: str, second: str) -> None:
    assert two(tree, first, second, "after: [set-address]") == []


def test_a_hold_point_reads_nothing_and_a_wait_or_an_action_is_due_after_a_change(
    tree: TemplateTree,
) -> None:
    first = step(apply="New-Thing -Name 'a'")
    assert two(tree, first, step(), "after: [set-address]")[0].startswith("T238")
    for flag, count in (("repeats: true", 0), ("wait: 60", 0), ("ask: Go on?", 1)):
        role = made_up.FILES["main/role.yml"] + SECOND.replace(
            "        back:", f"        after: [set-address]\n        {flag}\n        back:"
        )
        (tree.roots[0] / ROLE).write_text(role)
        found = [one for one in lint.templates(tree) if one.code == "T238"]
        assert len(found) == count, flag


def test_a_finding_stands_at_its_line_with_what_to_write(tree: TemplateTree) -> None:
    two(tree, step(apply="New-Thing -Name 'a'"), step(read="Get-Thing"))
    (finding,) = lint.templates(tree)
    assert (finding.file, finding.line) == (f"templates/{ROLE}", 15)
    assert finding.hint == "write after: [set-address]"


SHIPPED = [
    ("exchange/server", "        after: [autodiscover-uri]\n", "", ["T233"]),
    (
        "skype/front_end",
        "after: [contact-store-guard, oauth-certificate]",
        "after: [oauth-certificate]",
        ["T233"],
    ),
    (
        "skype/front_end",
        "after: [contact-store-guard, oauth-certificate]",
        "after: [contact-store-guard]",
        ["T233"],
    ),
    (
        "skype/front_end",
        "        after: [autodiscover-url, partner-application]\n",
        "",
        ["T233", "T233"],
    ),
    (
        "skype/front_end",
        "        title: Register Exchange as a partner application\n",
        "        after: [autodiscover-url]\n"
        "        title: Register Exchange as a partner application\n",
        ["T238"],
    ),
    (
        "skype/front_end",
        "        title: Assign the certificate that",
        "        after: [contact-store-guard]\n        title: Assign the certificate that",
        ["T238"],
    ),
]


@pytest.mark.parametrize(("role", "old", "new", "codes"), SHIPPED)
def test_in_the_templates_as_shipped(
    tmp_path: Path, role: str, old: str, new: str, codes: list[str]
) -> None:
    shutil.copytree(built_in(), tmp_path / "templates")
    tree = TemplateTree((tmp_path / "templates",))
    assert lint.templates(tree) == ()
    change(tree, f"{role}/role.yml", old, new)
    assert [one.code for one in lint.templates(tree)] == codes
