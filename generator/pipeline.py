"""The stages in order; the only module that knows all of them.

A stage is imported when it is used: `validate` needs no templates of scripts and no parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from generator.findings import Finding, FindingsError, ordered
from generator.templating.templates import TemplateTree

if TYPE_CHECKING:
    from generator.built import Build
    from generator.model import Inventory
    from generator.planned import Phase, Plan, Product


def load(path: Path, tree: TemplateTree) -> Inventory:
    """A validated inventory; raises FindingsError with every mistake in it."""
    from generator.reading import inventory

    return inventory.load_inventory(path, tree)


def validate(path: Path, tree: TemplateTree) -> tuple[Finding, ...]:
    """Every mistake in an inventory; none when it can be built."""
    try:
        load(path, tree)
    except FindingsError as error:
        return error.findings
    return ()


def lint(tree: TemplateTree, path: Path | None = None) -> tuple[Finding, ...]:
    """Every mistake in the templates and, with a path, in an inventory and what is made of both.

    Scripts are made and judged only for an inventory without a mistake.
    """
    from generator import lint as stage

    findings = stage.templates(tree)
    mistakes = validate(path, tree) if path is not None else ()
    if path is None or mistakes:
        return ordered([*findings, *mistakes])
    try:
        build(path, tree)
    except FindingsError as error:
        known = {(finding.code, finding.file, finding.line) for finding in findings}
        more = [f for f in error.findings if (f.code, f.file, f.line) not in known]
        return ordered([*findings, *more])
    return findings


def order(path: Path, tree: TemplateTree) -> tuple[Plan, tuple[Phase, ...]]:
    """The order of work for an inventory, and the phases that it is divided into."""
    from generator.planning import roles

    return _order(path, _products(tree), tree), roles.load_phases(tree)


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
    from generator import rules
    from generator.rendering import limit as parts
    from generator.rendering import render

    products = _products(tree)
    built = render.make(_order(path, products, tree), products, tree)
    built = rules.check(built, products, tree)
    return parts.pick(built, limit) if limit else built


def _products(tree: TemplateTree) -> tuple[Product, ...]:
    from generator.planning import roles
    from generator.templating import environment

    return roles.load_products(tree, environment.make(tree))


def _order(path: Path, products: Sequence[Product], tree: TemplateTree) -> Plan:
    from generator.planning import plan, roles

    return plan.make(load(path, tree), products, roles.load_phases(tree))
