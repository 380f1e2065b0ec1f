"""RUNSHEET.md: what an operator holds in the night of the change, to be read and to be printed.

This module prepares values and sentences from the plan; the words stand in a template
(`templates/_runbook/runsheet.md.j2`), so that a project can overlay them with its own.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2

from generator import markdown
from generator.errors import OutputError
from generator.model import Build, Need, Plan, RenderedRunbook, Runbook, StepTexts
from generator.templates import SPINE, TemplateTree

NAME = "RUNSHEET.md"
TEMPLATE = f"{SPINE}/runsheet.md.j2"
COMMAND = "powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File"

# A name that the product makes up: the script has a pattern and the text that the log shows.
_PATTERN = re.compile(r"@\{\s*Pattern = '(?:[^']|'')*'[;\s]+Text = '((?:[^']|'')*)'\s*\}")

MOST_NAMES = 12
"""So many servers are named in the first table of the sheet; more would fill the page."""


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
    """One runbook of the sheet, all its values ready to be printed; '' where there is none.

    `texts` has the sentences team, rights, ask and help of its role. `carry_to` names the other
    servers on which its receipt is asked for. `leave_out` names the undo runbooks that a gate of
    the way back serves: when they found nothing to undo, it has nothing to do. `begin_until` is
    when a changing runbook must begin, so that it and the whole way back end inside the window.
    """

    number: str
    backward: bool
    title: str
    host: str
    fqdn: str
    file: str
    command: str
    preview: str
    minutes: str
    effect: str
    stop: str
    texts: Mapping[str, str]
    receipts: tuple[Receipt, ...]
    receipt: str
    carry_to: str
    undo: str
    undoes: str
    leave_out: str
    steps: tuple[SheetStep, ...]
    content_hash: str
    begin_until: str


def render(build: Build, tree: TemplateTree | None = None) -> str:
    """The run sheet of a build; raises OutputError, with its line, for a faulty template."""
    tree = tree or TemplateTree.for_project()
    try:
        template = markdown.environment(tree).get_template(TEMPLATE)
        text = template.render(values(build))
    except jinja2.TemplateSyntaxError as error:
        raise OutputError(f"{_display(tree, error.filename)}:{error.lineno}: {error}") from error
    except jinja2.TemplateNotFound as error:
        raise OutputError(f"there is no file templates/{error.name}") from error
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(".j2")
        ]
        place = f"{_display(tree, frames[-1].filename)}:{frames[-1].lineno}: " if frames else ""
        raise OutputError(f"{place}{error}") from error
    # A template need not count its empty lines.
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def values(build: Build) -> dict[str, Any]:
    """What the template is told."""
    plan = build.plan
    change = plan.inventory.values["change"]
    window = change.get("window")
    times = _Times(plan, window)
    entries = list(_entries(build, times))
    hosts = list(
        dict.fromkeys(
            f"{one.runbook.host.netbios} ({one.runbook.host.fqdn})" for one in build.rendered
        )
    )
    servers = ", ".join(hosts) if len(hosts) <= MOST_NAMES else f"{len(hosts)}, see the table"
    return {
        "change": change,
        "name": plan.inventory.name,
        "servers": servers,
        "part": {"limit": ", ".join(build.limit), "of": len(plan.runbooks)}
        if build.limit
        else None,
        "window": window,
        "times": times,
        "forward": [entry for entry in entries if not entry.backward],
        "undo": [entry for entry in entries if entry.backward],
        "engine_hash": build.engine_hash,
        "folder": f"C:\\ProgramData\\Runbook\\{change['id']}",
        "local_folder": f"C:\\Runbooks\\{change['id']}",
    }


class _Times:
    """How long the parts take, in minutes, and what is left of the window.

    Everything before the first change can be done on any day before the window. Going back
    always takes all of undo/: a runbook that finds nothing to take back says so.
    """

    def __init__(self, plan: Plan, window: Mapping[str, str] | None) -> None:
        line = list(plan.forward)
        first = next((at for at, runbook in enumerate(line) if runbook.touches), len(line))
        self.before = _minutes(line[:first])
        self.change = _minutes(line[first:])
        self.undo = _minutes(plan.undo)
        self.window = 0
        self.back_until = ""
        self._back: datetime | None = None
        if window and plan.undo:
            end = datetime.fromisoformat(window["until"])
            length = end - datetime.fromisoformat(window["from"])
            self.window = int(length.total_seconds() // 60)
            self._back = end - timedelta(minutes=self.undo)
            self.back_until = _clock(self._back)
        self.both = self.change + self.undo
        self.short = bool(self.window) and self.both > self.window

    def begin_until(self, runbook: Runbook) -> str:
        """When a changing runbook must begin; empty for one that changes nothing, and in undo."""
        if not self._back or runbook.backward or not runbook.touches:
            return ""
        return _clock(self._back - timedelta(minutes=_minutes([runbook])))


def _minutes(runbooks: Sequence[Runbook]) -> int:
    return sum(int(runbook.texts["minutes"]) for runbook in runbooks)


def _entries(build: Build, times: _Times) -> Iterator[Entry]:
    runbooks = {runbook.id: runbook for runbook in build.plan.runbooks}
    carry: dict[str, dict[str, None]] = {id_: {} for id_ in runbooks}
    for runbook in runbooks.values():
        for need in runbook.needs:
            if runbooks[need.id].host.fqdn != runbook.host.fqdn:
                carry[need.id][runbook.host.netbios] = None
    for rendered in build.rendered:
        runbook = rendered.runbook
        path = runbook.file.replace("/", "\\")
        command = f"{COMMAND} .\\{path}"
        yield Entry(
            number=_number(runbook),
            backward=runbook.backward,
            title=runbook.title,
            host=runbook.host.netbios,
            fqdn=runbook.host.fqdn,
            file=runbook.file,
            command=command,
            preview=f"{command} -WhatIf" if runbook.touches else "",
            minutes=runbook.texts["minutes"],
            effect=runbook.effect,
            stop=runbook.texts["stop"] or "none",
            texts=runbook.texts,
            receipts=tuple(_receipt(need, runbooks[need.id], runbook) for need in runbook.needs),
            receipt=_receipt_file(runbook),
            carry_to=", ".join(carry[runbook.id]),
            undo=_number(runbooks[runbook.undo]) if runbook.undo else "",
            undoes=_number(runbooks[runbook.undoes]) if runbook.undoes else "",
            leave_out=" and ".join(_number(runbooks[id_]) for id_ in runbook.serves)
            if runbook.backward
            else "",
            steps=tuple(_steps(rendered)),
            content_hash=rendered.content_hash,
            begin_until=times.begin_until(runbook),
        )


def _receipt(need: Need, needed: Runbook, runbook: Runbook) -> Receipt:
    here = needed.host.fqdn == runbook.host.fqdn
    where = "written on this server" if here else f"carried here from {needed.host.netbios}"
    if need.hours is not None:
        where += f", not older than {need.hours} hours (else run {_number(needed)} again)"
    return Receipt(number=_number(needed), file=_receipt_file(needed), where=where)


def _receipt_file(runbook: Runbook) -> str:
    return f"{runbook.id}.receipt.json"


def _steps(rendered: RenderedRunbook) -> Iterator[SheetStep]:
    undoes = bool(rendered.runbook.undoes)
    for step in rendered.runbook.steps:
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
            wanted=tuple(
                _PATTERN.sub(r"\1", rendered.wanted.get(step.definition.id, "")).splitlines()
            ),
        )


def _number(runbook: Runbook) -> str:
    return f"undo/{runbook.number}" if runbook.backward else runbook.number


def _clock(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")


def _display(tree: TemplateTree, filename: str | None) -> str:
    return tree.display(Path(filename)) if filename else f"templates/{TEMPLATE}"
