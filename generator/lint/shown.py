"""How a message shows an expression of a template, and where it stands."""

from __future__ import annotations

from jinja2 import nodes

from generator.lint import known


def root(node: nodes.Node) -> str:
    """The name that an expression like `blocks.product` starts with, or nothing."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else ""


def text(node: nodes.Node) -> str:
    """`product.servers[0].fqdn`, as the template says it."""
    match node:
        case nodes.Name():
            shown = node.name
        case nodes.Getattr():
            shown = f"{text(node.node)}.{node.attr}"
        case nodes.Getitem():
            constant = isinstance(node.arg, nodes.Const)
            shown = f"{text(node.node)}[{text(node.arg) if constant else '...'}]"
        case nodes.Const():
            shown = known.written(node.value)
        case nodes.Filter(node=nodes.Node() as value):
            shown = f"{text(value)} | {node.name}"
        case nodes.List():
            shown = f"[{', '.join(map(text, node.items))}]"
        case nodes.Call():
            shown = f"{text(node.node)}(...)"
        case _:
            shown = "..."
    return shown


def place(source: str, name: str) -> int:
    """The column (from 1) of a name in its line, as well as it can be told."""
    last = name.rpartition(".")[2].strip("[]'\"")
    for sought in (name, last):
        if sought and sought in source:
            return source.index(sought) + 1
    return len(source) - len(source.lstrip()) + 1
