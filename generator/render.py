"""Plan -> scripts: renders the pieces of each runbook and joins them with the engine.

A runbook embeds the content hashes of those that it waits for, so they are rendered in the
order of work, forward first.
"""

from __future__ import annotations

import hashlib
import textwrap
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jinja2

from generator import environment, facts, powershell, progress
from generator.findings import Finding, FindingsError
from generator.model import Build, Piece, Plan, Product, RenderedRunbook, Runbook, Step
from generator.powershell import Literal
from generator.templates import SPINE, TemplateTree

_SPINE_FILE = f"{SPINE}/runbook.ps1.j2"
_FLAGS = {
    "ask": "Ask", "who": "Who", "relaxed": "Relaxed", "repeats": "Repeats",
    "replicates": "Replicates", "timeout": "TimeoutSeconds", "otherwise": "Otherwise",
}  # fmt: skip
_BODIES = {
    False: {"read": "Read", "require": "Require", "apply": "Apply", "check": "Check"},
    True: {"read": "Read", "undo_require": "Require", "undo_apply": "Apply"},
}


def make(plan: Plan, products: Sequence[Product], tree: TemplateTree) -> Build:
    """Every script of the plan; raises FindingsError with the mistakes found in templates."""
    return _Renderer(plan, products, tree).build()


class _Renderer:
    def __init__(self, plan: Plan, products: Sequence[Product], tree: TemplateTree) -> None:
        self.plan = plan
        self.tree = tree
        self.products = {product.name: product for product in products}
        self.environment = environment.make(tree)
        self.engine = self._plain("engine.ps1")
        self.parameters = self._plain("parameters.ps1")
        self.spine = self._template(_SPINE_FILE)
        self.findings: list[Finding] = []

    def build(self) -> Build:
        runbooks = self.plan.runbooks
        work = {one.id: self._work(one) for one in progress.over(runbooks, "Rendering steps")}
        if self.findings:
            raise FindingsError(list(dict.fromkeys(self.findings)))
        commands = facts.commands(self.plan, self.products, work)
        hashes: dict[str, str] = {}
        rendered: list[RenderedRunbook] = []
        for runbook in progress.over(runbooks, "Joining scripts"):
            script = self._script(runbook, work[runbook.id], commands[runbook.id], hashes)
            hashes[runbook.id] = script.content_hash
            rendered.append(script)
        if self.findings:
            raise FindingsError(list(dict.fromkeys(self.findings)))
        engine_hash = hashlib.sha256(powershell.encode(self.engine.text)).hexdigest()
        return Build(self.plan, tuple(rendered), engine_hash, self.tree.shadowed())

    def _work(self, runbook: Runbook) -> tuple[Piece, ...]:
        """The product's blocks and the steps: all that does something before the engine."""
        product = runbook.definition.product
        names = facts.step_names(self.plan, runbook)
        source = f"{product}/shell.ps1.j2"
        blocks = self._blocks(source, ("product", "shell", "probe", "save"), names)
        parts = {**facts.product_names(runbook), "blocks": blocks}
        pieces = [Piece("product", source, self._spine("product", parts))]
        for step in runbook.steps:
            pieces.append(self._step(runbook, step, names))
        return tuple(pieces)

    def _step(self, runbook: Runbook, step: Step, names: Mapping[str, Any]) -> Piece:
        definition = step.definition
        blocks: dict[str, Literal] = {}
        if "ask" not in definition.flags:
            blocks = self._blocks(definition.template, sorted(definition.blocks), names)
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
        return Piece(f"step {definition.id}", definition.template, self._spine("step", parts))

    def _script(
        self,
        runbook: Runbook,
        work: Sequence[Piece],
        commands: Sequence[str],
        hashes: Mapping[str, str],
    ) -> RenderedRunbook:
        names = facts.runbook_names(self.plan, runbook, commands, hashes)
        pieces = (
            Piece("header", _SPINE_FILE, self._spine("header", names)),
            self.parameters,
            Piece("facts", _SPINE_FILE, self._spine("facts", names)),
            *work,
            self.engine,
        )
        text = "\n".join(piece.text.rstrip("\n") + "\n" for piece in pieces)
        data = powershell.encode(text)
        digest = powershell.content_hash(data)
        own = f"ContentHash = '{powershell.ZERO_HASH}'".encode()
        data = data.replace(own, f"ContentHash = '{digest}'".encode(), 1)
        return RenderedRunbook(runbook, data, digest, pieces, _wanted(runbook, work))

    def _blocks(
        self, source: str, wanted: Iterable[str], names: Mapping[str, Any]
    ) -> dict[str, Literal]:
        template = self._template(source)
        found: dict[str, Literal] = {}
        for name in wanted:
            if name in template.blocks:
                found[name] = self._block(template, name, names)
        return found

    def _block(self, template: jinja2.Template, name: str, names: Mapping[str, Any]) -> Literal:
        try:
            return environment.render_block(template, name, dict(names))
        except FindingsError as error:
            self.findings += error.findings
            return Literal("")
        except Exception as error:
            # Whatever a template does wrong is a mistake with a line, no bug of this program.
            self.findings.append(self._finding(error, template))
            return Literal("")

    def _finding(self, error: Exception, template: jinja2.Template) -> Finding:
        """At the template line that the error comes from: the last frame that is a template's."""
        file, line = template.filename or "templates", 1
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.endswith(".j2"):
                file, line = frame.filename, frame.lineno or 1
        path = self.tree.find(file.removeprefix("templates/"))
        lines = path.read_text("utf-8").splitlines() if path else []
        source = lines[line - 1] if line <= len(lines) else ""
        return Finding(environment.code_of(error), str(error), file, line, 1, source=source)

    def _spine(self, block: str, names: Mapping[str, Any]) -> str:
        return self._block(self.spine, block, names)

    def _template(self, name: str) -> jinja2.Template:
        try:
            return self.environment.get_template(name)
        except jinja2.TemplateNotFound as error:
            finding = Finding(
                "T201", f"there is no file templates/{error.name}", f"templates/{name}", 1, 1
            )
        except jinja2.TemplateSyntaxError as error:
            finding = Finding(
                environment.code_of(error),
                error.message or "",
                f"templates/{error.name}",
                error.lineno,
                1,
            )
        raise FindingsError([finding])

    def _plain(self, name: str) -> Piece:
        path = self.tree.find(f"{SPINE}/{name}")
        if path is None:
            message = f"there is no file templates/{SPINE}/{name}"
            raise FindingsError([Finding("T201", message, f"templates/{SPINE}/{name}", 1, 1)])
        text = environment.read(path, self.tree.display(path))
        return Piece(name.removesuffix(".ps1"), f"{SPINE}/{name}", text)


def _wanted(runbook: Runbook, work: Sequence[Piece]) -> dict[str, str]:
    """The text of each Wanted table, for the plan: what is approved is what is shown."""
    found: dict[str, str] = {}
    pieces = {piece.name: piece for piece in work}
    for step in runbook.steps:
        text = pieces[f"step {step.definition.id}"].text
        _, begins, rest = text.partition("    Wanted = [ordered] @{\n")
        if begins:
            table, _, _ = rest.partition("\n    }\n")
            found[step.definition.id] = textwrap.dedent(table)
    return found
