"""The rollback: one undo for each changing runbook, in the reverse order of work.

A gate that serves a changing runbook (a restart, a wait) follows its undo, on every server that
must notice. Each undo waits for the undo of whatever was built upon what it rolls back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from generator.model.plan import Need, Runbook, RunbookDefinition, StepDefinition

Notices = Callable[[Runbook], bool]
"""Whether the undo repeats this gate: `undo.when` of its role.yml, on its host."""


def make(
    forward: Sequence[Runbook], notices: Notices
) -> tuple[tuple[Runbook, ...], tuple[Runbook, ...]]:
    """The runbooks of undo/ in order, and the forward ones with the id of their undo."""
    groups = _groups(forward, notices)
    width = max([3, *(len(str(len(group))) for group in groups)])
    ids: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for at, group in enumerate(groups, start=1):
        for sequence, runbook in enumerate(group, start=1):
            number = f"{at:02d}-{sequence:0{width}d}"
            numbers[runbook.id] = number
            definition = runbook.definition
            name = f"undo-{definition.product}-{definition.action}"
            ids[runbook.id] = f"{number}-{name}_{runbook.host.netbios}"
    waits = _waits(forward)
    served = _served(forward)
    definitions: dict[int, RunbookDefinition] = {}
    backward = tuple(
        replace(
            _undo(runbook, ids, numbers, waits),
            definition=definitions.setdefault(id(runbook.definition), _turned(runbook.definition)),
            serves=tuple(ids[one] for one in served[runbook.definition.serves]),
        )
        for group in groups
        for runbook in group
    )
    return backward, tuple(
        replace(
            runbook,
            undo=ids.get(runbook.id) if runbook.definition.changes else None,
            serves=served[runbook.definition.serves],
        )
        for runbook in forward
    )


def _turned(definition: RunbookDefinition) -> RunbookDefinition:
    """Its steps in the undo: the changing ones in reverse, what stands between them in its place.

    So a wait behind a change waits behind its rollback, and a hold point stays in front or behind.
    """
    chosen = definition.values.get("undo", {}).get("steps")
    steps = [
        step
        for step in definition.steps
        if step.changes or (step.in_undo and (chosen is None or step.id in chosen))
    ]
    last_first = iter([step for step in reversed(steps) if step.changes])
    return replace(
        definition,
        steps=tuple(next(last_first) if step.changes else _again(step) for step in steps),
    )


def _again(step: StepDefinition) -> StepDefinition:
    """A step that the undo repeats, in its own words where it has some."""
    if not step.undo_texts.title:
        return step
    flags = {**step.flags, "ask": step.undo_ask} if step.undo_ask else step.flags
    return replace(step, texts=step.undo_texts, flags=flags)


def _groups(forward: Sequence[Runbook], notices: Notices) -> list[list[Runbook]]:
    """Changing runbooks by name, last first; a gate follows the last of those it serves."""
    by_name: dict[str, list[Runbook]] = {}
    for runbook in forward:
        by_name.setdefault(runbook.definition.name, []).append(runbook)
    changing = [name for name, found in by_name.items() if found[0].definition.changes]
    groups: list[list[Runbook]] = []
    for name in reversed(changing):
        groups.append(by_name[name][::-1])
        for found in by_name.values():
            served = [one for one in changing if one in found[0].definition.serves]
            # The first in the forward order is the last to be rolled back.
            if served[:1] == [name]:
                groups.append([one for one in found if notices(one)])
    return [group for group in groups if group]


def _waits(forward: Sequence[Runbook]) -> dict[str, list[Runbook]]:
    """Changing runbook -> the changing runbooks built upon it, also through gates."""
    by_id = {runbook.id: runbook for runbook in forward}
    waits: dict[str, dict[str, Runbook]] = {runbook.id: {} for runbook in forward}

    for runbook in forward:
        if not runbook.definition.changes:
            continue
        seen: set[str] = set()
        queue = [need.id for need in runbook.needs]
        while queue:
            needed = queue.pop()
            if needed in seen:
                continue
            seen.add(needed)
            if by_id[needed].definition.changes:
                waits[needed][runbook.id] = runbook
            else:
                queue += [need.id for need in by_id[needed].needs]
    return {id_: list(found.values()) for id_, found in waits.items()}


def _undo(
    runbook: Runbook,
    ids: Mapping[str, str],
    numbers: Mapping[str, str],
    waits: Mapping[str, list[Runbook]],
) -> Runbook:
    definition = runbook.definition
    if definition.changes:
        needs = [Need(ids[later.id], later.definition.name) for later in waits[runbook.id]]
    else:
        # A gate waits for the undo that it serves and for the gates before it.
        needs = [replace(one, id=ids[one.id], hours=None) for one in runbook.needs if one.id in ids]
    return replace(
        runbook,
        id=ids[runbook.id],
        number=numbers[runbook.id],
        backward=True,
        needs=tuple(sorted(needs, key=lambda need: need.id)),
        undoes=runbook.id if definition.changes else None,
        undo=None,
    )


def _served(forward: Sequence[Runbook]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """`serves` of a definition -> ids of the changing runbooks of those names, in order."""
    changing = [runbook for runbook in forward if runbook.definition.changes]
    return {
        names: tuple(runbook.id for runbook in changing if runbook.definition.name in names)
        for names in {runbook.definition.serves for runbook in forward}
    }
