"""The table of commands, each loaded when it runs."""

from __future__ import annotations

from importlib import import_module

import click
from click.shell_completion import CompletionItem

from generator import __version__

COMMANDS = {
    "validate": ("generator.cli.validate", "Check an inventory and name every mistake in it."),
    "plan": ("generator.cli.read", "Show what runs where, in which order, wanting what."),
    "graph": ("generator.cli.read", "Draw the phases and gates of the change."),
    "build": ("generator.cli.build", "Write the runbooks, or tell what would change."),
    "lint": ("generator.cli.lint", "Check templates, and the scripts made from them."),
    "schema": ("generator.cli.project", "Write the JSON Schema of inventories, for editors."),
    "doctor": ("generator.cli.project", "Check this machine and this project, with fixes."),
    "completion": ("generator.cli.project", "Write the completion script of a shell."),
    "sign": ("generator.cli.sign", "Sign scripts, or a folder that a build wrote."),
    "verify": ("generator.cli.package", "Verify scripts, a built folder or a package."),
    "inspect": ("generator.cli.signatures", "Show signature details."),
    "strip": ("generator.cli.sign", "Remove signatures."),
    "digest": ("generator.cli.sign", "Write a request for a signing station."),
    "attach": ("generator.cli.sign", "Put the signatures of a request into scripts."),
    "timestamp": ("generator.cli.sign", "Add time stamps to signed scripts."),
    "expiring": ("generator.cli.signatures", "List signatures that expire soon."),
    "package": ("generator.cli.package", "Seal a signed folder into one file."),
    "reproduce": ("generator.cli.package", "Render a package again and compare."),
}
"""Command -> its module and the line that `runbook --help` shows."""


class LazyGroup(click.Group):
    """A group whose commands stand in COMMANDS; help and completion import none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of a name, from its module."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of a line; an unknown one is told with the name that was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, None, COMMANDS, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list at the end of the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands with their line, then the options of the group."""
        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="runbook")
def cli() -> None:
    """Turn a YAML inventory of servers into reviewable PowerShell runbooks with their undo.

    Start with `runbook validate inventories/NAME.yml`, read `runbook plan`, then `runbook build`:
    it writes out/NAME/ with the runbooks in the order of work, undo/ with what takes each change
    back, and RUNSHEET.md for the operator.

    Data goes to standard output, messages to standard error. Exit codes: 0 nothing to report,
    1 findings or differences, 2 wrong usage, 70 a bug, 130 interrupted. `runbook COMMAND --help`
    tells more about each command.
    """
