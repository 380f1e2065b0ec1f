"""Replaces a whole folder in one step: killed at any moment, the old one stands or the new.

The new folder grows beside the old one under a hidden name and takes its place when it is
complete. Linux swaps two folders in one call. Elsewhere there are two renames; what a kill
between them leaves is put back by the next run.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from generator.errors import OutputError, UnwritableError

WAIT_SECONDS = 60.0
"""How long a build waits for another one that writes the same folder."""

BUSY_SECONDS = 3.0
"""How long a rename is tried again: on Windows a scanner may hold a file for a moment."""

PAUSE_SECONDS = 0.05

_LOCK_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


def lock_path(folder: Path) -> Path:
    """Beside the folder, so that it lies on the same disk."""
    return folder.with_name(f".{folder.name}.lock")


def growing_path(folder: Path) -> Path:
    """Where the new folder grows until it is complete."""
    return folder.with_name(f".{folder.name}.new")


def retired_path(folder: Path) -> Path:
    """Where the old folder waits to be deleted, on systems that need two renames."""
    return folder.with_name(f".{folder.name}.old")


def unwritable(folder: Path, error: OSError) -> UnwritableError:
    """What becomes of an error of the system: it names files as they are called in the folder."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
    for hidden in (growing_path(folder), retired_path(folder), lock_path(folder)):
        if path == hidden or hidden in path.parents:
            path = folder / path.relative_to(hidden)
    return UnwritableError(
        f"{path}: cannot be written: {error.strerror or error}. The folder {folder} is as it was. "
        "Put this right (a full disk, missing rights, a program that has a file open), then try "
        "again."
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the lock of the folder; the system lets go of it when the process dies.

    What an earlier process left unfinished is put in order first. Raises OutputError when
    another process keeps the lock for WAIT_SECONDS.
    """
    path = lock_path(folder)
    handle = _lock(path, folder)
    try:
        _recover(folder)
        yield
    finally:
        # Windows refuses to delete what another process has open; then that one deletes it.
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        handle.close()
        if sys.platform == "win32":
            with suppress(PermissionError):
                path.unlink(missing_ok=True)


@contextmanager
def growing(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, to be filled; gone at the end. Call it inside `alone`."""
    new = growing_path(folder)
    new.mkdir()
    try:
        yield new
    finally:
        # After a swap the old folder has this name. What cannot be deleted now, the next
        # run deletes.
        shutil.rmtree(new, ignore_errors=True)


def replace(folder: Path) -> None:
    """Puts the folder that has grown beside `folder` in its place. Call it inside `growing`.

    Raises UnwritableError where that would leave the caller in a folder that is gone.
    """
    new = growing_path(folder)
    if not folder.exists():
        _rename(new, folder)
        return
    if Path.cwd().is_relative_to(folder.resolve()):
        raise UnwritableError(
            f"{folder}: cannot be replaced while the working folder lies in it. Nothing was "
            "written; change to another folder, then name this one by its path."
        )
    shutil.copymode(folder, new)
    if not _swapped(new, folder):
        _two_renames(new, folder)


def second_name(source: str | Path, target: str | Path) -> None:
    """The same file or link under another name, so that nobody's work passes through a copy."""
    if not Path(source).is_symlink():
        try:
            Path(target).hardlink_to(source)
        except OSError:
            # FAT32 and some network disks have no second names.
            pass
        else:
            return
    shutil.copy2(source, target, follow_symlinks=False)


def _two_renames(growing: Path, folder: Path) -> None:
    retired = retired_path(folder)
    _rename(folder, retired)
    try:
        _rename(growing, folder)
    except OSError:
        _rename(retired, folder)
        raise
    shutil.rmtree(retired, ignore_errors=True)


def _recover(folder: Path) -> None:
    retired = retired_path(folder)
    if retired.is_dir() and not retired.is_symlink() and not folder.exists():
        _rename(retired, folder)
    for left in (retired, growing_path(folder)):
        if left.is_symlink() or left.is_file():
            left.unlink()
        elif left.exists():
            shutil.rmtree(left)


def _rename(source: Path, target: Path) -> None:
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            source.rename(target)
        except PermissionError:
            if time.monotonic() >= until:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _swapped(left: Path, right: Path) -> bool:
    """Swaps two folders in one step; False where system or disk cannot (Linux renameat2(2))."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - only a build that replaces something needs it

    at_working_directory, both_ways = -100, 2
    call = getattr(ctypes.CDLL(None), "renameat2", None)
    if call is None:
        return False
    paths = os.fsencode(left), os.fsencode(right)
    return bool(
        call(at_working_directory, paths[0], at_working_directory, paths[1], both_ways) == 0
    )


def _lock(path: Path, folder: Path) -> IO[bytes]:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        handle = _opened(path)
        if _try_lock(handle) and _is_at(handle, path):
            return handle
        handle.close()
        if time.monotonic() >= until:
            raise OutputError(
                f"{folder}: another build is writing this folder. Wait until it has ended, "
                "then build again."
            )
        time.sleep(PAUSE_SECONDS)


def _opened(path: Path) -> IO[bytes]:
    """The lock file; a link, a pipe or a device in its place is neither followed nor waited for."""
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:
        found = stat.S_IFREG
    if stat.S_ISREG(found):
        handle = os.fdopen(os.open(path, _LOCK_FLAGS, 0o666), "ab")
        if stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            return handle
        handle.close()
    raise UnwritableError(
        f"{path}: this is a link, a folder, a pipe or a device where a build keeps its lock. Move "
        "it away, then try again."
    )


def _is_at(handle: IO[bytes], path: Path) -> bool:
    # The process before us may have deleted the file between our open and our lock.
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
