"""The Jinja environment of scripts; nothing else in the package renders PowerShell.

A value reaches a script only through the filters of `powershell.py`: the finalize hook lets
nothing but `Literal` through, also in includes, and what would go round the hook is
refused by looking at the template's syntax tree. The hook also puts the marks around what a filter
wrote: what is rendered is marked text, see marks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from generator.findings import Finding, FindingsError
from generator.templating import marks
from generator.templating.marks import Marked
from generator.templating.powershell import Literal, ps, ps_comment, ps_list, ps_name
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


class UnfilteredValue(jinja2.TemplateRuntimeError):
    """A value that did not pass one of the PowerShell filters."""


class RefusedTemplate(jinja2.TemplateSyntaxError):
    """A template with a way round the PowerShell filters; `code` is that of its finding."""

    def __init__(
        self, code: str, message: str, lineno: int, name: str | None, filename: str | None
    ) -> None:
        super().__init__(message, lineno, name, filename)
        self.code = code


OPTIONS: dict[str, Any] = {
    "undefined": jinja2.StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
    "autoescape": False,
    "auto_reload": False,
}
"""How every template of the tree is read: lines of tags leave no trace, nothing is undefined."""


def make(tree: TemplateTree) -> ScriptEnvironment:
    """An environment for the scripts of this tree of templates."""
    environment = ScriptEnvironment(
        loader=jinja2.FunctionLoader(_loader(tree)), finalize=_finalize, cache_size=-1, **OPTIONS
    )
    environment.filters = dict(FILTERS)
    environment.globals = {}
    return environment


class ScriptEnvironment(ImmutableSandboxedEnvironment):
    """Sandboxed, and without the ways round the finalize hook."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`mapping.name` is the key of that name first: what nearly every template asks for."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """A template knows what it is given and nothing else."""
        return {} if d is None else d

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for code, message, line in self.refusals(tree):
            raise RefusedTemplate(code, message, line, name, filename)
        return tree

    def syntax(self, source: str, name: str) -> nodes.Template:
        """The syntax tree, of a template that would be refused too."""
        return super()._parse(source, name, name)

    def refusals(self, tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
        """Code, message and line of everything that no template may use."""
        for node in tree.find_all(tuple(_REFUSED)):
            code, message = _REFUSED[type(node)]
            yield code, message, node.lineno
        for node in tree.find_all((nodes.Filter, nodes.Test)):
            kind = "filter" if isinstance(node, nodes.Filter) else "test"
            known = self.filters if isinstance(node, nodes.Filter) else self.tests
            if node.name not in known:
                yield "T225", f"No {kind} named '{node.name}'", node.lineno
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
    labelled = bool(value.args or value.kwargs)
    return bool(before.strip()) if labelled else not before.lstrip().startswith("#")


_REFUSED: dict[type[nodes.Node], tuple[str, str]] = {
    nodes.Concat: ("T222", "the operator ~ builds text that no filter has seen"),
    nodes.FilterBlock: ("T223", "a filter block goes round the PowerShell filters"),
    nodes.AssignBlock: ("T224", "a set block makes text that no filter has seen"),
    nodes.CallBlock: ("T228", "a call block writes text that no filter has seen"),
    nodes.Macro: ("T230", "a macro answers with text that no filter has seen"),
}


def code_of(error: Exception) -> str:
    """The code of the finding for an error of Jinja, in loading a template or in rendering it."""
    if isinstance(error, RefusedTemplate):
        return error.code
    if isinstance(error, jinja2.TemplateSyntaxError):
        return "T202"
    if isinstance(error, UnfilteredValue):
        return "T221"
    return "T226" if isinstance(error, jinja2.UndefinedError) else "T220"


def read(path: Path, display: str) -> str:
    """The text of a template; raises FindingsError for one that cannot be read."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = f"the byte 0x{error.object[error.start]:02X} is not UTF-8 text"
        hint = "save the file as UTF-8"
    except OSError as error:
        line, hint = 0, ""
        message = f"the file cannot be read: {error.strerror}"
    else:
        found = next((one for one in marks.CHARACTERS if one in text), None)
        if found is None:
            return text
        line = text[: text.index(found)].count("\n") + 1
        message = f"the control character U+{ord(found):04X} must not stand in a template"
        hint = "delete it, or write the value through the filter ps"
    raise FindingsError([Finding("T227", message, display, line, 1, hint)])


def context(template: jinja2.Template, names: dict[str, Any]) -> Context:
    """What all blocks of a template are rendered with; they must not outlive `names`."""
    return template.new_context(names, shared=True)


def render_block(template: jinja2.Template, block: str, known: Context) -> Marked:
    """One block of a template; raises what Jinja raises, with the template's own lines."""
    environment = template.environment
    try:
        parts: Iterator[str] = template.blocks[block](known)
        return Marked("".join(parts))
    except Exception:
        # The same rewriting of the traceback that Template.render does: it names the line of
        # the template. It always raises.
        environment.handle_exception()


def _loader(tree: TemplateTree) -> Callable[[str], tuple[str, str, Callable[[], bool]] | None]:
    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        path = tree.find(name)
        if path is None:
            return None
        return read(path, tree.display(path)), tree.display(path), lambda: True

    return load


def _finalize(value: object) -> str:
    if isinstance(value, Literal):
        return value.marked
    if isinstance(value, Marked):
        return value
    if isinstance(value, jinja2.Undefined):
        # Its own error names what is missing.
        str(value)
    raise UnfilteredValue("a value must pass the filter ps, ps_list or ps_comment")
