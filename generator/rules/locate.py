"""From a line of output back to the line of the template that made it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from generator.templating.templates import TemplateTree

_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_OTHER = re.compile(r"\{%-?\s*(?:include|import|from|extends)\s+['\"]([^'\"]+)['\"]")

Place: TypeAlias = tuple[str, int, str]
"""Display name, line and text of a line of a template."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a template and of those that it includes, each where it stands first."""

    whole: dict[str, Place] = field(default_factory=dict)
    holes: list[tuple[list[str], Place]] = field(default_factory=list)


class Locator:
    """Finds lines of the templates of a tree; each template is read once."""

    def __init__(self, tree: TemplateTree) -> None:
        self._tree = tree
        self._known: dict[str, _Lines] = {}

    def template_line(self, template: str, text: str) -> Place | None:
        """The line of a template, or of one that it includes, that made `text`; None if none did.

        A line of the same text, else the first line with holes that the text fits.
        """
        wanted = text.strip()
        lines = self._known.get(template)
        if lines is None:
            lines = self._known[template] = self._read(template)
        if not wanted or wanted in lines.whole:
            return lines.whole.get(wanted)
        return next((place for pieces, place in lines.holes if _fits(wanted, pieces)), None)

    def _read(self, template: str) -> _Lines:
        found = _Lines()
        waiting, seen = [template], set()
        for name in waiting:
            path = self._tree.find(name)
            if name in seen or path is None:
                continue
            seen.add(name)
            self._add(path, found, waiting)
        return found

    def _add(self, path: Path, found: _Lines, waiting: list[str]) -> None:
        """The lines of a file; behind `waiting` the names of those that it includes."""
        display = self._tree.display(path)
        text = path.read_text("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            place = display, number, line
            if line.strip():
                found.whole.setdefault(line.strip(), place)
            pieces = _pieces(line)
            if pieces is not None:
                found.holes.append((pieces, place))
        waiting += _OTHER.findall(text)


def _pieces(line: str) -> list[str] | None:
    """What stands between the holes of a line; None for one without, or with little else."""
    parts = _HOLE.split(line.strip())
    if len(parts) < 2 or sum(len(part.strip()) for part in parts) < 4:
        return None
    return parts


def _fits(text: str, pieces: list[str]) -> bool:
    """Whether a text is these pieces in this order, with anything in the holes between them."""
    first, *inner, last = pieces
    if not (text.startswith(first) and text.endswith(last)):
        return False
    at = len(first)
    for piece in inner:
        at = text.find(piece, at) + len(piece)
        if at < len(piece):
            return False
    return at + len(last) <= len(text)
