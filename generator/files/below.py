"""What lies below a folder: no link is followed, and no depth ends the program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from generator.errors import UsageError

DEEPEST = 64
"""Folders in one another. A build has two, templates have five."""


class TooDeepError(UsageError):
    """More than DEEPEST folders in one another."""


def entries(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Path below the root and entry of everything, a folder before what is in it.

    Raises OSError for a folder that cannot be read, and TooDeepError.
    """
    waiting = [("", 0)]
    while waiting:
        base, depth = waiting.pop()
        if depth > DEEPEST:
            top = root / base.split("/")[0]
            raise TooDeepError(f"{top}: more than {DEEPEST} folders in one another; move it away")
        with os.scandir(root / base) as found:
            present = sorted(found, key=lambda entry: entry.name)
        inner = []
        for entry in present:
            yield f"{base}{entry.name}", entry
            if entry.is_dir(follow_symlinks=False):
                inner.append((f"{base}{entry.name}/", depth + 1))
        waiting += reversed(inner)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link in a ring is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
