"""Marked text: what templates make, before its pieces are joined into a script.

Whatever a filter writes stands between marks, beside its shape: the same with the content of its
values blanked. Rules see shapes alone, so a verdict cannot depend on what a value says; a script
gets the text. The marks are control characters: no template may hold one, and filters write a
value that has one as [char]0x0002, in a comment as \\u0002.
"""

from __future__ import annotations

import itertools

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
    """What rules see: the content of values blanked."""
    if MARK not in marked:
        return marked
    parts = marked.split(MARK)
    del parts[1::3]
    return "".join(parts)


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
    return found


def shown(message: str) -> str:
    """What is said about a shape, as people read it."""
    return message.replace(VALUE, "...").replace(WORDS, "...")


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
