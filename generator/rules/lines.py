"""Rules that look at lines: those of the script itself, and those of its code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.rules.rule import Answer, rule
from generator.syntax.catalogue import Catalogue
from generator.syntax.tree import Script
from generator.templating.marks import WIDTH

_VALUE = re.compile(r"'(?:[^']|'')*'|\S+")
_LEAST_BESIDE_A_VALUE = 60


def harmless(line: str) -> bool:
    """Whether no rule for single lines can say anything: most lines, found out fast."""
    return len(line) <= WIDTH and line.isascii() and line.isprintable()


@rule("R101", "Only printable 7-bit ASCII", "line")
def ascii_only(line: str) -> Answer:
    """A script is read alike in every code page only when it is plain ASCII.

    Windows PowerShell reads a file without byte order mark in the code page of the server, so
    any other character would change with the machine. Let values enter through the filters
    `ps` and `ps_comment`, which write them as [char]0xNNNN or \\uNNNN; write templates in ASCII,
    with blanks instead of tabs.
    """
    if not (line.isascii() and (line.isprintable() or not line)):
        bad = next(char for char in line if not " " <= char <= "~")
        yield 1, f"the character U+{ord(bad):04X} is not printable ASCII"


@rule("R105", "At most 100 columns", "line")
def width(line: str) -> Answer:
    """Reviewers read scripts side by side and on paper: a line has at most 100 columns.

    A line may be longer only because of one value that cannot be broken (a long address). Break
    sentences with `+` at the end of a line, and put long commands into a table: `@at`.
    """
    if len(line) > WIDTH:
        longest = max((len(match.group()) for match in _VALUE.finditer(line)), default=0)
        if len(line) - longest > _LEAST_BESIDE_A_VALUE:
            yield 1, f"the line has {len(line)} columns, {WIDTH} are allowed"


@rule("R114", "No backtick at a line's end", "script")
def backtick(script: Script, _: Catalogue) -> Answer:
    """A blank after it, which nobody sees, ends the command there.

    Break after an operator or a pipe, or put the arguments into a table: `@at`.
    """
    for line, _found in _places(script, _BACKTICK):
        yield line, "the line goes on by a backtick"


_BACKTICK = re.compile(r"`[ \t]*$", re.MULTILINE)

_BANNED = {
    "add-pssnapin": "it bypasses the product's rights; load the product's shell",
    "add-type": "compiled text cannot be reviewed, and Constrained Language Mode refuses it",
    "enter-pssession": "a runbook works on the server that it runs on",
    "get-credential": "a runbook never asks for a password",
    "iex": "text that is made at run time cannot be reviewed",
    "import-pssession": "it makes an unsigned module; load the product's shell",
    "invoke-command": "a runbook works on the server that it runs on",
    "invoke-expression": "text that is made at run time cannot be reviewed",
    "invokescript": "text that is made at run time cannot be reviewed",
    "new-pssession": "a runbook works on the server that it runs on",
    "newscriptblock": "text that is made at run time cannot be reviewed",
    "read-host": "it never answers without a console; hold points are steps with `ask`",
    "set-executionpolicy": "the policy of a server is not a runbook's business",
    "start-job": "its work is not in the evidence",
    "start-process": "its exit code and output are lost; use the call operator &",
}
_BANNED_WORD = re.compile(
    r"(?<![\w-])(" + "|".join(map(re.escape, _BANNED)) + r")(?![\w-])", re.IGNORECASE
)


@rule("R117", "No command that evades review or asks at the console", "script")
def banned(script: Script, _: Catalogue) -> Answer:
    """Some commands must never stand in a runbook, wherever it stands.

    They run text that nobody reviewed, reach other servers, or wait for a console that is not
    there. The message says what to do instead.
    """
    for line, found in _places(script, _BANNED_WORD):
        yield line, f"{found} must not be used: {_BANNED[found.lower()]}"


def _places(script: Script, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Where the code of a piece has a pattern: not in comments, not in the text of strings.

    Most pieces have it nowhere, which is found out without blanking anything.
    """
    if pattern.search(script.text):
        for number, line in enumerate(script.code.split("\n"), 1):
            for match in pattern.finditer(line):
                yield number, match.group()
