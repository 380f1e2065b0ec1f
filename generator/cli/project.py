"""Commands about the project and the machine: schema, doctor, completion."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from generator.cli import screen, terminal
from generator.cli.group import cli
from generator.cli.options import (
    AnyPath,
    format_option,
    out_option,
    template_tree,
    templates_option,
)
from generator.files import atomic

FAILED = 1

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@templates_option
@click.option(
    "--output",
    metavar="FILE",
    type=AnyPath(path_type=Path, dir_okay=False),
    help="Write to this file, whole or not at all, instead of standard output.",
)
@click.option("--dry-run", is_flag=True, help="Say whether FILE would change, and write nothing.")
def schema(*, templates: Path | None, output: Path | None, dry_run: bool) -> None:
    """Write the JSON Schema of inventories: one document without references to others.

    An editor with a YAML language server (in VS Code the extension "YAML") then completes keys,
    shows what each is for and marks mistakes while you type. Write the schema beside the
    inventories and name it in the first line of each, by its path from there:

    \b
      runbook schema --output inventories/schema.json
      # yaml-language-server: $schema=schema.json

    No network is needed. Write it anew after an update or a change in templates/. It cannot say
    all that `runbook validate` says.
    """
    from generator.inventory import schema_export  # noqa: PLC0415 - doctor and completion do without

    text = schema_export.text(template_tree(templates))
    if output is None:
        terminal.write(text)
        return
    data = text.encode("ascii")
    same = atomic.holds(output, data)
    if dry_run:
        screen.say(f"Nothing was written. {output} {'is up to date' if same else 'would change'}.")
        return
    atomic.write(output, data)
    screen.say(f"{output}: {'unchanged' if same else 'written'}.")


@click.command()
@templates_option
@out_option("The folder that builds go to.")
@format_option("text", "json", what="How the results are printed.")
def doctor(*, templates: Path | None, out: Path, form: str) -> int:
    """Check what runbook needs on this machine and in this project, and say what to do.

    Looked at are Python and its packages, PowerShell 7 and its analyzer, the templates that stand
    in for built-in ones, what Git does to line ends, whether the output folder can be written,
    and whether something holds new files open. Each is ok, warn (it works, but) or fail; ends
    with 1 when something fails. Nothing is installed or changed.
    """
    from generator import doctor as checks  # noqa: PLC0415 - completion does without

    results = []
    for result in checks.examine(template_tree(templates), out):
        results.append(result)
        if form == "text":
            state = terminal.style(f"{result.state:<5}", fg=_COLORS[result.state])
            terminal.tell(terminal.joined(state, f" {result.check}: {result.found}"))
            if result.fix:
                terminal.tell(f"      {result.fix}")
    if form == "json":
        terminal.write(json.dumps({"checks": [asdict(one) for one in results]}, indent=2) + "\n")
    return FAILED if any(result.state == "fail" for result in results) else 0


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Write the script that teaches SHELL to complete commands, options and file names.

    Load it in the start file of the shell, so that it fits the version that is installed:

    \b
      bash   echo 'eval "$(runbook completion bash)"' >> ~/.bashrc
      zsh    echo 'eval "$(runbook completion zsh)"' >> ~/.zshrc
      fish   runbook completion fish > ~/.config/fish/completions/runbook.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion is known for {shell}")
    terminal.write(found(cli, {}, "runbook", "_RUNBOOK_COMPLETE").source() + "\n")
