"""YAML files as data with the place of every key and value.

Only what an inventory needs: mappings with text keys, lists, and scalars that mean what they
look like. `true`, `false`, `null`, `~`, nothing and plain whole numbers (no zero in front, at most
15 digits) are typed; everything else is text, so `no`, `012`, `22:30`, `1.10` and dates stay as
they were written. The parser is libyaml, event by event, because its tree builder overflows the
stack on deep nesting and neither builder tells duplicate keys.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from yaml.cyaml import CLoader

from generator.findings import Finding, FindingsError, show
from generator.schema.yaml_errors import (
    MAX_BYTES,
    MAX_FINDINGS,
    check_characters,
    read_text,
    syntax_fault,
)
from generator.templating import templates
from generator.templating.templates import TemplateTree

MAX_DEPTH = 40
MAX_NODES = 1_000_000

Path_: TypeAlias = Sequence[str | int]
Place: TypeAlias = tuple[int, int]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})", re.ASCII)
_TYPED = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its data, the place of each part, and what was found while reading.

    `data` is made of dict, list, str, int, bool and None. `findings` are mistakes that left the
    data usable (a duplicate key: the first one counts).
    """

    display: str
    text: str
    data: Any
    findings: tuple[Finding, ...]
    _marks: dict[int, Any] = field(repr=False)
    _lines: list[str] = field(repr=False)
    _read: Any = field(repr=False)
    _start: Place = (1, 1)

    def mark(self, path: Path_, key: bool = False) -> Place:
        """Line and column (from 1) of the value at this path, or of its key.

        A path that leads nowhere, such as a missing key or a default, is at the key (or the list
        item) that should hold it.
        """
        data, place, key_place = self._read, self._start, self._start
        for part in path:
            marks = self._marks.get(id(data))
            try:
                known = marks is not None and (part in data if isinstance(data, dict) else True)
                if not known or marks is None:
                    return key_place
                entry = marks[part]
                data = data[part]
            except (KeyError, IndexError, TypeError):
                return key_place
            place = entry[1]
            key_place = entry[0]
        return key_place if key else place

    def with_data(self, data: Any) -> Document:
        """The same file with other data, such as its own with defaults; places stay."""
        return replace(self, data=data)

    def source_line(self, line: int) -> str:
        """The text of a line (from 1), or nothing."""
        return self._lines[line - 1] if 0 < line <= len(self._lines) else ""

    def finding(
        self, code: str, path: Path_, message: str, hint: str = "", key: bool = False
    ) -> Finding:
        """A finding at the place of this path."""
        line, column = self.mark(path, key)
        source = self.source_line(line)
        return Finding(code, message, self.display, line, column, hint, source, tuple(path))


def load(path: Path, display: str | None = None, limit: int = MAX_BYTES) -> Document:
    """Read a YAML file of at most `limit` bytes. `display` is how messages name it.

    Raises FindingsError for a file that cannot be read or understood.
    """
    name = path.as_posix() if display is None else display
    return parse(read_text(path, name, limit), name)


def load_template(tree: TemplateTree, name: str) -> Document | None:
    """Read a YAML file of the template tree, or None where there is none of this name.

    Raises FindingsError for a file that cannot be read or understood.
    """
    path = tree.find(name)
    return None if path is None else load(path, tree.display(path), templates.MAX_BYTES)


def parse(text: str, display: str) -> Document:
    """A document from text that is decoded already. Raises FindingsError."""
    lines = re.split(r"\r\n|\r|\n", text)
    faults = check_characters(text, lines, display)
    if faults:
        raise FindingsError(faults)
    builder = _Builder(text, lines, display)
    # The collector would walk the growing tree again and again: 2 to 4 times slower.
    collecting = gc.isenabled()
    gc.disable()
    try:
        data = builder.document()
    except yaml.MarkedYAMLError as error:
        raise FindingsError([*builder.findings, syntax_fault(error, lines, display)]) from None
    except yaml.YAMLError as error:
        fault = Finding("E010", f"this is not YAML: {error}", display)
        raise FindingsError([*builder.findings, fault]) from None
    finally:
        if collecting:
            gc.enable()
    if builder.fatal:
        raise FindingsError(builder.findings)
    return Document(
        display, text, data, tuple(builder.findings), builder.marks, lines, data, builder.start
    )


class _Builder:
    """Builds data and marks from the parser's events, one document, with bounded depth."""

    def __init__(self, text: str, lines: list[str], display: str) -> None:
        self.findings: list[Finding] = []
        self.fatal = False
        self.marks: dict[int, Any] = {}
        self.start: Place = (1, 1)
        self._lines = lines
        self._display = display
        self._next: Callable[[], Any] = CLoader(text).get_event
        self._nodes = 0
        self._anchors: set[str] = set()

    def document(self) -> Any:
        """The data of the one document of the stream."""
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise FindingsError([Finding("E006", "the file is empty", self._display)])
        event = self._next()
        self.start = _place(event)
        data = self._node(event, 1)
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            message = "a second document starts here"
            self._fault("E011", event, message, "one document per file", fatal=False)
        if data is None and not self.findings:
            raise FindingsError([Finding("E006", "the file is empty", self._display)])
        return data

    def _node(self, event: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop("E013", event, f"the file has more than {MAX_NODES} values")
        kind = type(event)
        if kind is yaml.AliasEvent:
            self._anchor(event)
            self.fatal = True
            return None
        if event.anchor is not None:
            self._anchor(event)
        if event.tag is not None:
            self._tag(event)
        if kind is yaml.ScalarEvent:
            # "" is the style of a plain scalar.
            return event.value if event.style else resolve(event.value)
        if depth > MAX_DEPTH:
            self._stop("E012", event, f"nested more than {MAX_DEPTH} levels deep")
        return self._mapping(depth) if kind is yaml.MappingStartEvent else self._list(depth)

    def _list(self, depth: int) -> list[Any]:
        data: list[Any] = []
        marks: list[tuple[Place, Place]] = []
        step = self._next
        while True:
            event = step()
            if type(event) is yaml.SequenceEndEvent:
                self.marks[id(data)] = marks
                return data
            place = _place(event)
            marks.append((place, place))
            data.append(self._node(event, depth + 1))

    def _mapping(self, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        marks: dict[str, tuple[Place, Place]] = {}
        step = self._next
        while True:
            event = step()
            if type(event) is yaml.MappingEndEvent:
                self.marks[id(data)] = marks
                return data
            key = self._key(event)
            value_event = step()
            places = (_place(event), _place(value_event))
            value = self._node(value_event, depth + 1)
            if key is None:
                continue
            if key in data:
                first = f"first given in line {marks[key][0][0]}"
                message = f"the key {show(key)} is given twice"
                self._fault("E016", event, message, first, fatal=False)
                continue
            data[key] = value
            marks[key] = places

    def _key(self, event: Any) -> str | None:
        if type(event) is not yaml.ScalarEvent:
            if type(event) is yaml.AliasEvent:
                self._anchor(event)
            else:
                hint = "a value that starts with { or [ as text needs quotes"
                self._stop("E017", event, "a key must be text", hint)
            return None
        if event.anchor is not None:
            self._anchor(event)
        if event.tag is not None:
            self._tag(event)
        if event.value == "<<" and not event.style:
            hint = "write the keys out"
            self._fault("E018", event, "the merge key '<<' is not used here", hint)
            return None
        if not event.value:
            self._fault("E017", event, "a key is missing before the colon")
            return None
        return str(event.value)

    def _anchor(self, event: Any) -> None:
        name = event.anchor
        if name not in self._anchors:
            self._anchors.add(name)
            message = f"the anchor {show(name)} is not used here"
            self._fault("E014", event, message, "write the value out at each place", fatal=False)

    def _tag(self, event: Any) -> None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        message = f"the tag {show(tag)} is not used here"
        self._fault("E015", event, message, "leave it out", fatal=False)

    def _fault(
        self, code: str, event: Any, message: str, hint: str = "", fatal: bool = True
    ) -> None:
        line, column = _place(event)
        source = self._lines[line - 1] if line <= len(self._lines) else ""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(code, message, self._display, line, column, hint, source))
        self.fatal = self.fatal or fatal

    def _stop(self, code: str, event: Any, message: str, hint: str = "") -> None:
        self._fault(code, event, message, hint)
        raise FindingsError(self.findings)


def resolve(text: str) -> str | int | bool | None:
    """What a plain scalar means: nothing, true, false, a whole number; else its text."""
    if text in _TYPED:
        return _TYPED[text]
    if _INTEGER.fullmatch(text) and text != "-0":
        return int(text)
    return text


def _place(event: Any) -> Place:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1
