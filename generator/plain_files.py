"""Files that others name: judged before they are opened, and read up to a limit.

A pipe would be waited for without end, and a device or a file that grows would be read without
end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class NotPlainError(OSError):
    """A folder, pipe, socket or device stands where a file is expected; `folder` says which."""

    def __init__(self, folder: bool) -> None:
        kind = "a folder" if folder else "a pipe or a device"
        super().__init__(f"this is {kind}, not a file")
        self.folder = folder


class TooLargeError(OSError):
    """A file has more bytes than the limit; `size` is how many the system names."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the file is too large ({size / 1024 / 1024:.1f} MiB)")
        self.size = size


def read(path: Path, limit: int) -> bytes:
    """The bytes of a plain file of at most `limit` bytes; links are followed.

    Raises NotPlainError, TooLargeError, other OSErrors of the system, and ValueError for a name
    that no system takes (one with a NUL character).
    """
    _judge(path.stat(), limit)
    # Judged again when it is open: another program may have put a pipe in its place.
    descriptor = os.open(path, _OPEN)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - pathlib opens no descriptor
        size = _judge(os.fstat(descriptor), limit)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLargeError(max(size, len(data)))
    return data


def _judge(found: os.stat_result, limit: int) -> int:
    if not stat.S_ISREG(found.st_mode):
        raise NotPlainError(stat.S_ISDIR(found.st_mode))
    if found.st_size > limit:
        raise TooLargeError(found.st_size)
    return found.st_size
