"""The Jinja environment of scripts; nothing else in the package renders PowerShell.

A value reaches a script only through the filters of generator.powershell: the finalize hook
lets nothing but `Literal` through, also in macros and includes, and what would go round the
hook is refused by looking at the template's syntax tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from generator.powershell import Literal, ps, ps_comment, ps_list
from generator.templates import TemplateTree

FILTERS: dict[str, Callable[..., Literal]] = {
    "ps": ps,
    "ps_list": ps_list,
    "ps_comment": ps_comment,
}


class UnfilteredValue(jinja2.TemplateRuntimeError):
    """A value that did not pass one of the PowerShell filters."""


def make(tree: TemplateTree) -> jinja2.Environment:
    """An environment for the scripts of this tree of templates."""
    environment = ScriptEnvironment(
        loader=jinja2.FunctionLoader(_loader(tree)),
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters = {name: _defined(function) for name, function in FILTERS.items()}
    environment.globals = {}
    return environment


class ScriptEnvironment(ImmutableSandboxedEnvironment):
    """Sandboxed, and without the ways round the finalize hook."""

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all((nodes.Concat, nodes.FilterBlock, nodes.AssignBlock)):
            kind = {
                nodes.Concat: "the operator ~ builds text that no filter has seen",
                nodes.FilterBlock: "a filter block goes round the PowerShell filters",
                nodes.AssignBlock: "a set block makes text that no filter has seen",
            }[type(node)]
            raise jinja2.TemplateSyntaxError(kind, node.lineno, name, filename)
        return tree


def render_block(template: jinja2.Template, block: str, context: dict[str, Any]) -> Literal:
    """One block of a template; raises what Jinja raises, with the template's own lines."""
    environment = template.environment
    try:
        parts: Iterator[str] = template.blocks[block](template.new_context(context))
        return Literal("".join(parts))
    except Exception:
        # The same rewriting of the traceback that Template.render does: it names the line of
        # the template. It always raises.
        environment.handle_exception()


def _loader(tree: TemplateTree) -> Callable[[str], tuple[str, str, Callable[[], bool]] | None]:
    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        path = tree.find(name)
        if path is None:
            return None
        return path.read_text("utf-8"), tree.display(path), lambda: True

    return load


def _finalize(value: object) -> Literal:
    if isinstance(value, Literal):
        return value
    if isinstance(value, jinja2.Undefined):
        # Its own error names what is missing.
        str(value)
    raise UnfilteredValue("a value must pass the filter ps, ps_list or ps_comment")


def _defined(function: Callable[..., Literal]) -> Callable[..., Literal]:
    def filtered(value: object, *arguments: Any, **named: Any) -> Literal:
        if isinstance(value, jinja2.Undefined):
            str(value)
        return function(value, *arguments, **named)

    return filtered
