"""Folders that come from others, read whole with limits, and files of theirs written below one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from generator.errors import IntegrityError, UsageError
from generator.files import named, names
from generator.files.named import UnreadableError, Why
from generator.untrusted import limits


def read_file(path: Path, most: int = limits.FILE) -> bytes:
    """The bytes of one plain file; raises UnreadableError, IntegrityError for more than `most`."""
    try:
        return named.read(path, most)
    except UnreadableError as error:
        if error.why is Why.LARGE:
            raise IntegrityError(f"{path}: {error.reason}") from error
        raise


def read(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their path in it; raises UsageError, IntegrityError.

    Refused are links, anything else that is neither file nor folder, and names that no package
    has: nothing in the folder is passed over.
    """
    found: dict[str, bytes] = {}
    left = limits.PACKAGE
    try:
        for name, path in _files(folder):
            limits.check_count(len(found) + 1)
            found[name] = read_file(path, min(left, limits.FILE))
            left -= len(found[name])
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror or error}") from error
    return found


def write_below(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a new folder; raises IntegrityError when a name would leave it.

    The folder must not exist: in one that nobody else has filled there is no link to follow.
    """
    problems = names.problems(files)
    if problems:
        raise IntegrityError("nothing was written.", *problems)
    folder.mkdir()
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(data)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Path in the folder and on the disk; a folder is entered after its name is judged."""
    waiting = [""]
    while waiting:
        base = waiting.pop()
        with os.scandir(folder / base) as entries:
            present = sorted(entries, key=lambda entry: entry.name)
        for entry in present:
            name = f"{base}{entry.name}"
            problems = names.problems([name])
            if problems:
                raise IntegrityError(problems[0])
            if entry.is_symlink():
                raise IntegrityError(f"{name}: a link; a package holds plain files only")
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name, folder / name
            else:
                raise IntegrityError(f"{name}: neither a file nor a folder")
