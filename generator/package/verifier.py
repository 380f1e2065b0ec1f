"""Verify-Package.ps1: the list of all other files, in a script that Windows runs as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from generator.package.contents import Contents
from generator.templating import powershell

_TEMPLATE = Path(__file__).with_name("Verify-Package.ps1")


def render(contents: Contents, others: Mapping[str, str], scripts: Iterable[str]) -> bytes:
    """The unsigned script for a package.

    `others` are files that package.json cannot list (itself, its signature) with their hashes,
    `scripts` the paths that must be signed.
    """
    listed = {**contents.files, **others}
    values = {
        "change": powershell.ps(str(contents.change["id"])),
        "signer": powershell.ps(contents.thumbprint),
        "files": "\n".join(
            f"$Files.Add({powershell.ps(path)}, {powershell.ps(listed[path])})"
            for path in sorted(listed)
        ),
        "scripts": "\n".join(f"    {powershell.ps(path)}" for path in scripts),
    }
    text = _TEMPLATE.read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"<<{name}>>", value, 1)
    return powershell.encode(text)
