"""What the terminal shows: messages, colours only where they are wanted, a bar for long work."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from generator import progress
from generator.findings import Finding, report

if TYPE_CHECKING:
    from generator.templating.templates import TemplateTree

FOUND = 1
"""The exit code when there are findings."""

PATIENCE = 1.0
"""Seconds that a command may take before a bar is shown."""

_HEAD = re.compile(r"^(?P<place>\S.*?): (?P<code>error\[[A-Z]\d{3}\])", re.MULTILINE)
_CARET = re.compile(r"^ +\^$", re.MULTILINE)


def prepare() -> None:
    """A character that a terminal or a file cannot hold is shown by its number."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def colour() -> bool | None:
    """None: colours where the stream is a terminal. False: never (NO_COLOR, no-color.org)."""
    return False if os.environ.get("NO_COLOR") else None


def say(message: str) -> None:
    """A message for the person at the terminal, on standard error."""
    click.echo(message, err=True, color=colour())


def paint(text: str) -> str:
    """Findings as text, with places and codes marked."""
    text = _HEAD.sub(
        lambda m: f"{click.style(m['place'], bold=True)}: {click.style(m['code'], fg='red')}", text
    )
    return _CARET.sub(lambda m: click.style(m.group(), fg="red"), text)


def show(findings: Sequence[Finding], form: str, tree: TemplateTree, nothing: str) -> int:
    """Findings as the data of a command, on standard output; answers with its exit code.

    `nothing` is the message when there are none.
    """
    if form != "text":
        from generator import codes, formats  # noqa: PLC0415 - only these formats need the rules

        text = formats.FORMATS[form](findings, codes.every(tree) if findings else {})
        click.echo(text, nl=False)
    elif findings:
        click.echo(paint(report(findings)), color=colour())
    say(counted(findings) if findings else nothing)
    return FOUND if findings else 0


@contextmanager
def bar() -> Iterator[None]:
    """Within the block, a bar shows how far the stages are: on terminals, when it takes long."""
    if not sys.stderr.isatty():
        yield
        return
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
                length=total, label=f"{stage:<16}", file=sys.stderr, color=colour()
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
