"""A runbook on a host before it has a number, and its gates: nodes and edges of the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from generator.model.inventory import Host
from generator.model.plan import NeedDefinition, RunbookDefinition

Key: TypeAlias = tuple[int, int, int, int]
"""Place of the phase, of the product, of the runbook in its product, of the host in its role."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A runbook on a host."""

    key: Key
    definition: RunbookDefinition
    host: Host


Edge: TypeAlias = tuple[Instance, NeedDefinition, int | None]
"""A gate: what is waited for, as which role.yml says so, and how old it may be in hours."""
