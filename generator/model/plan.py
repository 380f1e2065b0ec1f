"""What the roles of the templates say, and the plan that is made of it for an inventory.

The vocabulary (role, runbook, step, phase, gate) is that of product.md sections 2 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.model.inventory import Host, Inventory, Values


@dataclass(frozen=True, slots=True)
class StepTexts:
    """The sentences of a step's heading; the same in script, log, run sheet and plan."""

    title: str
    why: str = ""
    effect: str = ""
    done: str = ""
    undo: str = ""


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """A step as role.yml describes it; texts are still templates.

    `blocks` names the Jinja blocks of its file: wanted, read, require, apply, check, diagnosis,
    undo_require, undo_risk, undo_apply; a hold point and a wait have none. `flags` are entries of
    the engine's step table. `follows` are steps of the same runbook that come before it because it
    reads what they write. With `once` it exists on the first host of its role alone. `undo_ask` is
    the question of a hold point in the undo, where it is another one.
    """

    id: str
    template: str
    texts: StepTexts
    undo_texts: StepTexts
    flags: Values
    when: str | None
    blocks: frozenset[str]
    source: str
    line: int
    follows: tuple[str, ...] = ()
    once: bool = False
    in_undo: bool = True
    undo_ask: str = ""

    @property
    def changes(self) -> bool:
        """Whether the step records what was there, so that it can be rolled back."""
        return self.acts and not self.flags.get("repeats", False)

    @property
    def acts(self) -> bool:
        """Whether it has an Apply: it changes something, if only by a restart."""
        return "apply" in self.blocks

    @property
    def judges(self) -> bool:
        """Whether it acts or checks; a hold point and a wait do neither."""
        return bool(self.blocks)


@dataclass(frozen=True, slots=True)
class NeedDefinition:
    """A gate as role.yml describes it: which instances of another runbook must have a receipt.

    `hosts` is `same` (the instance on this host), `first` (the first instance) or `all`. An
    `optional` gate may have no instance in a change.
    """

    runbook: str
    hosts: str
    hours: str | None
    line: int
    optional: bool = False


@dataclass(frozen=True, slots=True)
class RunbookDefinition:
    """A runbook as role.yml describes it; texts and expressions are still templates."""

    product: str
    role: str
    role_title: str
    action: str
    phase: str
    scope: str
    when: str | None
    values: Values
    needs: tuple[NeedDefinition, ...]
    serves: tuple[str, ...]
    steps: tuple[StepDefinition, ...]
    source: str
    line: int

    @property
    def name(self) -> str:
        """How other roles name it: `product.action`."""
        return f"{self.product}.{self.action}"

    @property
    def changes(self) -> bool:
        """Whether it changes state, and therefore has an undo (product.md 2)."""
        return any(step.changes for step in self.steps)


@dataclass(frozen=True, slots=True)
class Role:
    """A folder of templates/<product>/: on which hosts, which runbooks in which order."""

    product: str
    name: str
    title: str
    hosts: str
    runbooks: tuple[RunbookDefinition, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Product:
    """A folder of templates/: its place in the order, its vocabulary, its roles."""

    name: str
    title: str
    order: int
    team: str
    values: Values
    roles: tuple[Role, ...]
    commands: Values


@dataclass(frozen=True, slots=True)
class Phase:
    """A band of the forward numbering (product.md 2)."""

    band: str
    title: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a planned runbook, its texts rendered."""

    number: int
    definition: StepDefinition
    texts: StepTexts


@dataclass(frozen=True, slots=True)
class Need:
    """A gate: the receipt of `id`, an instance of `name`; with `hours`, not older than that.

    `every` says that it is one of those of all instances of that name.
    """

    id: str
    name: str
    hours: int | None = None
    every: bool = False


@dataclass(frozen=True, slots=True)
class Runbook:
    """One script to be written: what, where, in which order, after what.

    `texts` has the rendered sentences role, team, rights, ask, help, stop and minutes. `undoes`
    is the forward runbook that this one takes back, `undo` the id of the undo of this one,
    `serves` the ids of the changing runbooks of its direction that a gate belongs to.
    """

    id: str
    number: str
    definition: RunbookDefinition
    host: Host
    title: str
    effect: str
    backward: bool
    texts: Mapping[str, str]
    steps: tuple[Step, ...]
    needs: tuple[Need, ...]
    undoes: str | None = None
    undo: str | None = None
    serves: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its path below the output folder."""
        return f"undo/{self.id}.ps1" if self.backward else f"{self.id}.ps1"

    @property
    def touches(self) -> bool:
        """Whether it has a step with Apply: it changes something, if only by a restart."""
        return any(step.definition.acts for step in self.steps)


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of work: the change, and apart from it what takes it back."""

    inventory: Inventory
    forward: tuple[Runbook, ...]
    undo: tuple[Runbook, ...]

    @property
    def runbooks(self) -> tuple[Runbook, ...]:
        """All of them, forward first."""
        return self.forward + self.undo
