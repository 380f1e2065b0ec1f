"""The command that writes: build, and the same without writing."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from generator import pipeline
from generator.cli import screen, terminal
from generator.cli.options import (
    inventory_argument,
    now,
    out_option,
    strict_option,
    template_tree,
    templates_option,
)
from generator.model.build import Build
from generator.output import bundle, differences
from generator.templating.templates import TemplateTree

DIFFERS = 1


@click.command()
@inventory_argument
@templates_option
@strict_option
@out_option("Folder that gets a folder named after the inventory.")
@click.option(
    "--limit",
    metavar="PATTERN",
    multiple=True,
    help="Only this host or this runbook (id or number), with its undo; may be given several "
    "times, * and ? match any text. The part gets a folder of its own, out/NAME.part/, with the "
    "file names and bytes of the whole; its manifest and run sheet say that it is a part.",
)
@click.option("--force", is_flag=True, help="Replace files that were edited since the last build.")
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; list the files that would change, and end with 1 if there are any.",
)
@click.option(
    "--diff",
    is_flag=True,
    help="Write nothing; show what would change line by line, and end with 1 if anything would.",
)
@click.option(
    "--dry-run", is_flag=True, help="Write nothing; say what a build would do, or why not."
)
def build(
    *,
    inventory: Path,
    templates: Path | None,
    strict: bool,
    out: Path,
    limit: tuple[str, ...],
    force: bool,
    check: bool,
    diff: bool,
    dry_run: bool,
) -> int:
    """Write the runbooks of INVENTORY to out/NAME/, whole or not at all.

    A folder from an earlier build is replaced in one step. Files that this build no longer has
    are removed, files that no build wrote are left alone, and a build that would overwrite a file
    that somebody edited is refused (--force replaces it).

    --check and --diff are for machines and reviewers: does out/NAME/ hold what inventory and
    templates say today, and if not, what differs? Both may be given together.
    """
    tree = template_tree(templates)
    with screen.bar():
        built = pipeline.stream(inventory, tree, limit)
    screen.warn(pipeline.warnings(built.plan, now(), strict=strict))
    # The plan stays to the end: the collector need not walk it again and again.
    gc.freeze()
    for path in built.shadowed:
        screen.say(f"note: {path} stands in for the built-in template")
    if check or diff:
        return _compare(built, tree, out, check=check, diff=diff)
    with screen.bar():
        report = bundle.write(built, out, tree, force=force, dry_run=dry_run, holds=_holds)
    screen.say(report.sentence())
    return 0


def _compare(built: Build, tree: TemplateTree, out: Path, *, check: bool, diff: bool) -> int:
    with screen.bar():
        report = bundle.write(built, out, tree, force=True, dry_run=True, holds=_holds)
    if diff:
        files = bundle.Contents(built, tree, report.folder, _holds)
        for line in differences.unified(files, report.folder, report.comparison):
            terminal.tell(_colored(line))
    if check:
        for line in differences.listing(report.comparison):
            terminal.tell(line)
    screen.say(f"Nothing was written. {report.sentence()}")
    return DIFFERS if report.comparison.differs else 0


def _holds(data: bytes) -> bool:
    from generator.signing import verify  # noqa: PLC0415 - only a folder that is signed needs it

    return verify.holds(data)


def _colored(line: str) -> str:
    for start, color in (
        ("---", None),
        ("+++", None),
        ("@@", "cyan"),
        ("-", "red"),
        ("+", "green"),
    ):
        if line.startswith(start):
            return terminal.style(line, fg=color, bold=color is None)
    return line
