"""Names of files that survive every way on which a change travels: FAT32, a CD (Joliet), NTFS."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_NAME = 64
"""Joliet, the names of a Windows CD, has room for 64 characters; FAT32 and NTFS for 255."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DEVICE_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def name_problems(folder: str, files: Iterable[str]) -> list[str]:
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
        twin = seen.get(path.casefold())
        if twin == path:
            problems.append(f"  {path}: two files have the same name.")
        elif twin:
            problems.append(f"  {path}: differs from {twin} only by upper and lower case.")
        seen[path.casefold()] = path
    return problems
