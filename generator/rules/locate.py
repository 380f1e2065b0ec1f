"""From a line of output back to the line of the template that made it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from generator.templating.templates import TemplateTree

_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_OTHER = re.compile(r"\{%-?\s*(?:include|import|from|extends)\s+['\"]([^'\"]+)['\"]")


def template_line(tree: TemplateTree, template: str, text: str) -> tuple[str, int, str] | None:
    """Display name, line and text of the template line that made `text`, or None.

    Looked for in the template and in those that it includes: first the same text, then a line
    with holes that the text fits.
    """
    wanted = text.strip()
    if not wanted:
        return None
    holes: tuple[str, int, str] | None = None
    for path, display in _files(tree, template):
        for number, line, pattern in _lines(path):
            if line.strip() == wanted:
                return display, number, line
            if holes is None and pattern is not None and pattern.fullmatch(wanted):
                holes = (display, number, line)
    return holes


def _files(tree: TemplateTree, template: str) -> Iterator[tuple[Path, str]]:
    waiting, seen = [template], set()
    while waiting:
        name = waiting.pop(0)
        path = tree.find(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        yield path, tree.display(path)
        waiting += _OTHER.findall(path.read_text("utf-8", "replace"))


@lru_cache(maxsize=256)
def _lines(path: Path) -> tuple[tuple[int, str, re.Pattern[str] | None], ...]:
    lines = path.read_text("utf-8", "replace").splitlines()
    return tuple((number, line, _pattern(line)) for number, line in enumerate(lines, 1))


def _pattern(line: str) -> re.Pattern[str] | None:
    """What output a line with holes can make; a line that is all holes says nothing."""
    parts = _HOLE.split(line.strip())
    if len(parts) < 2 or sum(len(part.strip()) for part in parts) < 4:
        return None
    return re.compile(".*".join(map(re.escape, parts)))
