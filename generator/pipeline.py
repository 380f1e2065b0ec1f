"""The stages in order; the only module that knows all of them."""

from __future__ import annotations

from pathlib import Path

from generator import environment, inventory, plan, render, roles, rules
from generator.findings import FindingsError
from generator.model import Build, Inventory, Plan
from generator.templates import TemplateTree


def load(path: Path, tree: TemplateTree) -> Inventory:
    """A validated inventory; raises FindingsError with every mistake in it."""
    return inventory.load_inventory(path, tree)


def order(path: Path, tree: TemplateTree) -> Plan:
    """The order of work for an inventory."""
    products = roles.load_products(tree, environment.make(tree))
    return plan.make(load(path, tree), products, roles.load_phases(tree))


def build(path: Path, tree: TemplateTree) -> Build:
    """Inventory -> plan -> render -> check; raises FindingsError when a rule is broken."""
    products = roles.load_products(tree, environment.make(tree))
    planned = plan.make(load(path, tree), products, roles.load_phases(tree))
    built = render.make(planned, products, tree)
    findings = rules.check(built, products, tree)
    if findings:
        raise FindingsError(findings)
    return built
