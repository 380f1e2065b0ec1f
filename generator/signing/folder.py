"""A folder that a build wrote: its files by manifest, replaced as a whole with new hashes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from generator.errors import UsageError
from generator.files import named
from generator.files.named import UnreadableError, Why
from generator.signing.errors import IntegrityError
from generator.writing import manifest, swap


@dataclass(frozen=True, slots=True)
class Folder:
    """A built folder as its manifest describes it."""

    path: Path
    record: Mapping[str, Any]

    @property
    def scripts(self) -> tuple[str, ...]:
        """The paths of the runbooks, in the order of work."""
        return tuple(entry["path"] for entry in self.record["runbooks"])

    @property
    def window_end(self) -> datetime:
        """When the change is over at the latest; signatures should hold until then."""
        return datetime.fromisoformat(self.record["change"]["window"]["until"])


def load(path: Path) -> Folder:
    """Reads the manifest; raises UsageError without one, IntegrityError for a damaged one."""
    try:
        record = json.loads(named.read(path / manifest.NAME))
    except UnreadableError as error:
        if error.why is not Why.MISSING:
            raise IntegrityError(str(error)) from error
        raise UsageError(
            f"{path}: there is no {manifest.NAME}, so this is no folder that a build wrote. Name "
            "the files themselves, or the folder out/NAME"
        ) from error
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path / manifest.NAME}: cannot be read ({error})") from error
    try:
        found = Folder(path, record)
        names = [*manifest.hashes(record), *found.scripts]
        if record["format"] != manifest.FORMAT or not all(_plain(name) for name in names):
            raise ValueError("it is not one of this version")
        found.window_end.timestamp()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            f"{path / manifest.NAME}: this is no manifest of a build ({error})"
        ) from error
    return found


def problems(folder: Folder) -> list[str]:
    """Files that are missing or not as the manifest says, one sentence each."""
    found = []
    expected = manifest.hashes(folder.record)
    for name, digest in expected.items():
        path = folder.path / name
        if path.is_symlink() or not path.is_file():
            found.append(f"{path}: missing, or no plain file")
        elif manifest.sha256(path.read_bytes()) != digest:
            found.append(f"{path}: not the file that the manifest names")
    own = (folder.path / manifest.NAME).read_bytes()
    sums = folder.path / manifest.SUMS
    if not sums.is_file() or sums.read_bytes() != manifest.sums(folder.record, own):
        found.append(f"{sums}: does not agree with the manifest")
    return found


def unlisted(folder: Folder) -> list[str]:
    """Scripts in the folder that the manifest does not know."""
    known = {os.path.normcase(name) for name in manifest.hashes(folder.record)}
    names = (path.relative_to(folder.path) for path in sorted(folder.path.rglob("*.ps1")))
    return [
        f"{folder.path / name}: not in the manifest"
        for name in names
        if os.path.normcase(name.as_posix()) not in known
    ]


def replace(folder: Folder, changed: Mapping[str, bytes]) -> None:
    """Puts new bytes in the place of files of the folder, all or none, and the hashes after them.

    Files that did not change, and those that no build wrote, stay the same files.
    """
    record = manifest.with_files(folder.record, changed)
    written = dict(changed)
    written[manifest.NAME] = manifest.encode(record)
    written[manifest.SUMS] = manifest.sums(record, written[manifest.NAME])

    try:
        with swap.alone(folder.path):
            before = load(folder.path)
            if before.record != folder.record or problems(before):
                raise IntegrityError(
                    f"{folder.path}: somebody changed this folder meanwhile; nothing was written"
                )
            with swap.growing(folder.path) as new:
                _fill(new, folder.path, written)
                swap.replace(folder.path)
    except OSError as error:
        raise swap.unwritable(folder.path, error) from error


def _fill(new: Path, old: Path, written: Mapping[str, bytes]) -> None:
    shutil.copytree(old, new, symlinks=True, copy_function=swap.second_name, dirs_exist_ok=True)
    for name, data in written.items():
        (new / name).unlink(missing_ok=True)
        (new / name).write_bytes(data)


def _plain(name: object) -> bool:
    return (
        isinstance(name, str)
        and bool(name)
        and "\\" not in name
        and not name.startswith("/")
        and ":" not in name
        and all(part not in ("", ".", "..") for part in name.split("/"))
    )
