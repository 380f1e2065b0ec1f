"""How much a template may do and write: counted, never timed, so that every machine agrees.

A step is about one expression of a template, computed once. What the size of a value decides (a
comparison of two lists, a value as text) costs as many steps as the value has parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jinja2

STEPS = 10_000_000
"""For one block of a script, one sentence, one expression: a second or two on a slow machine.

The facts of a runbook that waits for ten thousand others take less than a tenth.
"""

CHARACTERS = 8_000_000
"""Of what one block of a script or one sentence writes; those facts have less than a million."""

TEXT = 4_000_000
"""Characters of one value that an expression makes, and items of one list."""

CALLS = 40
"""Macros and blocks that call one another, or themselves."""

NUMBER_BITS = 128
"""Of a whole number: more than every number that a script can hold."""

CHARACTERS_A_STEP = 16
"""Text is moved so much faster than expressions are computed."""

SMALL = 1_000
"""Characters of a text whose length costs nothing: most of them, seen without a call."""

_VIEWS: Any = (type({}.keys()), type({}.values()), type({}.items()))
_PARTS: Any = (list, tuple, set, frozenset, *_VIEWS)


class LimitError(jinja2.TemplateRuntimeError):
    """A template that came to a limit; `code` is that of its finding, `hint` what to do."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class Meter:
    """Counts what one environment does, piece by piece: `start` begins a new piece."""

    __slots__ = ("_characters", "_depth", "_left", "_most_characters", "_most_steps")

    def __init__(self) -> None:
        self.start()

    def start(self, steps: int = STEPS, characters: int = CHARACTERS) -> None:
        """A new piece may do so much."""
        self._left = self._most_steps = steps
        self._characters = self._most_characters = characters
        self._depth = 0

    def spend(self, steps: int) -> None:
        """Raises LimitError when the piece has no steps left."""
        self._left -= steps
        if self._left < 0:
            raise self._endless()

    def weigh(self, value: object) -> int:
        """Spend what it costs to look at every part of a value; answers with it."""
        if isinstance(value, str):
            cost = 1 + len(value) // CHARACTERS_A_STEP
            self.spend(cost)
            return cost
        waiting: list[Any] = [value]
        left = self._left
        while waiting:
            part = waiting.pop()
            left -= 1
            if isinstance(part, str):
                left -= len(part) // CHARACTERS_A_STEP
            elif isinstance(part, dict):
                left -= len(part)
                if left >= 0:
                    waiting += part
                    waiting += part.values()
            elif isinstance(part, _PARTS):
                # Before they are put on the list: it stays as short as what is left.
                left -= len(part)
                if left >= 0:
                    waiting += part
            if left < 0:
                raise self._endless()
        cost, self._left = self._left - left, left
        return cost

    def counted(self, items: Any, steps: int) -> Any:
        """What a loop goes through, with what each round costs."""
        try:
            count = len(items)
        except TypeError:
            return self._counting(items, steps)
        self.spend(count * steps)
        return items

    def _counting(self, items: Iterable[Any], steps: int) -> Iterator[Any]:
        for item in items:
            self.spend(steps)
            yield item

    def size(self, length: int, what: str = "text") -> None:
        """A text, or list, of this length is going to be made; raises LimitError."""
        if length > TEXT:
            unit = "characters" if what == "text" else "items"
            message = f"a {what} of {length:,} {unit} is too large; the limit is {TEXT:,}"
            raise LimitError("T235", message, "make it in smaller parts")
        self.spend(1 + length // (CHARACTERS_A_STEP if what == "text" else 1))

    def written(self, length: int) -> None:
        """The piece has written so much more; raises LimitError."""
        self._characters -= length
        if self._characters < 0:
            message = f"it writes more than {self._most_characters:,} characters, the limit"
            raise LimitError("T235", message, "write fewer lines, or divide the step")

    def enter(self) -> None:
        """A macro or block is called; raises LimitError when too many have called one another."""
        if self._depth == CALLS:
            message = f"more than {CALLS} macros or blocks call one another"
            raise LimitError("T236", message, "look for one that calls itself without end")
        self._depth += 1

    def leave(self) -> None:
        """What was called is done."""
        self._depth -= 1

    def _endless(self) -> LimitError:
        message = f"it takes more than {self._most_steps:,} steps, the limit"
        hint = "loop over less, or compute what the loop needs once, before it"
        return LimitError("T234", message, hint)


def number(value: Any) -> Any:
    """A number that is not too large to compute with; raises LimitError."""
    if isinstance(value, int) and value.bit_length() > NUMBER_BITS:
        raise large_number()
    return value


def large_number() -> LimitError:
    """The error for a number that is too large."""
    message = f"a number of more than {NUMBER_BITS} bits is too large"
    return LimitError("T235", message, "compute with smaller numbers")
