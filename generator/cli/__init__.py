"""The command line: options, calls into the stages, one answer; it judges nothing itself.

Data goes to standard output, messages to standard error. `COMMANDS` in group.py names every
command with its module; a module is imported when its command runs, so that `--help` is instant.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import NoReturn

import click

from generator.cli import screen
from generator.cli.group import cli
from generator.errors import GeneratorError, UsageError
from generator.findings import FindingsError

__all__ = ["EXIT_CODES", "cli", "main", "run"]

BUG = 70
INTERRUPTED = 130

EXIT_CODES = {
    0: "nothing to report",
    1: "findings: mistakes in an inventory or a template, files that would change or must not "
    "be overwritten, a failed check of `doctor`, a question answered with no",
    2: "usage or configuration: an unknown option, a missing file or folder",
    3: "integrity: a file, a hash or a signature is not what it says it is",
    4: "policy: a signer who is not trusted, a certificate that has run out or was revoked",
    5: "not reproducible: the inputs of a package give something else than it holds",
    BUG: "a bug in runbook, with a traceback to report",
    INTERRUPTED: "interrupted",
}
"""What the program leaves with; the table of the README says the same."""


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    screen.prepare()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; answers with the exit code instead of leaving."""
    try:
        _require_working_folder()
        code = cli.main(arguments, prog_name="runbook", standalone_mode=False, color=screen.color())
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        screen.say(*shown.getvalue().rstrip("\n").split("\n"))
        return error.exit_code if error.exit_code == 2 else 1
    except (click.Abort, KeyboardInterrupt):
        screen.say("Interrupted. Nothing was left half-written.")
        return INTERRUPTED
    except FindingsError as error:
        screen.say(*screen.paint(error.lines))
        screen.say(screen.counted(error.findings, "Nothing was written."))
        return error.exit_code
    except GeneratorError as error:
        first, *rest = error.lines
        screen.say(f"Error: {first}", *rest)
        return error.exit_code
    except Exception:
        import traceback  # noqa: PLC0415 - only a bug needs it

        screen.say(*traceback.format_exc().rstrip("\n").split("\n"))
        screen.say("This is a bug in runbook, not in your files. Please report it.")
        return BUG


def _require_working_folder() -> None:
    """Raises UsageError for one that was deleted: no path means anything there."""
    try:
        Path.cwd()
    except OSError:
        raise UsageError(
            "the working folder is not there any more. Change to another one."
        ) from None
