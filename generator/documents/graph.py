"""The change as a drawing: phases, the runbooks in them, and the gates between these.

A runbook that runs on several servers is one node, so that the drawing of two thousand servers
is as large as that of two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.model.plan import Phase, Plan, Runbook
from generator.visible import visible

_MANY = 3


@dataclass(frozen=True, slots=True)
class Node:
    """A runbook on all its servers. `after` maps the key of a needed node to how it is needed."""

    key: str
    number: str
    name: str
    title: str
    servers: tuple[str, ...]
    after: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where it runs: up to three names, else how many."""
        few = len(self.servers) <= _MANY
        return ", ".join(self.servers) if few else f"{len(self.servers)} servers"


@dataclass(frozen=True, slots=True)
class Group:
    """A phase with its nodes; the way back is one group, apart."""

    key: str
    title: str
    nodes: tuple[Node, ...]


def groups(plan: Plan, phases: Sequence[Phase]) -> tuple[Group, ...]:
    """The groups of a change in the order of work."""
    found = []
    nodes = _nodes(plan.forward)
    for phase in phases:
        own = tuple(node for band, node in nodes if band == phase.band)
        if own:
            found.append(Group(phase.band, f"{phase.band} {phase.title}", own))
    back = tuple(node for _, node in _nodes(plan.undo))
    return (*found, Group("undo", "Undo, in its own order of work", back)) if back else tuple(found)


def lines(plan: Plan, phases: Sequence[Phase]) -> list[str]:
    """The drawing for a terminal, line by line: under each runbook the ones that it waits for."""
    found: list[str] = []
    drawn = groups(plan, phases)
    numbers = {node.key: node.number for group in drawn for node in group.nodes}
    width = max((len(node.number) for group in drawn for node in group.nodes), default=0)
    for group in drawn:
        found.append(group.title)
        for node in group.nodes:
            found.append(f"  {node.number:<{width}}  {node.name}  on {node.place}")
            for key, how in node.after.items():
                found.append(f"  {'':<{width}}    <- {numbers[key]}{f', {how}' if how else ''}")
        found.append("")
    return found[:-1]


def mermaid(plan: Plan, phases: Sequence[Phase]) -> str:
    """The drawing as a flowchart of Mermaid, which Git forges and wikis show as a picture."""
    lines = ["flowchart TD"]
    drawn = groups(plan, phases)
    for group in drawn:
        lines.append(f'  subgraph phase_{group.key}["{_label(group.title)}"]')
        for node in group.nodes:
            words = (f"{node.number} {node.name}", node.title, node.place)
            lines.append(f'    {node.key}["{"<br>".join(_label(word) for word in words if word)}"]')
        lines.append("  end")
    for group in drawn:
        for node in group.nodes:
            for key, how in node.after.items():
                label = f'|"{_label(how)}"|' if how else ""
                lines.append(f"  {key} -->{label} {node.key}")
    return "\n".join(lines) + "\n"


def _nodes(runbooks: Sequence[Runbook]) -> list[tuple[str, Node]]:
    """Band and node, in the order of work."""
    instances: dict[str, list[Runbook]] = {}
    for runbook in runbooks:
        instances.setdefault(runbook.definition.name, []).append(runbook)
    keys = {
        one.id: _key(one.backward, found[0].number) for found in instances.values() for one in found
    }
    return [(found[0].definition.phase, _node(found, keys)) for found in instances.values()]


def _node(found: Sequence[Runbook], keys: Mapping[str, str]) -> Node:
    first = found[0]
    needed: dict[str, str] = {}
    for runbook in found:
        for need in runbook.needs:
            needed.setdefault(keys[need.id], need.name)
    return Node(
        key=keys[first.id],
        number=_number(found),
        name=f"{first.definition.product} {first.definition.action}",
        title=first.title if len(found) == 1 else "",
        servers=tuple(dict.fromkeys(one.host.netbios for one in found)),
        after={key: _how(found, name) for key, name in sorted(needed.items())},
    )


def _how(found: Sequence[Runbook], name: str) -> str:
    """Whether each waits for the one on its own server, for all of them, or for the only one."""
    several = len({need.id for one in found for need in one.needs if need.name == name}) > 1
    if not several:
        return ""
    most = max(sum(need.name == name for need in one.needs) for one in found)
    return "all of them" if most > 1 else "each on its own server"


def _number(found: Sequence[Runbook]) -> str:
    """`20-001 to 20-004`; with dots where others stand in between."""
    first, last = found[0].number, found[-1].number
    below = "undo/" if found[0].backward else ""
    if len(found) == 1:
        return f"{below}{first}"
    span = int(last.partition("-")[2]) - int(first.partition("-")[2]) + 1
    return f"{below}{first} {'to' if span == len(found) else '...'} {last}"


def _key(backward: bool, number: str) -> str:
    return f"{'u' if backward else 'r'}{number.replace('-', '_')}"


def _label(value: str) -> str:
    """Text inside quotes of Mermaid, where `#code;` is a character and HTML would be drawn.

    A label is one line: a line break in a title would end the statement that it stands in.
    """
    special = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(
        special.get(character, character) for character in visible(" ".join(value.split()))
    )
