"""Findings: mistakes with their place, all of a run together, in one form for every stage."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from generator.errors import GeneratorError
from generator.visible import visible

SHOWN = 200
"""So many findings are shown in full; a file of another kind could have thousands."""

_EXCERPT = 100
_VALUE = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. `line` and `column` start at 1; `line` 0 means the file as a whole.

    `message` starts with the path of the key where there is one (`mail.servers[1].rols: ...`),
    `hint` says what to do, `source` is the text of the line, `path` the key as a path.
    """

    code: str
    message: str
    file: str
    line: int = 0
    column: int = 0
    hint: str = ""
    source: str = ""
    path: tuple[str | int, ...] = ()
    warning: bool = False
    """Not wrong, but worth knowing; with `--strict` it counts as an error."""

    @property
    def severity(self) -> str:
        """`error` or `warning`, as every format writes it."""
        return "warning" if self.warning else "error"

    def format(self) -> str:
        """`file:line:column: error[CODE] message (hint)`, then the source line and a caret."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        hint = f" ({self.hint})" if self.hint else ""
        # A message may quote a file name or a value: neither may write to the terminal.
        head = visible(f"{place}: {self.severity}[{self.code}] {self.message}{hint}")
        if not self.line or not self.source.strip():
            return head
        line, caret = _excerpt(self.source, self.column)
        return f"{head}\n{line}\n{caret}"


class FindingsError(GeneratorError):
    """Mistakes in an inventory or a template; `findings` holds all of them in order of place."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = ordered(findings)
        super().__init__(self.findings)

    @property
    def lines(self) -> tuple[str, ...]:
        """The findings as text; `Finding.format` cleans each."""
        return tuple(report(self.findings).split("\n"))


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order of the text, each once."""
    return tuple(sorted(set(findings), key=lambda f: (f.file, f.line, f.column, f.code, f.message)))


def report(findings: Sequence[Finding]) -> str:
    """The findings as text, one below the other."""
    lines = [finding.format() for finding in findings[:SHOWN]]
    if len(findings) > SHOWN:
        lines.append(f"... and {len(findings) - SHOWN} more of {len(findings)} findings")
    return "\n".join(lines)


def show(value: object) -> str:
    """A value of a YAML file as a message names it: short, quoted, without control characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = visible(value)
        return f"'{text[:_VALUE]}...'" if len(text) > _VALUE else f"'{text}'"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return str(value)


def path_text(path: Iterable[str | int]) -> str:
    """`mail.servers[1].fqdn`; keys that are no plain words stand in quotes and brackets."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif part.replace("_", "a").replace("-", "a").isalnum() and part.isascii():
            parts.append(f".{part}" if parts else part)
        else:
            parts.append(f"[{show(part)}]")
    return "".join(parts)


def _excerpt(source: str, column: int) -> tuple[str, str]:
    """The part of a line around a column and the line with the caret below it."""
    start = max(0, column - _EXCERPT + 20) if len(source) > _EXCERPT else 0
    before = visible(source[start : column - 1].replace("\t", " "))
    after = visible(source[column - 1 : start + _EXCERPT].replace("\t", " ")).rstrip()
    lead = "..." if start else ""
    tail = "..." if len(source) > start + _EXCERPT else ""
    width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in lead + before)
    return f"    {lead}{before}{after}{tail}", "    " + " " * width + "^"
