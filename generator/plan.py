"""Which runbooks there are, where they run, in which order, after what.

Nodes are instances of runbook definitions on hosts, edges their gates. The order is a
topological order of that graph; among runbooks that are free to run, the phase decides, then
the order of the products, then that of role.yml, then that of the hosts in the inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import Any

from generator import expressions, undo
from generator.findings import Finding, FindingsError
from generator.model import (
    Host,
    Inventory,
    Need,
    NeedDefinition,
    Phase,
    Plan,
    Product,
    Role,
    Runbook,
    RunbookDefinition,
)
from generator.texts import runbook_texts

Key = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Instance:
    """A runbook on a host, before it has a number."""

    key: Key
    definition: RunbookDefinition
    host: Host


def make(inventory: Inventory, products: Sequence[Product], phases: Sequence[Phase]) -> Plan:
    """The whole order of work; raises FindingsError when a role cannot be planned."""
    present = [product for product in products if product.name in inventory.values]
    instances = list(_instances(inventory, present, [phase.band for phase in phases]))
    by_name: dict[str, list[Instance]] = {}
    for instance in instances:
        by_name.setdefault(instance.definition.name, []).append(instance)
    edges = {one.key: list(_edges(one, by_name, inventory)) for one in instances}
    ordered = _order(instances, edges)
    numbers = _numbers(ordered)
    forward = tuple(_runbook(one, numbers[one.key], edges[one.key], numbers) for one in ordered)
    backward, forward = undo.make(forward)
    return runbook_texts(Plan(inventory, forward, backward), present)


def context(inventory: Inventory, host: Host) -> dict[str, Any]:
    """The names that an expression of a role may use on a host."""
    own = {**host.values, "fqdn": host.fqdn, "netbios": host.netbios, "domain": host.ad_domain}
    return {**inventory.values, "host": own}


def _instances(
    inventory: Inventory, products: Iterable[Product], bands: Sequence[str]
) -> Iterator[Instance]:
    for product in products:
        counter = 0
        for role in product.roles:
            hosts = _hosts(role, inventory)
            for definition in role.runbooks:
                counter += 1
                chosen = hosts[:1] if definition.scope == "organization" else hosts
                for index, host in enumerate(chosen):
                    names = context(inventory, host)
                    source = f"templates/{definition.source}"
                    if not _holds(definition.when, names, source, definition.line):
                        continue
                    key = (bands.index(definition.phase), product.order, counter, index)
                    yield Instance(key, _with_steps(definition, names), host)


def _hosts(role: Role, inventory: Inventory) -> list[Host]:
    source = f"templates/{role.source}"
    found = expressions.located(role.hosts, inventory.values, source, 1)
    try:
        return [Host(one["fqdn"], one["netbios"], one["ad_domain"], one) for one in found]
    except (KeyError, TypeError):
        message = f"hosts is no list of servers: {role.hosts}"
        raise FindingsError([Finding("T305", message, source, 1, 1)]) from None


def _holds(when: str | None, names: Mapping[str, Any], source: str, line: int) -> bool:
    return when is None or bool(expressions.located(when, names, source, line))


def _with_steps(definition: RunbookDefinition, names: Mapping[str, Any]) -> RunbookDefinition:
    steps = tuple(
        step for step in definition.steps if _holds(step.when, names, step.source, step.line)
    )
    return definition if len(steps) == len(definition.steps) else replace(definition, steps=steps)


def _edges(
    one: Instance, by_name: Mapping[str, list[Instance]], inventory: Inventory
) -> Iterator[tuple[Instance, NeedDefinition, int | None]]:
    for need in one.definition.needs:
        targets = by_name.get(need.runbook, [])
        if need.hosts == "same":
            targets = [target for target in targets if target.host.fqdn == one.host.fqdn]
        elif need.hosts == "first":
            targets = targets[:1]
        hours = _hours(need, one, inventory)
        for target in targets:
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


def _order(
    instances: Sequence[Instance],
    edges: Mapping[Key, Sequence[tuple[Instance, NeedDefinition, int | None]]],
) -> list[Instance]:
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


def _runbook(
    one: Instance,
    number: str,
    edges: Sequence[tuple[Instance, NeedDefinition, int | None]],
    numbers: Mapping[Key, str],
) -> Runbook:
    needs = {
        identifier(target.definition, numbers[target.key], target.host): Need(
            identifier(target.definition, numbers[target.key], target.host),
            target.definition.name,
            hours,
        )
        for target, _, hours in edges
    }
    return Runbook(
        id=identifier(one.definition, number, one.host),
        number=number,
        definition=one.definition,
        host=one.host,
        title="",
        effect="",
        backward=False,
        texts={},
        steps=(),
        needs=tuple(needs[key] for key in sorted(needs)),
    )


def identifier(definition: RunbookDefinition, number: str, host: Host) -> str:
    """The runbook's id: its file name without the ending."""
    return f"{number}-{definition.product}-{definition.action}_{host.netbios}"
