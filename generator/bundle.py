"""Writes out/<name>/: all of a build or nothing, and never over somebody's work.

Files of an earlier build are known again by path and hash (manifest.json, SHA256SUMS). One that
was edited since is not overwritten without being asked; one that no build wrote is carried over
as it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from generator import manifest, progress, runsheet, swap
from generator.errors import OutputError
from generator.model import Build
from generator.powershell import without_signature
from generator.templates import TemplateTree

LONGEST_NAME = 64
"""Joliet, the names of a Windows CD, has room for 64 characters; FAT32 and NTFS for 255."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DEVICE_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


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


def write(
    build: Build,
    out_root: Path,
    tree: TemplateTree | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> WriteReport:
    """Writes a build below `out_root`; with `force` also over files that were edited.

    `tree` holds the template of the run sheet (default: the built-in one). Raises OutputError,
    with the folder as it was, for edited files, for names that would not survive a copy to
    another disk, and for a folder that cannot be written. With `dry_run` nothing is written.
    """
    name = build.folder
    folder = out_root / name
    files = as_signed(contents(build, tree or TemplateTree.for_project()), folder)
    problems = name_problems(name, files)
    if problems:
        raise OutputError("\n".join([f"{folder}: nothing was written.", *problems]))
    try:
        if dry_run:
            return WriteReport(folder, _comparison(files, folder, force), dry_run=True)
        out_root.mkdir(parents=True, exist_ok=True)
        with swap.alone(folder):
            comparison = _comparison(files, folder, force)
            if comparison.differs:
                swap.replace(folder, lambda new: _fill(new, files, folder, comparison.foreign))
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder}: {error.strerror or error}. The folder {folder} is as "
            "it was. Put this right (a full disk, missing rights, a program that has a file "
            "open), then build again."
        ) from error
    return WriteReport(folder, comparison)


def contents(build: Build, tree: TemplateTree) -> dict[str, bytes]:
    """All files of the output folder: path -> bytes, in the order of work, hashes last."""
    documents = {runsheet.NAME: runsheet.render(build, tree).encode("utf-8")}
    record = manifest.make(build, documents)
    files = {rendered.runbook.file: rendered.data for rendered in build.rendered}
    files |= documents
    files[manifest.NAME] = manifest.encode(record)
    files[manifest.SUMS] = manifest.sums(record, files[manifest.NAME])
    if len(files) != len(build.rendered) + len(documents) + 2:
        raise OutputError("two files of this build have the same name; nothing was written")
    return files


def as_signed(files: Mapping[str, bytes], folder: Path) -> dict[str, bytes]:
    """The same files, with the scripts of `folder` that are these and were signed meanwhile.

    A signature is kept when the script below it did not change and the file is the one that the
    manifest there names, which is how `sign` leaves it. The hashes follow.
    """
    recorded = manifest.recorded(_bytes(folder / manifest.NAME), _bytes(folder / manifest.SUMS))
    signed = {
        path: there
        for path, data in files.items()
        if path.endswith(".ps1")
        and (there := _bytes(folder / path)) not in (None, data)
        and _known(recorded, path, there)
        and without_signature(there) == data
    }
    record = manifest.with_files(json.loads(files[manifest.NAME]), signed)
    own = manifest.encode(record)
    return {**files, **signed, manifest.NAME: own, manifest.SUMS: manifest.sums(record, own)}


def compare(files: Mapping[str, bytes], folder: Path) -> Comparison:
    """What writing `files` would do to `folder`; reads only."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(
            f"{folder}: this is not a folder but a file or a link. Move it away, then build again."
        )
    present = dict(_present(folder))
    record = manifest.recorded(_bytes(folder / manifest.NAME), _bytes(folder / manifest.SUMS))
    found: dict[str, list[str]] = {field.name: [] for field in fields(Comparison)}
    for path, data in files.items():
        was = present.get(os.path.normcase(path))
        if was is None:
            kind = "new"
        elif (there := _bytes(folder / was)) == data:
            kind = "same"
        else:
            kind = "changed" if _known(record, path, there) else "edited"
        found[kind].append(path)
    ours = {os.path.normcase(path) for path in files}
    for path in (path for key, path in present.items() if key not in ours):
        if path not in record:
            kind = "foreign"
        else:
            kind = "stale" if _known(record, path, _bytes(folder / path)) else "edited"
        found[kind].append(path)
    _refuse_blocked(folder, ours, found["foreign"])
    return Comparison(**{kind: tuple(names) for kind, names in found.items()})


def _comparison(files: Mapping[str, bytes], folder: Path, force: bool) -> Comparison:
    comparison = compare(files, folder)
    if comparison.edited and not force:
        raise OutputError(_edited_message(folder, comparison.edited))
    return comparison


def name_problems(folder: str, files: Mapping[str, bytes]) -> list[str]:
    """Names that would leave the folder, or not survive FAT32, a CD (Joliet) or NTFS."""
    problems = []
    seen: dict[str, str] = {}
    for path, parts in [(folder, [folder]), *((path, path.split("/")) for path in files)]:
        for part in parts:
            if not PLAIN_NAME.fullmatch(part) or part.endswith("."):
                problems.append(
                    f"  {path!a}: a name is made of letters, digits, '.', '_' and '-', begins "
                    "with a letter or digit and does not end with a dot. Rename the inventory, "
                    "the role or the host behind it."
                )
            elif DEVICE_NAME.fullmatch(part):
                problems.append(f"  {path}: Windows keeps this name for a device. Rename it.")
            elif len(part) > LONGEST_NAME:
                problems.append(
                    f"  {path}: {len(part)} characters; a CD has room for {LONGEST_NAME}. "
                    "Shorten the action in role.yml."
                )
        twin = seen.setdefault(path.casefold(), path)
        if twin != path:
            problems.append(f"  {path}: differs from {twin} only by upper and lower case.")
    return problems


def _fill(new: Path, files: Mapping[str, bytes], old: Path, foreign: tuple[str, ...]) -> None:
    for folder in dict.fromkeys((new / path).parent for path in files):
        folder.mkdir(exist_ok=True)
    for path, data in progress.over(files.items(), "Writing files"):
        (new / path).write_bytes(data)
    for path in foreign:
        _carry(old / path, new / path)


def _carry(source: Path, target: Path) -> None:
    """The same file under a second name, so that nobody's work passes through a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink(), target_is_directory=source.is_dir())
    elif source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        try:
            target.hardlink_to(source)
        except OSError:
            # FAT32 and some network disks have no second names.
            shutil.copy2(source, target)


def _present(folder: Path, below: str = "") -> Iterator[tuple[str, str]]:
    """Files, links and empty folders: comparable path -> path. Links are not followed."""
    place = folder / below
    if not place.is_dir():
        return
    with os.scandir(place) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = f"{below}{entry.name}"
        if entry.is_dir(follow_symlinks=False) and any(Path(entry.path).iterdir()):
            yield from _present(folder, f"{path}/")
        else:
            yield os.path.normcase(path), path


def _known(record: Mapping[str, str], path: str, data: bytes | None) -> bool:
    return data is not None and record.get(path) == manifest.sha256(data)


def _bytes(path: Path) -> bytes | None:
    """None for what is not there or is no plain file (a link, a folder, a pipe)."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def _refuse_blocked(folder: Path, ours: set[str], foreign: list[str]) -> None:
    """A foreign file where this build needs a folder, or the other way round."""
    folders = {os.path.normcase(str(parent)) for path in ours for parent in Path(path).parents}
    blocked = [
        path
        for path in foreign
        if (os.path.normcase(path) in folders and not (folder / path).is_dir())
        or any(os.path.normcase(str(parent)) in ours for parent in Path(path).parents)
    ]
    if blocked:
        raise OutputError(
            "\n".join(
                [
                    f"{folder}: nothing was written.",
                    *(f"  {path}: stands where the build needs the name." for path in blocked),
                    "Move it out of the folder, then build again.",
                ]
            )
        )


def _edited_message(folder: Path, edited: tuple[str, ...]) -> str:
    return "\n".join(
        [
            f"{folder}: {_files(len(edited))} changed since the last build; nothing was written.",
            *(f"  {path}: edited, or not written by a build." for path in edited),
            "Move what you want to keep out of the folder (a lasting change belongs into the "
            "inventory or a template), then build again; or build with --force, which replaces "
            "these files.",
        ]
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
