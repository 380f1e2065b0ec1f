"""The YAML files of the template tree: schemas, products, roles, checks, lists of cmdlets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from generator.findings import Finding, FindingsError
from generator.inventory import checks
from generator.planning import roles
from generator.schema import references, schema_files, validator, yaml_source
from generator.templating import environment
from generator.templating.templates import SPINE, RefusedNameError, TemplateTree

FORMS = ("product", "role", "checks", "cmdlets", "phases")
"""What has a schema of its own, `_runbook/<form>.schema.yml`."""


def check(tree: TemplateTree) -> list[Finding]:
    """Every mistake that shows in a file by itself, or in what it says of another one."""
    findings: list[Finding] = []
    for stage in (_forms, _schemas, _phases, _products, _checks, _cmdlets):
        try:
            findings += stage(tree)
        except FindingsError as error:
            findings += error.findings
    return findings


def read(tree: TemplateTree, name: str) -> yaml_source.Document | None:
    """A YAML file of the tree, or None for one that is not there or cannot be read."""
    try:
        return yaml_source.load_template(tree, name)
    except FindingsError:
        return None


def step_files(tree: TemplateTree) -> Iterator[str]:
    """The files that the steps of all roles name, as far as the roles can be read."""
    for product in tree.products():
        for role in tree.roles(product):
            document = read(tree, f"{product}/{role}/role.yml")
            runbooks = mappings(document.data, "runbooks") if document is not None else ()
            for runbook in runbooks:
                for step in mappings(runbook, "steps"):
                    known = [step.get("id"), step.get("file", "")]
                    if all(isinstance(name, str) for name in known) and "ask" not in step:
                        # A name that is refused is a finding of the role.
                        with suppress(RefusedNameError):
                            yield roles.step_file(f"{product}/{role}", step)


def mappings(data: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """The mappings in the list `key` of a mapping; what else is there is another finding."""
    value = data.get(key) if isinstance(data, dict) else None
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def _forms(tree: TemplateTree) -> Iterator[Finding]:
    """The schemas that templates are judged by: a project may overlay them, too."""
    for form in FORMS:
        name = f"{SPINE}/{form}.schema.yml"
        document = yaml_source.load_template(tree, name)
        if document is None:
            yield Finding("T201", f"there is no file templates/{name}", f"templates/{name}")
            continue
        yield from document.findings
        yield from schema_files.check_schema(document, name, {name: document.data})


def _schemas(tree: TemplateTree) -> Iterator[Finding]:
    schema_files.load_registry(tree)
    for name in (SPINE, *tree.products()):
        document = read(tree, f"{name}/schema.yml")
        if document is not None:
            yield from _undescribed(document)


def _undescribed(document: yaml_source.Document) -> Iterator[Finding]:
    """A key without a description: editors show it, and a finding for a missing key quotes it."""
    for path, part in references.parts(document.data):
        for key, about in part.get("properties", {}).items():
            if isinstance(about, dict) and "description" not in about:
                place = (*path, "properties", key)
                message = f"the key '{key}' has no description"
                hint = "say what it is for; editors show it, and the message for a missing key"
                yield document.finding("T133", place, message, hint, key=True)


def _phases(tree: TemplateTree) -> Iterator[Finding]:
    roles.load_phases(tree)
    return iter(())


def _products(tree: TemplateTree) -> Iterator[Finding]:
    roles.load_products(tree, environment.make(tree))
    return iter(())


def _checks(tree: TemplateTree) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for name in (SPINE, *tree.products()):
        document = checks.load_checks(tree, f"{name}/checks.yml")
        if document is None:
            continue
        for index, item in enumerate(document.data):
            code = item["code"]
            place = f"{document.display}:{document.mark((index, 'code'))[0]}"
            yield from _taken(document, index, code, first.setdefault(code, place), place)


def _taken(
    document: yaml_source.Document, index: int, code: str, first: str, place: str
) -> Iterable[Finding]:
    if first != place:
        message, hint = f"the code {code} is taken", f"by {first}"
    elif code[0] in "RT" or code[:2] in ("E0", "E1"):
        message = f"the code {code} is one of runbook itself"
        hint = "use E and a number from 300 on"
    else:
        return []
    return [document.finding("T132", (index, "code"), message, hint)]


def _cmdlets(tree: TemplateTree) -> Iterator[Finding]:
    """The list of the spine; those of the products are read with them."""
    document, form = read(tree, f"{SPINE}/cmdlets.yml"), read(tree, f"{SPINE}/cmdlets.schema.yml")
    if document is None:
        yaml_source.load_template(tree, f"{SPINE}/cmdlets.yml")
        name = f"templates/{SPINE}/cmdlets.yml"
        yield Finding("T201", f"there is no file {name}", name)
    elif form is not None:
        yield from validator.validate(document, form.data, {}, "T1")
