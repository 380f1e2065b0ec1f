"""Where passphrases and PINs come from: a variable, a file, standard input, or the person.

Never from the command line, where every process of the machine can read them; never into a
message. They are taken as the bytes that stand there, be they UTF-8 or not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from generator.files import named
from generator.files.named import UnreadableError
from generator.signing.errors import KeyFileError

STANDARD_INPUT = "-"

_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Source:
    """At most one of `variable` and `file` is set; with none of them the person is asked."""

    variable: str | None = None
    file: str | None = None

    @property
    def given(self) -> bool:
        """Whether the passphrase comes from elsewhere than the person."""
        return self.variable is not None or self.file is not None

    def read(self, ask: Callable[[], str] | None) -> bytes:
        """The passphrase as bytes, one trailing line end removed; raises KeyFileError.

        `ask` asks the person; it is None where nobody can answer.
        """
        if self.variable is not None:
            value = os.environ.get(self.variable)
            if value is None:
                raise KeyFileError(f"the environment variable {self.variable} is not set")
            return _line(_bytes(value))
        if self.file == STANDARD_INPUT:
            return _line(_standard_input())
        if self.file is not None:
            try:
                return _line(named.read(Path(self.file), _LONGEST))
            except UnreadableError as error:
                raise KeyFileError(
                    f"{self.file}: the file with the passphrase cannot be read ({error.reason}). "
                    f"A pipe can be given as standard input: --pass-file {STANDARD_INPUT}"
                ) from error
        if ask is None:
            raise KeyFileError(
                "a passphrase is needed and nobody can be asked; give it with --pass-env or "
                "--pass-file"
            )
        return _bytes(ask())


def _standard_input() -> bytes:
    try:
        data = sys.stdin.buffer.read(_LONGEST + 1)
    except (AttributeError, OSError, ValueError) as error:
        raise KeyFileError("the passphrase cannot be read from standard input") from error
    if len(data) > _LONGEST:
        raise KeyFileError(f"more than {_LONGEST} bytes on standard input are no passphrase")
    return data


def _bytes(text: str) -> bytes:
    """The bytes that Python made this text of; on Windows, where it was text before, UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise KeyFileError("the passphrase holds half a character") from None


def _line(data: bytes) -> bytes:
    return data.removesuffix(b"\n").removesuffix(b"\r")
