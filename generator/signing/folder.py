"""A folder that a build wrote: its files by manifest, replaced as a whole with new hashes."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from generator.errors import IntegrityError, UsageError
from generator.files import below, folder_swap, names
from generator.files.below import TooDeepError
from generator.output import manifest
from generator.untrusted import document, limits
from generator.untrusted import folder as untrusted


@dataclass(frozen=True, slots=True)
class Folder:
    """A built folder as its manifest describes it."""

    path: Path
    record: Mapping[str, Any]

    @property
    def scripts(self) -> tuple[str, ...]:
        """The paths of the scripts that are signed, in the order of work."""
        return manifest.scripts(self.record)

    @property
    def window_end(self) -> datetime:
        """When the change is over at the latest; signatures should hold until then."""
        return datetime.fromisoformat(self.record["change"]["window"]["until"])


def load(path: Path) -> Folder:
    """Reads the manifest; raises UsageError without one, IntegrityError for a damaged one.

    A folder that is called `.` or `..` gets its own name: its successor grows beside it.
    """
    if path.name in ("", ".."):
        path = path.resolve()
    place = path / manifest.NAME
    if not path.name or not os.path.lexists(place):
        raise UsageError(
            f"{path}: there is no {manifest.NAME}, so this is no folder that a build wrote. Name "
            "the files themselves, or the folder out/NAME"
        )
    record = document.read(untrusted.read_file(place, limits.DOCUMENT), manifest.SCHEMA, str(place))
    problems = names.problems(manifest.hashes(record))
    if problems:
        raise IntegrityError(f"{place}: names that no build writes:", *problems)
    found = Folder(path, record)
    try:
        found.window_end.timestamp()
    except (TypeError, ValueError) as error:
        raise IntegrityError(f"{place}: the change window has no end ({error})") from error
    return found


def problems(folder: Folder) -> list[str]:
    """Files that are missing or not as the manifest says, one sentence each."""
    listed = manifest.hashes(folder.record)
    parents = {parent for name in listed for parent in PurePosixPath(name).parents}
    found = [
        f"{folder.path / parent}: this is a link, not a folder that a build made"
        for parent in sorted(parents)
        if parent.name and (folder.path / parent).is_symlink()
    ]
    for name, digest in listed.items():
        data = _plain_bytes(folder.path / name)
        if data is None:
            found.append(f"{folder.path / name}: missing, or no plain file")
        elif manifest.sha256(data) != digest:
            found.append(f"{folder.path / name}: not the file that the manifest names")
    own = untrusted.read_file(folder.path / manifest.NAME, limits.BUILT)
    if _plain_bytes(folder.path / manifest.SUMS) != manifest.sums(folder.record, own):
        found.append(f"{folder.path / manifest.SUMS}: does not agree with the manifest")
    return found


def unlisted(folder: Folder) -> list[str]:
    """Whatever lies in the folder and is not in the manifest: files of any kind, links, folders."""
    known = {*manifest.hashes(folder.record), manifest.NAME, manifest.SUMS}
    folders = {str(parent) for name in known for parent in PurePosixPath(name).parents}
    expected = {os.path.normcase(name) for name in known | folders}
    found = []
    try:
        for name, _ in below.entries(folder.path):
            if os.path.normcase(name) not in expected:
                found.append(f"{folder.path / name}: not in the manifest")
    except TooDeepError as error:
        found += error.lines
    except OSError as error:
        found.append(f"{error.filename or folder.path}: {error.strerror or error}")
    return found


def replace(folder: Folder, changed: Mapping[str, bytes]) -> None:
    """Puts new bytes in the place of files of the folder, all or none, and the hashes after them.

    Files that did not change, and those that no build wrote, stay the same files.
    """
    record = manifest.with_files(folder.record, changed)
    written = dict(changed)
    written[manifest.NAME] = manifest.encode(record)
    written[manifest.SUMS] = manifest.sums(record, written[manifest.NAME])

    try:
        with folder_swap.alone(folder.path):
            before = load(folder.path)
            if before.record != folder.record or problems(before):
                raise IntegrityError(
                    f"{folder.path}: somebody changed this folder meanwhile; nothing was written"
                )
            with folder_swap.growing(folder.path) as new:
                _fill(new, folder.path, written)
                folder_swap.replace(folder.path)
    except OSError as error:
        raise folder_swap.unwritable(folder.path, error) from error


def _fill(new: Path, old: Path, written: Mapping[str, bytes]) -> None:
    # What is nested too deep to be copied is refused before anything is.
    deque(below.entries(old), maxlen=0)
    shutil.copytree(
        old, new, symlinks=True, copy_function=folder_swap.second_name, dirs_exist_ok=True
    )
    for name, data in written.items():
        (new / name).unlink(missing_ok=True)
        (new / name).write_bytes(data)


def _plain_bytes(path: Path) -> bytes | None:
    """The bytes of a plain file, None where there is none; raises IntegrityError for a huge one."""
    if path.is_symlink() or not path.is_file():
        return None
    return untrusted.read_file(path, limits.BUILT)
