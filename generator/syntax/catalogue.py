"""What scripts may call, read from the cmdlets.yml of the spine and of a product.

Only what is in use stands there, each entry with the product versions it applies to. Whatever is
not there is refused, so a misspelt or newer command never reaches a server.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from generator.model.inventory import Values

_READING_VERBS = frozenset(
    {
        "Compare", "ConvertFrom", "ConvertTo", "ForEach", "Format", "Get", "Group", "Join",
        "Measure", "New-Object", "Out-String", "Resolve", "Select", "Sort", "Split", "Test",
        "Where",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: empty `versions` are those of its command, empty `sets` are all of them."""

    versions: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    mandatory: frozenset[str] = frozenset()
    switch: bool = False
    avoid: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command; `product` is empty for those of Windows PowerShell and of the engine."""

    name: str
    product: str = ""
    versions: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset({""})
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    reads: bool = False
    stop: bool = True
    engine: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Type:
    """A .NET type: static members for every block, and those for changing blocks only."""

    reads: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that a script of one product may use."""

    commands: Mapping[str, Command]
    scripts: Mapping[str, Command]
    programs: Mapping[str, Command]
    types: Mapping[str, Type]
    reading_methods: frozenset[str]
    changing_methods: frozenset[str]
    common: frozenset[str]
    aliases: Mapping[str, str]
    newer: Mapping[str, str]

    def like(self, name: str) -> str:
        """The command that was probably meant, or ''."""
        return like(name, self.commands)

    def with_functions(self, functions: Iterable[Command]) -> Catalogue:
        """The same, with the functions that a piece defines for itself."""
        own = {command.name: command for command in functions}
        return replace(self, commands={**self.commands, **own})


def load(base: Values, product: str = "", values: Values | None = None) -> Catalogue:
    """The catalogue of a product, from the data of both files; an empty `base` allows nothing."""
    values = values or {}
    commands = dict(_commands(base.get("commands"), "", frozenset()))
    commands.update(_commands(base.get("functions"), "", frozenset()))
    everywhere = _words(values.get("versions"))
    commands.update(_commands(values.get("commands"), product, everywhere))
    methods = base.get("methods") or {}
    return Catalogue(
        commands=commands,
        scripts=dict(_commands(values.get("scripts"), product, everywhere)),
        programs=dict(_commands(base.get("programs"), "", frozenset())),
        types={
            name: Type(_words(item.get("reads")), _words(item.get("changes")))
            for name, item in _items(base.get("types"))
        },
        reading_methods=_words(methods.get("reads")),
        changing_methods=_words(methods.get("changes")),
        common=_words(base.get("common")),
        aliases={
            alias.lower(): name
            for name, aliases in (base.get("aliases") or {}).items()
            for alias in aliases
        },
        newer={str(name): str(version) for name, version in (base.get("newer") or {}).items()},
    )


def like(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant, or ''."""
    by_lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else ""


def _commands(data: Any, product: str, everywhere: frozenset[str]) -> Iterator[tuple[str, Command]]:
    for name, item in _items(data):
        sets = _words(item.get("sets")) or frozenset({""})
        parameters = {
            parameter: _parameter(entry, sets)
            for parameter, entry in _items(item.get("parameters"))
        }
        yield (
            name,
            Command(
                name=name,
                product=product,
                versions=_words(item.get("versions")) or everywhere,
                sets=sets,
                parameters=parameters,
                reads=bool(item.get("reads", only_reads(name))),
                stop=bool(item.get("stop", True)),
                engine=bool(item.get("engine", False)),
                note=str(item.get("note", "")),
            ),
        )


def _parameter(item: Mapping[str, Any], sets: frozenset[str]) -> Parameter:
    own = _words(item.get("sets"))
    mandatory = item.get("mandatory", False)
    must = (own or sets) if mandatory is True else _words(mandatory or ())
    return Parameter(
        versions=_words(item.get("versions")),
        sets=own,
        mandatory=must,
        switch=bool(item.get("switch", False)),
        avoid=str(item.get("avoid", "")),
    )


def only_reads(name: str) -> bool:
    """Whether a command changes nothing, as far as its verb tells."""
    return name.partition("-")[0] in _READING_VERBS or name in _READING_VERBS


def _items(data: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, item in (data or {}).items():
        yield str(name), item or {}


def _words(data: Any) -> frozenset[str]:
    # Versions are written as numbers and as text (2016, SE).
    return frozenset(str(word) for word in data or ())
