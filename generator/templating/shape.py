"""The syntax trees of templates: how deep and large they may be, and where steps are counted.

Python's own limits (1,000 calls inside one another, 20 loops) depend on who calls; these do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from jinja2 import nodes
from jinja2.environment import Environment
from jinja2.lexer import Token, TokenStream
from jinja2.visitor import NodeTransformer

from generator.templating import limits
from generator.templating.limits import LimitError

BRACKETS = 30
"""Brackets inside brackets."""

DEPTH = 64
"""Nodes inside nodes: operators, filters, conditions, tags."""

TAGS = 20
"""Tags inside tags, such as `if` and `for`."""

LOOPS = 10
"""Loops inside loops."""

NODES = 20_000
"""Of one template; the largest built-in one has less than a thousand."""

COUNT, SPEND, WEIGH, JOIN = "~count", "~spend", "~weigh", "~join"
"""Filters that only `instrumented` writes: no name of a template begins with `~`."""

_OPENS, _CLOSES = {"lparen", "lbracket", "lbrace"}, {"rparen", "rbracket", "rbrace"}
_TAGS = (nodes.If, nodes.For, nodes.With, nodes.Block, nodes.Macro, nodes.CallBlock)
APART = 500
"""Steps of a macro, block or template where it is called; a larger one spends the rest itself."""

_APART = (nodes.Macro, nodes.CallBlock, nodes.Block, nodes.Include, nodes.Import, nodes.FromImport)

_Literal = TypeVar("_Literal", nodes.List, nodes.Tuple, nodes.Dict)


class DepthError(LimitError):
    """A template that is nested too deep, or too large; `line` is where."""

    def __init__(self, line: int, message: str, code: str = "T236") -> None:
        super().__init__(code, message, "divide it, or give its parts names with `set`")
        self.line = line


def bracketed(stream: TokenStream) -> Iterator[Token]:
    """The tokens of a template; raises DepthError at the first bracket that is too deep.

    The parser goes down a dozen calls for each of them.
    """
    depth = 0
    for token in stream:
        if token.type in _OPENS:
            depth += 1
            if depth > BRACKETS:
                raise DepthError(token.lineno, f"more than {BRACKETS} brackets inside one another")
        elif token.type in _CLOSES:
            depth -= 1
        yield token


def judge(tree: nodes.Node) -> None:
    """Raises DepthError for a tree that is too deep or too large, or holds too large a number."""
    waiting = [(tree, 0, 0, 0, 1)]
    count = 0
    while waiting:
        node, depth, tags, loops, above = waiting.pop()
        line = getattr(node, "lineno", None) or above
        count += 1
        depth += 1
        tags += isinstance(node, _TAGS)
        loops += isinstance(node, nodes.For)
        for found, most, what in (
            (depth, DEPTH, "operators, filters or tags"),
            (tags, TAGS, "tags"),
            (loops, LOOPS, "loops"),
        ):
            if found > most:
                raise DepthError(line, f"more than {most} {what} inside one another")
        if count > NODES:
            raise DepthError(line, f"more than {NODES:,} names, values and operators", "T219")
        if isinstance(node, nodes.Const):
            _judge_constant(node, line)
        waiting += ((child, depth, tags, loops, line) for child in node.iter_child_nodes())


def _judge_constant(node: nodes.Const, line: int) -> None:
    try:
        limits.number(node.value)
    except LimitError as error:
        raise DepthError(line, str(error), error.code) from None


def instrumented(tree: nodes.Template, environment: Environment) -> nodes.Template:
    """The tree with filters that count: rounds of loops, calls, and what a value's size costs."""
    made: nodes.Template = _Instruments().visit(tree)
    made.set_environment(environment)
    return made


class _Instruments(NodeTransformer):
    """Puts the counting filters in; comparisons with a constant cost nothing to count."""

    def visit_Template(self, node: nodes.Template) -> nodes.Node:
        return self._called(node)

    def visit_Block(self, node: nodes.Block) -> nodes.Node:
        return self._called(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._called(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        return self._called(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        inside = [*node.body, node.test] if node.test is not None else node.body
        round_costs = _cost(inside)
        self.generic_visit(node)
        node.iter = _through(COUNT, node.iter, round_costs)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        searches = any(operand.op in ("in", "notin") for operand in node.ops)
        if searches or sum(not isinstance(side, nodes.Const) for side in sides) > 1:
            node.expr = _weighed(node.expr)
            for operand in node.ops:
                operand.expr = _weighed(operand.expr)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return _through(JOIN, parts)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _through(COUNT, node.node, 1)
        elif not isinstance(node.arg, nodes.Const):
            node.arg = _weighed(node.arg)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._literal(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return self._literal(node, node.items) if node.ctx == "load" else node

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._literal(node, [part for pair in node.items for part in (pair.key, pair.value)])

    def _literal(self, node: _Literal, parts: list[nodes.Expr]) -> nodes.Node:
        constant = all(isinstance(part, nodes.Const) for part in parts)
        self.generic_visit(node)
        return node if constant else _through(WEIGH, node)

    def _called(
        self, node: nodes.Template | nodes.Block | nodes.Macro | nodes.CallBlock
    ) -> nodes.Node:
        more = _cost(node.body) - APART
        self.generic_visit(node)
        if more > 0:
            spend = _through(SPEND, nodes.Const(more, lineno=node.lineno))
            node.body.insert(0, nodes.ExprStmt(spend, lineno=node.lineno))
        return node


def _cost(body: Iterable[nodes.Node]) -> int:
    """The steps of computing nodes once; what counts for itself is left out."""
    waiting, steps = list(body), 1
    while waiting:
        node = waiting.pop()
        steps += 1
        if isinstance(node, nodes.TemplateData):
            steps += len(node.data) // limits.CHARACTERS_A_STEP
        elif isinstance(node, nodes.For):
            waiting += [node.iter, *node.else_]
        elif isinstance(node, _APART):
            steps += APART
        else:
            waiting += node.iter_child_nodes()
    return steps


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _through(WEIGH, node)


def _through(name: str, node: nodes.Node, *arguments: int) -> nodes.Filter:
    """The node with one of the counting filters behind it."""
    line = node.lineno
    given: list[nodes.Expr] = [nodes.Const(value, lineno=line) for value in arguments]
    return nodes.Filter(node, name, given, [], None, None, lineno=line)
