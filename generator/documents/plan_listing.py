"""The plan as text or JSON: what runs where, in which order, after what, wanting which values."""

from __future__ import annotations

import json
from typing import Any

from generator.model.build import Build, Summary


def plan_lines(build: Build) -> list[str]:
    """The plan for people, one paragraph a runbook, line by line."""
    change = build.plan.inventory.values["change"]
    lines = [f"{change['id']}  {change['title']}", ""]
    for script in build.rendered:
        if script.runbook.backward and script.runbook == build.plan.undo[0]:
            lines += ["What takes it back, in undo/:", ""]
        lines += [*_paragraph(script.summary), ""]
    return lines[:-1]


def plan_json(build: Build) -> str:
    """The plan for programs: an object with `change`, `forward` and `undo`."""
    change = build.plan.inventory.values["change"]
    summaries = [script.summary for script in build.rendered]
    data = {
        "change": {"id": change["id"], "title": change["title"]},
        "forward": [_entry(one) for one in summaries if not one.runbook.backward],
        "undo": [_entry(one) for one in summaries if one.runbook.backward],
    }
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"


def _paragraph(one: Summary) -> list[str]:
    runbook = one.runbook
    lines = [
        f"{runbook.number}  {runbook.title}",
        f"  on     {runbook.host.netbios} ({runbook.host.fqdn})",
        *(f"  after  {need.id}" for need in runbook.needs),
    ]
    for step, wanted in zip(runbook.steps, one.wanted, strict=True):
        lines.append(f"  {step.number:>2}  {step.texts.title}")
        lines += [f"        {line}" for line in wanted.splitlines()]
    return lines


def _entry(one: Summary) -> dict[str, Any]:
    runbook = one.runbook
    return {
        "id": runbook.id,
        "number": runbook.number,
        "title": runbook.title,
        "file": runbook.file,
        "host": {"netbios": runbook.host.netbios, "fqdn": runbook.host.fqdn},
        "after": [need.id for need in runbook.needs],
        "undo": runbook.undo,
        "undoes": runbook.undoes,
        "steps": [
            {
                "number": step.number,
                "id": step.definition.id,
                "title": step.texts.title,
                "wanted": wanted.splitlines(),
            }
            for step, wanted in zip(runbook.steps, one.wanted, strict=True)
        ],
    }
