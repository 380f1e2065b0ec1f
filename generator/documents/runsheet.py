"""RUNSHEET.md: what an operator holds in the night of the change, to be read and to be printed.

This module prepares values and sentences from the plan; the words stand in a template
(`templates/_runbook/runsheet.md.j2`), so that a project can overlay them with its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jinja2

from generator.documents.runsheet_entries import Entries, Maker
from generator.findings import FindingsError
from generator.model.build import Build, Summary
from generator.planning.times import Times
from generator.templating import errors, limits, markdown
from generator.templating.templates import SPINE, TemplateTree

NAME = "RUNSHEET.md"
TEMPLATE = f"{SPINE}/runsheet.md.j2"

_GAP = re.compile(r"\n{3,}")

STEPS, CHARACTERS = 20_000, 50_000
"""For each runbook of the change, beside what every template may do; about a fiftieth is used."""

MOST_NAMES = 12
"""So many servers are named in the first table of the sheet; more would fill the page."""


def render(build: Build, tree: TemplateTree | None = None) -> str:
    """The run sheet of a build; raises FindingsError, with its line, for a faulty template."""
    summaries = [script.summary for script in build.rendered]
    return "".join(stream(build, summaries, tree or TemplateTree.for_project()))


def stream(build: Build, summaries: Sequence[Summary], tree: TemplateTree) -> Iterator[str]:
    """The same, part by part. `summaries` are those of the scripts of the build, in order."""
    made = markdown.environment(tree)
    try:
        template = made.get_template(TEMPLATE)
    except (jinja2.TemplateError, FindingsError) as error:
        raise FindingsError(tree.named(errors.loading(error, TEMPLATE))) from error
    count = len(summaries)
    made.meter.start(limits.STEPS + STEPS * count, limits.CHARACTERS + CHARACTERS * count)
    try:
        yield from _without_gaps(made.batches(template.generate(values(build, summaries))))
    except Exception as error:
        raise FindingsError(tree.named(errors.rendering(error, template, tree))) from error


def _without_gaps(batches: Iterable[list[str]]) -> Iterator[str]:
    """A template need not count its empty lines: at most one stands between others."""
    blocks = _blocks(batches)
    held = next(blocks).lstrip("\n")
    for block in blocks:
        yield _GAP.sub("\n\n", held)
        held = block
    yield _GAP.sub("\n\n", held).rstrip("\n") + "\n"


def _blocks(batches: Iterable[list[str]]) -> Iterator[str]:
    """The same text in larger parts, of which only the last may end with a line end."""
    waiting = ""
    for batch in batches:
        waiting += "".join(batch)
        if not waiting.endswith("\n"):
            yield waiting
            waiting = ""
    yield waiting


def values(build: Build, summaries: Sequence[Summary]) -> dict[str, Any]:
    """What the template is told. `forward` and `undo` make their entries when they are read."""
    plan = build.plan
    change = plan.inventory.values["change"]
    window = change.get("window")
    times = Times(plan, window)
    entries = Entries(summaries, Maker(plan, times))
    hosts = list(
        dict.fromkeys(f"{one.runbook.host.netbios} ({one.runbook.host.fqdn})" for one in summaries)
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
        "forward": entries.of(backward=False),
        "undo": entries.of(backward=True),
        "engine_hash": build.engine_hash,
        "folder": f"C:\\ProgramData\\Runbook\\{change['id']}",
        "local_folder": f"C:\\Runbooks\\{change['id']}",
    }
