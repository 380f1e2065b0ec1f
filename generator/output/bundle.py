"""Writes out/<name>/: all of a build or nothing, and never over somebody's work.

Files of an earlier build are known again by path and hash (manifest.json, SHA256SUMS). One that
was edited since is not overwritten without being asked; one that no build wrote is carried over
as it is. The new folder grows beside the old one while the scripts are made, so that a change of
any size needs little memory; then it is compared, and takes the place of the old one or goes.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from generator.documents import runsheet
from generator.errors import OutputError
from generator.files import folder_swap, names, signature_block
from generator.model.build import Build, Summary
from generator.output import comparison, manifest
from generator.output.comparison import Comparison, Holds, any_block
from generator.rendering import launcher
from generator.templating.templates import TemplateTree


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of the folder, or with `dry_run` what would become of it."""

    folder: Path
    comparison: Comparison
    dry_run: bool = False

    @property
    def unchanged(self) -> bool:
        """Whether everything was there already, byte for byte; then nothing was touched."""
        return not self.comparison.differs

    def sentence(self) -> str:
        """For the end of a build: `out/x: written; 3 files new, 2 changed, 14 as before.`"""
        found = self.comparison
        parts = [
            f"{len(names)} {word}"
            for names, word in (
                (found.new, "new"),
                (found.changed, "changed"),
                (found.edited, "edited by hand and replaced"),
                (found.stale, "of an earlier build removed"),
                (found.same, "as before"),
                (found.foreign, "not of a build and left alone"),
            )
            if names
        ]
        verb = "unchanged" if self.unchanged else "would be written" if self.dry_run else "written"
        return f"{self.folder}: {verb}. Files: {', '.join(parts)}."


class Contents:
    """All files of the output folder, path and bytes in parts, in the order of work, hashes last.

    The parts of one file are read before the next file is asked for. When one has gone through
    all of them, `digests` has the SHA-256 of each.

    With `folder`, the scripts in it that are these and were signed meanwhile stay as they are. A
    signature is kept when it `holds`, the script below it did not change, and the file is the one
    that the manifest there names, which is how `sign` leaves it.
    """

    def __init__(
        self,
        build: Build,
        tree: TemplateTree,
        folder: Path | None = None,
        holds: Holds = any_block,
    ) -> None:
        self._build, self._tree, self._folder, self._holds = build, tree, folder, holds
        self.digests: dict[str, str] = {}

    def __iter__(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        self.digests.clear()
        recorded = comparison.recorded(self._folder) if self._folder else {}
        summaries: list[Summary] = []
        for script in self._build.rendered:
            path = script.runbook.file
            summaries.append(script.summary)
            yield path, self._script(path, script.data, recorded)
        yield launcher.NAME, self._script(launcher.NAME, self._build.launcher.data, recorded)
        sheet = runsheet.stream(self._build, summaries, self._tree)
        yield runsheet.NAME, self._hashed(runsheet.NAME, (text.encode() for text in sheet))
        record = manifest.stream(self._build, summaries, [runsheet.NAME], self.digests)
        yield manifest.NAME, self._hashed(manifest.NAME, record)
        yield manifest.SUMS, self._hashed(manifest.SUMS, manifest.sums_of(self.digests))

    def _script(self, path: str, data: bytes, recorded: Mapping[str, str]) -> tuple[bytes]:
        """A script, or the signed one that is in its place."""
        digest = manifest.sha256(data)
        # Only a recorded file with other bytes can be this one with a signature.
        if self._folder and recorded.get(path, digest) != digest:
            data = _as_signed(data, self._folder / path, recorded[path], self._holds)
            digest = manifest.sha256(data)
        self.digests[path] = digest
        return (data,)

    def _hashed(self, path: str, parts: Iterable[bytes]) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
            yield part
        self.digests[path] = digest.hexdigest()


def contents(build: Build, tree: TemplateTree) -> dict[str, bytes]:
    """All files of the output folder, path -> bytes, in memory."""
    return {path: b"".join(parts) for path, parts in Contents(build, tree)}


def write(
    build: Build,
    out_root: Path,
    tree: TemplateTree | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
    holds: Holds = any_block,
) -> WriteReport:
    """Writes a build below `out_root`; with `force` also over files that were edited.

    `tree` holds the template of the run sheet (default: the built-in one), `holds` judges the
    signatures of scripts that are there. Raises OutputError, with the folder as it was, for
    edited files, for names that would not survive a copy to another disk, and (UnwritableError)
    for a folder that cannot be written. With `dry_run` nothing is written.
    """
    folder = out_root / build.folder
    files = [one.file for one in build.plan.runbooks]
    problems = [
        *names.problems_of_one(build.folder),
        *names.problems([*files, launcher.NAME, runsheet.NAME, manifest.NAME, manifest.SUMS]),
    ]
    if problems:
        raise OutputError(
            f"{folder}: nothing was written.",
            *(f"  {problem}." for problem in problems),
            "Rename the inventory, the host or the action in role.yml behind it.",
        )
    made = Contents(build, tree or TemplateTree.for_project(), folder, holds)
    try:
        if dry_run:
            for _, parts in made:
                deque(parts, maxlen=0)
            found = _compare(made, folder, holds, force=force)
        else:
            with _parents(out_root), folder_swap.alone(folder):
                found = _replace(folder, made, holds, force=force)
    except OSError as error:
        raise folder_swap.unwritable(folder, error) from error
    return WriteReport(folder, found, dry_run)


def _replace(folder: Path, made: Contents, holds: Holds, *, force: bool) -> Comparison:
    with folder_swap.growing(folder) as new:
        folders = {new}
        for path, parts in made:
            target = new / path
            if target.parent not in folders:
                target.parent.mkdir()
                folders.add(target.parent)
            with target.open("wb") as file:
                file.writelines(parts)
        found = _compare(made, folder, holds, force=force)
        if found.differs:
            for path in found.foreign:
                _carry(folder / path, new / path)
            folder_swap.replace(folder)
    return found


def _carry(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and not source.is_symlink():
        target.mkdir(exist_ok=True)
    else:
        folder_swap.second_name(source, target)


def _compare(made: Contents, folder: Path, holds: Holds, *, force: bool) -> Comparison:
    found = comparison.compare(made.digests, folder, holds)
    if found.edited and not force:
        raise OutputError(*_edited_message(folder, found.edited))
    return found


def _as_signed(data: bytes, path: Path, recorded: str, holds: Holds) -> bytes:
    """The script at this path in its place, where it is this one with a signature."""
    there = comparison.plain_bytes(path)
    if there is None or manifest.sha256(there) != recorded:
        return data
    return there if signature_block.without(there) == data and holds(there) else data


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Makes a folder, and takes it away again when what was to go into it failed."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for one in missing:
                one.rmdir()
        raise


def _edited_message(folder: Path, edited: tuple[str, ...]) -> list[str]:
    count = "1 file" if len(edited) == 1 else f"{len(edited)} files"
    return [
        f"{folder}: {count} changed since the last build; nothing was written.",
        *(f"  {path}: edited, or not written by a build." for path in edited),
        "Move what you want to keep out of the folder (a lasting change belongs into the "
        "inventory or a template), then build again; or build with --force, which replaces "
        "these files.",
    ]
