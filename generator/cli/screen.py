"""What the terminal shows: messages, colors only where they are wanted, a bar for long work."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from generator.cli import terminal
from generator.cli.terminal import color, prepare, say
from generator.findings import Finding, report

if TYPE_CHECKING:
    from generator.templating.templates import TemplateTree

__all__ = ["FOUND", "bar", "color", "counted", "paint", "prepare", "say", "show"]

FOUND = 1
"""The exit code when there are findings."""

PATIENCE = 1.0
"""Seconds that a command may take before a bar is shown."""

_HEAD = re.compile(r"(?P<place>\S.*?): (?P<code>(?P<severity>error|warning)\[[A-Z]\d{3}\])")
_COLOR = {"error": "red", "warning": "yellow"}
_CARET = re.compile(r" +\^$")


def paint(lines: Sequence[str]) -> list[str]:
    """Findings as lines of text, with places and codes marked."""
    return [_painted(line) for line in lines]


def _painted(line: str) -> str:
    head = _HEAD.match(line)
    if head:
        place, code = head["place"], head["code"]
        return terminal.joined(
            terminal.style(place, bold=True),
            ": ",
            terminal.style(code, fg=_COLOR[head["severity"]]),
            line[head.end() :],
        )
    return terminal.style(line, fg="red") if _CARET.match(line) else line


def show(findings: Sequence[Finding], form: str, tree: TemplateTree, nothing: str) -> int:
    """Findings as the data of a command, on standard output; answers with its exit code.

    Warnings alone are no failure.

    `nothing` is the message when there are none.
    """
    if form != "text":
        from generator.cli import formats  # noqa: PLC0415 - only these formats need the rules
        from generator.lint import codes  # noqa: PLC0415 - only these formats need the rules

        terminal.write(formats.FORMATS[form](findings, codes.every(tree) if findings else {}))
    elif findings:
        terminal.tell(*paint(report(findings).split("\n")))
    say(counted(findings) if findings else nothing)
    return 0 if all(finding.warning for finding in findings) else FOUND


def warn(findings: Sequence[Finding]) -> None:
    """Warnings beside the work of a command, on standard error."""
    if findings:
        say(*paint(report(findings).split("\n")))


@contextmanager
def bar() -> Iterator[None]:
    """Within the block, a bar shows how far the stages are: on terminals, when it takes long."""
    if not sys.stderr.isatty():
        yield
        return
    from generator import progress  # noqa: PLC0415 - only long work on a terminal needs it

    shown = _Bar()
    try:
        with progress.heard_by(shown):
            yield
    finally:
        shown.close()


class _Bar:
    """Listens to stages; the first second shows nothing."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._stage = ""
        self._at = 0
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """A stage has done so many of its items."""
        if stage != self._stage:
            self.close()
            self._stage, self._at = stage, 0
        if self._bar is None and done < total and time.monotonic() - self._begun >= PATIENCE:
            self._bar = click.progressbar(
                length=total, label=f"{stage:<16}", file=sys.stderr, color=color()
            )
            self._bar.__enter__()
        # Some twenty steps are enough to see that it moves.
        if self._bar is not None and (done == total or done - self._at >= total // 20):
            self._bar.update(done - self._at)
            self._at = done

    def close(self) -> None:
        """The bar of a stage ends where it is, so that the next line stands below it."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def counted(findings: Sequence[Finding], then: str = "") -> str:
    """`3 findings.`, what follows from it, and where an explanation is."""
    count = f"{len(findings)} finding{'s' if len(findings) != 1 else ''}."
    code = findings[0].code if findings else ""
    hint = f"`runbook lint --explain {code}` says more about {code}." if code else ""
    return " ".join(part for part in (count, then, hint) if part)
