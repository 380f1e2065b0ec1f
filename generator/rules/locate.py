"""From a line of output back to the line of the template that made it.

This is asked for every problem, and a piece may have as many as it has lines: each file is read
and indexed once, and an answer takes the same time however long the file is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from generator.errors import GeneratorError
from generator.files import named
from generator.templating.templates import MAX_BYTES, TemplateTree

Place: TypeAlias = tuple[str, int, str]
"""Display name, line and text of a line of a template."""

_CLOSERS = {"{{": "}}", "{%": "%}", "{#": "#}"}
_OTHER = re.compile(r"\{%-?\s*(?:include|import|from|extends)\s+['\"]([^'\"]+)['\"]")

_TELLING = 4
"""Characters beside its holes that a line must have to tell anything."""

_BEGINNING = 40
"""Characters at most, before the first hole, that lines with holes are looked up by."""

_MOST = 100
"""So many lines with the same beginning, and other templates, are looked at."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A template: its lines, where each stands first, and those with holes."""

    display: str
    lines: list[str]
    places: dict[str, int]
    holes: dict[str, list[tuple[int, list[str]]]]

    def place(self, number: int) -> Place:
        """One of its lines."""
        return self.display, number, self.lines[number - 1]


class Locator:
    """Finds lines of the templates of a tree."""

    def __init__(self, tree: TemplateTree) -> None:
        self._tree = tree
        self._known: dict[str, tuple[_Source, ...]] = {}

    def template_line(self, template: str, text: str) -> Place | None:
        """The line of a template, or of one that it includes, that made `text`; None if none did.

        First the same text, then a line with holes that the text fits.
        """
        wanted = text.strip()
        if not wanted:
            return None
        sources = self._known.get(template)
        if sources is None:
            sources = self._known[template] = tuple(self._sources(template))
        fitting: Place | None = None
        for source in sources:
            number = source.places.get(wanted)
            if number is not None:
                return source.place(number)
            if fitting is None and (number := _fitting(source, wanted)) is not None:
                fitting = source.place(number)
        return fitting

    def _sources(self, template: str) -> Iterator[_Source]:
        waiting, seen = [template], {template}
        for name in waiting:
            try:
                path = self._tree.find(name)
                if path is None:
                    continue
                text = named.read(path, MAX_BYTES).decode("utf-8", "replace")
            except GeneratorError:
                # A name or file that is refused is a finding where it is used.
                continue
            yield _source(self._tree.display(path), text)
            others = [other for other in _OTHER.findall(text) if other not in seen]
            waiting += list(dict.fromkeys(others))[:_MOST]
            seen.update(others)


def _source(display: str, text: str) -> _Source:
    lines = text.splitlines()
    places: dict[str, int] = {}
    holes: dict[str, list[tuple[int, list[str]]]] = {}
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        places.setdefault(stripped, number)
        parts = _parts(stripped)
        # A line that is all holes says nothing.
        if len(parts) > 1 and sum(len(part.strip()) for part in parts) >= _TELLING:
            same = holes.setdefault(parts[0][:_BEGINNING], [])
            if len(same) < _MOST:
                same.append((number, parts))
    return _Source(display, lines, places, holes)


def _fitting(source: _Source, text: str) -> int | None:
    """The first line with holes that a line of output fits."""
    beginnings = (text[:length] for length in range(min(_BEGINNING, len(text)) + 1))
    candidates = (line for start in beginnings for line in source.holes.get(start, ()))
    return min((number for number, parts in candidates if _fits(parts, text)), default=None)


def _parts(line: str) -> list[str]:
    """What stands between the holes of a line: expressions, tags and comments of Jinja."""
    parts: list[str] = []
    begin = at = 0
    open_ended: set[str] = set()
    while (at := line.find("{", at)) >= 0:
        closer = _CLOSERS.get(line[at : at + 2])
        end = -1
        # A line of braces would be searched to its end for each of them.
        if closer and closer not in open_ended:
            end = line.find(closer, at + 2)
            if end < 0:
                open_ended.add(closer)
        if end < 0:
            at += 1
            continue
        parts.append(line[begin:at])
        begin = at = end + 2
    return [*parts, line[begin:]]


def _fits(parts: list[str], text: str) -> bool:
    """Whether the parts stand in the text in this order, the first and last at its ends."""
    first, *middle, last = parts
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
