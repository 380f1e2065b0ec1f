"""What a rule is: a code that never changes meaning, a title, an explanation, a small function.

The explanation is the docstring of the function: why the rule is there and what to do. The
decorators below enter a function into the table of its kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Problem:
    """A place where a rule is broken: `line` counts from 1 in the text that was judged."""

    code: str
    line: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as `--explain` and the documentation show it."""

    code: str
    title: str
    explanation: str
    kind: str


Answer: TypeAlias = Iterator[tuple[int, str] | tuple[int, str, str]]
"""What a rule function yields: line, message and, if there is one, a hint."""

Check: TypeAlias = Callable[..., Answer]

RULES: dict[str, Rule] = {}
_CHECKS: dict[str, list[tuple[str, Check]]] = {}


def rule(code: str, title: str, kind: str) -> Callable[[Check], Check]:
    """Enter a rule into the table.

    `kind` says what its function is given: `bytes` (the head of a script and the whole of it),
    `line` (one line), `script` (a parsed piece and the catalogue), `call` (one command of a
    piece, see calls.Use) or `size` (a rendered runbook).
    """

    def enter(function: Check) -> Check:
        if code in RULES:
            raise ValueError(f"two rules have the code {code}")
        RULES[code] = Rule(code, title, inspect.cleandoc(function.__doc__ or ""), kind)
        _CHECKS.setdefault(kind, []).append((code, function))
        return function

    return enter


def apply(kind: str, *subject: Any) -> Iterator[Problem]:
    """Every problem that the rules of a kind find in their subject."""
    for code, function in _CHECKS.get(kind, ()):
        for found in function(*subject):
            yield Problem(code, *found)
