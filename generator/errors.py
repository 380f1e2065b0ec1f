"""The errors a user can meet, each with the exit code of the command line (README table)."""

from __future__ import annotations

from typing import ClassVar

from generator.visible import visible


class GeneratorError(Exception):
    """Something the user can put right. The message says what, where, and what to do.

    Each argument is one line of the message. It may quote a name or a value of somebody else, so
    it is cleaned: what is quoted can neither begin a line of its own nor write to the terminal.
    """

    exit_code: ClassVar[int] = 1

    @property
    def lines(self) -> tuple[str, ...]:
        """The message, line by line."""
        return tuple(visible(str(line)) for line in self.args)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class UsageError(GeneratorError):
    """The command line or the project around it is not usable (a path, a missing folder)."""

    exit_code = 2


class OutputError(GeneratorError):
    """The output folder holds something that must not be overwritten."""

    exit_code = 1


class IntegrityError(GeneratorError):
    """A signature, a hash, a package or a document is not what it says it is."""

    exit_code = 3


class UnwritableError(OutputError):
    """A file or a folder cannot be written; what was there before is as it was."""

    exit_code = 2
