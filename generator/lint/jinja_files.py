"""The Jinja files of the template tree, judged by their syntax trees alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jinja2
from jinja2 import nodes

from generator.findings import Finding, FindingsError
from generator.lint import comparisons, names, order, shown, vocabulary
from generator.lint.yaml_files import step_files
from generator.rendering.blocks import NEEDED
from generator.templating import environment, markdown
from generator.templating.refusals import LIMITS, code_of
from generator.templating.sandbox import Sandbox
from generator.templating.templates import SPINE, RefusedNameError, TemplateTree

_SHELL_BLOCKS = ("product", "shell", "probe", "save")
_SPECIAL = ("caller", "kwargs", "self", "super", "varargs")
# What the spine is given is finished text of the renderer.
_SPINE_FILE = f"{SPINE}/runbook.ps1.j2"
_FINISHED = {"block", "blocks"}


@dataclass(frozen=True, slots=True)
class Template:
    """A template that could be parsed: its name in the tree, its lines, its syntax tree."""

    name: str
    display: str
    lines: list[str]
    tree: nodes.Template

    @property
    def blocks(self) -> set[str]:
        """The names of its blocks."""
        return {node.name for node in self.tree.find_all(nodes.Block)}

    def finding(
        self, code: str, message: str, line: int, name: str = "", hint: str = ""
    ) -> Finding:
        """A finding at a line, pointing at a name in it."""
        source = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Finding(code, message, self.display, line, shown.place(source, name), hint, source)


def check(tree: TemplateTree, sound: bool) -> list[Finding]:
    """Every mistake that the syntax trees of the templates show.

    `sound` says that every role could be read: only then is a file known to be unused.
    """
    findings: list[Finding] = []
    made, documents = environment.make(tree), markdown.environment(tree)
    found: dict[str, Template] = {}
    for name in tree.files(".j2"):
        script = name.endswith(".ps1.j2")
        sandbox = made if script else documents
        try:
            template = _load(tree, name, sandbox)
        except FindingsError as error:
            findings += error.findings
            continue
        refused = list(_refusals(template, sandbox))
        findings += refused
        if any(finding.code in LIMITS for finding in refused):
            # Nothing else can be said of a tree that is too deep.
            continue
        findings += _included(tree, template)
        if script:
            found[name] = template
            findings += _unfiltered(template)
    findings += _blocks(tree, found)
    if sound:
        findings += _unused(tree, found)
        findings += order.check(tree, {name: one.tree for name, one in found.items()})
    findings += _names(tree, found, sound)
    return findings


def _load(tree: TemplateTree, name: str, made: Sandbox) -> Template:
    path = tree.find(name)
    if path is None:
        raise FindingsError([Finding("T201", f"there is no file {name}", f"templates/{name}")])
    display = tree.display(path)
    source = tree.text(path)
    lines = source.splitlines()
    try:
        parsed = made.parse(source, display, display)
    except jinja2.TemplateSyntaxError as error:
        text = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
        code, message = code_of(error), error.message or ""
        raise FindingsError([Finding(code, message, display, error.lineno, 1, "", text)]) from None
    return Template(name, display, lines, parsed)


def _refusals(template: Template, made: Sandbox) -> Iterator[Finding]:
    for code, message, line in made.refusals(template.tree):
        name = message.split("'")[1] if "'" in message else "~" if code == "T222" else ""
        listed = ", ".join(name for name in made.filters if name in made.known_filters)
        hint = f"there are {listed}" if message.startswith("No filter") else ""
        yield template.finding(code, message, line, name, hint)


def _included(tree: TemplateTree, template: Template) -> Iterator[Finding]:
    """Names of other templates that no template can have, or that nothing has."""
    for name, line, needed in names.inclusions(template.tree):
        try:
            if tree.find(name) is None and needed:
                message = f"there is no file templates/{name}"
                yield template.finding("T201", message, line, name)
        except RefusedNameError as error:
            yield template.finding("T217", str(error), line, name)
        except FindingsError:
            # What stands in the place of the file is a finding of the tree.
            continue


def _unfiltered(template: Template) -> Iterator[Finding]:
    for output in template.tree.find_all(nodes.Output):
        for node in output.nodes:
            for value in _values(node):
                finished = template.name == _SPINE_FILE and shown.root(value) in _FINISHED
                # A filter that does not exist is a finding of its own.
                if finished or isinstance(value, nodes.Filter):
                    continue
                text = shown.text(value)
                message = f"the value {text} is written without a filter"
                hint = f"write {{{{ {text} | ps }}}}, in a comment ps_comment"
                yield template.finding("T221", message, value.lineno, text, hint)


def _values(node: nodes.Node) -> Iterator[nodes.Node]:
    """What an output writes: both sides of a choice, no text of the template itself."""
    if isinstance(node, nodes.CondExpr):
        yield from _values(node.expr1)
        if node.expr2 is not None:
            yield from _values(node.expr2)
    elif not isinstance(node, nodes.TemplateData):
        yield node


def _blocks(tree: TemplateTree, found: Mapping[str, Template]) -> Iterator[Finding]:
    """The files that every script, or every one of a product, has a part of."""
    for name, blocks in NEEDED.items():
        for block in blocks:
            if name in found and block not in found[name].blocks:
                yield found[name].finding("T239", f"the block '{block}' is missing", 1)
    for product in tree.products():
        name = f"{product}/shell.ps1.j2"
        if not tree.roles(product):
            continue
        if tree.find(name) is None:
            display = f"templates/{product}/product.yml"
            yield Finding("T201", f"there is no file templates/{name}", display)
        elif name in found:
            for block in _SHELL_BLOCKS:
                if block not in found[name].blocks:
                    yield found[name].finding("T214", f"the block '{block}' is missing", 1)


def _unused(tree: TemplateTree, found: Mapping[str, Template]) -> Iterator[Finding]:
    """Files that neither a step names nor a used file includes: most are misspelt."""
    used = {
        *NEEDED,
        *(f"{product}/shell.ps1.j2" for product in tree.products()),
    }
    waiting = [*used, *step_files(tree)]
    used |= set(waiting)
    while waiting:
        template = found.get(waiting.pop())
        for name in names.included(template.tree) if template is not None else ():
            if name not in used:
                used.add(name)
                waiting.append(name)
    for name, template in found.items():
        if name not in used:
            yield template.finding("T215", "no step and no other template uses this file", 1)


def _names(tree: TemplateTree, found: Mapping[str, Template], sound: bool) -> Iterator[Finding]:
    words = vocabulary.load(tree, sound)
    if words is None:
        return
    set_by = _set_by(found)
    for name, template in found.items():
        product = name.partition("/")[0]
        if product == SPINE:
            continue
        also = {*_SPECIAL, *set_by[name]}
        walk = names.walk(template.tree, words.in_steps(product), also)
        for unknown in walk.found:
            hint = f"did you mean '{unknown.meant}'?" if unknown.meant else ""
            message = f"'{unknown.name}' is not defined"
            yield template.finding("T226", message, unknown.line, unknown.name, hint)
        for one in walk.constant:
            yield template.finding("T232", one.message, one.line, one.name, comparisons.HINT)


def _set_by(found: Mapping[str, Template]) -> dict[str, set[str]]:
    """Template -> names that the templates around it (those that include it) give a value."""
    own = {name: names.stored(template.tree) for name, template in found.items()}
    result: dict[str, set[str]] = {name: set() for name in found}
    changed = True
    while changed:
        changed = False
        for name, template in found.items():
            given = own[name] | result[name]
            for other in names.included(template.tree):
                if other in result and not given <= result[other]:
                    result[other] |= given
                    changed = True
    return result
