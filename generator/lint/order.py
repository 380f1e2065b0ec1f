"""`after` of a step: demanded where it reads what a step above it changes, refused elsewhere.

The survey of a runbook judges all steps before it changes anything. A step that reads what another
one is going to change would be judged by values that do not count; one that waits for nothing
would hide what it refuses until something was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from jinja2 import nodes

from generator.findings import Finding, FindingsError
from generator.lint.effects import Effects, of_step
from generator.lint.yaml_files import mappings, read
from generator.planning import roles
from generator.schema import validator
from generator.schema.yaml_source import Document
from generator.syntax import catalogue
from generator.templating.templates import SPINE, RefusedNameError, TemplateTree

_DUE_AFTER = {"repeats", "wait"}
"""Steps with one of these are done once for each change of the steps that they name."""


def check(tree: TemplateTree, templates: Mapping[str, nodes.Template]) -> Iterator[Finding]:
    """Every `after` that is missing or hides something; `templates` are parsed, by name."""
    base = _commands(tree, SPINE)
    for product in tree.products():
        own = _commands(tree, product) if tree.find(f"{product}/cmdlets.yml") else {}
        if base is None or own is None:
            # What is wrong in a list of commands is a finding of its own.
            continue
        known = catalogue.load(base, product, own)
        entries = {**_entries(base), **_entries(own)}
        for role in tree.roles(product):
            document = read(tree, f"{product}/{role}/role.yml")
            for index, runbook in enumerate(
                mappings(document.data, "runbooks") if document else ()
            ):
                steps = list(mappings(runbook, "steps"))
                effects = []
                for step in steps:
                    blocks = _blocks(f"{product}/{role}", step, templates)
                    effects.append(of_step(blocks, known, entries))
                if document is not None:
                    yield from _of_runbook(document, ("runbooks", index), steps, effects)


def _of_runbook(
    document: Document,
    place: tuple[str | int, ...],
    steps: Sequence[Mapping[str, Any]],
    effects: Sequence[Effects],
) -> Iterator[Finding]:
    for at, (step, own) in enumerate(zip(steps, effects, strict=True)):
        after = step.get("after", ())
        for above, other in zip(steps[:at], effects, strict=False):
            name = above["id"]
            by = "its record" if other.acts and name in own.records else own.depends(other)
            if by and name not in after:
                message = f"'{step['id']}' reads what '{name}' changes, by {by}"
                hint = f"write after: [{', '.join([*after, name])}]"
                yield document.finding("T233", (*place, "steps", at, "id"), message, hint)
            needless = name in after and other.acts and not _DUE_AFTER & step.keys()
            if needless and not by and not own.may_depend(other):
                message = f"'{step['id']}' reads nothing that '{name}' changes"
                hint = f"leave '{name}' out: what the step refuses would be told after the change"
                spot = (*place, "steps", at, "after", list(after).index(name))
                yield document.finding("T238", spot, message, hint)


def _commands(tree: TemplateTree, name: str) -> Any:
    """The data of a cmdlets.yml that follows its schema, else None."""
    document, form = read(tree, f"{name}/cmdlets.yml"), read(tree, f"{SPINE}/cmdlets.schema.yml")
    if document is not None and form is not None:
        with suppress(FindingsError):
            return validator.judged(document, form.data).data
    return None


def _entries(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**(data.get("commands") or {}), **(data.get("scripts") or {})}


def _blocks(
    folder: str, step: Mapping[str, Any], templates: Mapping[str, nodes.Template]
) -> dict[str, str]:
    """Name of a block of the step's file -> what it may write forward."""
    template = None
    with suppress(RefusedNameError):
        template = templates.get(roles.step_file(folder, step))
    if template is None or {"ask", "wait"} & step.keys():
        return {}
    return {
        block.name: "".join(_written(block.body, templates, set()))
        for block in template.find_all(nodes.Block)
    }


def _written(
    body: Sequence[nodes.Node], templates: Mapping[str, nodes.Template], seen: set[str]
) -> Iterator[str]:
    """The text of nodes, each value as 'x', of choices each side; what is included, once."""
    for node in body:
        match node:
            case nodes.Output():
                yield from map(_shown, node.nodes)
            case nodes.Include(template=nodes.Const(value=str() as name)):
                if name in templates and name not in seen:
                    seen.add(name)
                    yield from _written(templates[name].body, templates, seen)
            case nodes.If(test=nodes.Name(name="backward")):
                yield from _written([*node.elif_, *node.else_], templates, seen)
            case nodes.If(test=nodes.Not(node=nodes.Name(name="backward"))):
                yield from _written(node.body, templates, seen)
            case nodes.If():
                yield from _written([*node.body, *node.elif_, *node.else_], templates, seen)
            case nodes.For() | nodes.Block() | nodes.Scope() | nodes.With():
                yield from _written(node.body, templates, seen)


def _shown(node: nodes.Node) -> str:
    if isinstance(node, nodes.TemplateData):
        return node.data
    return "x" if isinstance(node, nodes.Filter) and node.name == "ps_name" else "'x'"
