"""The errors a user can meet, each with the exit code of the command line (README table)."""

from __future__ import annotations

from typing import ClassVar


class GeneratorError(Exception):
    """Something the user can put right. The message says what, where, and what to do."""

    exit_code: ClassVar[int] = 1


class UsageError(GeneratorError):
    """The command line or the project around it is not usable (a path, a missing folder)."""

    exit_code = 2


class OutputError(GeneratorError):
    """The output folder holds something that must not be overwritten."""

    exit_code = 1


class IntegrityError(GeneratorError):
    """A signature, a hash, a package or a document is not what it says it is."""

    exit_code = 3
