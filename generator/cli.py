"""The command line: options, one call into the pipeline, one answer. No decisions of its own.

Data goes to standard output, messages to standard error. Exit codes stand in the README:
0 nothing to report, 1 findings, 2 usage or configuration, 70 a bug, 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from generator import __version__
from generator.errors import GeneratorError
from generator.findings import FindingsError

_BUG = 70
_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; answers with the exit code instead of leaving."""
    try:
        code = cli.main(arguments, prog_name="runbook", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Nothing was left half-written.", err=True)
        return _INTERRUPTED
    except FindingsError as error:
        click.echo(str(error), err=True)
        count = len(error.findings)
        click.echo(f"{count} finding{'s' if count != 1 else ''}. Nothing was written.", err=True)
        return error.exit_code
    except GeneratorError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        click.echo("This is a bug in runbook, not in your files. Please report it.", err=True)
        return _BUG


def _inventory_argument(function: Any) -> Any:
    path = click.Path(path_type=Path)
    return click.argument("inventory", metavar="INVENTORY", type=path)(function)


def _templates_option(function: Any) -> Any:
    return click.option(
        "--templates",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of your own templates; by default ./templates when it exists. Its files "
        "stand in for the built-in ones of the same path.",
    )(function)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="runbook")
def cli() -> None:
    """Turn a YAML inventory of servers into reviewable PowerShell runbooks with their undo.

    Start with `runbook validate inventories/NAME.yml`, read `runbook plan`, then `runbook build`:
    it writes out/NAME/ with the runbooks in the order of work, undo/ with what takes each change
    back, and RUNSHEET.md for the operator.
    """


@cli.command()
@_inventory_argument
@_templates_option
def validate(inventory: Path, templates: Path | None) -> None:
    """Check INVENTORY and name every mistake in it, each with its line and what to do."""
    from generator import pipeline  # noqa: PLC0415 - jinja2 and the rest load where they are used

    found = pipeline.load(inventory, _tree(templates))
    click.echo(f"{found.display}: no mistakes found", err=True)


@cli.command()
@_inventory_argument
@_templates_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the plan is printed.",
)
def plan(inventory: Path, templates: Path | None, form: str) -> None:
    """Show what runs where, in which order, after what, with the values each step wants."""
    from generator import pipeline, report  # noqa: PLC0415 - see validate

    built = pipeline.build(inventory, _tree(templates))
    click.echo(report.plan_json(built) if form == "json" else report.plan_text(built), nl=False)


@cli.command()
@_inventory_argument
@_templates_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out"),
    show_default=True,
    help="Folder that gets a folder named after the inventory.",
)
@click.option("--force", is_flag=True, help="Replace files that were edited since the last build.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def build(inventory: Path, templates: Path | None, out: Path, force: bool, dry_run: bool) -> None:
    """Write the runbooks of INVENTORY to out/NAME/, whole or not at all."""
    from generator import bundle, pipeline  # noqa: PLC0415 - see validate

    tree = _tree(templates)
    built = pipeline.build(inventory, tree)
    for path in built.shadowed:
        click.echo(f"note: {path} stands in for the built-in template", err=True)
    if dry_run:
        folder = out / built.plan.inventory.name
        found = bundle.compare(bundle.contents(built, tree), folder)
        click.echo(f"Nothing was written. {bundle.WriteReport(folder, found).sentence()}", err=True)
        return
    report = bundle.write(built, out, force=force, tree=tree)
    click.echo(report.sentence(), err=True)


def _tree(templates: Path | None) -> Any:
    from generator.templates import TemplateTree  # noqa: PLC0415 - see validate

    own = Path("templates")
    return TemplateTree.for_project(templates or (own if own.is_dir() else None))
