"""A falsehood: one thing that is not as a runbook needs it, and the sentence that must say so.

The tables falsehoods_exchange.py and falsehoods_skype.py have one row for every wanted value, every
sentence of a Require, Check or Diagnosis, and every guard of a product. test_falsehoods.py runs
the rows, and counts them against what stands in the rendered scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.lab import YES, Lab, Script

PREREQUISITES: Mapping[str, Any] = {
    "exchange.autodiscover_uri": "https://autodiscover.litwareinc.com/autodiscover/autodiscover.xml",
    "exchange.iis_restart": "wait",
    "skype.oauth_certificate": "F8999C0D859C65EC98DF82A52CCAEDBE74B7C0BB",
}
"""What the second inventory has beside litwareinc: every runbook that only some changes need."""


def _nothing(_: Any) -> None:
    """No change."""


@dataclass(frozen=True, slots=True)
class Falsehood:
    """A row. All runbooks in front were run; with `done`, this one as well.

    `runbook` is the action of a script (`exchange-preflight`, `undo-skype-partner-application`),
    followed by @HOST where there are several. `says` are fragments of what is shown, each long
    enough to be found in one sentence only. `change` alters the state of the organization,
    `prepare` the lab around it (receipts, clock). `fails` names the command whose call fails,
    `command` or `command#2` for its second call. `wanted` lists the values that become false, as
    `step.name`. `inventory` changes keys of litwareinc: `{"exchange.version": "2019"}`.
    """

    id: str
    runbook: str
    says: tuple[str, ...]
    code: int
    change: Callable[[dict[str, Any]], object] = _nothing
    prepare: Callable[[Lab], object] = _nothing
    fails: str = ""
    env: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = YES
    done: bool = False
    wanted: tuple[str, ...] = ()
    inventory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a block of a script may say: its text between the values, piece by piece."""

    block: str
    pieces: tuple[str, ...]

    def is_said_by(self, says: str) -> bool:
        """Whether a row that expects these words expects this sentence."""
        return any(says in piece for piece in self.pieces)

    def __str__(self) -> str:
        return f"{self.block}: {' ... '.join(self.pieces)}"


_BLOCK = re.compile(r"^(?:\$Runbook\.| +|.*; )(Product|Require|Check) = \{$", re.M)
_TOKEN = re.compile(r"'(?:[^']|'')*'|#[^\n]*|[^'\"#]|[\"#]")
_LEAST_WORDS = 5


def sentences(script: Script) -> Iterator[Sentence]:
    """Every sentence of the blocks that judge, in the order of the script."""
    text = _head(script)
    for match in _BLOCK.finditer(text):
        body = text[match.end() :]
        for before, pieces in _texts(body):
            told = not re.search(r"(?i)(\$saw \+?=|saw =)\s*$", before)
            if told and sum(len(piece.split()) for piece in pieces) >= _LEAST_WORDS:
                yield Sentence(match.group(1), pieces)


def wanted_names(script: Script) -> list[str]:
    """`step.name` of every wanted value of a script."""
    found: list[str] = []
    step = ""
    inside = False
    for line in _head(script).split("\n"):
        if match := re.match(r"    Id = '([^']*)'", line):
            step = match.group(1)
        elif line == "    Wanted = [ordered] @{":
            inside = True
        elif line == "    }":
            inside = False
        elif inside and (match := re.match(r"        (?:'([^']*)'|(\w+)) = ", line)):
            found.append(f"{step}.{match.group(1) or match.group(2)}")
    return found


def _head(script: Script) -> str:
    return script.text.replace("\r", "").partition("\n# Engine - ")[0]


def _texts(body: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What stands before a text, and the text, `+` followed; ends with the block."""
    at, depth, before, start = 0, 1, "", ""
    pieces: list[str] = []
    while at < len(body) and depth:
        if body[at] in "'\"":
            found, at = _string(body, at)
            joined = pieces and re.fullmatch(r"\s*\+\s*", before)
            if pieces and not joined:
                yield start, _whole(pieces)
                pieces = []
            if not pieces:
                start = before
            pieces = _join(pieces, found)
            before = ""
            continue
        if body[at] == "#":
            at = body.find("\n", at)
            continue
        depth += {"{": 1, "}": -1}.get(body[at], 0)
        before += body[at]
        at += 1
    if pieces:
        yield start, _whole(pieces)


def _join(pieces: list[str], more: list[str]) -> list[str]:
    """The last piece of one text and the first of the next are one."""
    return [*pieces[:-1], pieces[-1] + more[0], *more[1:]] if pieces else more


def _whole(pieces: list[str]) -> tuple[str, ...]:
    return tuple(piece.strip() for piece in pieces if piece.strip())


def _string(body: str, at: int) -> tuple[list[str], int]:
    """The static pieces of the string that starts here, and where it ends."""
    quote, at = body[at], at + 1
    pieces = [""]
    while True:
        two = body[at : at + 2]
        if two == quote * 2:
            pieces[-1] += quote
            at += 2
        elif body[at] == quote:
            return pieces, at + 1
        elif quote == '"' and body[at] == "`":
            pieces[-1] += body[at + 1]
            at += 2
        elif quote == '"' and two == "$(":
            at = _closing(body, at + 1)
            pieces.append("")
        elif quote == '"' and (match := re.compile(r"\$\w+").match(body, at)):
            at = match.end()
            pieces.append("")
        else:
            pieces[-1] += body[at]
            at += 1


def _closing(body: str, at: int) -> int:
    depth = 0
    while True:
        depth += {"(": 1, ")": -1}.get(body[at], 0)
        at += 1
        if not depth:
            return at
