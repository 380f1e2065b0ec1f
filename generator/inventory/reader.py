"""The inventory: one YAML file per environment, read, judged and completed.

What it may hold is data beside the templates: `_runbook/schema.yml` describes the change, each
product's `schema.yml` its own key, `checks.yml` how the keys must agree, `product.yml` where its
servers stand and which values follow from others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from generator.errors import UsageError
from generator.findings import Finding, FindingsError, show
from generator.inventory import checks, hosts
from generator.inventory.hosts import host
from generator.model.inventory import Inventory
from generator.schema import schema_files, validator
from generator.schema.references import Schema
from generator.schema.yaml_source import Document, load, load_template
from generator.templating import expressions
from generator.templating.expressions import ExpressionError
from generator.templating.templates import SPINE, TemplateTree

__all__ = ["host", "inventory_schema", "load_inventory"]

Path_: TypeAlias = tuple[str | int, ...]

_STRUCTURE = f"{SPINE}/schema.yml"


def load_inventory(path: Path, tree: TemplateTree) -> Inventory:
    """A validated inventory with defaults, host values and derived values filled in.

    Raises FindingsError with all mistakes of the file, or of the templates that describe it.
    """
    document = load(path)
    registry = schema_files.load_registry(tree)
    rules = inventory_schema(tree, registry)
    registry[_STRUCTURE] = rules
    findings = validator.validate(document, rules, registry)
    values = validator.complete(document.data, rules, registry)
    if not isinstance(values, dict):
        raise FindingsError(findings)
    findings += _name_mistakes(path, registry)
    products = [name for name in tree.products() if isinstance(values.get(name), dict)]
    if not products and not any(name in values for name in tree.products()):
        known = ", ".join(tree.products())
        message = "the inventory names no product"
        findings.append(document.finding("E204", (), message, f"at least one of {known}"))
    faulty = {finding.path for finding in findings if finding.path}
    found = _complete_products(tree, products, values, bool(findings))
    findings += hosts.mistakes(found, document, faulty)
    faulty |= {finding.path for finding in findings if finding.path}
    for name in (SPINE, *products):
        rules_of = checks.load_checks(tree, f"{name}/checks.yml")
        if rules_of is not None:
            findings += checks.run(rules_of, values, document, faulty)
    if findings:
        raise FindingsError(findings)
    return Inventory(path.stem, path.as_posix(), values, _within(found, values))


def inventory_schema(tree: TemplateTree, registry: dict[str, Schema]) -> Schema:
    """The schema of a whole inventory: the structure with a key for every product of the tree."""
    structure = registry.get(_STRUCTURE)
    if structure is None:
        raise UsageError(f"templates/{_STRUCTURE}: no such file, so no inventory can be judged")
    products = {
        name: {"$ref": f"../{name}/schema.yml"}
        for name in tree.products()
        if f"{name}/schema.yml" in registry
    }
    return {**structure, "properties": {**structure.get("properties", {}), **products}}


def _vocabulary(tree: TemplateTree, product: str) -> Document:
    """A product's product.yml, judged by the spine's product.schema.yml."""
    document = load_template(tree, f"{product}/product.yml")
    rules = load_template(tree, f"{SPINE}/product.schema.yml")
    if document is None or rules is None:
        raise UsageError(f"templates/{SPINE}/product.schema.yml: no such file")
    return validator.judged(document, rules.data)


def _complete_products(
    tree: TemplateTree, products: list[str], values: dict[str, Any], faulty: bool
) -> list[hosts.Found]:
    """Fill in host values and derived values of the products, in their order; the hosts found.

    Raises FindingsError for a product.yml whose paths or expressions are wrong.
    """
    found: list[hosts.Found] = []
    findings: list[Finding] = []
    vocabularies = [(name, _vocabulary(tree, name)) for name in products]
    for name, vocabulary in sorted(vocabularies, key=lambda entry: entry[1].data["order"]):
        try:
            own = hosts.fill(name, values[name], vocabulary.data["hosts"])
        except ExpressionError as error:
            findings.append(vocabulary.finding("T112", ("hosts",), str(error)))
            continue
        found += own
        findings += _derive(name, vocabulary, values, own, faulty)
    if findings:
        raise FindingsError(findings)
    return found


def _within(found: list[hosts.Found], values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Full name of a server -> the mapping that lists it, where that is not its product's."""
    around: dict[str, dict[str, Any]] = {}
    for path, own in found:
        holder: Any = values
        for part in path[:-2]:
            holder = holder[part]
        if len(path) > len(("product", "key", 0)):
            around[own["fqdn"]] = holder
    return around


def _derive(
    name: str,
    vocabulary: Document,
    values: dict[str, Any],
    found: list[hosts.Found],
    faulty: bool,
) -> Iterator[Finding]:
    """Compute the derived values of a product into its mapping, in the order of product.yml.

    An expression sees the whole inventory and `hosts`, the host mappings of this product. With a
    faulty inventory a value that cannot be computed is left out: its cause is a finding already.
    """
    names = {**values, "hosts": [host_values for _, host_values in found]}
    for index, entry in enumerate(vocabulary.data.get("derived", ())):
        try:
            values[name][entry["name"]] = expressions.evaluate(entry["value"], names)
        except ExpressionError as error:
            if not faulty:
                code = error.limit or "T111"
                yield vocabulary.finding(code, ("derived", index, "value"), str(error))


def _name_mistakes(path: Path, registry: dict[str, Schema]) -> list[Finding]:
    """The file's name becomes the name of a folder, on Windows as well."""
    rule = registry[_STRUCTURE].get("$defs", {}).get("safe_name")
    if rule is None or validator.is_valid(path.stem, rule):
        return []
    message = f"the file name {show(path.stem)} cannot be the name of a folder everywhere"
    hint = f"wanted is {rule.get('x-expects', 'another name')}"
    return [Finding("E205", message, path.as_posix(), hint=hint)]
