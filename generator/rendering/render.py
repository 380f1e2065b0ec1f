"""Plan -> scripts: renders the pieces of each runbook and joins them with the engine.

No script holds the hash of another: mending one changes that one alone, and the table of the
change (Start-Change.ps1), which lists what counts.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from generator import progress
from generator.model.build import Build, Launcher, Piece, RenderedRunbook, Scripts, Summary
from generator.model.plan import Plan, Product, Runbook, Step, StepDefinition
from generator.rendering import context, launcher
from generator.rendering.blocks import Blocks
from generator.rendering.engine import EngineParts
from generator.rendering.spool import Spool
from generator.rendering.used_commands import UsedCommands
from generator.templating import marks, powershell
from generator.templating.marks import Marked
from generator.templating.templates import SPINE, TemplateTree

_SPINE_FILE = f"{SPINE}/runbook.ps1.j2"
_FLAGS = {
    "ask": "Ask", "who": "Who", "always": "Always", "wait": "WaitSeconds", "relaxed": "Relaxed",
    "repeats": "Repeats", "ends_shell": "EndsShell", "replicates": "Replicates",
    "timeout": "TimeoutSeconds", "otherwise": "Otherwise", "risk": "Count",
}  # fmt: skip
_BODIES = {
    False: {"read": "Read", "require": "Require", "apply": "Apply", "check": "Check"},
    True: {"read": "Read", "undo_require": "Require", "undo_risk": "Risk", "undo_apply": "Apply"},
}
_RECORDED = ("wanted", "read", "undo_require", "undo_risk", "undo_apply")
"""The text of a changing step by which its records are known again, forward and in undo."""

_PRODUCT_BLOCKS = ("product", "shell", "probe", "discard", "save")


def make(plan: Plan, products: Sequence[Product], tree: TemplateTree) -> Build:
    """Every script of the plan; the scripts raise FindingsError for mistakes in templates."""
    renderer = Renderer(plan, products, tree)
    scripts = Scripts(len(plan.runbooks), renderer.scripts)
    return Build(plan, scripts, renderer.engine_hash, renderer.launcher, tree.shadowed())


class Renderer:
    """Makes the scripts of a plan, in the order of work.

    What does something is rendered first, for all runbooks, because a preflight names the
    commands of those that follow; then each is joined with its header and facts.
    """

    def __init__(self, plan: Plan, products: Sequence[Product], tree: TemplateTree) -> None:
        self._plan = plan
        self._forward = {runbook.id: runbook for runbook in plan.forward}
        self._products = products
        self._blocks = Blocks(tree)
        self._parameters = self._blocks.plain("parameters.ps1")
        self._engine = self._blocks.plain("engine.ps1")
        self._parts = EngineParts(self._blocks, signed="signers" in plan.inventory.values["change"])
        self._engine_data = powershell.encode(self._engine.marked)
        self.engine_hash = hashlib.sha256(self._engine_data).hexdigest()
        self.launcher = Launcher()

    def scripts(self) -> Iterator[RenderedRunbook]:
        """One after the other; raises FindingsError before the first one or after the last."""
        used = UsedCommands(self._products)
        wanted: dict[str, tuple[str, ...]] = {}
        hashes: dict[str, str] = {}
        with Spool() as aside:
            for runbook in progress.over(self._plan.runbooks, "Rendering steps"):
                texts, wanted[runbook.id] = self._work(runbook)
                used.add(runbook, texts)
                aside.put(texts)
            self._blocks.raise_findings()
            for (runbook, after), texts in zip(context.with_next(self._plan), aside, strict=True):
                names = context.runbook_names(self._plan, runbook, after, used.of(runbook))
                work = _pieces(runbook, texts)
                parts = self._parts.of(runbook, used.called_by(runbook))
                script = self._script(runbook, (*work, *parts), names, wanted.pop(runbook.id))
                hashes[runbook.id] = script.content_hash
                yield script
        self._launch(hashes)
        self._blocks.raise_findings()

    def _launch(self, hashes: Mapping[str, str]) -> None:
        made = self.launcher
        made.piece = launcher.piece(self._plan, hashes, self._blocks)
        made.data = powershell.encode(marks.text_of(made.piece.marked))
        made.content_hash = powershell.content_hash(made.data)

    def _work(self, runbook: Runbook) -> tuple[list[str], tuple[str, ...]]:
        """The product's blocks and the steps, all that does something before the engine.

        And of each step the text of what it wants, for the plan: what is approved is what is shown.
        """
        names = context.step_names(self._plan, runbook)
        blocks = self._blocks.render(_shell(runbook), _PRODUCT_BLOCKS, names)
        parts = {**context.product_names(runbook), "blocks": blocks}
        texts, wanted = [self._spine("product", parts)], []
        for step in runbook.steps:
            blocks = self._step_blocks(step, context.names_of_step(names, step.definition))
            texts.append(self._step(runbook, step, blocks))
            wanted.append(_dedented(blocks.get("wanted", "")))
        return texts, tuple(wanted)

    def _step_blocks(self, step: Step, names: dict[str, Any]) -> dict[str, Marked]:
        definition = step.definition
        if not definition.blocks:
            return {}
        return self._blocks.render(definition.template, sorted(definition.blocks), names)

    def _text_hash(
        self, runbook: Runbook, step: StepDefinition, blocks: Mapping[str, Marked]
    ) -> str:
        """The hash of a step's text in records, from its blocks; '' for a step without any.

        That of a changing step is made of what the forward runbook says, so that its undo finds
        its records; an action and a wait are known by their own text.
        """
        if not (step.acts or "wait" in step.flags):
            return ""
        if runbook.undoes and step.blocks:
            forward = context.step_names(self._plan, self._forward[runbook.undoes])
            names = context.names_of_step(forward, step)
            blocks = self._blocks.render(step.template, step.blocks, names)
        wanted = _RECORDED if step.changes else ("wanted", "read", "apply")
        parts = [step.id, *(marks.text_of(blocks[name]) for name in wanted if name in blocks)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _step(self, runbook: Runbook, step: Step, blocks: dict[str, Marked]) -> str:
        definition = step.definition
        undone = bool(runbook.undoes) and definition.changes
        bodies = _BODIES[undone]
        parts = {
            **context.step_heading(runbook, step),
            "text_hash": self._text_hash(runbook, definition, blocks),
            "follows": list(definition.follows),
            "flags": [
                {"name": entry, "value": definition.flags[name]}
                for name, entry in _FLAGS.items()
                if name in definition.flags and (undone or name != "risk")
            ],
            "blocks": {"wanted": "", "diagnosis": "", **blocks},
            "bodies": [
                {"name": entry, "text": blocks[name]}
                for name, entry in bodies.items()
                if name in blocks
            ],
        }
        return self._spine("step", parts)

    def _script(
        self,
        runbook: Runbook,
        work: Sequence[Piece],
        names: dict[str, Any],
        wanted: tuple[str, ...],
    ) -> RenderedRunbook:
        spine = self._blocks.render(_SPINE_FILE, ("header", "facts"), names)
        pieces = (
            Piece("header", _SPINE_FILE, spine["header"]),
            self._parameters,
            Piece("facts", _SPINE_FILE, spine["facts"]),
            *work,
        )
        # The engine, which is most of a script, is encoded once and for all.
        marked = "\n".join(piece.marked.rstrip("\n") + "\n" for piece in pieces)
        head = powershell.encode(marks.text_of(marked)) + b"\r\n"
        digest = powershell.content_hash(head + self._engine_data)
        own = f"ContentHash = '{powershell.ZERO_HASH}'".encode()
        head = head.replace(own, f"ContentHash = '{digest}'".encode(), 1)
        data = head + self._engine_data
        summary = Summary(runbook, digest, wanted)
        return RenderedRunbook(summary, data, (*pieces, self._engine))

    def _spine(self, block: str, names: dict[str, Any]) -> str:
        return self._blocks.render(_SPINE_FILE, (block,), names)[block]


def _shell(runbook: Runbook) -> str:
    return f"{runbook.definition.product}/shell.ps1.j2"


def _pieces(runbook: Runbook, texts: Sequence[str]) -> tuple[Piece, ...]:
    """Texts of the product's blocks and of the steps, with their names and templates."""
    sources = [("product", _shell(runbook))]
    sources += [(f"step {s.definition.id}", s.definition.template) for s in runbook.steps]
    pairs = zip(sources, texts, strict=True)
    return tuple(Piece(name, template, text) for (name, template), text in pairs)


@lru_cache(maxsize=4096)
def _dedented(wanted: str) -> str:
    """The text of a table of wanted values, as the documents show it."""
    return textwrap.dedent(marks.text_of(wanted)).rstrip("\n")
