"""Reads files that somebody named: on the command line, or in a file that came from elsewhere.

A name may lead to a pipe that nobody writes to, to a device that never ends, or to a file of any
size. It is judged before it is opened, opened without waiting, judged again, and read up to a
limit.
"""

from __future__ import annotations

import os
import stat
from enum import Enum
from pathlib import Path

from generator.errors import UsageError

MOST = 64 << 20
"""Bytes that are read where nothing else is said."""

_PART = 1 << 20
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


class Why(Enum):
    """Why a file is not read."""

    MISSING = "there is no such file"
    FOLDER = "this is a folder, not a file"
    SPECIAL = "this is a pipe or a device, not a file"
    DENIED = "no permission to read this file"
    LARGE = "the file is too large"
    OTHER = "the file cannot be read"


class UnreadableError(UsageError):
    """A file that cannot be read, or is none; `why` and `reason` say it without the name."""

    def __init__(self, display: str, why: Why, more: str = "") -> None:
        self.why = why
        self.more = more
        self.reason = f"{why.value} ({more})" if more else why.value
        super().__init__(f"{display}: {self.reason}")


def read(path: Path, most: int = MOST, display: str | None = None) -> bytes:
    """The bytes of a regular file, at most `most`; raises UnreadableError, which names `display`.

    A link is followed; what it leads to is judged.
    """
    name = str(path) if display is None else display
    try:
        _judge(path.stat(), most, name)
        with open(os.open(path, _FLAGS), "rb", buffering=0) as file:  # noqa: PTH123 - a handle
            _judge(os.fstat(file.fileno()), most, name)
            parts: list[bytes] = []
            left = most + 1
            while left > 0 and (part := file.read(min(left, _PART))):
                parts.append(part)
                left -= len(part)
    except FileNotFoundError:
        raise UnreadableError(name, Why.MISSING) from None
    except PermissionError:
        raise UnreadableError(name, Why.DENIED) from None
    except (OSError, ValueError) as error:
        code = error.errno if isinstance(error, OSError) else None
        raise UnreadableError(name, Why.OTHER, os.strerror(code) if code else str(error)) from None
    if left <= 0:
        raise _too_large(name, most)
    return b"".join(parts)


def is_file(path: Path) -> bool:
    """Whether it leads to a plain file; not, where the system cannot look (a name too long)."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """The same for a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _judge(found: os.stat_result, most: int, name: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise UnreadableError(name, Why.FOLDER)
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableError(name, Why.SPECIAL)
    if found.st_size > most:
        raise _too_large(name, most)


def _too_large(name: str, most: int) -> UnreadableError:
    unit, of = ("MiB", 1 << 20) if most >= 1 << 20 else ("KiB", 1 << 10)
    return UnreadableError(name, Why.LARGE, f"at most {most // of} {unit} are read")
