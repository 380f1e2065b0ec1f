"""What the templates are told about a runbook: ready values and sentences, no decisions left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from generator.model.plan import Plan, Runbook, Step, StepDefinition
from generator.templating import expressions
from generator.templating.powershell import ZERO_HASH


def step_names(plan: Plan, runbook: Runbook) -> dict[str, Any]:
    """The names that every step file of a runbook may use: inventory, host, runbook, predecessors.

    `past` maps `product.action` to the id of the predecessor of that name in this direction.
    """
    past: dict[str, str] = {}
    for need in runbook.needs:
        past.setdefault(need.name, need.id)
    return {
        **plan.inventory.values,
        "host": runbook.host.names,
        "runbook": {
            "id": runbook.id,
            "number": runbook.number,
            "action": runbook.definition.action,
        },
        "backward": runbook.backward,
        "past": past,
        "follows": [],
        "shell": runbook.definition.values.get("shell", True),
    }


def names_of_step(names: dict[str, Any], step: StepDefinition) -> dict[str, Any]:
    """The same for one step: `follows` are the ids of the steps that it comes after."""
    return {**names, "follows": list(step.follows)} if step.follows else names


def product_names(runbook: Runbook) -> dict[str, Any]:
    """Which blocks of the product a runbook carries."""
    values = runbook.definition.values
    return {
        "shell": values.get("shell", True),
        "save": values.get("save", runbook.definition.changes),
    }


def step_heading(runbook: Runbook, step: Step) -> dict[str, Any]:
    """The heading of a step: fixed fields in a fixed order, left out where there is no text."""
    texts, flags = step.texts, step.definition.flags
    check = not flags.keys() & {"ask", "wait"} and not step.definition.acts
    number = f"{step.number} of {len(runbook.steps)}"
    lines = [
        ("Why", texts.why),
        ("Effect", texts.effect),
        ("Passed" if check else "Done", texts.done),
        ("Undo", texts.undo),
    ]
    return {
        "kind": f"{'Check' if check else 'Step'} {number} - ",
        "heading": texts.title,
        "lines": [{"label": label, "text": text} for label, text in lines if text],
        "number": step.number,
        "step_id": step.definition.id,
        "title": texts.title,
    }


def runbook_names(
    plan: Plan,
    runbook: Runbook,
    after: Runbook | None,
    commands: Sequence[str],
) -> dict[str, Any]:
    """The names that header and facts use.

    `after` is the next runbook in the order of work, `commands` are those that must be there.
    """
    change = plan.inventory.values["change"]
    names = step_names(plan, runbook)
    forward = not runbook.backward
    window = change.get("window") if forward and runbook.touches else None
    counterpart = runbook.undo or runbook.undoes
    members = runbook.definition.values.get("members", ())
    place = f"templates/{runbook.definition.source}", runbook.definition.line
    return {
        **names,
        "id": runbook.id,
        "own_hash": ZERO_HASH,
        "label": f"{'Undo' if runbook.backward else 'Runbook'} {runbook.number} - ",
        "title": runbook.title,
        "run_on": f"{runbook.host.fqdn}   ({runbook.texts['role']})",
        "rights": runbook.texts["rights"],
        "effect": runbook.effect,
        "needs_line": _needs_line(runbook),
        "undo_line": _undo_line(runbook),
        "origin": f"inventory {plan.inventory.name}, generated: an edited copy refuses to run.",
        "touches": runbook.touches,
        "steps": [
            {
                "label": f"{_kind(runbook) if step.number == 1 else '':<9}{step.number}",
                "line": step.texts.title,
            }
            for step in runbook.steps
        ],
        "window": window,
        "needs": _gates(runbook),
        "serves": [need.id for need in runbook.needs if need.id in runbook.serves],
        "undoes": runbook.undoes or "",
        "witness": bool(change.get("witness", False)),
        "voids": [counterpart] if counterpart else [],
        "commands": list(commands),
        "members": [expressions.located(member, names, *place) for member in members],
        "ask": runbook.texts["ask"],
        "next": _next(runbook, after),
        "help": runbook.texts["help"],
    }


def with_next(plan: Plan) -> Iterator[tuple[Runbook, Runbook | None]]:
    """Each runbook with the next one in the order of work of its direction."""
    for line in (plan.forward, plan.undo):
        yield from zip(line, (*line[1:], None), strict=True)


def _gates(runbook: Runbook) -> list[dict[str, Any]]:
    """The gates as facts: one for each predecessor, and one for all instances of one runbook.

    The engine finds the ids of the latter in the table of the change, so that a script is as long
    for thirty servers as for two.
    """
    found: dict[str, dict[str, Any]] = {}
    for need in runbook.needs:
        product_action = need.id.split("-", 2)[2].rpartition("_")[0]
        gate = {"hours": need.hours, **({"all": product_action} if need.every else {"id": need.id})}
        found.setdefault(product_action if need.every else need.id, gate)
    return list(found.values())


def _kind(runbook: Runbook) -> str:
    return "Steps" if runbook.touches else "Checks"


def _needs_line(runbook: Runbook) -> str:
    parts = []
    if runbook.needs:
        word = "receipt" if len(runbook.needs) == 1 else "receipts"
        parts.append(f"{word} of " + _spans([_number(need.id) for need in runbook.needs]))
    if runbook.undoes:
        parts.append(f"the records of {runbook.undoes} on this server")
    return "; ".join(parts) or "nothing before it"


def _number(identifier: str) -> str:
    """`10-001` of an id."""
    return "-".join(identifier.split("-")[:2])


def _spans(numbers: Sequence[str]) -> str:
    """`10-001, 20-001 to 20-040`: neighbors of one band as a span."""
    spans: list[list[str]] = []
    for number in numbers:
        band, sequence = number.split("-")
        last_band, last = spans[-1][-1].split("-") if spans else ("", "0")
        if band == last_band and int(sequence) == int(last) + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(
        f"{span[0]} to {span[-1]}" if len(span) > 2 else ", ".join(span) for span in spans
    )


def _undo_line(runbook: Runbook) -> str:
    if runbook.undo:
        return f"undo/{runbook.undo}.ps1"
    return "Nothing to undo." if runbook.touches and not runbook.backward else ""


def _next(runbook: Runbook, after: Runbook | None) -> str:
    if after is None:
        return "nothing, this was the last runbook of the change"
    name = f"{after.file} on {after.host.netbios}"
    carried = any(need.id == runbook.id for need in after.needs)
    if carried and after.host.fqdn != runbook.host.fqdn:
        return f"{name}, with the receipt of this one"
    return name
