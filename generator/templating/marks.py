"""Marked text: what templates make, before its pieces are joined into a script.

Whatever a filter writes stands between marks, beside its shape: the same with the content of its
values blanked. Rules see shapes alone, so a verdict cannot depend on what a value says; a script
gets the text. The marks are control characters: no template may hold one, and filters write a
value that has one as [char]0x0002, in a comment as \\u0002.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

WIDTH = 100
"""Columns of a script."""

MARK = "\x02"
"""Around what a filter wrote: mark, text, mark, shape, mark."""

VALUE = "\x03"
"""Stands in a shape for the content of a string; behind it a comma, where the string has one."""

WORDS = "\x04"
"""Stands in a shape for text of a comment."""

BREAK = "\x05"
"""A blank of a marked text at which its line may be broken."""

CHARACTERS = (MARK, VALUE, WORDS, BREAK)

_INDENT = 4
_LONG = 200
_STRING = re.compile(f"'{VALUE},?'")
_DATA = re.compile(r"[A-Za-z0-9\s=@{}();,$]*")


class Marked(str):
    """Marked text: what a template has made."""

    __slots__ = ()


def mark(text: str, shape: str) -> str:
    """What stands in a marked text for something that a filter wrote."""
    return text if text == shape else f"{MARK}{text}{MARK}{shape}{MARK}"


def text_of(marked: str) -> str:
    """What stands in the script: without marks and shapes, long values broken at their breaks."""
    text = _soft(marked)
    return "\n".join(map(_wrapped, text.split("\n"))) if BREAK in text else text


def shape_of(marked: str) -> str:
    """What rules see: the content of values blanked.

    Of a long text also without the third and further entries of a list of values, such as one of
    one or two lines for each server: thousands of them would take long to parse, and tell nothing.
    """
    shape = _blanked(marked)
    if shape.count("\n") < _LONG:
        return shape
    lines = shape.split("\n")
    return "\n".join(lines[at] for at in _telling(lines))


def lines_of(marked: str) -> list[int]:
    """For each line of the shape the line of the text, counted from 1.

    What a filter wrote may have more lines than its shape has, and is one place.
    """
    lines = (_wrapped(line).count("\n") + 1 for line in _soft(marked).split("\n"))
    begins = list(itertools.accumulate(lines, initial=1))
    found = [1]
    soft = first = 0
    for at, part in enumerate(marked.split(MARK)):
        ends = part.count("\n")
        if at % 3 == 0:
            found += begins[soft + 1 : soft + 1 + ends]
            soft += ends
        elif at % 3 == 1:
            first, soft = soft, soft + ends
        else:
            found += [begins[first]] * ends
    if len(found) <= _LONG:
        return found
    return [found[at] for at in _telling(_blanked(marked).split("\n"))]


def shown(message: str) -> str:
    """What is said about a shape, as people read it."""
    return message.replace(VALUE, "...").replace(WORDS, "...")


def _blanked(marked: str) -> str:
    if MARK not in marked:
        return marked
    parts = marked.split(MARK)
    del parts[1::3]
    return "".join(parts)


def _telling(lines: Sequence[str]) -> Iterator[int]:
    """The places of the lines but for entries that two equal ones stand right before."""
    at = 0
    while at < len(lines):
        for size in (1, 2):
            entry = lines[at : at + size]
            if entry == lines[at - 2 * size : at - size] == lines[at - size : at] and (
                _is_entry("\n".join(entry))
            ):
                at += size
                break
        else:
            yield at
            at += 1


def _is_entry(text: str) -> bool:
    """Whether a text is nothing but values, words and brackets that it closes itself.

    No quote, comment or operator is left in it: what stands around it means the same without it.
    """
    plain = _STRING.sub("", text)
    if plain == text or not _DATA.fullmatch(plain):
        return False
    opened = ""
    for sign in plain:
        if sign in "({":
            opened += sign
        elif sign in ")}":
            if opened[-1:] + sign not in ("()", "{}"):
                return False
            opened = opened[:-1]
    return not opened


def _soft(marked: str) -> str:
    """The text with its breaks."""
    if MARK not in marked:
        return marked
    parts = marked.split(MARK)
    del parts[2::3]
    return "".join(parts)


def _wrapped(line: str) -> str:
    """A line that is too long, broken where that is allowed; a shorter one stays as it is."""
    if len(line) <= WIDTH:
        return line.replace(BREAK, " ")
    indent = " " * (len(line) - len(line.lstrip(" ")) + _INDENT)
    first, *rest = line.split(BREAK)
    lines = [first]
    for part in rest:
        if len(lines[-1]) + 1 + len(part) > WIDTH:
            lines.append(indent + part)
        else:
            lines[-1] += f" {part}"
    return "\n".join(lines)
