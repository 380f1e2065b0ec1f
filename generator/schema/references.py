"""The references of schemas: where a `$ref` leads, and that following them comes to an end.

A schema may not refer to itself, not even for the parts of a value: nothing in an inventory is
nested without end, and every stage may follow references without looking for rings.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from generator.findings import show

Schema: TypeAlias = dict[str, Any]
Registry: TypeAlias = Mapping[str, Schema]
"""Schema files by their name in the template tree (`_runbook/schema.yml`)."""
Path_: TypeAlias = tuple[str | int, ...]

MOST = 5_000
"""Schemas in a schema file when every reference is written out; the largest built-in one has
less than two hundred. A validator may look at each of them for each value.
"""

# Where a schema holds further schemas: one, a list, or a mapping of them.
ONE = {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames",
       "then", "unevaluatedItems", "unevaluatedProperties"}  # fmt: skip
LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
MAPPINGS = {"$defs", "dependentSchemas", "patternProperties", "properties"}


def resolve(reference: str, file: str, registry: Registry) -> tuple[Schema, str]:
    """What a `$ref` in `file` points at, and the file that holds it.

    Raises KeyError or TypeError where it points at nothing.
    """
    name, _, pointer = reference.partition("#")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(file), name)) if name else file
    target: Any = registry[file]
    if pointer and not pointer.startswith("/"):
        raise KeyError(pointer)
    for part in pointer.split("/")[1:]:
        target = target[part.replace("~1", "/").replace("~0", "~")]
    if not isinstance(target, dict):
        raise KeyError(pointer)
    return target, file


def parts(schema: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Schema]]:
    """Every schema in a schema, itself included, with its path."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for below, item in _children(schema):
        yield from parts(item, (*path, *below))


def _children(schema: Schema) -> Iterator[tuple[Path_, Any]]:
    """The schemas that stand in a schema, with their paths in it."""
    for key, value in schema.items():
        if key in ONE:
            yield (key,), value
        elif key in LISTS and isinstance(value, list):
            yield from (((key, index), item) for index, item in enumerate(value))
        elif key in MAPPINGS and isinstance(value, dict):
            yield from (((key, name), item) for name, item in value.items())


@dataclass(frozen=True, slots=True)
class _Part:
    """A schema that was met: where it stands, and what it leads to. `target` is that of $ref."""

    schema: Schema
    file: str
    path: Path_
    below: tuple[int, ...]
    target: int | None

    @property
    def leads_to(self) -> tuple[int, ...]:
        """Everything that a value is judged by once it is judged by this."""
        return self.below if self.target is None else (*self.below, self.target)


def faults(schema: Schema, file: str, registry: Registry) -> list[tuple[str, Path_, str]]:
    """Code, path and message of each reference in a file that leads back to itself, or of a
    schema that is too large with every reference written out.

    References that point at nothing are passed over; they are another mistake.
    """
    met = _met(schema, file, registry)
    found: list[tuple[str, Path_, str]] = []
    while True:
        sorter = TopologicalSorter({key: part.leads_to for key, part in met.items()})
        try:
            order = list(sorter.static_order())
            break
        except CycleError as error:
            # Each ring has a reference; without it there is one ring less.
            key = next(key for key in error.args[1] if met[key].target in error.args[1])
            part = met[key]
            met[key] = replace(part, target=None)
            if part.file == file:
                message = f"$ref {show(part.schema['$ref'])} leads back to itself"
                found.append(("T127", (*part.path, "$ref"), message))
            elif not found:
                message = f"a $ref in {part.file} leads back to itself"
                found.append(("T127", (), message))
    return found or _too_large(schema, met, order)


def _too_large(
    schema: Schema, met: Mapping[int, _Part], order: list[int]
) -> list[tuple[str, Path_, str]]:
    sizes: dict[int, int] = {}
    for key in order:
        sizes[key] = min(1 + sum(sizes[one] for one in met[key].leads_to), MOST + 1)
    if sizes[id(schema)] <= MOST:
        return []
    message = f"with its references written out, this schema has more than {MOST:,} schemas"
    return [("T128", (), message)]


def _met(schema: Schema, file: str, registry: Registry) -> dict[int, _Part]:
    """Every schema that is reached from one, by the identity of its mapping."""
    met: dict[int, _Part] = {}
    waiting: deque[tuple[Schema, str, Path_]] = deque([(schema, file, ())])
    while waiting:
        part, own, path = waiting.pop()
        if id(part) in met:
            continue
        below = [(item, (*path, *more)) for more, item in _children(part) if isinstance(item, dict)]
        waiting += ((item, own, place) for item, place in below)
        target = None
        if "$ref" in part:
            try:
                found, other = resolve(str(part["$ref"]), own, registry)
                target = id(found)
                # Last, because what is met from above is known by its own path.
                waiting.appendleft((found, other, _pointer(str(part["$ref"]))))
            except (KeyError, TypeError, IndexError):
                target = None
        met[id(part)] = _Part(part, own, path, tuple(id(item) for item, _ in below), target)
    return met


def _pointer(reference: str) -> Path_:
    _, _, pointer = reference.partition("#")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
