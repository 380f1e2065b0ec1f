"""What can be wrong with a file before its YAML means anything, in sentences for its author."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from generator.files import named
from generator.files.named import UnreadableError, Why
from generator.findings import Finding, FindingsError

MAX_BYTES = 16 * 1024 * 1024
MAX_FINDINGS = 10_000
"""More mistakes than this in one document are not told apart: it is not what it should be."""

# What YAML itself refuses, the line ends that only YAML 1.1 knows, and characters that hide or
# reverse what a reviewer sees.
_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)

_REASONS = {
    Why.MISSING: ("E001", "there is no such file", ""),
    Why.FOLDER: ("E002", "this is a folder, not a file", "name the YAML file in it"),
    Why.SPECIAL: ("E003", "this is not an ordinary file", "save it as a file first"),
    Why.DENIED: ("E004", "no permission to read this file", ""),
    Why.OTHER: ("E004", "the file cannot be read", ""),
    Why.LARGE: ("E005", "the file is too large", "the limit is {mib} MiB"),
}

_QUOTES = "put the value in quotes"
_INDENT = "look at the indentation and the punctuation of this line and the one above"

_SENTENCES: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "a colon and a space are not expected here",
        "put a value that holds ': ' in quotes, or mend the indentation",
    ),
    (
        "block sequence entries are not allowed",
        "a list item is not expected here",
        "start the list in a line of its own, below its key",
    ),
    ("block mapping keys are not allowed", "a key is not expected here", _INDENT),
    ("did not find expected key", "a key is expected here", _INDENT),
    ("did not find expected '-'", "a list item ('- ...') is expected here", _INDENT),
    (
        "did not find expected ',' or ']'",
        "the list that starts here is not closed, or a comma is missing in it",
        "",
    ),
    (
        "did not find expected ',' or '}'",
        "the mapping that starts here is not closed, or a comma is missing in it",
        "",
    ),
    ("did not find expected node content", "a value is expected here", _QUOTES),
    (
        "could not find expected ':'",
        "a colon is expected after this key",
        "write 'key: value', with a space after the colon",
    ),
    ("found unexpected end of stream", "a quote is opened here and never closed", ""),
    ("found unexpected document indicator", "a quote is opened here and never closed", ""),
    (
        "found unknown escape character",
        "a backslash in double quotes starts an escape",
        "use single quotes for text with backslashes",
    ),
    (
        "did not find expected hexdecimal number",
        "an escape in double quotes is not complete",
        "use single quotes for text with backslashes",
    ),
    ("found invalid Unicode character escape", "this escape names no character", ""),
    ("while scanning an alias", "a value cannot start with *", _QUOTES),
    ("while scanning an anchor", "a value cannot start with &", _QUOTES),
    (
        "did not find expected comment or line break",
        "text is not expected after | or >",
        "start the text in the next line, or put the value in quotes",
    ),
    ("found a tab", "a tab is not allowed here", "indent with spaces"),
    ("did not find expected <document start>", "one top level of keys is expected", _INDENT),
    ("found undefined tag handle", "tags are not used here", "leave it out, or use quotes"),
    ("while parsing a tag", "tags are not used here", "leave it out, or use quotes"),
    (
        "found incompatible YAML document",
        "this YAML version is not supported",
        "leave the %YAML line out",
    ),
    ("exceeded maximum depth", "nested too deep", ""),
)


def read_text(path: Path, display: str, limit: int = MAX_BYTES) -> str:
    """The text of a file that is an ordinary file, small enough and UTF-8.

    Raises FindingsError with the reason.
    """
    try:
        return _decode(named.read(path, limit), display)
    except UnreadableError as error:
        code, message, hint = _REASONS[error.why]
        if error.why is Why.OTHER:
            message = f"{message}: {error.more}"
        hint = hint.format(mib=limit // 1024**2)
        raise FindingsError([Finding(code, message, display, hint=hint)]) from None


def _decode(data: bytes, display: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:4]:
        message = "the file is UTF-16 or UTF-32 text, or not text at all"
        raise FindingsError([Finding("E007", message, display, hint="save it as UTF-8")])
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        line = len(re.findall(r"\r\n|\r|\n", good)) + 1
        column = len(re.split(r"[\r\n]", good)[-1]) + 1
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8 text"
        hint = "save the file as UTF-8; it may be in a Windows code page"
        source = re.split(r"\r\n|\r|\n", data.decode("utf-8", "replace"))[line - 1]
        fault = Finding("E007", message, display, line, column, hint, source)
        raise FindingsError([fault]) from None


# Faults that are better shown where something begins than where the parser gave up.
_AT_CONTEXT = ("while scanning an alias", "while scanning an anchor", "while scanning a simple key")
_OPENED = (
    "found unexpected end of stream",
    "found unexpected document",
    "did not find expected ',' or",
)


def check_characters(text: str, lines: Sequence[str], display: str) -> list[Finding]:
    """One finding for each line with a character that does not belong into a text file."""
    if text.isascii() and text.isprintable():
        return []
    findings = []
    for number, line in enumerate(lines, 1):
        found = _REFUSED.search(line)
        if found:
            code = ord(found.group())
            message = f"the invisible character U+{code:04X} is not allowed"
            hint = f'remove it; where a text needs it, write "{_escape(code)}" in double quotes'
            place = (number, found.start() + 1)
            findings.append(Finding("E008", message, display, *place, hint, line))
            if len(findings) == MAX_FINDINGS:
                break
    return findings


def syntax_fault(error: yaml.MarkedYAMLError, lines: Sequence[str], display: str) -> Finding:
    """The finding for a syntax error of the parser, at the place that it names."""
    problem = str(error.problem or error.context or "unreadable")
    context = str(error.context or "")
    mark: Any = error.problem_mark or error.context_mark
    opened = context.startswith(_AT_CONTEXT) or problem.startswith(_OPENED)
    if opened and error.context_mark is not None:
        mark = error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    if line and not any(text.strip() for text in lines[line - 1 :]):
        # Behind the last line there is nothing to show: its end is the place.
        line = max([n for n, text in enumerate(lines, 1) if text.strip()], default=1)
        column = len(lines[line - 1].rstrip()) + 1
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    message, hint = _sentence(problem, context, source, column)
    return Finding("E010", message, display, line, column, hint, source)


def _sentence(problem: str, context: str, source: str, column: int) -> tuple[str, str]:
    indent = source[: len(source) - len(source.lstrip())]
    here = source[column - 1 : column]
    if "\t" in indent or here == "\t":
        return "a tab is not allowed here", "indent with spaces"
    if problem.startswith("found character that cannot start"):
        return f"a value cannot start with {here or 'this character'}", _QUOTES
    for start, message, hint in _SENTENCES:
        if problem.startswith(start) or context.startswith(start):
            return message, hint
    return f"this is not YAML: {problem}", ""


def _escape(code: int) -> str:
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}"
