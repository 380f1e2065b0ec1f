"""Which cmdlets of a product a runbook uses: what its rights and its preflight ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from generator.model.plan import Product, Runbook
from generator.syntax.calls import uses
from generator.syntax.catalogue import Catalogue, load
from generator.syntax.tree import parse
from generator.templating import marks


class UsedCommands:
    """Sees the pieces of every runbook, then tells what each uses.

    A piece is parsed as the rules parse it, by its shape: thousands of scripts have few of them.
    """

    def __init__(self, products: Iterable[Product]) -> None:
        self._lists: dict[str, Catalogue] = {
            product.name: load({}, product.name, product.commands) for product in products
        }
        self._behind = {
            (product.name, script): frozenset(entry["commands"])
            for product in products
            for script, entry in product.commands.get("scripts", {}).items()
        }
        self._known: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {}
        self._own: dict[str, frozenset[str]] = {}
        self._called: dict[str, frozenset[str]] = {}
        self._on_host: dict[tuple[str, str], frozenset[str]] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}

    def add(self, runbook: Runbook, pieces: Iterable[str]) -> None:
        """What a runbook, whose marked pieces these are, uses itself or through a script."""
        product = runbook.definition.product
        found = [self._of(product, marks.shape_of(piece)) for piece in pieces]
        own = self._same(frozenset().union(*(cmdlets for cmdlets, _ in found)))
        self._own[runbook.id] = own
        self._called[runbook.id] = self._same(frozenset().union(*(called for _, called in found)))
        key = product, runbook.host.fqdn
        self._on_host[key] = self._same(self._on_host.get(key, own) | own)

    def of(self, runbook: Runbook) -> Sequence[str]:
        """Sorted; with `commands: host` those of all runbooks of its product on its host."""
        if runbook.definition.values.get("commands") == "host":
            return sorted(self._on_host[runbook.definition.product, runbook.host.fqdn])
        return sorted(self._own[runbook.id])

    def called_by(self, runbook: Runbook) -> frozenset[str]:
        """The names of all commands and functions that its steps call."""
        return self._called[runbook.id]

    def _of(self, product: str, shape: str) -> tuple[frozenset[str], frozenset[str]]:
        """The cmdlets that a piece needs, those that a script of the vendor calls for it too, and
        the name of everything that it calls.
        """
        key = product, shape
        found = self._known.get(key)
        if found is None:
            catalogue = self._lists[product]
            names: set[str] = set()
            used = uses(parse(shape), catalogue)
            for use in used:
                if use.command is not None:
                    names |= self._behind.get((product, use.command.name), {use.command.name})
            called = frozenset(use.name for use in used)
            found = self._known[key] = frozenset(names), called
        return found

    def _same(self, names: frozenset[str]) -> frozenset[str]:
        """Thousands of runbooks use the same few sets."""
        return self._shared.setdefault(names, names)
