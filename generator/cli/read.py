"""Commands that read an inventory and write nothing: validate, plan, graph."""

from __future__ import annotations

from pathlib import Path

import click

from generator import pipeline, report
from generator.cli import screen
from generator.cli.options import format_option, inventory_argument, template_tree, templates_option


@click.command()
@inventory_argument
@templates_option
def validate(*, inventory: Path, templates: Path | None) -> None:
    """Check INVENTORY and name every mistake in it, each with its line and what to do."""
    found = pipeline.load(inventory, template_tree(templates))
    screen.say(f"{found.display}: no mistakes found")


@click.command()
@inventory_argument
@templates_option
@format_option("text", "json", what="How the plan is printed.")
def plan(*, inventory: Path, templates: Path | None, form: str) -> None:
    """Show what runs where, in which order, after what, with the values each step wants."""
    built = pipeline.build(inventory, template_tree(templates))
    click.echo(report.plan_json(built) if form == "json" else report.plan_text(built), nl=False)
