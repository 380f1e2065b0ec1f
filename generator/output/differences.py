"""What a build would change in its folder, as a list of files and as a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from generator.output.comparison import Comparison, plain_bytes
from generator.visible import visible

_CONTEXT = 3


def listing(comparison: Comparison) -> Iterator[str]:
    """One line for each file that would change: what would become of it, and its path."""
    for kind, names in (
        ("new", comparison.new),
        ("changed", comparison.changed),
        ("edited", comparison.edited),
        ("removed", comparison.stale),
    ):
        for name in names:
            yield f"{kind:<8} {name}"


def unified(
    files: Iterable[tuple[str, Iterable[bytes]]], folder: Path, comparison: Comparison
) -> Iterator[str]:
    """The lines of a unified diff from what lies in the folder to the files of the build.

    `files` are paths with bytes in parts; they come in this order. Line ends show (as `^M` for
    CRLF) only in a file in which they differ.
    """
    would = {*comparison.new, *comparison.changed, *comparison.edited}
    for name, parts in files:
        data = b"".join(parts)
        if name in would:
            would.remove(name)
            yield from _file(name, plain_bytes(folder / name), data, folder)
    for name in [*comparison.stale, *(n for n in comparison.edited if n in would)]:
        yield from _file(name, plain_bytes(folder / name), None, folder)


def _file(name: str, present: bytes | None, built: bytes | None, folder: Path) -> Iterator[str]:
    path = (folder / name).as_posix()
    old, new = _lines(present), _lines(built)
    if _ends(old) == _ends(new) or present is None or built is None:
        old = [line.removesuffix("\r") for line in old]
        new = [line.removesuffix("\r") for line in new]
    lines = difflib.unified_diff(
        old,
        new,
        "nothing" if present is None else f"{path} (present)",
        "nothing" if built is None else f"{path} (built)",
        lineterm="",
        n=_CONTEXT,
    )
    for line in lines:
        ending = "^M" if line.endswith("\r") else ""
        # An edited file may hold what would steer a terminal.
        yield "\t".join(visible(part) for part in line.removesuffix("\r").split("\t")) + ending


def _lines(data: bytes | None) -> list[str]:
    """Split at line feeds; bytes that are no text are shown by their number."""
    if not data:
        return []
    text = data.decode("utf-8", "backslashreplace")
    lines = text.split("\n")
    # Without a line end at the end, the last line would look like one that has it.
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], f"{lines[-1]}\\ no line end"]


def _ends(lines: list[str]) -> set[bool]:
    return {line.endswith("\r") for line in lines}
