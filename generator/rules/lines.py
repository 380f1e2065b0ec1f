"""Rules that look at lines, and the shape of a line for the memo of the judge."""

from __future__ import annotations

import re
from collections.abc import Sequence

from generator.rules.catalogue import Catalogue
from generator.rules.rule import Answer, rule
from generator.rules.syntax import Script
from generator.templating.powershell import WIDTH

_STRING = r"'(?:[^']|'')*'|\"(?:[^\"`]|`.|\"\")*\""
_PART = r"(?:'(?:[^']|'')*'|\[char\]0x[0-9A-F]{4})"
_ROW = rf"\({_PART}(?: \+ {_PART})*\)"
_VALUE = re.compile(
    # A string of many unusual characters is a sum of sums.
    rf"\((?:{_PART}|{_ROW})(?: \+ (?:{_PART}|{_ROW}))*\)|'(?:[^']|'')*'|\S+"
)
_TOKEN = re.compile(rf"(?P<string>{_STRING})|(?P<comment>(?<![^\s;(){{}},])#.*)")
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
    for number, line in enumerate(script.text.split("\n"), 1):
        if code_of(line).rstrip().endswith("`"):
            yield number, "the line goes on by a backtick"


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
    for number, line in enumerate(script.text.split("\n"), 1):
        for match in _BANNED_WORD.finditer(code_of(line)):
            why = _BANNED[match.group().lower()]
            yield number, f"{match.group()} must not be used: {why}"


def code_of(line: str) -> str:
    """The line with plain strings and comments blanked; strings with `$` hold code and stay."""
    return _TOKEN.sub(_blank, line)


def _blank(match: re.Match[str]) -> str:
    text = match.group()
    if match.lastgroup == "comment":
        return ""
    return text if text.startswith('"') and "$" in text else "''"


# Names that a table would shadow with its own members, and words that a rule looks for.
RESERVED = (
    "Count", "Keys", "Values", "Item", "Identity", "Source", "IsReadOnly", "IsFixedSize",
    "IsSynchronized", "SyncRoot",
)  # fmt: skip
_TYPES = ("System.", "Microsoft.")
_TELLING = {name.lower() for name in RESERVED} | {
    "stop", "continue", "silentlycontinue", "ignore", "inquire",
}  # fmt: skip


def shape(line: str) -> str:
    """The line without what no rule over the tree looks at: comments and the text of values.

    Two pieces whose lines have the same shapes get the same judgement.
    """
    if line.startswith("# ") or line == "#":
        return "#"
    if "'" not in line and "#" not in line:
        return line
    return _TOKEN.sub(_shape_of, line)


def _shape_of(match: re.Match[str]) -> str:
    text = match.group()
    if match.lastgroup == "comment":
        return text if text.lower().startswith("#requires") else "#"
    if text.startswith('"'):
        return text
    content = text[1:-1]
    before, after = match.string[: match.start()], match.string[match.end() :]
    if content.lower() in _TELLING or content.startswith(_TYPES) or content.endswith(".ps1"):
        return text
    if before.endswith("-TypeName "):
        return text
    if after.startswith(" =") or before.endswith(" Id = "):
        return "','" if "," in content else "'k'"
    return "''"


_CONSTANT = re.compile(r"\$(?:true|false|null)\b", re.IGNORECASE)
_SEVERAL = re.compile(r"''(?:, '')+")
_DATA = re.compile(r"[\w\s='@{}();,]*'[\w\s='@{}();,]*")


def reading_lines(shapes: Sequence[str]) -> int:
    """How many lines a reviewer reads, of a text whose lines have these shapes.

    In a list of values, such as one entry of one or two lines for each server, the first entry
    counts: the others have nothing new but their values.
    """
    before = last = ""
    count = 0
    for line in shapes:
        form = _SEVERAL.sub("''", _CONSTANT.sub("''", line))
        if form not in (last, before) or not _DATA.fullmatch(form):
            count += 1
        before, last = last, form
    return count


def without_repeats(shapes: Sequence[str]) -> list[int]:
    """The places of the lines that tell something, of a text whose lines have these shapes.

    Left out are the further entries of a list of values, each of one or two lines that close
    what they open. An inventory of thousands of servers has lists of so many entries.
    """
    kept: list[int] = []
    at = 0
    while at < len(shapes):
        for size in (1, 2):
            entry = shapes[at : at + size]
            if entry == shapes[at - 2 * size : at - size] == shapes[at - size : at] and (
                _is_entry(entry)
            ):
                at += size
                break
        else:
            kept.append(at)
            at += 1
    return kept


def _is_entry(shapes: Sequence[str]) -> bool:
    """Whether lines are data with as many brackets opened as closed, none before it is opened."""
    open_brackets: list[str] = []
    for character in "".join(shapes):
        if character in "({[":
            open_brackets.append(character)
        elif character in ")}]" and (
            not open_brackets or open_brackets.pop() + character not in ("()", "{}", "[]")
        ):
            return False
    return not open_brackets and all(_DATA.fullmatch(line) for line in shapes)
