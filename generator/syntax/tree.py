"""Text -> syntax tree, as far as somebody looks at it.

The parser is a fast net; the real PowerShell parser judges every shape in the tests. It is
imported when the first script is parsed: `--help` does not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tree_sitter


class Node:
    """A node of the tree: what it is, what it stands in, what stands in it.

    `outermost` is the outermost script block or function around it.
    """

    __slots__ = ("_block", "_raw", "children", "kind", "outermost", "parent")

    def __init__(self, raw: tree_sitter.Node, parent: Node | None) -> None:
        self.kind = raw.type
        self.parent = parent
        self.children: list[Node] = []
        self.outermost: Node | None = None
        if parent is not None:
            self.outermost = parent.outermost or (parent if parent.kind in _BLOCKS else None)
        self._block = ""
        self._raw = raw

    @property
    def line(self) -> int:
        """Its first line, counted from 1."""
        return self._raw.start_point[0] + 1

    @property
    def span(self) -> tuple[int, int]:
        """Where it begins and ends in the source, in bytes."""
        return self._raw.start_byte, self._raw.end_byte

    @property
    def missing(self) -> bool:
        """Whether the parser has put it there because the grammar wants it."""
        return self._raw.is_missing

    @property
    def text(self) -> str:
        """The source text of the node."""
        return (self._raw.text or b"").decode("utf-8", "replace")

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

    @property
    def block(self) -> str:
        """The block of a step or of a product that it stands in, `facts` outside of all."""
        way = [self]
        while not way[-1]._block and way[-1].parent is not None:
            way.append(way[-1].parent)
        block = way[-1]._block or FACTS
        for node in reversed(way):
            # The outermost name counts: a table inside Apply may have an entry called Read.
            if block == FACTS and node.parent is not None:
                block = _named_by(node.parent) or FACTS
            node._block = block
        return block

    def child(self, kind: str) -> Node | None:
        """The first child of a kind."""
        return next((child for child in self.children if child.kind == kind), None)

    def unwrapped(self) -> Node:
        """The expression inside nodes that hold nothing else (pipelines of one command, ...)."""
        node = self
        while len(node.children) == 1 and node.kind not in _LEAVES:
            node = node.children[0]
        return node


_BLOCKS = ("script_block_expression", "function_statement")
_LEAVES = {"variable", "string_literal", "script_block_expression", "type_literal"}


class Script:
    """A piece of a script, parsed; `faulty` when the parser stumbled somewhere."""

    def __init__(self, text: str, engine: bool, root: Node, faulty: bool) -> None:
        self.text = text
        self.engine = engine
        self.root = root
        self.faulty = faulty
        self.by_kind: dict[str, list[Node]] = {}
        self.notes: dict[str, Any] = {}
        """What was found out about the piece and is asked for again."""

    def all(self, *kinds: str) -> Iterator[Node]:
        """The nodes of some kinds, each kind in the order of the text."""
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    @cached_property
    def functions(self) -> dict[str, Node]:
        """The functions that the piece defines, by name."""
        found: dict[str, Node] = {}
        for node in self.all("function_statement"):
            name = node.child("function_name")
            if name is not None:
                found[name.text] = node
        return found

    @cached_property
    def code(self) -> str:
        """The text with comments and strings blanked, every line in its place.

        What is computed inside of a string, `"$(...)"`, is code and stays.
        """
        source = bytearray(self.text.encode("utf-8", "replace"))
        for node in self.all("comment", "string_literal"):
            begin, end = node.span
            for inner in _computed(node) if node.kind == "string_literal" else ():
                _blank(source, begin, inner.span[0])
                begin = inner.span[1]
            _blank(source, begin, end)
        return source.decode("utf-8", "replace")

    @cached_property
    def written(self) -> dict[tuple[Node | None, str], list[Node]]:
        """Outermost block and variable in small letters -> where it is given a value, or a part."""
        found: dict[tuple[Node | None, str], list[Node]] = {}
        for node in self.all("variable"):
            if _is_written(node):
                found.setdefault((node.outermost, _name_of(node)), []).append(node)
        return found


def _computed(literal: Node) -> list[Node]:
    """The outermost sub-expressions of a string, in the order of the text."""
    inner = literal.children[0].children if literal.children else []
    return [node for node in inner if node.kind == "sub_expression"]


def _blank(source: bytearray, begin: int, end: int) -> None:
    lines = source[begin:end].split(b"\n")
    source[begin:end] = b"\n".join(b" " * len(line) for line in lines)


def _is_written(variable: Node) -> bool:
    around = variable.parent
    if around is not None and around.kind in ("foreach_statement", "script_parameter"):
        return True
    for outer in variable.ancestors():
        if outer.kind in ("left_assignment_expression", "pipeline"):
            return outer.kind != "pipeline"
    return False


def _name_of(variable: Node) -> str:
    return variable.text.strip("${}").lower()


def parse(text: str, engine: bool = False) -> Script:
    """Parse a piece; what does not parse is in the tree as ERROR or missing nodes."""
    tree = _parser().parse(text.encode("utf-8", "replace"))
    cursor = tree.walk()
    node = Node(cursor.node, None)
    script = Script(text, engine, node, tree.root_node.has_error)
    by_kind = script.by_kind
    while True:
        by_kind.setdefault(node.kind, []).append(node)
        if cursor.goto_first_child():
            parent: Node | None = node
        else:
            parent = node.parent
            while not cursor.goto_next_sibling():
                if parent is None or not cursor.goto_parent():
                    return script
                parent = parent.parent
        node = Node(cursor.node, parent)
        if parent is not None:
            parent.children.append(node)


@cache
def _parser() -> Any:
    import tree_sitter  # noqa: PLC0415
    import tree_sitter_pwsh  # noqa: PLC0415

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))


FACTS = "facts"
READING = frozenset({"Wanted", "Read", "Require", "Check", "Diagnosis", "Product", "Probe", FACTS})
"""Where nothing may change: these blocks of a step and of a product, and the facts."""

_STEP_BLOCKS = {"Wanted", "Read", "Require", "Apply", "Check", "Diagnosis"}
_RUNBOOK_BLOCKS = {"Product", "Shell", "Probe", "Save"}


def block_of(node: Node, engine: bool = False) -> str:
    """The block that a node stands in: Read, Apply, Save, ..., else `facts` or `engine`."""
    return "engine" if engine else node.block


def _named_by(node: Node) -> str:
    """The block that a node gives its name to, or ''."""
    if node.kind == "hash_entry":
        name = key_of(node)
        return name if name in _STEP_BLOCKS else ""
    if node.kind == "assignment_expression":
        name = node.children[0].text.removeprefix("$Runbook.")
        return name if name in _RUNBOOK_BLOCKS else ""
    return ""


def key_of(entry: Node) -> str:
    """The name of a table's entry, without quotes."""
    key = entry.child("key_expression")
    return key.text.strip("'\"") if key is not None else ""


def enclosing_block(node: Node) -> Node | None:
    """The innermost script block or function around a node."""
    return next((outer for outer in node.ancestors() if outer.kind in _BLOCKS), None)


def constant_of(variable: Node, script: Script) -> str:
    """The source text that a variable is given in its block; '' unless it is given one, once.

    A variable that a loop, a parameter or a second assignment writes has no constant value.
    """
    places = script.written.get((variable.outermost, _name_of(variable)), ())
    if len(places) != 1:
        return ""
    for outer in places[0].ancestors():
        if outer.kind == "assignment_expression":
            target, operator, value = outer.children[0], outer.children[1], outer.children[-1]
            whole = target.text.strip().lower() == variable.text.lower()
            return value.text if whole and operator.text == "=" else ""
    return ""
