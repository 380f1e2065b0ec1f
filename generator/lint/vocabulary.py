"""The names that the templates of a tree may use: those of inventories, hosts and runbooks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from generator.findings import FindingsError
from generator.inventory import reader
from generator.lint.known import ANY, TEXT, Known, at, either, from_schema
from generator.lint.yaml_files import mappings, read
from generator.schema import schema_files
from generator.templating.templates import SPINE, TemplateTree

_LAST = re.compile(r"\.?[^.\[\]]+\[[^\]]*\]$")
_HOST = ("fqdn", "netbios", "ad_domain", "domain")
FILLED = ("netbios", "ad_domain", "version")
"""Keys that a server has although its mapping may not give them."""

_RUNBOOK_IN_TEXTS = ("id", "number", "undo", "undoes")
_RUNBOOK_IN_STEPS = ("id", "number", "action")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is known without an inventory. `inventory` has the key change and each product."""

    inventory: Mapping[str, Known]
    hosts: Mapping[str, Known]
    runbooks: Known

    def on_host(self, product: str) -> dict[str, Known]:
        """For an expression of a role."""
        return {**self.inventory, "host": self.hosts.get(product, ANY)}

    def in_texts(self, product: str) -> dict[str, Known]:
        """For a sentence of a role."""
        return {
            **self.on_host(product),
            "runbook": _plain(_RUNBOOK_IN_TEXTS, TEXT),
            "of": self.runbooks,
            "backward": ANY,
        }

    def in_steps(self, product: str) -> dict[str, Known]:
        """For a step file, the shell of a product, and a group that the operator must be in."""
        return {
            **self.on_host(product),
            "runbook": _plain(_RUNBOOK_IN_STEPS, TEXT),
            "past": self.runbooks,
            "follows": ANY,
            "backward": ANY,
            "serves": ANY,
            "shell": ANY,
        }

    def in_checks(self) -> dict[str, Known]:
        """For a check of an inventory."""
        return {**self.inventory, **dict.fromkeys(("item", "index", "parent", "first"), ANY)}

    def in_derived(self) -> dict[str, Known]:
        """For a derived value of a product."""
        return {**self.inventory, "hosts": ANY}


def load(tree: TemplateTree, sound: bool) -> Vocabulary | None:
    """The vocabulary of a tree; None where its schemas are broken, so that nothing is sure.

    `sound` says that every role could be read; otherwise any runbook may be named.
    """
    try:
        registry = schema_files.load_registry(tree)
        whole = reader.inventory_schema(tree, registry)
    except FindingsError:
        return None
    known = from_schema(whole, f"{SPINE}/schema.yml", registry)
    names = dict(known.keys or {})
    hosts: dict[str, Known] = {}
    for product in tree.products():
        data = _data(tree, f"{product}/product.yml")
        own = names.get(product, ANY)
        if own.keys is not None:
            derived = [str(entry.get("name")) for entry in mappings(data, "derived")]
            # What is derived may be of another kind than the key of the same name.
            values = {name: own.keys.get(name, ANY).shape for name in derived}
            names[product] = own.with_keys(values)
        keys: dict[str, Known] = {}
        around: dict[str, Known] = {}
        patterns = data.get("hosts") if isinstance(data, dict) else None
        for pattern in patterns if isinstance(patterns, list) else ():
            for key, value in (at(own, str(pattern)).keys or {}).items():
                keys[key] = either([value, keys[key]]) if key in keys else value
            outer = _LAST.sub("", str(pattern))
            around |= (at(own, outer).keys or {}) if outer else {}
        version = (own.keys or {}).get("version")
        if version is not None:
            # That of the product, where the server gives none.
            keys["version"] = either([version, keys.get("version", version)])
        keys = dict.fromkeys(_HOST, TEXT) | {"version": ANY} | keys
        # The mapping that lists the host: a pool, say.
        hosts[product] = Known({**keys, "within": Known(around)})
    runbooks = _plain(tuple(_runbooks(tree))) if sound else ANY
    return Vocabulary(names, hosts, runbooks)


def _runbooks(tree: TemplateTree) -> Iterator[str]:
    for product in tree.products():
        for role in tree.roles(product):
            for runbook in mappings(_data(tree, f"{product}/{role}/role.yml"), "runbooks"):
                yield f"{product}.{runbook.get('action')}"


def _data(tree: TemplateTree, name: str) -> Any:
    document = read(tree, name)
    return document.data if document is not None else None


def _plain(names: tuple[str, ...], each: Known = ANY) -> Known:
    return Known(dict.fromkeys(names, each))
