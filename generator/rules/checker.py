"""Judges rendered scripts by their pieces, and remembers what was judged.

Two thousand servers have the same steps with other values. The rules of a piece see its shape, in
which the content of values is blanked: a verdict is one of the shape and depends on nothing else,
and each shape is parsed once. Only length and characters of lines are judged in the text itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from generator import progress
from generator.findings import Finding, FindingsError
from generator.model.build import Build, Launcher, Piece, RenderedRunbook
from generator.model.inventory import Values
from generator.model.plan import Product
from generator.rules.lines import harmless
from generator.rules.locate import Locator
from generator.rules.rule import RULES, Problem, apply
from generator.rules.steps import reading_lines
from generator.syntax.calls import own_functions, uses
from generator.syntax.catalogue import Catalogue, Command, load
from generator.syntax.tree import parse
from generator.templating import marks
from generator.templating.templates import SPINE, TemplateTree

_REMEMBERED_TEXTS = 512

_Verdict: TypeAlias = tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a piece: its problems, how many lines it has, how many are to be read."""

    problems: _Verdict
    size: int
    reading: int


class Judge:
    """Judges one script after another; every problem is reported where it is first met."""

    def __init__(self, products: Sequence[Product], base: Values, tree: TemplateTree) -> None:
        self._templates = Locator(tree)
        self._base = load(base, "", {})
        self._engine_functions = _functions_of_engine(tree)
        self._catalogues = {
            product.name: load(base, product.name, product.commands) for product in products
        }
        self._pieces: dict[tuple[str, str, str], Judged] = {}
        self._shapes: dict[tuple[str, bool, str, str], tuple[_Verdict, int]] = {}
        self._engine: dict[str, bytes] = {}
        self._reported: set[tuple[str, str, int, str]] = set()

    def judge(self, script: RenderedRunbook, version: str) -> Iterator[Finding]:
        """Findings that no earlier script had; `version` is the product's on this host."""
        product = script.runbook.definition.product
        line = 1
        sizes: list[tuple[str, int]] = []
        for piece in script.pieces:
            judged = self.judged(piece, product, version)
            yield from self._findings(script.runbook.file, piece, judged.problems, line)
            line += judged.size
            if not _is_engine(piece):
                sizes.append((piece.name, judged.reading))
        whole = Piece("script", "", "")
        of_all = (*apply("size", sizes, script.runbook.touches), *self._bytes(script))
        yield from self._findings(script.runbook.file, whole, of_all, 1)

    def judge_launcher(self, launcher: Launcher) -> Iterator[Finding]:
        """Findings in Start-Change.ps1, which no product has a part of."""
        known = problems(launcher.piece.marked, self._base, "", engine=True)
        of_bytes = tuple(apply("bytes", launcher.data, launcher.data))
        yield from self._findings("Start-Change.ps1", launcher.piece, (*known, *of_bytes), 1)

    def judged(self, piece: Piece, product: str, version: str) -> Judged:
        """What is known of a piece, judged when one of its shape was not judged before."""
        key = (piece.marked, product, version)
        judged = self._pieces.get(key)
        if judged is None:
            if len(self._pieces) >= _REMEMBERED_TEXTS:
                self._pieces.clear()
            judged = self._pieces[key] = self._judge(piece, product, version)
        return judged

    def _judge(self, piece: Piece, product: str, version: str) -> Judged:
        # The renderer ends a piece with one line end and puts an empty line behind it.
        marked = piece.marked.rstrip("\n")
        shape = marks.shape_of(marked)
        constant = piece.template.startswith(f"{SPINE}/") and not piece.template.endswith(".j2")
        key = (shape, constant, product, version)
        known = self._shapes.get(key)
        if known is None:
            catalogue = self._catalogues[product]
            if constant:
                catalogue = catalogue.with_functions(self._engine_functions)
            verdict = judge_shape(shape, catalogue, version, constant)
            known = self._shapes[key] = verdict, reading_lines(shape) + 1
        verdict, reading = known
        lines = marks.text_of(marked).split("\n")
        return Judged((*_judge_lines(lines), *_placed(verdict, marked)), len(lines) + 1, reading)

    def _bytes(self, script: RenderedRunbook) -> Iterator[Problem]:
        """The constant engine is compared, not counted: it is most of a script."""
        head, engine = script.data, script.pieces[-1].marked if script.pieces else ""
        known = self._engine.get(engine)
        if known is None:
            known = engine.rstrip("\n").replace("\n", "\r\n").encode("ascii", "replace") + b"\r\n"
            self._engine = {engine: known}
            yield from apply("bytes", known, known)
        if head.endswith(known):
            head = head[: -len(known)]
        yield from apply("bytes", head, script.data)

    def _findings(
        self, script: str, piece: Piece, problems: _Verdict, first: int
    ) -> Iterator[Finding]:
        """The problems of a piece that begins at line `first` of its script, a file name."""
        lines = marks.text_of(piece.marked).split("\n") if problems else []
        for problem in problems:
            # A line's length differs with the server: one finding for each place, not each length.
            said = "" if RULES[problem.code].kind == "line" else problem.message
            if self._known(problem.code, piece.template, problem.line, said):
                continue
            text = lines[problem.line - 1] if 0 < problem.line <= len(lines) else ""
            place = self._templates.template_line(piece.template, text)
            file, line, source = place or (script, first + problem.line - 1, text)
            if self._known(problem.code, file, line, said):
                continue
            column = len(source) - len(source.lstrip()) + 1
            yield Finding(problem.code, problem.message, file, line, column, problem.hint, source)

    def _known(self, code: str, file: str, line: int, message: str) -> bool:
        """Whether this was reported before; from now on it was."""
        key = (code, file, line, message)
        known = key in self._reported
        self._reported.add(key)
        return known


def problems(marked: str, catalogue: Catalogue, version: str, engine: bool = False) -> _Verdict:
    """The problems of one piece, with lines of its text; nothing is remembered."""
    marked = marked.rstrip("\n")
    verdict = judge_shape(marks.shape_of(marked), catalogue, version, engine)
    return (*_judge_lines(marks.text_of(marked).split("\n")), *_placed(verdict, marked))


def judge_shape(shape: str, catalogue: Catalogue, version: str, engine: bool = False) -> _Verdict:
    """The problems of a piece of this shape, with lines of the shape.

    `engine` is for text that is the same in all scripts: it may call what steps may not.
    """
    script = parse(shape, engine)
    if engine:
        catalogue = catalogue.with_functions(own_functions(script))
    found = list(apply("script", script, catalogue))
    if not any(problem.code == "R110" for problem in found):
        for use in uses(script, catalogue):
            found += apply("call", use, catalogue, version)
    found.sort(key=lambda problem: problem.line)
    said = (
        replace(one, message=marks.shown(one.message), hint=marks.shown(one.hint)) for one in found
    )
    return tuple(dict.fromkeys(said))


def _placed(verdict: _Verdict, marked: str) -> Iterator[Problem]:
    """The problems of a shape, at the lines of the text."""
    lines = marks.lines_of(marked) if verdict else []
    return (replace(one, line=lines[one.line - 1]) for one in verdict)


def _judge_lines(lines: Sequence[str]) -> Iterator[Problem]:
    for number, line in enumerate(lines, 1):
        if not harmless(line):
            for problem in apply("line", line):
                yield replace(problem, line=number)


def _functions_of_engine(tree: TemplateTree) -> list[Command]:
    """The functions of the engine and of its parts, which call each other."""
    found: list[Command] = []
    for name in tree.files(".ps1"):
        path = tree.find(name)
        if path is not None and name.startswith(f"{SPINE}/engine"):
            found += own_functions(parse(path.read_text("utf-8", "replace"), engine=True))
    return found


def _is_engine(piece: Piece) -> bool:
    return piece.template.startswith(f"{SPINE}/engine")


def check(
    build: Build, products: Sequence[Product], base: Values, tree: TemplateTree
) -> Iterator[RenderedRunbook]:
    """The scripts of a build, each judged on its way; raises FindingsError after the last one."""
    judge = Judge(products, base, tree)
    values = build.plan.inventory.values
    found: list[Finding] = []
    for script in progress.over(build.rendered, "Making scripts"):
        runbook = script.runbook
        own = runbook.host.values.get("version")
        version = own or values[runbook.definition.product].get("version", "")
        found += judge.judge(script, str(version))
        yield script
    found += judge.judge_launcher(build.launcher)
    if found:
        raise FindingsError(found)
