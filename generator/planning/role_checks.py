"""What is wrong in a role beyond its schema: its blocks, its ids, what it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from generator.findings import Finding
from generator.model.plan import Product, StepDefinition
from generator.schema import yaml_source

_BLOCKS = {
    "wanted", "read", "require", "apply", "check", "diagnosis", "undo_require", "undo_risk",
    "undo_apply",
}  # fmt: skip


def finding_at(
    document: yaml_source.Document,
    place: tuple[str | int, ...],
    code: str,
    message: str,
    hint: str = "",
) -> Finding:
    """A finding at a place of a role.yml, with the line that stands there."""
    line, column = document.mark(place)
    return Finding(code, message, document.display, line, column, hint, document.source_line(line))


def block_mistakes(
    data: Mapping[str, Any],
    blocks: frozenset[str],
    template: str,
    document: yaml_source.Document,
    place: tuple[str | int, ...],
) -> Iterator[Finding]:
    """A step's file has the blocks that belong together, and a change has its way back."""
    for name in sorted(blocks - _BLOCKS):
        message = f"templates/{template} has the block '{name}', which no step has"
        hint = f"a step has {', '.join(sorted(_BLOCKS))}"
        yield finding_at(document, (*place, "id"), "T203", message, hint)
    if not blocks & {"read", "check"}:
        message = f"templates/{template} has neither a block 'read' nor a block 'check'"
        yield finding_at(document, (*place, "id"), "T204", message)
    if ("wanted" in blocks) != ("read" in blocks):
        message = f"templates/{template} needs the blocks 'wanted' and 'read' together"
        yield finding_at(document, (*place, "id"), "T205", message)
    if "apply" in blocks and not data.get("repeats"):
        if "undo_apply" not in blocks:
            message = f"templates/{template} changes something and has no block 'undo_apply'"
            yield finding_at(document, (*place, "id"), "T206", message)
        if "back" not in data:
            message = f"step '{data['id']}' changes something and has no texts for its undo"
            yield finding_at(document, (*place, "id"), "T207", message, "add 'back' with a title")


def repeated_ids(
    steps: tuple[StepDefinition, ...],
    document: yaml_source.Document,
    place: tuple[str | int, ...],
) -> Iterator[Finding]:
    """Records find a step by its id, so no runbook has one twice."""
    seen: set[str] = set()
    for index, step in enumerate(steps):
        if step.id in seen:
            message = f"step id '{step.id}' stands twice in this runbook"
            yield finding_at(document, (*place, "steps", index, "id"), "T208", message)
        seen.add(step.id)


def following(
    steps: tuple[StepDefinition, ...],
    document: yaml_source.Document,
    place: tuple[str | int, ...],
) -> Iterator[Finding]:
    """A step follows others that come before it, and that change something."""
    changing: set[str] = set()
    for index, step in enumerate(steps):
        for at, name in enumerate(step.follows):
            if name not in changing:
                message = f"'{name}' is no changing step before '{step.id}' in this runbook"
                yield finding_at(document, (*place, "steps", index, "after", at), "T231", message)
        if step.acts:
            changing.add(step.id)


def check_references(products: Iterable[Product], bands: Iterable[str]) -> Iterator[Finding]:
    """Names of other runbooks, phases and served runbooks exist."""
    runbooks = [r for product in products for role in product.roles for r in role.runbooks]
    names = {runbook.name: runbook for runbook in runbooks}
    for runbook in runbooks:
        place = f"templates/{runbook.source}"
        for reference, line in [
            *((need.runbook, need.line) for need in runbook.needs),
            *((name, runbook.line) for name in runbook.serves),
        ]:
            if reference not in names:
                yield Finding("T210", f"there is no runbook '{reference}'", place, line, 1)
        if runbook.phase not in bands:
            message = f"there is no phase '{runbook.phase}' in phases.yml"
            yield Finding("T211", message, place, runbook.line, 1)
        for name in runbook.serves:
            if name in names and not names[name].changes:
                message = f"'{name}' changes nothing, so no gate can serve it"
                yield Finding("T212", message, place, runbook.line, 1)
    for path in {Path(runbook.source) for runbook in runbooks if names[runbook.name] != runbook}:
        yield Finding("T213", "two runbooks have one name", f"templates/{path}", 1, 1)
