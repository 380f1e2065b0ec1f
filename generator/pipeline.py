"""The stages in order; the only module that knows all of them.

A stage is imported when it is used: `validate` needs no templates of scripts and no parser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from generator.findings import Finding, FindingsError, ordered
from generator.templating.templates import TemplateTree

if TYPE_CHECKING:
    from generator.model.build import Build, RenderedRunbook
    from generator.model.inventory import Inventory
    from generator.model.plan import Phase, Plan, Product


def load(path: Path, tree: TemplateTree) -> Inventory:
    """A validated inventory; raises FindingsError with every mistake in it."""
    with _told(tree):
        return _load(path, tree)


def validate(
    path: Path, tree: TemplateTree, now: datetime, *, strict: bool = False
) -> tuple[Finding, ...]:
    """Every mistake in an inventory, or the warnings about one without a mistake."""
    try:
        inventory = load(path, tree)
        with _told(tree):
            planned = _planned(inventory, _products(tree), tree)
        return warnings(planned, now, strict=strict)
    except FindingsError as error:
        return error.findings


def warnings(plan: Plan, now: datetime, *, strict: bool) -> tuple[Finding, ...]:
    """What is worth knowing about a plan; raises FindingsError for it where it is `strict`."""
    from generator.planning import times

    found = ordered(times.warnings(plan, now))
    if strict and found:
        raise FindingsError(replace(one, warning=False) for one in found)
    return found


def lint(tree: TemplateTree, path: Path | None = None) -> tuple[Finding, ...]:
    """Every mistake in the templates and, with a path, in an inventory and what is made of both.

    Scripts are made and judged only for an inventory without a mistake.
    """
    from generator import lint as stage

    findings = stage.templates(tree)
    if path is not None:
        findings = _merged(_mistakes(path, tree), findings)
    return tree.named(findings)


def order(path: Path, tree: TemplateTree) -> tuple[Plan, tuple[Phase, ...]]:
    """The order of work for an inventory, and the phases that it is divided into."""
    from generator.planning import roles

    with _told(tree):
        return _planned(_load(path, tree), _products(tree), tree), roles.load_phases(tree)


def build(path: Path, tree: TemplateTree) -> Build:
    """Inventory -> plan -> render -> check, all scripts made, checked and held in memory.

    Raises FindingsError with the mistakes in the inventory, in the templates, or by the rules.
    """
    built = stream(path, tree)
    return replace(built, rendered=tuple(built.rendered))


def stream(path: Path, tree: TemplateTree, limit: Sequence[str] = ()) -> Build:
    """The same with scripts that are made and checked while one goes through them.

    The whole change is made and checked in any case; `limit` then picks hosts or runbooks of it.
    """
    from generator.model.build import Scripts
    from generator.rendering import selection as parts

    with _told(tree):
        built = _stream(path, tree)

    def rendered() -> Iterator[RenderedRunbook]:
        with _told(tree):
            yield from built.rendered

    told = replace(built, rendered=Scripts(len(built.rendered), rendered))
    return parts.pick(told, limit) if limit else told


@contextmanager
def _told(tree: TemplateTree) -> Iterator[None]:
    """Findings leave as `lint` words them, with the names that the user knows the files by.

    What stands in the place of a template and cannot be one is told before anything is read.
    """
    try:
        tree.check()
        yield
    except FindingsError as error:
        findings = error.findings
        if not tree.faults() and any(finding.code.startswith("T2") for finding in findings):
            from generator import lint as stage

            places = {_place(finding) for finding in findings}
            known = [one for one in stage.templates(tree) if _place(one) in places]
            findings = _merged(findings, known)
        raise FindingsError(tree.named(findings)) from error.__cause__


def _merged(made: Iterable[Finding], linted: Sequence[Finding]) -> tuple[Finding, ...]:
    """Both, but one finding where both name the same line: lint knows the column and a fix."""
    places = {_place(finding) for finding in linted}
    return ordered([*linted, *(one for one in made if _place(one) not in places)])


def _place(finding: Finding) -> tuple[str, str, int]:
    return finding.code, finding.file, finding.line


def _mistakes(path: Path, tree: TemplateTree) -> tuple[Finding, ...]:
    try:
        # First by itself: faulty roles would hide what is wrong in it.
        _load(path, tree)
        deque(_stream(path, tree).rendered, maxlen=0)
    except FindingsError as error:
        return error.findings
    return ()


def _stream(path: Path, tree: TemplateTree) -> Build:
    from generator import rules
    from generator.rendering import render

    products = _products(tree)
    planned = _planned(_load(path, tree), products, tree)
    return rules.check(render.make(planned, products, tree), products, tree)


def _products(tree: TemplateTree) -> tuple[Product, ...]:
    from generator.planning import roles
    from generator.templating import environment

    return roles.load_products(tree, environment.make(tree))


def _planned(inventory: Inventory, products: Sequence[Product], tree: TemplateTree) -> Plan:
    from generator.planning import plan, roles
    from generator.templating import environment

    go = roles.load_go(tree, environment.make(tree))
    return plan.make(inventory, products, roles.load_phases(tree), go)


def _load(path: Path, tree: TemplateTree) -> Inventory:
    from generator.inventory import reader

    return reader.load_inventory(path, tree)
