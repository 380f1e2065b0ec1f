"""What templates may say: names and keys, known from the schemas, found without an inventory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from jinja2 import nodes

from generator.schema.messages import did_you_mean
from generator.schema.references import Registry, Schema, resolve

_PART = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_MAPPING_METHODS = {"get", "items", "keys", "values"}
_SAME = {"list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"}
_ONE_OF = {"first", "last", "max", "min"}


@dataclass(frozen=True, slots=True)
class Known:
    """A value as far as it is known: the keys of a mapping, the items of a list, or nothing."""

    keys: Mapping[str, Known] | None = None
    items: Known | None = None

    def with_keys(self, more: Mapping[str, Known]) -> Known:
        """The same mapping with further keys."""
        return replace(self, keys={**(self.keys or {}), **more})


ANY = Known()
NOTHING = Known(keys={})


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name or key that nothing gives a value: where, and what was probably meant."""

    name: str
    line: int
    meant: str


def from_schema(schema: Schema, file: str, registry: Registry) -> Known:
    """The keys that a schema declares; where it allows others, anything may be there."""
    while "$ref" in schema:
        schema, file = resolve(schema["$ref"], file, registry)
    items = schema.get("items")
    if isinstance(items, dict):
        return Known(items=from_schema(items, file, registry))
    properties = schema.get("properties")
    if not isinstance(properties, dict) or schema.get("additionalProperties") is not False:
        return ANY
    return Known({name: from_schema(part, file, registry) for name, part in properties.items()})


def at(known: Known, path: str) -> Known:
    """What stands at a path like `pools[*].servers[*]`."""
    for part in _PART.findall(path):
        known = (known.items or ANY) if part[0] == "[" else (known.keys or {}).get(part, ANY)
    return known


@dataclass
class Walk:
    """A walk through a syntax tree of Jinja, which answers with the unknown names in it."""

    names: Mapping[str, Known]
    found: list[Unknown] = field(default_factory=list)

    def of(self, tree: nodes.Node) -> list[Unknown]:
        """Every unknown name of a template or expression, each line's once."""
        bound = dict.fromkeys(stored(tree), ANY)
        self._visit(tree, {**self.names, **bound})
        return list(dict.fromkeys(self.found))

    def _visit(self, node: nodes.Node, names: Mapping[str, Known]) -> Known:
        """Collect the unknown names below a node; answers with what is known of its value."""
        match node:
            case nodes.Name(ctx="load") | nodes.Getattr() | nodes.Getitem():
                return self._lookup(node, names)
            case nodes.Filter(node=nodes.Node() as value):
                return self._filter(node, self._visit(value, names), names)
            case nodes.For():
                self._for(node, names)
            case _:
                for child in node.iter_child_nodes():
                    self._visit(child, names)
        return ANY

    def _lookup(
        self, node: nodes.Name | nodes.Getattr | nodes.Getitem, names: Mapping[str, Known]
    ) -> Known:
        if isinstance(node, nodes.Name):
            return self._key(Known(names), node.name, "", node.lineno)
        around = self._visit(node.node, names)
        if isinstance(node, nodes.Getattr):
            return self._key(around, node.attr, text(node), node.lineno)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._key(around, node.arg.value, text(node), node.lineno)
        self._visit(node.arg, names)
        return around.items or ANY

    def _key(self, around: Known, key: str, whole: str, line: int) -> Known:
        if around.keys is None:
            return ANY
        if key in around.keys:
            return around.keys[key]
        if not whole or key not in _MAPPING_METHODS:
            self.found.append(Unknown(whole or key, line, did_you_mean(key, around.keys)))
        return ANY

    def _for(self, node: nodes.For, names: Mapping[str, Known]) -> None:
        each = self._visit(node.iter, names).items or ANY
        inside = {**names, "loop": ANY}
        if isinstance(node.target, nodes.Name):
            inside[node.target.name] = each
        for child in (*node.body, *([node.test] if node.test is not None else [])):
            self._visit(child, inside)
        for child in node.else_:
            self._visit(child, names)

    def _filter(self, node: nodes.Filter, value: Known, names: Mapping[str, Known]) -> Known:
        for child in node.iter_child_nodes():
            if child is not node.node:
                self._visit(child, names)
        if node.name in _SAME:
            return value
        return (value.items or ANY) if node.name in _ONE_OF else ANY


def stored(tree: nodes.Node) -> set[str]:
    """Names that a template gives a value to: by set, import, as a macro or its parameter."""
    found = {node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")}
    found |= {node.name for node in tree.find_all(nodes.Macro)}
    found |= {node.target for node in tree.find_all(nodes.Import)}
    for node in tree.find_all(nodes.FromImport):
        found |= {name if isinstance(name, str) else name[1] for name in node.names}
    return found


def included(tree: nodes.Node) -> Iterator[str]:
    """Templates that a template includes or imports by a literal name."""
    return (name for name, _, _ in inclusions(tree))


def inclusions(tree: nodes.Node) -> Iterator[tuple[str, int, bool]]:
    """The same, each with its line and whether it must be there."""
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        template = getattr(node, "template", None)
        if isinstance(template, nodes.Const):
            given = [name for name in _listed(template.value) if isinstance(name, str)]
            needed = len(given) == 1 and not getattr(node, "ignore_missing", False)
            yield from ((name, node.lineno, needed) for name in given)


def unknown(
    tree: nodes.Node, names: Mapping[str, Known], also: Iterable[str] = ()
) -> list[Unknown]:
    """The unknown names of a tree; those of `also` have a value that nothing is known of."""
    return Walk({**names, **dict.fromkeys(also, ANY)}).of(tree)


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else (value,)


def root(node: nodes.Node) -> str:
    """The name that an expression like `blocks.product` starts with, or nothing."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else ""


def text(node: nodes.Node) -> str:
    """`product.servers[0].fqdn`, as the template says it."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{text(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem):
        constant = isinstance(node.arg, nodes.Const)
        return f"{text(node.node)}[{text(node.arg) if constant else '...'}]"
    if isinstance(node, nodes.Const):
        return repr(node.value)
    return f"{text(node.node)}(...)" if isinstance(node, nodes.Call) else "..."


def place(source: str, name: str) -> int:
    """The column (from 1) of a name in its line, as well as it can be told."""
    last = name.rpartition(".")[2].strip("[]'\"")
    for sought in (name, last):
        if sought and sought in source:
            return source.index(sought) + 1
    return len(source) - len(source.lstrip()) + 1
