"""Which cmdlets a runbook uses: those that the syntax tree of its pieces calls, and no others."""

from __future__ import annotations

import pytest
from builders import a_build

from generator.model.plan import Product
from generator.rendering.used_commands import UsedCommands
from generator.rules.checker import problems
from generator.syntax.catalogue import load
from generator.templating.powershell import ps

COMMANDS = {
    "commands": {"Get-Thing": {}, "Set-Thing": {"parameters": {"Value": {}}}, "Get-Other": {}},
    "scripts": {"Set-All.ps1": {"commands": ["Get-Other", "Set-Thing"]}},
}


def used(text: str) -> list[str]:
    build = a_build()
    runbook = build.plan.runbooks[0]
    product = runbook.definition.product
    found = UsedCommands([Product(product, "", 1, "", {}, (), COMMANDS)])
    found.add(runbook, [text])
    return list(found.of(runbook))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Get-Thing -ErrorAction Stop", ["Get-Thing"]),
        (
            "$a = @(Get-Thing | Where-Object -FilterScript { Get-Other })",
            ["Get-Other", "Get-Thing"],
        ),
        ('"there are $(@(Get-Thing).Count)"', ["Get-Thing"]),
        ("'Run Get-Thing by hand.'", []),
        ("# Get-Thing would answer with all", []),
        ('"Run Get-Thing by hand, $name."', []),
        ("$a = 1 # Get-Thing", []),
        (f"$a = {ps('Get-Thing').marked}", []),
        ("$script = 'Scripts\\Set-All.ps1'\n& $script -Value 1", ["Get-Other", "Set-Thing"]),
        ("$script = 'Scripts\\Set-All.ps1'", []),
        ("Get-Thin", []),
    ],
)
def test_what_is_called_is_used(text: str, names: list[str]) -> None:
    assert used(f"$Runbook.Probe = {{\n    {text}\n}}\n") == names


@pytest.mark.parametrize("name", ["get-thing", "GET-THING"])
def test_a_name_in_other_letters_is_refused_and_not_used(name: str) -> None:
    """The lists write a name in one way; the rules ask for that one."""
    text = f"$Runbook.Probe = {{\n    {name} -ErrorAction Stop\n}}\n"
    assert used(text) == []
    assert "R130" in {one.code for one in problems(text, load({}, "a", COMMANDS), "")}
