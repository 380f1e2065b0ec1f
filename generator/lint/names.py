"""What templates may say: names and keys, known from the schemas, found without an inventory.

So is a comparison of two values that can never be the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jinja2 import nodes

from generator.lint import comparisons, known
from generator.lint.comparisons import Constant, RightSide, Side
from generator.lint.known import ANY, NUMBER, TEXT, Known, either
from generator.lint.shown import text
from generator.schema.messages import did_you_mean

_MAPPING_METHODS = {"get", "items", "keys", "values"}
_SAME = {"list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"}
_ONE_OF = {"first", "last", "max", "min"}
_TEXTS = {"capitalize", "join", "lower", "replace", "string", "title", "trim", "upper"}
_NUMBERS = {"abs", "count", "int", "length"}
_TESTS = {"eq": "eq", "equalto": "eq", "==": "eq", "ne": "ne", "!=": "ne", "in": "in"}
_OF_ITEMS = {"reject": 0, "rejectattr": 1, "select": 0, "selectattr": 1}
"""Filters that test items: at which argument the name of the test stands."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name or key that nothing gives a value: where, and what was probably meant."""

    name: str
    line: int
    meant: str


@dataclass
class Walk:
    """A walk through a syntax tree of Jinja, which notes unknown names and constant comparisons."""

    names: Mapping[str, Known]
    found: list[Unknown] = field(default_factory=list)
    constant: list[Constant] = field(default_factory=list)

    def through(self, tree: nodes.Node) -> Walk:
        """The walk after a template or expression; what is found is found once in each line."""
        bound = dict.fromkeys(stored(tree), ANY)
        self._visit(tree, {**self.names, **bound})
        self.found = list(dict.fromkeys(self.found))
        self.constant = list(dict.fromkeys(self.constant))
        return self

    def _visit(self, node: nodes.Node, names: Mapping[str, Known]) -> Known:
        """Collect the unknown names below a node; answers with what is known of its value."""
        match node:
            case nodes.Name(ctx="load") | nodes.Getattr() | nodes.Getitem():
                return self._lookup(node, names)
            case nodes.Filter(node=nodes.Node() as value):
                return self._filter(node, self._visit(value, names), names)
            case nodes.Const() | nodes.List() | nodes.Tuple() | nodes.CondExpr() | nodes.Add():
                return self._value(node, names)
            case nodes.For():
                self._for(node, names)
            case nodes.Compare():
                self._compare(node, names)
            case nodes.Test():
                self._test(node, names)
            case _:
                for child in node.iter_child_nodes():
                    self._visit(child, names)
        return ANY

    def _value(self, node: nodes.Node, names: Mapping[str, Known]) -> Known:
        """A value that an expression writes out, or puts together."""
        parts = [self._visit(child, names) for child in node.iter_child_nodes()]
        match node:
            case nodes.Const(value=str() | int() | float() | None):
                return known.literal(node.value)
            case nodes.List() | nodes.Tuple():
                return known.listed(parts)
            case nodes.CondExpr(expr2=nodes.Node()):
                # The first part is the condition.
                return either(parts[1:])
        whole = isinstance(node, nodes.Add) and all(one.kinds == TEXT.kinds for one in parts)
        return TEXT if whole else ANY

    def _compare(self, node: nodes.Compare, names: Mapping[str, Known]) -> None:
        left: Side = (node.expr, self._visit(node.expr, names))
        for operand in node.ops:
            right = self._side(operand.expr, names)
            self.constant += comparisons.constant(left, operand.op, right)
            left = right.side

    def _test(self, node: nodes.Test, names: Mapping[str, Known]) -> None:
        value = self._visit(node.node, names)
        given = [self._side(one, names) for one in node.args]
        if len(given) == 1:
            sign = _TESTS.get(node.name, "")
            self.constant += comparisons.constant((node.node, value), sign, given[0])

    def _side(self, node: nodes.Node, names: Mapping[str, Known]) -> RightSide:
        """The right side of a comparison: of a list that is written out each item by itself.

        Everything is visited once, however deep comparisons stand in one another.
        """
        if isinstance(node, nodes.List | nodes.Tuple):
            items = tuple((one, self._visit(one, names)) for one in node.items)
            return RightSide((node, known.listed([value for _, value in items])), items)
        return RightSide((node, self._visit(node, names)))

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
        return around.shape if isinstance(node.arg, nodes.Slice) else around.items or ANY

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
        given = [self._side(child, names) for child in node.args]
        for pair in node.kwargs:
            self._visit(pair.value, names)
        self._items(node, value, given)
        match node.name:
            case "d" | "default":
                return either([value, given[0].side[1]]) if given else ANY
            case "map":
                return known.listed([_mapped(node, value.items or ANY)])
            case name if name in _SAME:
                return value if value.items is not None else ANY
            case name if name in _ONE_OF:
                return value.items or ANY
        return _made_by(node.name)

    def _items(self, node: nodes.Filter, value: Known, given: Sequence[RightSide]) -> None:
        """A filter that tests each item compares as well: `selectattr('site', 'eq', 5)`."""
        place = _OF_ITEMS.get(node.name)
        if place is None or value.items is None or len(given) != place + 2:
            return
        words = [one.value for one in node.args[:-1] if isinstance(one, nodes.Const)]
        if len(words) == place + 1:
            attribute = str(words[0]) if place else ""
            item = nodes.Name(f"item.{attribute}".rstrip("."), "load", lineno=node.lineno)
            left = item, known.at(value.items, attribute)
            self.constant += comparisons.constant(left, _TESTS.get(words[-1], ""), given[-1])


def _mapped(node: nodes.Filter, item: Known) -> Known:
    """What `map` makes of an item: an attribute of it, or what a filter makes of it."""
    for pair in node.kwargs:
        if pair.key == "attribute" and isinstance(pair.value, nodes.Const):
            return known.at(item, str(pair.value.value))
    first = node.args[0] if node.args else None
    return _made_by(str(first.value)) if isinstance(first, nodes.Const) else ANY


def _made_by(name: str) -> Known:
    """What is known of the answer of a filter."""
    return TEXT if name in _TEXTS else NUMBER if name in _NUMBERS else ANY


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


def walk(tree: nodes.Node, names: Mapping[str, Known], also: Iterable[str] = ()) -> Walk:
    """What is wrong in a tree; the names of `also` have a value that nothing is known of."""
    return Walk({**names, **dict.fromkeys(also, ANY)}).through(tree)


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else (value,)
