"""Commands that show a change before it is built: plan, graph."""

from __future__ import annotations

from pathlib import Path

import click

from generator import pipeline
from generator.cli import screen, terminal
from generator.cli.options import (
    format_option,
    inventory_argument,
    now,
    strict_option,
    template_tree,
    templates_option,
)
from generator.documents import graph as drawing
from generator.documents import plan_listing


@click.command()
@inventory_argument
@templates_option
@strict_option
@format_option("text", "json", what="How the plan is printed.")
def plan(*, inventory: Path, templates: Path | None, strict: bool, form: str) -> None:
    """Show what runs where, in which order, after what, with the values each step wants.

    It is the plan of the very scripts that `runbook build` would write: first the change in its
    order of work, then what takes it back. Nothing is written.
    """
    with screen.bar():
        built = pipeline.stream(inventory, template_tree(templates))
    screen.warn(pipeline.warnings(built.plan, now(), strict=strict))
    if form == "json":
        terminal.write(plan_listing.plan_json(built))
    else:
        terminal.tell(*plan_listing.plan_lines(built))


@click.command()
@inventory_argument
@templates_option
@format_option("text", "mermaid", what="For a terminal, or as a flowchart of Mermaid.")
def graph(*, inventory: Path, templates: Path | None, form: str) -> None:
    """Draw the phases of the change, the runbooks in them and the gates between these.

    A runbook waits for the receipts of those that it comes after. One that runs on several
    servers is drawn once. Put the Mermaid form between ```mermaid and ``` in a Markdown file to
    see it as a picture.
    """
    planned, phases = pipeline.order(inventory, template_tree(templates))
    if form == "mermaid":
        terminal.write(drawing.mermaid(planned, phases))
    else:
        terminal.tell(*drawing.lines(planned, phases))
