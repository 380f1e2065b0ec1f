"""The lines between a client and a serving PowerShell: a job goes in, events come out.

Into the process goes one line of JSON for each job, and one for each answer to a question:

    {"script": "/x/a.ps1", "arguments": ["-Name"], "environment": {"PATH": "/bin"},
     "folder": "/x", "interactive": true, "limit": 60}
    "Y"                              what somebody types, or null: the input has ended

Out of it come events, each a line of JSON behind the mark U+001E (RFC 7464):

    {"event": "ready"}               once, when the process takes jobs
    {"event": "shown", "stream": "output", "text": "..."}       or "error"
    {"event": "progress", "text": "..."}
    {"event": "question", "kind": "choice", "caption": "...", "message": "...",
     "choices": ["No", "Yes"], "default": 0}                    waits for its answer
    {"event": "question", "kind": "line"}                       or "secret"
    {"event": "end", "how": "ended", "code": 0}                 or "stopped", "stuck"

Whatever arrives outside of events was written to the output by a program that the script started.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = b"\x1e"


@dataclass(frozen=True, slots=True)
class Job:
    """A script to run: its words, the whole environment, its folder, and its limit in seconds.

    A script that is not interactive asks nothing: PowerShell refuses each prompt.
    """

    script: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    interactive: bool = False
    limit: float = 120

    def line(self) -> str:
        """The job as the process reads it."""
        return json.dumps(
            {
                "script": str(self.script),
                "arguments": self.arguments,
                "environment": dict(self.environment),
                "folder": str(self.folder),
                "interactive": self.interactive,
                "limit": self.limit,
            }
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What a script asks: `kind` is `choice`, `line` or `secret`; only a choice has the rest."""

    kind: str
    caption: str = ""
    message: str = ""
    choices: tuple[str, ...] = ()
    default: int = -1


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name, and its other members."""

    name: str
    members: Mapping[str, Any]

    def text(self, member: str) -> str:
        """A member that is text."""
        return str(self.members[member])

    def question(self) -> Question:
        """The question that this event is."""
        members = self.members
        return Question(
            kind=members["kind"],
            caption=members.get("caption", ""),
            message=members.get("message", ""),
            choices=tuple(members.get("choices", ())),
            default=members.get("default", -1),
        )


class Splitter:
    """Makes events of what arrives, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are whole now."""
        self._rest += data
        while MARK in self._rest:
            before, _, behind = self._rest.partition(MARK)
            line, end, after = behind.partition(b"\n")
            yield from _written(before)
            self._rest = MARK + behind
            if not end:
                return
            yield from _parsed(line)
            self._rest = after

    def end(self) -> Iterator[Event]:
        """What is left when nothing more comes."""
        rest, self._rest = self._rest, b""
        yield from _written(rest)


def _written(data: bytes) -> Iterator[Event]:
    """Text of a program, or of a PowerShell that dies."""
    if data:
        yield Event("shown", {"stream": "output", "text": data.decode(errors="replace")})


def _parsed(line: bytes) -> Iterator[Event]:
    try:
        members = json.loads(line)
        yield Event(members.pop("event"), members)
    except (ValueError, KeyError, TypeError, AttributeError):
        # A program wrote the mark.
        yield from _written(MARK + line + b"\n")
