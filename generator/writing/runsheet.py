"""RUNSHEET.md: what an operator holds in the night of the change, to be read and to be printed.

This module prepares values and sentences from the plan; the words stand in a template
(`templates/_runbook/runsheet.md.j2`), so that a project can overlay them with its own.
"""

from __future__ import annotations

import itertools
import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2

from generator.built import Build, Summary
from generator.errors import OutputError
from generator.templating import markdown
from generator.templating.templates import SPINE, TemplateTree
from generator.writing.entries import Entries, Maker, Times

NAME = "RUNSHEET.md"
TEMPLATE = f"{SPINE}/runsheet.md.j2"

_GAP = re.compile(r"\n{3,}")
_PARTS = 4_096
"""So many parts, most of them words, are joined before they are looked at."""

MOST_NAMES = 12
"""So many servers are named in the first table of the sheet; more would fill the page."""


def render(build: Build, tree: TemplateTree | None = None) -> str:
    """The run sheet of a build; raises OutputError, with its line, for a faulty template."""
    summaries = [script.summary for script in build.rendered]
    return "".join(stream(build, summaries, tree or TemplateTree.for_project()))


def stream(build: Build, summaries: Sequence[Summary], tree: TemplateTree) -> Iterator[str]:
    """The same, part by part. `summaries` are those of the scripts of the build, in order."""
    try:
        template = markdown.environment(tree).get_template(TEMPLATE)
        yield from _without_gaps(template.generate(values(build, summaries)))
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


def _without_gaps(parts: Iterable[str]) -> Iterator[str]:
    """A template need not count its empty lines: at most one stands between others."""
    blocks = _blocks(parts)
    held = next(blocks).lstrip("\n")
    for block in blocks:
        yield _GAP.sub("\n\n", held)
        held = block
    yield _GAP.sub("\n\n", held).rstrip("\n") + "\n"


def _blocks(parts: Iterable[str]) -> Iterator[str]:
    """The same text in larger parts, of which only the last may end with a line end."""
    iterator = iter(parts)
    waiting = ""
    while batch := list(itertools.islice(iterator, _PARTS)):
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


def _display(tree: TemplateTree, filename: str | None) -> str:
    return tree.display(Path(filename)) if filename else f"templates/{TEMPLATE}"
