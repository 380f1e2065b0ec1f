"""The command that checks templates, and the scripts made from them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click

from generator import pipeline
from generator.cli import screen, terminal
from generator.cli.options import (
    FINDING_FORMATS,
    InventoryFile,
    format_option,
    template_tree,
    templates_option,
)
from generator.errors import UsageError
from generator.lint import codes
from generator.schema.messages import did_you_mean


@click.command()
@click.argument("inventory", metavar="[INVENTORY]", type=InventoryFile(), required=False)
@templates_option
@format_option(
    *FINDING_FORMATS,
    what="How findings are printed: for people, as JSON, as SARIF 2.1.0 for code scanning, or as "
    "workflow commands of GitHub Actions.",
)
@click.option(
    "--explain",
    metavar="CODE",
    help="Say what a code such as R105 means, why it is a mistake and what to do; nothing is "
    "checked. `all` lists every code.",
)
def lint(*, inventory: Path | None, templates: Path | None, form: str, explain: str | None) -> int:
    """Check the templates, and with INVENTORY also the scripts that are made for it.

    Without INVENTORY every file of the templates is judged by itself: YAML files by their
    schemas, expressions and names, Jinja files by their syntax, values without a filter, ways
    round the filters, names that do not exist, steps without an undo.

    With INVENTORY it is validated too, and when it is in order, every script is made and judged
    by the emission rules; nothing is written. Ends with 1 when something was found.
    """
    tree = template_tree(templates)
    if explain is not None:
        known = codes.every(tree)
        terminal.tell(*(_list(known) if explain.lower() == "all" else _explained(explain, known)))
        return 0
    with screen.bar():
        findings = pipeline.lint(tree, inventory)
    return screen.show(findings, form, tree, "no mistakes found")


def _list(known: dict[str, codes.Code]) -> list[str]:
    return [f"{one.code}  {one.title}" for one in known.values()]


def _explained(code: str, known: dict[str, codes.Code]) -> list[str]:
    one = known.get(code.upper())
    if one is None:
        near = did_you_mean(code.upper(), known)
        hint = f"did you mean {near}? " if near else ""
        raise UsageError(f"there is no code {code}; {hint}`lint --explain all` lists every code.")
    paragraphs = [" ".join(part.split()) for part in one.text.split("\n\n") if part.strip()]
    lines: list[str] = [terminal.style(f"{one.code}  {one.title}", bold=True)]
    for part in paragraphs:
        lines += ["", *textwrap.wrap(part, 92)]
    return lines
