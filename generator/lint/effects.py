"""What the blocks of a step read and change, told by the nouns of their commands.

`Set-Thing -Url` changes Url of Thing, New- and Remove-Thing change all of it, Get-Thing reads it.
What commands of Windows change is not told by nouns: two steps may set values of unrelated keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from generator.syntax.calls import Use, uses
from generator.syntax.catalogue import Catalogue, only_reads
from generator.syntax.tree import parse

READING = ("read", "require", "check")
"""The blocks that judge what is there, forward."""

_NOT_PROPERTIES = {"confirm", "domaincontroller", "force", "identity", "whatif"}
_COMMAND = re.compile(r"[A-Za-z]+-[A-Za-z]\w*")
_RECORD = re.compile(r"\.State\['([a-z][a-z0-9-]*)'\]")


@dataclass(slots=True)
class Effects:
    """Of a step: noun in small letters -> the command that reads it, and what changes it.

    In `changes` a noun has the properties that are set, none where all of it may change. `records`
    are steps whose records it reads, `words` is the text of what judges.
    `acts` says that it has an Apply.
    """

    reads: dict[str, str] = field(default_factory=dict)
    changes: dict[str, set[str] | None] = field(default_factory=dict)
    records: set[str] = field(default_factory=set)
    words: str = ""
    acts: bool = False

    def depends(self, other: Effects) -> str:
        """The command by which this step certainly reads what the other one changes, or ''."""
        for noun, command in self.reads.items():
            if noun in other.changes:
                set_ = other.changes[noun]
                if set_ is None or any(re.search(rf"\b{one}\b", self.words) for one in set_):
                    return command
        return ""

    def may_depend(self, other: Effects) -> bool:
        """Whether it may read what the other one changes, as far as that is known at all."""
        return not other.changes or bool(self.reads.keys() & other.changes.keys())


def of_step(
    blocks: Mapping[str, str], catalogue: Catalogue, commands: Mapping[str, Any]
) -> Effects:
    """The effects of a step with these blocks; `commands` are entries of the lists, by name."""
    found = Effects(acts="apply" in blocks)
    for name in READING:
        text = blocks.get(name, "")
        found.words += text.lower() + "\n"
        found.records.update(_RECORD.findall(text))
        for use in _uses(text, catalogue):
            if use.command.reads if use.command is not None else only_reads(use.name):
                for noun in _nouns(use.name, commands):
                    found.reads.setdefault(noun, use.name)
    for use in _uses(blocks.get("apply", ""), catalogue):
        called = commands.get(use.command.name, {}) if use.operator and use.command else {}
        for command in called.get("commands", ()):
            if not only_reads(command):
                found.changes.update(dict.fromkeys(_nouns(command, commands)))
        of_windows = use.command is not None and not use.command.product
        if use.operator or of_windows:
            continue
        if not (use.command.reads if use.command is not None else only_reads(use.name)):
            for noun in _nouns(use.name, commands):
                _add(found.changes, noun, _properties(use))
    return found


def _uses(text: str, catalogue: Catalogue) -> tuple[Use, ...]:
    return uses(parse(text), catalogue)


def _nouns(name: str, commands: Mapping[str, Any]) -> Iterator[str]:
    if _COMMAND.fullmatch(name):
        yield name.partition("-")[2].lower()
        yield from (noun.lower() for noun in (commands.get(name) or {}).get("also", ()))


def _properties(use: Use) -> set[str] | None:
    """What a Set- command sets, None where that is not written out."""
    if not use.name.startswith("Set-") or use.lost or use.positional:
        return None
    common = {"erroraction", "verbose", "debug", "warningaction"}
    given = {one.name.lower() for one in use.arguments}
    return (given - _NOT_PROPERTIES - common) or None


def _add(changes: dict[str, set[str] | None], noun: str, set_: set[str] | None) -> None:
    known = changes.get(noun, set())
    changes[noun] = None if known is None or set_ is None else known | set_
