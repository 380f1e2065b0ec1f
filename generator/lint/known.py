"""What is known of a value without an inventory: keys, items, kind and choices, from a schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from generator.schema.references import Registry, Schema, resolve

Scalar: TypeAlias = str | int | float | bool | None

_PART = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_KINDS = {
    "string": "text",
    "integer": "a number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "a mapping",
}
"""Types of JSON Schema -> kinds, as messages name them."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value as far as it is known: the keys of a mapping, the items of a list, or nothing.

    Without `kinds` it may be of any kind; without `choices` it may have any value of its kinds.
    """

    keys: Mapping[str, Known] | None = None
    items: Known | None = None
    kinds: frozenset[str] = frozenset()
    choices: frozenset[Scalar] | None = None

    def with_keys(self, more: Mapping[str, Known]) -> Known:
        """The same mapping with further keys."""
        return replace(self, keys={**(self.keys or {}), **more})

    @property
    def shape(self) -> Known:
        """The same keys and items, with any value."""
        return Known(self.keys, self.items)

    @property
    def shown(self) -> str:
        """Its kinds, as a message names them."""
        return " or ".join(sorted(self.kinds))


ANY = Known()
TEXT = Known(kinds=frozenset({"text"}))
NUMBER = Known(kinds=frozenset({"a number"}))


def from_schema(schema: Schema, file: str, registry: Registry) -> Known:
    """What a schema says of a value; where it allows other keys, anything may be there."""
    while "$ref" in schema:
        schema, file = resolve(schema["$ref"], file, registry)
    kinds = _kinds(schema)
    choices = _choices(schema, kinds)
    items = schema.get("items")
    if isinstance(items, dict):
        return Known(items=from_schema(items, file, registry), kinds=kinds)
    properties = schema.get("properties")
    if not isinstance(properties, dict) or schema.get("additionalProperties") is not False:
        return Known(kinds=kinds, choices=choices)
    keys = {name: from_schema(part, file, registry) for name, part in properties.items()}
    return Known(keys, kinds=kinds)


def _kinds(schema: Schema) -> frozenset[str]:
    given = schema.get("type", ())
    names = {given} if isinstance(given, str) else set(given)
    if not names:
        values = _values(schema)
        return frozenset(_kind(value) for value in values or ())
    if "string" in names:
        # A whole number becomes its text where text may stand.
        names.discard("integer")
    return frozenset(_KINDS[name] for name in names if name in _KINDS)


def _choices(schema: Schema, kinds: frozenset[str]) -> frozenset[Scalar] | None:
    values = _values(schema)
    if values is None or not all(isinstance(value, str | int | float | None) for value in values):
        return None
    numbers = "a number" in kinds
    return frozenset(
        str(value) if isinstance(value, int) and not isinstance(value, bool) and not numbers
        else value
        for value in values
    )  # fmt: skip


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _kind(value: Any) -> str:
    types = {
        str: "string", bool: "boolean", int: "integer", float: "number", list: "array",
        dict: "object",
    }  # fmt: skip
    return _KINDS[types.get(type(value), "null")]


def literal(value: Scalar) -> Known:
    """What is known of a value that an expression writes out."""
    return Known(kinds=frozenset({_kind(value)}), choices=frozenset({value}))


def either(values: Sequence[Known]) -> Known:
    """What is known of a value that may be each of these."""
    if not values:
        return ANY
    first = values[0]
    same_keys = all(one.keys == first.keys for one in values)
    same_items = all(one.items == first.items for one in values)
    kinds = [one.kinds for one in values]
    choices: frozenset[Scalar] | None = frozenset()
    for one in values:
        choices = None if choices is None or one.choices is None else choices | one.choices
    return Known(
        first.keys if same_keys else None,
        first.items if same_items else None,
        frozenset().union(*kinds) if all(kinds) else frozenset(),
        choices,
    )


def listed(items: Sequence[Known]) -> Known:
    """What is known of a list of these items."""
    return Known(items=either(items), kinds=frozenset({"a list"}))


def never_equal(one: Known, other: Known) -> bool:
    """Whether two values can never be the same."""
    if apart(one, other):
        return True
    if one.choices is None or other.choices is None:
        return False
    return not one.choices & other.choices


def apart(one: Known, other: Known) -> bool:
    """Whether two values are of kinds that are never the same; true is the same as 1."""
    kinds = [
        {"a number" if kind == "true or false" else kind for kind in value.kinds}
        for value in (one, other)
    ]
    return bool(kinds[0] and kinds[1]) and not kinds[0] & kinds[1]


def at(known: Known, path: str) -> Known:
    """What stands at a path like `pools[*].servers[*]`."""
    for part in _PART.findall(path):
        known = (known.items or ANY) if part[0] == "[" else (known.keys or {}).get(part, ANY)
    return known


def written(value: Scalar) -> str:
    """A value as an expression writes it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return repr(value)
