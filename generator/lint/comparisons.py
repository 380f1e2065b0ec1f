"""Comparisons that have the same answer whatever an inventory says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jinja2 import nodes

from generator.lint.known import Known, apart, never_equal, written
from generator.lint.shown import text

Side: TypeAlias = tuple[nodes.Node, Known]
"""One side of a comparison: the expression, and what is known of its value."""

HINT = "compare it with a value that it can have: text stands in quotes, a number does not"
"""What to do about one."""

_SIGNS = {"eq": "==", "ne": "!=", "in": "in", "notin": "not in"}


@dataclass(frozen=True, slots=True)
class RightSide:
    """The right side; of a list that is written out, `items` are the sides that it stands for."""

    side: Side
    items: tuple[Side, ...] | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A comparison that has one answer: which and why, its left side, its line."""

    message: str
    name: str
    line: int


def constant(left: Side, sign: str, right: RightSide) -> Iterator[Constant]:
    """Whether a comparison has one answer.

    Each item of a list that is never equal is one: the others may still decide.
    """
    if sign not in _SIGNS:
        return
    (node, value), several = left, False
    plural = ""
    sides: Sequence[Side] = [right.side]
    if sign in ("in", "notin"):
        items = right.side[1].items
        plural = "" if right.items is not None else "an item of "
        sides = right.items or ([(right.side[0], items)] if items is not None else [])
        several = len(sides) > 1
    for other, known in sides:
        if never_equal(value, known):
            shown = f"{text(node)} {'==' if several else _SIGNS[sign]} {text(other)}"
            if right.items is not None and not several:
                shown = f"{text(node)} {_SIGNS[sign]} {text(right.side[0])}"
            answer = "never" if several or sign in ("eq", "in") else "always"
            why = _why((text(node), value), (plural + text(other), known))
            yield Constant(f"'{shown}' is {answer} true: {why}", text(node), other.lineno)


def _why(*sides: tuple[str, Known]) -> str:
    if apart(sides[0][1], sides[1][1]):
        return ", ".join(f"{name} is {known.shown}" for name, known in sides)
    # What is written out needs no words.
    several = [(name, known.choices or ()) for name, known in sides if len(known.choices or ()) > 1]
    return ", ".join(
        f"{name} is one of {', '.join(sorted(map(written, choices)))}" for name, choices in several
    )
