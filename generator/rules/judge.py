"""Judges rendered scripts by their pieces, and remembers what was judged.

Two thousand servers have the same steps with other values. A piece is looked up by its text, then
by the shapes of its lines (values and comments blanked); only a new shape is parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from generator import progress
from generator.built import Build, Piece, RenderedRunbook
from generator.findings import Finding, FindingsError
from generator.model import Values
from generator.planned import Product, Runbook
from generator.rules import lines as line_rules
from generator.rules.calls import own_functions, uses
from generator.rules.catalogue import Catalogue, load
from generator.rules.locate import Locator
from generator.rules.rule import RULES, Problem, apply
from generator.rules.syntax import parse
from generator.templating.templates import SPINE, TemplateTree

_REMEMBERED_TEXTS = 512
_REMEMBERED_LINES = 8_192
_LONG = 200
"""Lines. Longer than any step that is written by hand."""

_Verdict: TypeAlias = tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is known of a text: its problems, how many lines it has, how many are to be read."""

    problems: _Verdict
    size: int
    reading: int


class _Shapes(dict[str, str]):
    """Line -> its shape; `bad` has the problems of lines that break a rule by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: dict[str, _Verdict] = {}

    def __missing__(self, line: str) -> str:
        if not line_rules.harmless(line):
            problems = tuple(apply("line", line))
            if problems:
                self.bad[line] = problems
        self[line] = shape = line_rules.shape(line)
        return shape


class Judge:
    """Judges one script after another; every problem is reported where it is first met."""

    def __init__(self, products: Sequence[Product], base: Values, tree: TemplateTree) -> None:
        self._templates = Locator(tree)
        self._catalogues = {
            product.name: load(base, product.name, product.commands) for product in products
        }
        self._shapes = _Shapes()
        self._texts: dict[tuple[str, str, str], _Judged] = {}
        self._verdicts: dict[tuple[tuple[str, ...], bool, str, str], tuple[_Verdict, int]] = {}
        self._engine: dict[str, bytes] = {}
        self._reported: set[tuple[str, str, int, str]] = set()

    def judge(self, script: RenderedRunbook, version: str) -> Iterator[Finding]:
        """Findings that no earlier script had; `version` is the product's on this host."""
        product = script.runbook.definition.product
        line = 1
        sizes: list[tuple[str, int]] = []
        for piece in script.pieces:
            judged = self._judged(piece, product, version)
            for problem in judged.problems:
                yield from self._finding(script.runbook, piece, problem, line)
            line += judged.size
            if not _is_engine(piece):
                sizes.append((piece.name, judged.reading))
        whole = Piece("script", "", "")
        for problem in (*apply("size", sizes), *self._bytes(script)):
            yield from self._finding(script.runbook, whole, problem, 1)

    def _judged(self, piece: Piece, product: str, version: str) -> _Judged:
        key = (piece.text, product, version)
        judged = self._texts.get(key)
        if judged is None:
            if len(self._texts) >= _REMEMBERED_TEXTS:
                self._texts.clear()
            judged = self._texts[key] = self._judge(piece, product, version)
        return judged

    def _judge(self, piece: Piece, product: str, version: str) -> _Judged:
        if len(self._shapes) >= _REMEMBERED_LINES:
            self._shapes.clear()
            self._shapes.bad.clear()
        # The renderer ends a piece with one line end and puts an empty line behind it.
        lines = piece.text.rstrip("\n").split("\n")
        constant = piece.template.startswith(f"{SPINE}/") and not piece.template.endswith(".j2")
        shapes = tuple(map(self._shapes.__getitem__, lines))
        places: Sequence[int] = range(len(lines))
        if len(lines) > _LONG and not constant:
            places = line_rules.without_repeats(shapes)
            shapes = tuple(shapes[at] for at in places)
        key = (shapes, constant, product, version)
        known = self._verdicts.get(key)
        if known is None:
            text = "\n".join(lines[at] for at in places)
            verdict = judge_text(text, self._catalogues[product], version, constant)
            known = self._verdicts[key] = verdict, line_rules.reading_lines(shapes) + 1
        verdict, reading = known
        if len(places) < len(lines):
            verdict = tuple(replace(one, line=places[one.line - 1] + 1) for one in verdict)
        own: _Verdict = ()
        if not self._shapes.bad.keys().isdisjoint(lines):
            own = tuple(
                Problem(problem.code, number, problem.message, problem.hint)
                for number, line in enumerate(lines, 1)
                for problem in self._shapes.bad.get(line, ())
            )
        return _Judged((*own, *verdict), len(lines) + 1, reading)

    def _bytes(self, script: RenderedRunbook) -> Iterator[Problem]:
        """The constant engine is compared, not counted: it is most of a script."""
        head, engine = script.data, script.pieces[-1].text if script.pieces else ""
        known = self._engine.get(engine)
        if known is None:
            known = engine.rstrip("\n").replace("\n", "\r\n").encode("ascii", "replace") + b"\r\n"
            self._engine = {engine: known}
            yield from apply("bytes", known, known)
        if head.endswith(known):
            head = head[: -len(known)]
        yield from apply("bytes", head, script.data)

    def _finding(
        self, runbook: Runbook, piece: Piece, problem: Problem, first: int
    ) -> Iterator[Finding]:
        # A line's length differs with the server: one finding for each place, not for each length.
        said = "" if RULES[problem.code].kind == "line" else problem.message
        if self._known(problem.code, piece.template, problem.line, said):
            return
        lines = piece.text.split("\n")
        text = lines[problem.line - 1] if 0 < problem.line <= len(lines) else ""
        place = self._templates.template_line(piece.template, text) if piece.template else None
        file, line, source = place or (runbook.file, first + problem.line - 1, text)
        if self._known(problem.code, file, line, said):
            return
        column = len(source) - len(source.lstrip()) + 1
        yield Finding(problem.code, problem.message, file, line, column, problem.hint, source)

    def _known(self, code: str, file: str, line: int, message: str) -> bool:
        """Whether this was reported before; from now on it was."""
        key = (code, file, line, message)
        known = key in self._reported
        self._reported.add(key)
        return known


def problems(text: str, catalogue: Catalogue, version: str, engine: bool = False) -> _Verdict:
    """The problems of one piece, those of its single lines too; nothing is remembered."""
    found = [
        Problem(problem.code, number, problem.message, problem.hint)
        for number, line in enumerate(text.rstrip("\n").split("\n"), 1)
        for problem in apply("line", line)
    ]
    return (*found, *judge_text(text, catalogue, version, engine))


def judge_text(text: str, catalogue: Catalogue, version: str, engine: bool = False) -> _Verdict:
    """The problems of one piece, but for those of single lines.

    `engine` is for text that is the same in all scripts: it may call what steps may not.
    """
    script = parse(text, engine)
    if engine:
        catalogue = catalogue.with_functions(own_functions(script))
    found = list(apply("script", script, catalogue))
    if not any(problem.code == "R110" for problem in found):
        for use in uses(script, catalogue):
            found += apply("call", use, catalogue, version)
    return tuple(dict.fromkeys(sorted(found, key=lambda problem: problem.line)))


def _is_engine(piece: Piece) -> bool:
    return piece.template == f"{SPINE}/engine.ps1"


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
    if found:
        raise FindingsError(found)
