"""Plan -> scripts: renders the pieces of each runbook and joins them with the engine.

A runbook embeds the content hashes of those that it waits for, so they are rendered in the
order of work, forward first.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from generator import progress
from generator.built import Build, Piece, RenderedRunbook, Scripts, Summary
from generator.planned import Plan, Product, Runbook, Step
from generator.rendering import facts
from generator.rendering.blocks import Blocks
from generator.rendering.spool import Spool
from generator.rendering.used import UsedCommands
from generator.templating import powershell
from generator.templating.powershell import Literal
from generator.templating.templates import SPINE, TemplateTree

_SPINE_FILE = f"{SPINE}/runbook.ps1.j2"
_FLAGS = {
    "ask": "Ask", "who": "Who", "relaxed": "Relaxed", "repeats": "Repeats",
    "replicates": "Replicates", "timeout": "TimeoutSeconds", "otherwise": "Otherwise",
}  # fmt: skip
_BODIES = {
    False: {"read": "Read", "require": "Require", "apply": "Apply", "check": "Check"},
    True: {"read": "Read", "undo_require": "Require", "undo_apply": "Apply"},
}
_PRODUCT_BLOCKS = ("product", "shell", "probe", "save")


def make(plan: Plan, products: Sequence[Product], tree: TemplateTree) -> Build:
    """Every script of the plan; the scripts raise FindingsError for mistakes in templates."""
    renderer = Renderer(plan, products, tree)
    scripts = Scripts(len(plan.runbooks), renderer.scripts)
    return Build(plan, scripts, renderer.engine_hash, tree.shadowed())


class Renderer:
    """Makes the scripts of a plan, in the order of work.

    What does something is rendered first, for all runbooks, because a preflight names the
    commands of those that follow; then each is joined with its header and facts, which hold the
    hashes of those before it.
    """

    def __init__(self, plan: Plan, products: Sequence[Product], tree: TemplateTree) -> None:
        self._plan = plan
        self._products = products
        self._blocks = Blocks(tree)
        self._parameters = self._blocks.plain("parameters.ps1")
        self._engine = self._blocks.plain("engine.ps1")
        self._engine_data = powershell.encode(self._engine.text)
        self.engine_hash = hashlib.sha256(self._engine_data).hexdigest()

    def scripts(self) -> Iterator[RenderedRunbook]:
        """One after the other; raises FindingsError before the first one or after the last."""
        used = UsedCommands(self._products)
        with Spool() as aside:
            for runbook in progress.over(self._plan.runbooks, "Rendering steps"):
                work = self._work(runbook)
                used.add(runbook, work)
                aside.put([piece.text for piece in work])
            self._blocks.raise_findings()
            hashes: dict[str, str] = {}
            for (runbook, after), texts in zip(facts.with_next(self._plan), aside, strict=True):
                names = facts.runbook_names(self._plan, runbook, after, used.of(runbook), hashes)
                work = _pieces(runbook, texts)
                script = self._script(runbook, work, names)
                hashes[runbook.id] = script.content_hash
                yield script
        self._blocks.raise_findings()

    def _work(self, runbook: Runbook) -> tuple[Piece, ...]:
        """The product's blocks and the steps: all that does something before the engine."""
        names = facts.step_names(self._plan, runbook)
        blocks = self._blocks.render(_shell(runbook), _PRODUCT_BLOCKS, names)
        parts = {**facts.product_names(runbook), "blocks": blocks}
        texts = [self._spine("product", parts)]
        texts += [self._step(runbook, step, names) for step in runbook.steps]
        return _pieces(runbook, texts)

    def _step(self, runbook: Runbook, step: Step, names: dict[str, Any]) -> str:
        definition = step.definition
        blocks: dict[str, Literal] = {}
        if "ask" not in definition.flags:
            blocks = self._blocks.render(definition.template, sorted(definition.blocks), names)
        bodies = _BODIES[bool(runbook.undoes)]
        parts = {
            **facts.step_heading(runbook, step),
            "flags": [
                {"name": entry, "value": definition.flags[name]}
                for name, entry in _FLAGS.items()
                if name in definition.flags
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
        self, runbook: Runbook, work: Sequence[Piece], names: dict[str, Any]
    ) -> RenderedRunbook:
        spine = self._blocks.render(_SPINE_FILE, ("header", "facts"), names)
        pieces = (
            Piece("header", _SPINE_FILE, spine["header"]),
            self._parameters,
            Piece("facts", _SPINE_FILE, spine["facts"]),
            *work,
        )
        # The engine, which is most of a script, is encoded once and for all.
        text = "\n".join(piece.text.rstrip("\n") + "\n" for piece in pieces)
        head = powershell.encode(text) + b"\r\n"
        digest = powershell.content_hash(head + self._engine_data)
        own = f"ContentHash = '{powershell.ZERO_HASH}'".encode()
        head = head.replace(own, f"ContentHash = '{digest}'".encode(), 1)
        data = head + self._engine_data
        summary = Summary(runbook, digest, tuple(_wanted(piece.text) for piece in work[1:]))
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


def _wanted(step: str) -> str:
    """The text of its Wanted table, for the plan: what is approved is what is shown."""
    _, begins, rest = step.partition("    Wanted = [ordered] @{\n")
    return _dedented(rest.partition("\n    }\n")[0]) if begins else ""


@lru_cache(maxsize=4096)
def _dedented(table: str) -> str:
    return textwrap.dedent(table)
