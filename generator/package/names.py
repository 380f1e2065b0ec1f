"""Names of files that survive every way of copying: NTFS, FAT32, a CD, and unpacking anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

_LONGEST_PART = 64
"""Joliet, the names of a Windows CD."""

_LONGEST = 180
"""With the folder that somebody unpacks into, Windows wants less than 260."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def problems(paths: Iterable[str]) -> list[str]:
    """A sentence for each path that must not stand in a package."""
    found: list[str] = []
    seen: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        if any(not _PART.fullmatch(part) or part.endswith(".") for part in parts):
            found.append(f"{path!a}: not a plain relative path of letters, digits, '.', '_', '-'")
        elif any(_DEVICE.fullmatch(part) for part in parts):
            found.append(f"{path}: Windows keeps this name for a device")
        elif len(path) > _LONGEST or any(len(part) > _LONGEST_PART for part in parts):
            found.append(f"{path}: longer than {_LONGEST_PART} a name or {_LONGEST} in all")
        twin = seen.setdefault(path.casefold(), path)
        if twin != path:
            found.append(f"{path}: differs from {twin} only by upper and lower case")
    folders = {str(parent) for path in seen for parent in PurePosixPath(path).parents}
    found += [
        f"{seen[path]}: a file and a folder have this name" for path in sorted(folders & set(seen))
    ]
    return found
