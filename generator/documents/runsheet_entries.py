"""The runbooks of the run sheet, as its template reads them: values and sentences, no words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

from generator.model.build import Summary
from generator.model.plan import Need, Plan, Runbook, StepTexts
from generator.planning.times import Times

COMMAND = "powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File"

# A name that the product makes up: the script has a pattern and the text that the log shows.
_PATTERN = re.compile(r"@\{\s*Pattern = '(?:[^']|'')*'[;\s]+Text = '((?:[^']|'')*)'\s*\}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that a runbook asks for: its file, and where the operator finds it."""

    number: str
    file: str
    where: str


@dataclass(frozen=True, slots=True)
class SheetStep:
    """A step as the operator meets it; `wanted` are the lines of its table of values.

    `label` says what the values are: those that the step sets, takes back, or wants to find.
    """

    number: int
    texts: StepTexts
    changes: bool
    ask: str
    who: str
    otherwise: str
    label: str
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One runbook of the sheet, its values ready to be printed; '' where there is none.

    `texts` has the sentences team, rights, ask and help of its role. `carry_to` names the other
    servers on which its receipt is asked for. `begin_until` is when a changing runbook must begin,
    so that it and the whole way back end inside the window.
    """

    number: str
    backward: bool
    title: str
    host: str
    fqdn: str
    file: str
    minutes: str
    effect: str
    stop: str
    texts: Mapping[str, str]
    receipt: str
    carry_to: str
    content_hash: str
    begin_until: str
    _summary: Summary
    _runbooks: Mapping[str, Runbook]

    @property
    def command(self) -> str:
        """The command line that runs it."""
        path = self.file.replace("/", "\\")
        return f"{COMMAND} .\\{path}"

    @property
    def preview(self) -> str:
        """The command line that shows what it would change."""
        return f"{self.command} -WhatIf" if self._summary.runbook.touches else ""

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """What it asks for."""
        runbook, all_of_them = self._summary.runbook, self._runbooks
        return tuple(_receipt(need, all_of_them[need.id], runbook) for need in runbook.needs)

    @property
    def undo(self) -> str:
        """The number of what takes it back."""
        undo = self._summary.runbook.undo
        return _number(self._runbooks[undo]) if undo else ""

    @property
    def undoes(self) -> str:
        """The number of what it takes back."""
        undoes = self._summary.runbook.undoes
        return _number(self._runbooks[undoes]) if undoes else ""

    @property
    def leave_out(self) -> str:
        """The undo runbooks that a gate of the way back serves.

        When they found nothing to undo, it has nothing to do.
        """
        served = self._summary.runbook.serves if self.backward else ()
        return " and ".join(_number(self._runbooks[one]) for one in served)

    @property
    def steps(self) -> tuple[SheetStep, ...]:
        """Its steps as the operator meets them."""
        return tuple(_steps(self._summary))


class Maker:
    """Makes an entry of a summary, and knows for that all runbooks of the plan."""

    def __init__(self, plan: Plan, times: Times) -> None:
        self._times = times
        self._runbooks = {runbook.id: runbook for runbook in plan.runbooks}
        self._carry: dict[str, dict[str, None]] = {}
        for runbook in self._runbooks.values():
            for need in runbook.needs:
                if self._runbooks[need.id].host.fqdn != runbook.host.fqdn:
                    self._carry.setdefault(need.id, {})[runbook.host.netbios] = None

    def entry(self, summary: Summary) -> Entry:
        """One entry."""
        runbook = summary.runbook
        return Entry(
            number=_number(runbook),
            backward=runbook.backward,
            title=runbook.title,
            host=runbook.host.netbios,
            fqdn=runbook.host.fqdn,
            file=runbook.file,
            minutes=runbook.texts["minutes"],
            effect=runbook.effect,
            stop=runbook.texts["stop"] or "none",
            texts=runbook.texts,
            receipt=_receipt_file(runbook),
            carry_to=", ".join(self._carry.get(runbook.id, ())),
            content_hash=summary.content_hash,
            begin_until=self._times.begin_until(runbook),
            _summary=summary,
            _runbooks=self._runbooks,
        )


class Entries(Sequence[Entry]):
    """The entries of summaries, each made when it is read: there may be tens of thousands."""

    def __init__(self, summaries: Sequence[Summary], made: Maker) -> None:
        self._summaries = summaries
        self._made = made

    def of(self, *, backward: bool) -> Entries:
        """Those of one direction."""
        chosen = [one for one in self._summaries if one.runbook.backward == backward]
        return Entries(chosen, self._made)

    def __len__(self) -> int:
        return len(self._summaries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> Entries: ...

    def __getitem__(self, index: int | slice) -> Entry | Entries:
        if isinstance(index, slice):
            return Entries(self._summaries[index], self._made)
        return self._made.entry(self._summaries[index])

    def __iter__(self) -> Iterator[Entry]:
        return map(self._made.entry, self._summaries)

    def __add__(self, other: Entries) -> Entries:
        return Entries([*self._summaries, *other._summaries], self._made)


def _receipt(need: Need, needed: Runbook, runbook: Runbook) -> Receipt:
    here = needed.host.fqdn == runbook.host.fqdn
    where = "written on this server" if here else f"carried here from {needed.host.netbios}"
    if need.hours is not None:
        where += f", not older than {need.hours} hours (else run {_number(needed)} again)"
    return Receipt(number=_number(needed), file=_receipt_file(needed), where=where)


def _receipt_file(runbook: Runbook) -> str:
    return f"{runbook.id}.receipt.json"


def _steps(summary: Summary) -> Iterator[SheetStep]:
    undoes = bool(summary.runbook.undoes)
    for step, wanted in zip(summary.runbook.steps, summary.wanted, strict=True):
        flags = step.definition.flags
        changes = ("undo_apply" if undoes else "apply") in step.definition.blocks
        yield SheetStep(
            number=step.number,
            texts=step.texts,
            changes=changes,
            ask=flags.get("ask", ""),
            who=flags.get("who", ""),
            otherwise=flags.get("otherwise", ""),
            label=("Takes back" if undoes else "Sets") if changes else "Must hold",
            wanted=_shown(wanted),
        )


@lru_cache(maxsize=4096)
def _shown(wanted: str) -> tuple[str, ...]:
    """The lines of a table of values, a name that the product makes up as the log shows it."""
    return tuple(_PATTERN.sub(r"\1", wanted).splitlines())


def _number(runbook: Runbook) -> str:
    return f"undo/{runbook.number}" if runbook.backward else runbook.number
