"""Folders that come from others, read whole with limits, and files of theirs written below one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from generator.errors import IntegrityError, UsageError
from generator.files import names
from generator.untrusted import limits


def read_file(path: Path, most: int = limits.FILE) -> bytes:
    """The bytes of one plain file; raises UsageError, IntegrityError for more than `most` bytes.

    What is no plain file (a pipe, a device, a folder) is refused before it is opened.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path}: not a plain file")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > most:
        raise IntegrityError(f"{path}: more than {most} bytes, which is more than is read")
    return data


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
        raise IntegrityError("\n".join(["nothing was written.", *problems]))
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
