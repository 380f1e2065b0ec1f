"""The one place where text reaches a terminal: it is cleaned here, line by line.

Names, values and sentences of others (a file name, a certificate, an answer of a server) come in
messages. None of them may move the cursor, hide text, or begin a line of its own.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from generator.visible import visible


class Shown(str):
    """Text that was cleaned and perhaps colored; it is shown as it is."""

    __slots__ = ()


def prepare() -> None:
    """A character that a terminal or a file cannot hold is shown by its number."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def color() -> bool | None:
    """None: colors where the stream is a terminal. False: never (NO_COLOR, no-color.org)."""
    return False if os.environ.get("NO_COLOR") else None


def clean(line: str) -> Shown:
    """A line without anything that steers a terminal; tabs stay."""
    if isinstance(line, Shown):
        return line
    return Shown("\t".join(visible(part) for part in line.split("\t")))


def style(text: str, **styles: Any) -> Shown:
    """Cleaned text in a color, or bold: the arguments of `click.style`."""
    return Shown(click.style(clean(text), **styles))


def joined(*parts: str) -> Shown:
    """One line of several parts, of which some may be colored."""
    return Shown("".join(clean(part) for part in parts))


def say(*lines: str) -> None:
    """A message for the person at the terminal, on standard error."""
    for line in lines:
        click.echo(clean(line), err=True, color=color())


def tell(*lines: str) -> None:
    """What a command answers to people, on standard output."""
    for line in lines:
        click.echo(clean(line), color=color())


def write(text: str) -> None:
    """What a command answers to programs, on standard output, as it is."""
    click.echo(text, nl=False)


def confirmed(question: str) -> bool:
    """Asks the person at the terminal; anything but yes is a no."""
    return click.confirm(clean(question), default=False, err=True)


def secret(question: str) -> str:
    """Asks the person at the terminal for something that is not shown."""
    answer: str = click.prompt(clean(question), hide_input=True, err=True)
    return answer
