"""Which runbooks there are, where they run, in which order, after what.

Nodes are instances of runbook definitions on hosts, edges their gates. The order is a
topological order of that graph; among runbooks that are free to run, the phase decides, then
the order of the products, then that of role.yml, then that of the hosts in the inventory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from generator.findings import Finding, FindingsError
from generator.model.inventory import Host, Inventory
from generator.model.plan import (
    Need,
    NeedDefinition,
    Phase,
    Plan,
    Product,
    Role,
    Runbook,
    RunbookDefinition,
    StepDefinition,
)
from generator.planning import losses, rollback
from generator.planning.instances import Edge, Instance, Key
from generator.planning.texts import runbook_texts
from generator.templating import expressions


def make(
    inventory: Inventory,
    products: Sequence[Product],
    phases: Sequence[Phase],
    go: StepDefinition,
) -> Plan:
    """The whole order of work; raises FindingsError when a role cannot be planned.

    `go` is the hold point before the first change.
    """
    present = [product for product in products if product.name in inventory.values]
    instances = list(_instances(inventory, present, [phase.band for phase in phases]))
    losses.refuse_lost_work(instances, present)
    targets = _targets(instances)
    edges = {one.key: tuple(_edges(one, targets, inventory)) for one in instances}
    losses.refuse_lost_gates(instances, edges)
    losses.refuse_unverified(instances, edges)
    ordered = _with_go(_order(instances, edges), go)
    numbers = _numbers(ordered)
    ids = {one.key: identifier(one.definition, numbers[one.key], one.host) for one in ordered}
    needs = _Needs()
    forward = tuple(
        _runbook(one, numbers[one.key], needs.of(edges[one.key], ids), ids[one.key])
        for one in ordered
    )
    backward, forward = rollback.make(forward, lambda one: _notices(one, inventory))
    return runbook_texts(Plan(inventory, forward, backward), present)


def context(inventory: Inventory, host: Host) -> dict[str, Any]:
    """The names that an expression of a role may use on a host."""
    return {**inventory.values, "host": host.names}


def _instances(
    inventory: Inventory, products: Iterable[Product], bands: Sequence[str]
) -> Iterator[Instance]:
    for place, product in enumerate(products):
        counter = 0
        for role in product.roles:
            hosts = [(host, context(inventory, host)) for host in _hosts(role, inventory)]
            for definition in role.runbooks:
                counter += 1
                band = bands.index(definition.phase)
                source = f"templates/{definition.source}"
                variants: dict[tuple[bool, ...], RunbookDefinition] = {}
                chosen = hosts[:1] if definition.scope == "organization" else hosts
                for index, (host, names) in enumerate(chosen):
                    if _holds(definition.when, names, source, definition.line):
                        made = _with_steps(definition, names, variants, first=index == 0)
                        yield Instance((band, place, counter, index), made, host)


def _notices(runbook: Runbook, inventory: Inventory) -> bool:
    """Whether the undo repeats a gate on its host."""
    definition = runbook.definition
    when = definition.values.get("undo", {}).get("when")
    names = context(inventory, runbook.host)
    return _holds(when, names, f"templates/{definition.source}", definition.line)


def _hosts(role: Role, inventory: Inventory) -> list[Host]:
    source = f"templates/{role.source}"
    found = expressions.located(role.hosts, inventory.values, source, 1)
    try:
        return [
            Host(
                one["fqdn"],
                one["netbios"],
                one["ad_domain"],
                one,
                inventory.within.get(one["fqdn"]),
            )
            for one in found
        ]
    except (KeyError, TypeError):
        message = f"hosts is no list of servers: {role.hosts}"
        raise FindingsError([Finding("T305", message, source, 1, 1)]) from None


def _holds(when: str | None, names: Mapping[str, Any], source: str, line: int) -> bool:
    return when is None or bool(expressions.located(when, names, source, line))


def _with_steps(
    definition: RunbookDefinition,
    names: Mapping[str, Any],
    variants: dict[tuple[bool, ...], RunbookDefinition],
    *,
    first: bool,
) -> RunbookDefinition:
    """The definition with the steps that this host has; hosts with the same steps share one."""
    chosen = tuple(
        (first or not step.once) and _holds(step.when, names, step.source, step.line)
        for step in definition.steps
    )
    if all(chosen):
        return definition
    if chosen not in variants:
        kept = list(itertools.compress(definition.steps, chosen))
        ids = {step.id for step in kept}
        steps = (
            replace(step, follows=tuple(one for one in step.follows if one in ids))
            if step.follows
            else step
            for step in kept
        )
        variants[chosen] = replace(definition, steps=tuple(steps))
    return variants[chosen]


def _with_go(ordered: Sequence[Instance], go: StepDefinition) -> list[Instance]:
    """The first runbook that changes something begins with the hold point `go`."""
    found = list(ordered)
    for at, one in enumerate(found):
        if one.definition.changes:
            steps = (go, *one.definition.steps)
            found[at] = replace(one, definition=replace(one.definition, steps=steps))
            break
    return found


def _targets(instances: Iterable[Instance]) -> dict[tuple[str, str], list[Instance]]:
    """Name of a runbook and name of a host ('' for all of them) -> its instances there."""
    found: dict[tuple[str, str], list[Instance]] = {}
    for one in instances:
        for host in ("", one.host.fqdn):
            found.setdefault((one.definition.name, host), []).append(one)
    return found


def _edges(
    one: Instance, targets: Mapping[tuple[str, str], list[Instance]], inventory: Inventory
) -> Iterator[Edge]:
    for need in one.definition.needs:
        found = targets.get((need.runbook, one.host.fqdn if need.hosts == "same" else ""), [])
        if need.hosts == "first":
            found = found[:1]
        hours = _hours(need, one, inventory)
        for target in found:
            yield target, need, hours


def _hours(need: NeedDefinition, one: Instance, inventory: Inventory) -> int | None:
    if need.hours is None:
        return None
    source = f"templates/{one.definition.source}"
    found = expressions.located(need.hours, context(inventory, one.host), source, need.line)
    try:
        return int(str(found))
    except ValueError:
        message = f"hours is no whole number: {need.hours}"
        raise FindingsError([Finding("T305", message, source, need.line, 1)]) from None


def _order(instances: Sequence[Instance], edges: Mapping[Key, Sequence[Edge]]) -> list[Instance]:
    """Topological, and by phase; a gate on a later phase would contradict the file listing."""
    findings = [
        Finding(
            "T301",
            f"'{one.definition.name}' needs '{target.definition.name}', which comes later",
            f"templates/{one.definition.source}",
            need.line,
            1,
        )
        for one in instances
        for target, need, _ in edges[one.key]
        if target.key[0] > one.key[0]
    ]
    if findings:
        raise FindingsError(list(dict.fromkeys(findings)))
    by_key = {one.key: one for one in instances}
    sorter = TopologicalSorter({k: [t.key for t, _, _ in found] for k, found in edges.items()})
    ordered: list[Instance] = []
    try:
        sorter.prepare()
    except CycleError as error:
        names = " -> ".join(by_key[key].definition.name for key in error.args[1])
        source = f"templates/{by_key[error.args[1][0]].definition.source}"
        raise FindingsError(
            [Finding("T302", f"the gates form a ring: {names}", source, 1, 1)]
        ) from None
    free: list[Key] = []
    while sorter.is_active():
        for key in sorter.get_ready():
            heappush(free, key)
        first = heappop(free)
        ordered.append(by_key[first])
        sorter.done(first)
    return ordered


def _numbers(ordered: Sequence[Instance]) -> dict[Key, str]:
    """`BB-SSS`: the sequence is as wide as the largest band of the change needs."""
    counts: dict[str, int] = {}
    sequence: dict[Key, tuple[str, int]] = {}
    for one in ordered:
        band = one.definition.phase
        counts[band] = counts.get(band, 0) + 1
        sequence[one.key] = band, counts[band]
    width = max(3, len(str(max(counts.values(), default=0))))
    return {key: f"{band}-{number:0{width}d}" for key, (band, number) in sequence.items()}


class _Needs:
    """Gates by their ids; runbooks that wait for the same share them, and there are thousands."""

    def __init__(self) -> None:
        self._known: dict[tuple[Need, ...], tuple[Need, ...]] = {}

    def of(self, edges: Iterable[Edge], ids: Mapping[Key, str]) -> tuple[Need, ...]:
        needs = {
            ids[target.key]: Need(
                ids[target.key], target.definition.name, hours, need.hosts == "all"
            )
            for target, need, hours in edges
        }
        found = tuple(needs[key] for key in sorted(needs))
        return self._known.setdefault(found, found)


def _runbook(one: Instance, number: str, needs: tuple[Need, ...], id_: str) -> Runbook:
    return Runbook(
        id=id_,
        number=number,
        definition=one.definition,
        host=one.host,
        title="",
        effect="",
        backward=False,
        texts={},
        steps=(),
        needs=needs,
    )


def identifier(definition: RunbookDefinition, number: str, host: Host) -> str:
    """The runbook's id: its file name without the ending."""
    return f"{number}-{definition.product}-{definition.action}_{host.netbios}"
