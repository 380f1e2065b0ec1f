"""Names of files that survive every way of copying: NTFS, FAT32, a CD, and unpacking anywhere.

The one judge of names: for what a build writes, what a package holds, and what strangers send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

LONGEST_PART = 64
"""Joliet, the names of a Windows CD, has room for 64 characters; FAT32 and NTFS for 255."""

LONGEST = 180
"""With the folder that somebody unpacks into, Windows wants less than 260."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_SHOWN = 100


def problems(paths: Iterable[str]) -> list[str]:
    """A sentence for each path that must not be written.

    Accepted is a relative path of plain names, '/' between them, that no device of Windows has,
    that no other path equals in any case, and that is not a folder of another one.
    """
    found: list[str] = []
    seen: dict[str, str] = {}
    for path in paths:
        found += _own_problems(path, path.split("/"))
        twin = seen.get(path.casefold())
        if twin == path:
            found.append(f"{_shown(path)}: two files have the same name")
        elif twin is not None:
            found.append(f"{_shown(path)}: differs from {_shown(twin)} only by case")
        seen[path.casefold()] = path
    if found:
        return found
    folders = {str(parent) for path in seen for parent in PurePosixPath(path).parents}
    return [
        f"{seen[path]}: a file and a folder have this name" for path in sorted(folders & set(seen))
    ]


def problems_of_one(name: str) -> list[str]:
    """The same for the name of one file or folder, which has no '/'."""
    return _own_problems(name, [name])


def _own_problems(path: str, parts: Sequence[str]) -> list[str]:
    if any(not _PART.fullmatch(part) or part.endswith(".") for part in parts):
        return [
            f"{_shown(path)}: not a plain relative path. A name is made of letters, digits, '.', "
            "'_' and '-', begins with a letter, digit or '_', and does not end with a dot"
        ]
    if any(_DEVICE.fullmatch(part) for part in parts):
        return [f"{_shown(path)}: Windows keeps this name for a device"]
    longest = max(map(len, parts))
    if longest > LONGEST_PART:
        return [f"{_shown(path)}: {longest} characters; a CD has room for {LONGEST_PART}"]
    if len(path) > LONGEST:
        return [f"{_shown(path)}: {len(path)} characters in all; at most {LONGEST} are safe"]
    return []


def _shown(path: str) -> str:
    return ascii(path if len(path) <= _SHOWN else f"{path[:_SHOWN]}...")[1:-1]
