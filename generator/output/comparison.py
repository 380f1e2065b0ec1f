"""A build beside what lies in its folder: what is new, changed, edited by hand, not ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeAlias

from generator.errors import OutputError
from generator.files import below, named, signature_block
from generator.files.named import UnreadableError, Why
from generator.output import manifest
from generator.untrusted import limits

Holds: TypeAlias = Callable[[bytes], bool]
"""Whether the signature in a script is one over its text."""


def any_block(data: bytes) -> bool:  # noqa: ARG001
    """Takes the word of whatever has the form of a signature block."""
    return True


@dataclass(frozen=True, slots=True)
class Comparison:
    """A build beside what lies in its folder; every name is a path below that folder.

    `stale` are files of an earlier build that this one no longer has. `edited` stand where this
    build or an earlier one has a file, with a text that no build wrote. `foreign` is the rest.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    stale: tuple[str, ...]
    edited: tuple[str, ...]
    foreign: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether writing would change anything."""
        return bool(self.new or self.changed or self.stale or self.edited)


def compare(digests: Mapping[str, str], folder: Path, holds: Holds = any_block) -> Comparison:
    """What writing files (path -> SHA-256) would do to `folder`; reads only.

    A file with a signature block that is none, or whose signature is not one over its text, was
    edited, whatever the record says: neither a build nor `sign` leaves such a file.

    Raises OutputError for a folder that is none, and where a foreign file is in the way.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(
            f"{folder}: this is not a folder but a file or a link. Move it away, then build again."
        )
    present = dict(_present(folder))
    record = recorded(folder)
    found: dict[str, list[str]] = {field.name: [] for field in fields(Comparison)}
    for path, digest in digests.items():
        was = present.get(os.path.normcase(path))
        there = plain_bytes(folder / was) if was is not None else None
        if was is None:
            kind = "new"
        elif there is not None and manifest.sha256(there) == digest:
            kind = "same"
        else:
            kind = "changed" if _as_recorded(there, record.get(path), holds) else "edited"
        found[kind].append(path)
    ours = {os.path.normcase(path) for path in digests}
    for path in (path for key, path in present.items() if key not in ours):
        if path not in record:
            kind = "foreign"
        else:
            there = plain_bytes(folder / path)
            kind = "stale" if _as_recorded(there, record[path], holds) else "edited"
        found[kind].append(path)
    _refuse_blocked(folder, ours, found["foreign"])
    return Comparison(**{kind: tuple(names) for kind, names in found.items()})


def _present(folder: Path) -> Iterator[tuple[str, str]]:
    """Files, links and empty folders: comparable path -> path. Links are not followed."""
    if not folder.is_dir():
        return
    for path, entry in below.entries(folder):
        if not (entry.is_dir(follow_symlinks=False) and any(Path(entry.path).iterdir())):
            yield os.path.normcase(path), path


def recorded(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of what an earlier build wrote to this folder, by its own record."""
    return manifest.recorded(
        plain_bytes(folder / manifest.NAME), plain_bytes(folder / manifest.SUMS)
    )


def plain_bytes(path: Path) -> bytes | None:
    """None for what is not there, is no plain file (a link, a folder, a pipe), or is far larger
    than any file of a build.
    """
    if path.is_symlink() or not path.is_file():
        return None
    try:
        return named.read(path, limits.BUILT)
    except UnreadableError as error:
        if error.why in (Why.LARGE, Why.MISSING):
            return None
        raise


def _as_recorded(data: bytes | None, recorded: str | None, holds: Holds) -> bool:
    """Whether a file is one that a build or `sign` left, by the record and by its signature."""
    if data is None or manifest.sha256(data) != recorded:
        return False
    if not signature_block.looks_signed(data):
        return True
    return signature_block.without(data) != data and holds(data)


def _is_own_folder(path: Path) -> bool:
    """Not one that a link leads to."""
    return path.is_dir() and not path.is_symlink()


def _refuse_blocked(folder: Path, ours: set[str], foreign: list[str]) -> None:
    """A foreign file where this build needs a folder, or the other way round."""
    folders = {os.path.normcase(str(parent)) for path in ours for parent in Path(path).parents}
    blocked = [
        path
        for path in foreign
        if (os.path.normcase(path) in folders and not _is_own_folder(folder / path))
        or any(os.path.normcase(str(parent)) in ours for parent in Path(path).parents)
    ]
    if blocked:
        raise OutputError(
            f"{folder}: nothing was written.",
            *(f"  {path}: stands where the build needs the name." for path in blocked),
            "Move it out of the folder, then build again.",
        )
