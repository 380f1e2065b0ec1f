"""The parts of the engine that not every runbook carries; each is the same text wherever it is."""

from __future__ import annotations

from generator.model.build import Piece
from generator.model.plan import Runbook
from generator.rendering.blocks import Blocks
from generator.syntax.tree import parse

_UNDO = "engine_undo.ps1"
_SIGNER = "engine_signer.ps1"
_CALLED = ("engine_web.ps1", _SIGNER)


class EngineParts:
    """Which parts a runbook carries: an undo that of undo, others what its steps call.

    Where the change has `signers`, every runbook judges its own signature.
    """

    def __init__(self, blocks: Blocks, signed: bool) -> None:
        self._signed = signed
        self._undo = blocks.plain(_UNDO)
        self._called = {
            piece: frozenset(parse(piece.marked, engine=True).functions)
            for piece in map(blocks.plain, _CALLED)
        }

    def of(self, runbook: Runbook, called: frozenset[str]) -> tuple[Piece, ...]:
        """The parts, in a fixed order; `called` is everything that its steps call."""
        parts = [
            piece
            for piece, names in self._called.items()
            if not names.isdisjoint(called) or (self._signed and piece.template.endswith(_SIGNER))
        ]
        return (*parts, self._undo) if runbook.undoes else tuple(parts)
