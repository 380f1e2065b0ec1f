"""Text -> syntax tree, as far as the rules look at it.

The parser is a fast net; the real PowerShell parser judges every shape in the tests. It is
imported when the first script is parsed: `--help` does not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tree_sitter


class Node:
    """A node of the tree. `line` counts from 1; `text` is the source of the node."""

    __slots__ = ("_end", "_source", "_start", "children", "kind", "line", "missing", "parent")

    def __init__(self, node: tree_sitter.Node, parent: Node | None, source: bytes) -> None:
        self.kind = node.type
        self.line = node.start_point[0] + 1
        self.missing = node.is_missing
        self.parent = parent
        self.children: list[Node] = []
        self._source = source
        self._start = node.start_byte
        self._end = node.end_byte

    @property
    def text(self) -> str:
        """The source text of the node."""
        return self._source[self._start : self._end].decode("utf-8", "replace")

    def walk(self) -> Iterator[Node]:
        """The node and all below it, in the order of the text."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def ancestors(self) -> Iterator[Node]:
        """From the parent outwards."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def child(self, kind: str) -> Node | None:
        """The first child of a kind."""
        return next((child for child in self.children if child.kind == kind), None)

    def unwrapped(self) -> Node:
        """The expression inside nodes that hold nothing else (pipelines of one command, ...)."""
        node = self
        while len(node.children) == 1 and node.kind not in _LEAVES:
            node = node.children[0]
        return node


_LEAVES = {"variable", "string_literal", "script_block_expression", "type_literal"}


@dataclass(frozen=True, slots=True)
class Script:
    """A piece of a script, parsed: all nodes by kind, in the order of the text."""

    text: str
    engine: bool
    root: Node
    by_kind: dict[str, list[Node]] = field(repr=False)

    def all(self, *kinds: str) -> Iterator[Node]:
        """The nodes of some kinds."""
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    @property
    def functions(self) -> dict[str, Node]:
        """The functions that the piece defines, by name."""
        found: dict[str, Node] = {}
        for node in self.all("function_statement"):
            name = node.child("function_name")
            if name is not None:
                found[name.text] = node
        return found


def parse(text: str, engine: bool = False) -> Script:
    """Parse a piece; what does not parse is in the tree as ERROR or missing nodes."""
    source = text.encode("utf-8", "replace")
    top = _parser().parse(source).root_node
    root = Node(top, None, source)
    by_kind: dict[str, list[Node]] = {}
    stack = [(top, root)]
    while stack:
        raw, node = stack.pop()
        by_kind.setdefault(node.kind, []).append(node)
        for child in raw.children:
            node.children.append(Node(child, node, source))
        stack.extend(zip(reversed(raw.children), reversed(node.children), strict=True))
    return Script(text, engine, root, by_kind)


@cache
def _parser() -> Any:
    import tree_sitter  # noqa: PLC0415
    import tree_sitter_pwsh  # noqa: PLC0415

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))


READING = frozenset(
    {"Wanted", "Read", "Require", "Check", "Diagnosis", "Product", "Probe", "facts"}
)
"""Where nothing may change: these blocks of a step and of a product, and the facts."""

_STEP_BLOCKS = {"Wanted", "Read", "Require", "Apply", "Check", "Diagnosis"}
_RUNBOOK_BLOCKS = {"Product", "Shell", "Probe", "Save"}


def block_of(node: Node, engine: bool = False) -> str:
    """The block that a node stands in: Read, Apply, Save, ..., else `facts` or `engine`."""
    if engine:
        return "engine"
    block = "facts"
    for outer in node.ancestors():
        # The outermost name counts: a table inside Apply may have an entry called Read.
        if outer.kind == "hash_entry" and key_of(outer) in _STEP_BLOCKS:
            block = key_of(outer)
        elif outer.kind == "assignment_expression":
            target = outer.children[0].text.removeprefix("$Runbook.")
            if target in _RUNBOOK_BLOCKS:
                block = target
    return block


def key_of(entry: Node) -> str:
    """The name of a table's entry, without quotes."""
    key = entry.child("key_expression")
    return key.text.strip("'\"") if key is not None else ""


def enclosing_block(node: Node) -> Node | None:
    """The innermost script block or function around a node."""
    kinds = ("script_block_expression", "function_statement")
    return next((outer for outer in node.ancestors() if outer.kind in kinds), None)


def outermost_block(node: Node) -> Node | None:
    """The outermost script block or function around a node."""
    kinds = ("script_block_expression", "function_statement")
    found = None
    for outer in node.ancestors():
        if outer.kind in kinds:
            found = outer
    return found


def constant_of(variable: Node, script: Script) -> str:
    """The source text that a variable was last given above in the same block, or ''."""
    around, found = outermost_block(variable), ""
    for node in script.all("assignment_expression"):
        assigns = node.children[0].text == variable.text and node.line <= variable.line
        if assigns and outermost_block(node) is around:
            found = node.children[-1].text
    return found
