"""Which cmdlets of a product a runbook uses: what its rights and its preflight ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from generator.built import Piece
from generator.planned import Product, Runbook

_COMMAND = re.compile(r"\b[A-Z][A-Za-z]+-[A-Z][A-Za-z]+\b")
_QUOTED = re.compile(r"'(?:[^'\n]|'')*'|\"(?:[^\"`\n]|`.|\"\")*\"|#.*")
_REMEMBERED = 8_192


class _Lines(dict[str, frozenset[str]]):
    """Line -> what it names in code, not in sentences; most lines stand in many scripts."""

    def __missing__(self, line: str) -> frozenset[str]:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[line] = found = frozenset(_COMMAND.findall(_QUOTED.sub("", line)))
        return found


class UsedCommands:
    """Sees the pieces of every runbook, then tells what each uses."""

    def __init__(self, products: Iterable[Product]) -> None:
        self._lists: dict[str, dict[str, Any]] = {
            product.name: dict(product.commands) for product in products
        }
        self._lines = _Lines()
        self._own: dict[str, frozenset[str]] = {}
        self._on_host: dict[tuple[str, str], frozenset[str]] = {}
        self._shared: dict[frozenset[str], frozenset[str]] = {}

    def add(self, runbook: Runbook, pieces: Iterable[Piece]) -> None:
        """What a runbook uses itself, or through a script of the vendor that it names."""
        lists = self._lists[runbook.definition.product]
        named: set[str] = set()
        behind: set[str] = set()
        for piece in pieces:
            named.update(*map(self._lines.__getitem__, piece.text.split("\n")))
            for script, entry in lists.get("scripts", {}).items():
                if script in piece.text:
                    behind.update(entry["commands"])
        own = self._same(frozenset(named & lists.get("commands", {}).keys() | behind))
        self._own[runbook.id] = own
        key = runbook.definition.product, runbook.host.fqdn
        self._on_host[key] = self._same(self._on_host.get(key, own) | own)

    def of(self, runbook: Runbook) -> Sequence[str]:
        """Sorted; with `commands: host` those of all runbooks of its product on its host."""
        if runbook.definition.values.get("commands") == "host":
            return sorted(self._on_host[runbook.definition.product, runbook.host.fqdn])
        return sorted(self._own[runbook.id])

    def _same(self, names: frozenset[str]) -> frozenset[str]:
        """Thousands of runbooks use the same few sets."""
        return self._shared.setdefault(names, names)
