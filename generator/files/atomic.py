"""Writes files whole or not at all: the only writer of single files.

The bytes go into a file beside the target, which then takes its place. A new file gets the rights
that the umask allows, one that is replaced keeps its own. A link, a pipe or a device is never
written through or replaced.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from generator.errors import UnwritableError

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_ANYBODY = 0o666
"""What a new file may have at most; the system takes away what the umask says."""


def write(path: Path, data: bytes) -> None:
    """Writes one file; raises UnwritableError, with everything as it was."""
    write_all({path: data})


def write_all(files: Mapping[Path, bytes]) -> None:
    """Writes several files; raises UnwritableError, naming the file that could not be written.

    All bytes are on the disk before the first file is replaced, so that a full disk or missing
    rights change nothing.
    """
    ready: list[tuple[Path, Path]] = []
    written: list[Path] = []
    path = Path()
    try:
        for path, data in files.items():
            _put_beside(path, data, ready)
        for temporary, path in ready:
            temporary.replace(path)
            written.append(path)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UnwritableError(
            f"{path}: cannot be written: {reason}.",
            *(f"{one}: was written before that." for one in written),
        ) from error
    finally:
        for temporary, _ in ready[len(written) :]:
            temporary.unlink(missing_ok=True)


def holds(path: Path, data: bytes) -> bool:
    """Whether a plain file has exactly these bytes."""
    try:
        found = path.lstat()
        plain = stat.S_ISREG(found.st_mode) and found.st_size == len(data)
        return plain and path.read_bytes() == data
    except OSError:
        return False


def _put_beside(path: Path, data: bytes, ready: list[tuple[Path, Path]]) -> None:
    mode = _mode(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.new")
    handle = os.open(temporary, _FLAGS, _ANYBODY)
    ready.append((temporary, path))
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    if mode is not None:
        temporary.chmod(mode)


def _mode(path: Path) -> int | None:
    """The rights of the file that is to be replaced, None for a new one."""
    if not path.parent.is_dir():
        raise UnwritableError(f"{path}: cannot be written: there is no folder {path.parent}.")
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):
        raise UnwritableError(
            f"{path}: cannot be written: this is a link, a folder, a pipe or a device. Name a file."
        )
    return stat.S_IMODE(found)
