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
    """Path below the root and entry of everything, by name, a folder before what is in it.

    Raises OSError for a folder that cannot be read, and TooDeepError.
    """
    levels = [("", _sorted(root))]
    while levels:
        base, waiting = levels[-1]
        if not waiting:
            levels.pop()
            continue
        entry = waiting.pop()
        name = f"{base}{entry.name}"
        yield name, entry
        if entry.is_dir(follow_symlinks=False):
            if len(levels) > DEEPEST:
                top = root / name.split("/", maxsplit=1)[0]
                raise TooDeepError(
                    f"{top}: more than {DEEPEST} folders in one another; move it away"
                )
            levels.append((f"{name}/", _sorted(root / name)))


def _sorted(folder: Path) -> list[os.DirEntry[str]]:
    """The first one is the last in the list."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name, reverse=True)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link in a ring is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
