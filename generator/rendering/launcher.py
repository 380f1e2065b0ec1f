"""Start-Change.ps1: the plan as a table, for every server, beside the runbooks.

It says which content hashes count for which runbook, so that no runbook holds the hash of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.model.build import Piece
from generator.model.plan import Plan, Runbook
from generator.rendering.blocks import Blocks
from generator.templating.templates import SPINE

NAME = "Start-Change.ps1"
_FILE = f"{SPINE}/start_change.ps1.j2"


def piece(plan: Plan, hashes: Mapping[str, str], blocks: Blocks) -> Piece:
    """The whole of it; `hashes` has the content hash of every runbook of the plan by its id."""
    names = {
        "change": plan.inventory.values["change"],
        "origin": f"inventory {plan.inventory.name}, generated: an edited copy is refused.",
        "runbooks": [_row(one, hashes[one.id]) for one in plan.runbooks],
    }
    return Piece("launcher", _FILE, blocks.render(_FILE, ("program",), names)["program"])


def _row(runbook: Runbook, digest: str) -> dict[str, Any]:
    return {
        "id": runbook.id,
        "number": f"undo/{runbook.number}" if runbook.backward else runbook.number,
        "host": runbook.host.netbios,
        "undo": runbook.backward,
        "title": runbook.title,
        "counts": [digest],
    }
