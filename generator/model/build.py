"""What rendering makes of a plan: scripts, and the build that holds them or makes them anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from generator.model.plan import Plan, Runbook


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a script with the template that made it: rules judge pieces.

    `marked` is its marked text, which keeps apart what a template says and what a value says.
    """

    name: str
    template: str
    marked: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What the documents beside the scripts tell about one: all that is kept of it in memory."""

    runbook: Runbook
    content_hash: str
    wanted: tuple[str, ...]
    """Of each step the text of its Wanted table, '' where it has none."""


@dataclass(frozen=True, slots=True)
class RenderedRunbook:
    """A finished script: its bytes, the pieces it was joined from, and its summary."""

    summary: Summary
    data: bytes
    pieces: tuple[Piece, ...]

    @property
    def runbook(self) -> Runbook:
        """What it was made of."""
        return self.summary.runbook

    @property
    def content_hash(self) -> str:
        """The hash that it carries in itself."""
        return self.summary.content_hash


@dataclass(slots=True)
class Launcher:
    """Start-Change.ps1; its table has the hash of every script, so it is made after the last."""

    piece: Piece = Piece("launcher", "", "")
    data: bytes = b""
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class Scripts(Collection[RenderedRunbook]):
    """Scripts that are made anew whenever one goes through them: memory holds one at a time.

    Going through them may raise FindingsError, also at the end of them.
    """

    count: int
    make: Callable[[], Iterator[RenderedRunbook]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[RenderedRunbook]:
        return self.make()

    def __contains__(self, script: object) -> bool:
        return any(one == script for one in self)


@dataclass(frozen=True, slots=True)
class Build:
    """A rendered change, ready to be written.

    With `limit`, the patterns that chose them, `rendered` are only some runbooks of the plan.
    `rendered` is a tuple where they are held, else Scripts. `launcher` is filled when one has gone
    through all of them.
    """

    plan: Plan
    rendered: Collection[RenderedRunbook]
    engine_hash: str
    launcher: Launcher
    shadowed: tuple[Path, ...] = ()
    limit: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder below out/: a part of a change never replaces the whole of it."""
        name = self.plan.inventory.name
        return f"{name}.part" if self.limit else name
