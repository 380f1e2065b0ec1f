"""Rules about the steps of a runbook: wanted values are data, names are safe, sizes readable."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from generator.rules.rule import Answer, rule
from generator.syntax.catalogue import Catalogue
from generator.syntax.tree import Node, Script, key_of
from generator.templating.marks import VALUE
from generator.templating.powershell import RESERVED

STEP_LINES = 110
CHANGING_LINES = 320
READ_ONLY_LINES = 800
_CONSTANTS = {"$true", "$false", "$null"}
_RESERVED = {name.lower() for name in RESERVED}


@rule("R141", "Wanted is data", "script")
def wanted_is_data(script: Script, _: Catalogue) -> Answer:
    """What shall hold is known before the script runs: it is approved, and shown before anything
    changes.

    Write literal values, lists and patterns; what must be read or computed belongs in Read.
    """
    for table in _wanted(script):
        for node in table.walk():
            if node.kind in ("command", "invocation_expression", "sub_expression"):
                yield node.line, f"Wanted computes a value: {node.text.split(chr(10))[0][:50]}"
            elif node.kind == "variable" and node.text.lower() not in _CONSTANTS:
                yield node.line, f"Wanted uses the variable {node.text}"


@rule("R142", "No reserved names in Wanted", "script")
def reserved_names(script: Script, _: Catalogue) -> Answer:
    """A table answers for some names with its own members: `$before.Count` would be a number of
    entries, and Identity and Source have a meaning of their own to the engine.

    Use another name: total, identifier, origin, ...
    """
    for table in _wanted(script):
        for entry in entries(table):
            if key_of(entry).lower() in _RESERVED:
                yield entry.line, f"the name {key_of(entry)} is reserved", "use another name"


@rule("R143", "No commas in names of steps and values", "script")
def commas(script: Script, _: Catalogue) -> Answer:
    """Under -File a list arrives as one text, split at commas: -KeepPresent 'step.name,...'.

    A name with a comma could never be named there.
    """
    for step in step_tables(script):
        for entry in entries(step):
            if key_of(entry) == "Id" and "," in entry.children[-1].text.strip(";"):
                yield entry.line, "the id of the step has a comma"
    for table in _wanted(script):
        for entry in entries(table):
            if "," in key_of(entry):
                yield entry.line, "the name of a wanted value has a comma"


@rule("R150", f"A step has at most {STEP_LINES} lines", "script")
def step_length(script: Script, _: Catalogue) -> Answer:
    """A step is read on one screen or two; longer means two steps.

    A list of values, such as one line for each server, counts as its first entry.
    """
    for step in step_tables(script):
        lines = reading_lines(step.text)
        if lines > STEP_LINES:
            yield step.line, f"the step has {lines} lines, {STEP_LINES} are allowed"


@rule("R151", "Few enough lines before the engine to review them", "size")
def reading_length(sizes: Sequence[tuple[str, int]], changes: bool) -> Answer:
    """What a reviewer reads of each script comes before the engine: at most 320 lines where it
    changes something, 800 where it only reads.

    A list of values, such as one entry for each server, counts as its first entry. Make two
    runbooks of it, or shorten what every script has.
    """
    lines = sum(size for _, size in sizes)
    most = CHANGING_LINES if changes else READ_ONLY_LINES
    if lines > most:
        message = f"{lines} lines stand before the engine, {most} are allowed"
        yield lines, message, ", ".join(f"{name}: {size}" for name, size in sizes)


_TEXT = re.compile(rf"\('{VALUE},?'\)|'{VALUE},?'(?:, '{VALUE}')*|\$(?:true|false|null)\b")
_DATA = re.compile(rf"[\w\s='@{{}}();,{VALUE}]*")


def reading_lines(shape: str) -> int:
    """How many lines a reviewer reads of a text of this shape.

    In a list of values, such as one entry of one or two lines for each server, the first entry
    counts: the others have nothing new but their values.
    """
    before = last = ""
    count = 0
    for line in shape.split("\n"):
        form = _TEXT.sub(f"'{VALUE}'", line) if VALUE in line else line
        if form not in (last, before) or VALUE not in form or not _DATA.fullmatch(form):
            count += 1
        before, last = last, form
    return count


def step_tables(script: Script) -> Iterator[Node]:
    """The tables that are added to $Runbook.Steps."""
    for node in script.all("assignment_expression"):
        if node.children[0].text == "$Runbook.Steps":
            tables = (one for one in node.walk() if one.kind == "hash_literal_expression")
            yield from itertools.islice(tables, 1)


def _wanted(script: Script) -> Iterator[Node]:
    for step in step_tables(script):
        for entry in entries(step):
            if key_of(entry) == "Wanted":
                tables = (one for one in entry.walk() if one.kind == "hash_literal_expression")
                yield next(tables, entry)


def entries(table: Node) -> Iterator[Node]:
    """The entries of a table that is written out."""
    body = table.child("hash_literal_body")
    for node in body.children if body is not None else ():
        if node.kind == "hash_entry":
            yield node
