"""The command that checks an inventory; it loads nothing that it does not need."""

from __future__ import annotations

from pathlib import Path

import click

from generator import pipeline
from generator.cli import screen
from generator.cli.options import (
    FINDING_FORMATS,
    format_option,
    inventory_argument,
    now,
    strict_option,
    template_tree,
    templates_option,
)


@click.command()
@inventory_argument
@templates_option
@strict_option
@format_option(*FINDING_FORMATS, what="How findings are printed, as for `runbook lint`.")
def validate(*, inventory: Path, templates: Path | None, strict: bool, form: str) -> int:
    """Check INVENTORY and name every mistake in it, each with its line and what to do.

    All mistakes are found in one run: the form of the file, unknown and missing keys, values that
    cannot be, and keys that contradict each other. Nothing is written. Ends with 1 when something
    was found; `runbook lint --explain CODE` tells more about the code of a finding.
    """
    tree = template_tree(templates)
    findings = pipeline.validate(inventory, tree, now(), strict=strict)
    return screen.show(findings, form, tree, f"{inventory.as_posix()}: no mistakes found")
