"""Where passphrases and PINs come from: a variable, a file, standard input, or the person.

Never from the command line, where every process of the machine can read them; never into a
message.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from generator.signing.errors import KeyFileError

STANDARD_INPUT = "-"


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
        """The passphrase as UTF-8, one trailing line end removed; raises KeyFileError.

        `ask` asks the person; it is None where nobody can answer.
        """
        if self.variable is not None:
            value = os.environ.get(self.variable)
            if value is None:
                raise KeyFileError(f"the environment variable {self.variable} is not set")
            return _line(value.encode("utf-8"))
        if self.file == STANDARD_INPUT:
            return _line(sys.stdin.buffer.read())
        if self.file is not None:
            try:
                return _line(Path(self.file).read_bytes())
            except OSError as error:
                raise KeyFileError(
                    f"{self.file}: the file with the passphrase cannot be read "
                    f"({error.strerror or error})"
                ) from error
        if ask is None:
            raise KeyFileError(
                "a passphrase is needed and nobody can be asked; give it with --pass-env or "
                "--pass-file"
            )
        return ask().encode("utf-8")


def _line(data: bytes) -> bytes:
    return data.removesuffix(b"\n").removesuffix(b"\r")
