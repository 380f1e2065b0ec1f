"""The Markdown language as far as a template needs it: values in, text of a document out.

A value reaches a document escaped, without being asked (the finalize hook), so that it is text in
CommonMark and in GitHub's dialect of it (GFM); the filter `code` makes a code span of it. What is
invisible in print (control and direction characters) is shown by its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import jinja2

from generator.templating import limits, operations, sandbox
from generator.templating.sandbox import Fields, Sandbox
from generator.templating.templates import TemplateTree

_NAME = r'\w.+;:&=$,"-'
_MAIL = rf"(?=[{_NAME}@]*[{_NAME}]@[{_NAME}@]*\.)[{_NAME}@]*[\w@]"
_MARKUP = re.compile(
    # An underscore inside a word is no markup; host and file names stay readable in the source.
    r"(?<=[^\W_])(?P<word>_+)(?=[^\W_])"
    # An address becomes a link in GFM, whatever is escaped in it. In a code span it does not.
    rf"|(?P<mail>(?<![{_NAME}@]){_MAIL})"
    # So do these, unless they are escaped; and some viewers draw pictures for :words:.
    r"|(?P<before>(?<![A-Za-z])(?i:https?|ftp)(?=://)|(?<![A-Za-z])(?i:www)(?=\.)"
    r"|(?<![\w:])(?=:[a-z0-9_+-]+:))(?P<link>[:.])"
    # These stand for markup everywhere,
    rf"|(?P<sign>\\(?=[!-/:-@[-`{{-~]|$|{_MAIL})"
    r"|[`*_\[\]<|~]|&(?=#?\w+;)"
    # these at the beginning of a line: headings, quotes, lists, rules, tables,
    r"|^(?:>|\#(?=\#{0,5}(?:\s|$))|[+-](?=\s|$)|[=:-](?=[\s=:-]*$))"
    # and these at the end: of a heading, and in front of a link.
    r"|(?<!\S)\#(?=\#*$)|!$)"
)


class Markdown(str):
    """Text that is Markdown already."""

    __slots__ = ()


def text(value: object) -> Markdown:
    """A value as running text on one line, in which nothing is markup."""
    return _text(str(value))


@lru_cache(maxsize=4096)
def _text(value: str) -> Markdown:
    # The same sentences stand in thousands of runbooks.
    line = _MARKUP.sub(_escaped, _one_line(value))
    return Markdown(re.sub(r"^(\d{1,9})([.)])(?=\s|$)", r"\1\\\2", line))


def _escaped(found: re.Match[str]) -> str:
    if found["word"]:
        return found[0]
    if found["mail"]:
        return code(found[0])
    return f"{found['before'] or ''}\\{found['link'] or found['sign']}"


def code(value: object) -> Markdown:
    """A value as a code span: file names, commands, what is typed or read letter by letter.

    Not for tables: there even a code span ends at a bar.
    """
    line = _one_line(str(value))
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return Markdown(f"{fence}{space}{line}{space}{fence}")


def verbatim(value: object) -> Markdown:
    """A line of an indented code block, spaces kept."""
    return Markdown(_visible(str(value)))


FILTERS = {"text": text, "code": code, "verbatim": verbatim}


class _Records(Fields):
    """What our own values say of themselves: fields of dataclasses, and their own properties."""

    def of(self, kind: type) -> frozenset[str]:
        if not is_dataclass(kind):
            return frozenset()
        derived = {name for name, value in vars(kind).items() if isinstance(value, property)}
        names = derived | {field.name for field in fields(kind)}
        return frozenset(name for name in names if not name.startswith("_"))


class DocumentEnvironment(Sandbox):
    """Sandboxed; a value that no filter has seen is escaped where it is written."""

    fields = _Records()

    def __init__(self, tree: TemplateTree) -> None:
        filters = {name: _defined(function) for name, function in FILTERS.items()}
        super().__init__(
            {**filters, "length": len},
            operations.TESTS,
            tree,
            finalize=self._written,
            **sandbox.OPTIONS,
        )

    def _written(self, value: object) -> Markdown:
        """What a value is in a document."""
        if isinstance(value, Markdown):
            return value
        if not isinstance(value, str) or len(value) > limits.SMALL:
            self.meter.weigh(value)
        return text(value)


def environment(tree: TemplateTree) -> DocumentEnvironment:
    """An environment for the documents of this tree of templates."""
    return DocumentEnvironment(tree)


def _defined(function: Callable[[object], Markdown]) -> Callable[[Any], Markdown]:
    def filtered(value: object) -> Markdown:
        if isinstance(value, jinja2.Undefined):
            # Its own error names what is missing.
            str(value)
        return function(value)

    return filtered


def _one_line(value: str) -> str:
    return _visible(" ".join(value.split()))


def _visible(value: str) -> str:
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in value)
