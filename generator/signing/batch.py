"""Many files at once: all of them changed, or none."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

from generator.errors import UsageError
from generator.files import atomic, named
from generator.files.signature_block import Style
from generator.output import manifest
from generator.signing import folder as folders
from generator.signing.codes import Code
from generator.signing.errors import IntegrityError, RefusedError
from generator.signing.folder import Folder
from generator.signing.script import style_of

Turn = Callable[[bytes, Style], bytes]
"""New bytes for the bytes of a file; the same bytes for a file that stays."""


@dataclass(frozen=True, slots=True)
class Target:
    """A file to work on. In a built folder `name` is its path there, else it is empty."""

    path: Path
    style: Style
    folder: Folder | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """The files, in the order given and of the manifests."""

    targets: tuple[Target, ...]

    @property
    def window_ends(self) -> list[datetime]:
        """The ends of the change windows of the folders among them."""
        return [each.window_end for each in self.folders]

    @property
    def folders(self) -> list[Folder]:
        """The built folders that files of this batch lie in."""
        found = {each.folder.path: each.folder for each in self.targets if each.folder}
        return list(found.values())


def collect(paths: Iterable[Path], *, check: bool = True) -> Batch:
    """Files as they are, folders by their manifest; raises UsageError, IntegrityError.

    A file of a built folder counts as part of it, so that the folder's hashes stay true. Nothing
    may have been edited in such a folder; `check=False` leaves that question to the caller.
    """
    targets: dict[Path, Target] = {}
    for path in paths:
        for target in _targets(path):
            targets.setdefault(target.path.resolve(), target)
    found = Batch(tuple(targets.values()))
    if not found.targets:
        raise UsageError("there is no file to work on")
    damaged = [problem for each in found.folders for problem in folders.problems(each)]
    if check and damaged:
        raise IntegrityError(
            "nothing was written.", *damaged, "Build the folder again, then sign it."
        )
    return found


def turned(
    batch: Batch,
    turn: Turn,
    *,
    jobs: int = 1,
    done: Callable[[], None] = lambda: None,
) -> dict[Path, bytes]:
    """The new bytes of all files that change, by path; nothing is written.

    Refused files are collected and told together; any other error ends the work at once, so that
    a token or a service is not asked again and again.
    """
    changed: dict[Path, bytes] = {}
    refused: list[tuple[Path, RefusedError]] = []
    stop = Event()

    def work(target: Target) -> tuple[bytes, bytes]:
        before = named.read(target.path)
        if stop.is_set():
            return before, before
        try:
            return before, turn(before, target.style)
        except RefusedError:
            raise
        except BaseException:
            # Set here, not where the answer is read: by then the next file would be under way.
            stop.set()
            raise

    with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
        running: list[tuple[Target, Future[tuple[bytes, bytes]]]] = [
            (target, pool.submit(work, target)) for target in batch.targets
        ]
        try:
            for target, future in running:
                try:
                    before, after = future.result()
                except RefusedError as error:
                    refused.append((target.path, error))
                    continue
                if after != before:
                    changed[target.path] = after
                done()
        finally:
            pool.shutdown(cancel_futures=True)
    if refused:
        lines = [f"{path}: {error}" for path, error in refused]
        raise RefusedError(refused[0][1].code, "nothing was written.", *lines)
    return changed


def write(batch: Batch, changed: Mapping[Path, bytes]) -> None:
    """Writes what `turned` answered: a folder in one step, other files one after the other."""
    loose: dict[Path, bytes] = {}
    grouped: dict[Path, dict[str, bytes]] = {}
    for target in batch.targets:
        data = changed.get(target.path)
        if data is None:
            continue
        if target.folder is None:
            loose[target.path] = data
        else:
            grouped.setdefault(target.folder.path, {})[target.name] = data
    atomic.write_all(loose)
    for each in batch.folders:
        if each.path in grouped:
            folders.replace(each, grouped[each.path])


def _targets(path: Path) -> list[Target]:
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: there is no such file or folder") from error
    if stat.S_ISLNK(mode):
        raise UsageError(f"{path}: this is a link; name the file or folder itself")
    if stat.S_ISDIR(mode):
        return _of_folder(folders.load(path))
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path}: this is a pipe or a device, not a file")
    for parent in list(path.absolute().parents)[:2]:
        if named.is_file(parent / manifest.NAME):
            found = [
                each
                for each in _of_folder(folders.load(parent))
                if each.path.absolute() == path.absolute()
            ]
            if found:
                return found
    return [Target(path, _style(path))]


def _of_folder(folder: Folder) -> list[Target]:
    return [
        Target(folder.path / name, _style(folder.path / name), folder, name)
        for name in folder.scripts
    ]


def _style(path: Path) -> Style:
    try:
        return style_of(path)
    except RefusedError as error:
        raise RefusedError(Code.NOT_SIGNED, f"{path}: {error}") from error
