"""The Jinja environment of scripts; nothing else in the package renders PowerShell.

A value reaches a script only through the filters of `powershell.py`: the finalize hook lets
nothing but `Literal` through, also in includes, and what would go round the hook is
refused by looking at the template's syntax tree. The hook also puts the marks around what a filter
wrote: what is rendered is marked text, see marks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context

from generator.templating import operations, sandbox
from generator.templating.marks import Marked
from generator.templating.powershell import Literal, ps, ps_comment, ps_list, ps_name
from generator.templating.refusals import UnfilteredValue
from generator.templating.sandbox import Sandbox
from generator.templating.templates import TemplateTree


def _literal(value: object) -> Literal:
    try:
        return ps(value)
    except TypeError:
        if isinstance(value, jinja2.Undefined):
            # Its own error names what is missing; the other filters meet it by themselves.
            str(value)
        raise


FILTERS: dict[str, Callable[..., Literal]] = {
    "ps": _literal,
    "ps_list": ps_list,
    "ps_comment": ps_comment,
    "ps_name": ps_name,
}


def make(tree: TemplateTree) -> ScriptEnvironment:
    """An environment for the scripts of this tree of templates."""
    return ScriptEnvironment(FILTERS, operations.TESTS, tree, finalize=_finalize, **sandbox.OPTIONS)


class ScriptEnvironment(Sandbox):
    """Sandboxed, and without the ways round the finalize hook."""

    def unavailable(self, tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
        """Code, message and line of everything that no script may use."""
        for node in tree.find_all(tuple(_REFUSED)):
            code, message = _REFUSED[type(node)]
            yield code, message, node.lineno
        yield from super().unavailable(tree)
        for output in tree.find_all(nodes.Output):
            for before, value in _lines(output):
                if _leaves_comments(value, before):
                    message = "ps_comment stands outside of a comment; a value in code passes ps"
                    yield "T229", message, value.lineno


def _lines(output: nodes.Output) -> Iterator[tuple[str, nodes.Expr]]:
    """The values of a piece of template, each with what stands before it in its line."""
    line = ""
    for node in output.nodes:
        if isinstance(node, nodes.TemplateData):
            line = (line + node.data).rpartition("\n")[2]
        else:
            yield line, node
            line += "{}"


def _leaves_comments(value: nodes.Expr, before: str) -> bool:
    """Whether text for a comment stands in code: only `#` in front, or a label, makes it one."""
    if not (isinstance(value, nodes.Filter) and value.name == "ps_comment"):
        return any(found.name == "ps_comment" for found in value.find_all(nodes.Filter))
    labeled = bool(value.args or value.kwargs)
    return bool(before.strip()) if labeled else not before.lstrip().startswith("#")


_REFUSED: dict[type[nodes.Node], tuple[str, str]] = {
    nodes.Concat: ("T222", "the operator ~ builds text that no filter has seen"),
    nodes.FilterBlock: ("T223", "a filter block goes round the PowerShell filters"),
    nodes.AssignBlock: ("T224", "a set block makes text that no filter has seen"),
    nodes.CallBlock: ("T228", "a call block writes text that no filter has seen"),
    nodes.Macro: ("T230", "a macro answers with text that no filter has seen"),
}


def context(template: jinja2.Template, names: dict[str, Any]) -> Context:
    """What all blocks of a template are rendered with; they must not outlive `names`."""
    return template.new_context(names, shared=True)


def render_block(template: jinja2.Template, block: str, known: Context) -> Marked:
    """One block of a template; raises what Jinja raises, with the template's own lines."""
    environment: Any = template.environment
    environment.meter.start()
    try:
        return Marked(environment.concat(template.blocks[block](known)))
    except Exception:
        # The same rewriting of the traceback that Template.render does: it names the line of
        # the template. It always raises.
        environment.handle_exception()
        raise


def _finalize(value: object) -> str:
    if isinstance(value, Literal):
        return value.marked
    if isinstance(value, Marked):
        return value
    if isinstance(value, jinja2.Undefined):
        # Its own error names what is missing.
        str(value)
    raise UnfilteredValue("a value must pass the filter ps, ps_list or ps_comment")
