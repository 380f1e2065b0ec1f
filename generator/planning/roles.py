"""Reads products and roles from the template tree, and reports every mistake in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jinja2

from generator.findings import Finding, FindingsError
from generator.model.plan import (
    NeedDefinition,
    Phase,
    Product,
    Role,
    RunbookDefinition,
    StepDefinition,
    StepTexts,
)
from generator.planning import role_checks
from generator.schema import validator, yaml_source
from generator.templating import errors
from generator.templating.templates import SPINE, RefusedNameError, TemplateTree, beside

_FLAGS = (
    "always", "ask", "ends_shell", "otherwise", "relaxed", "repeats", "replicates", "risk",
    "timeout", "wait", "who",
)  # fmt: skip
_WITHOUT_FILE = {"ask", "wait"}
"""Steps with one of these keys are all data."""

GO = f"{SPINE}/go.yml"
"""The hold point before the first change of a package: who decided."""


def load_products(tree: TemplateTree, environment: jinja2.Environment) -> tuple[Product, ...]:
    """Every product of the tree, in its order; raises FindingsError with all mistakes."""
    reader = _Reader(tree, environment)
    products = [reader.product(name) for name in tree.products()]
    if not reader.findings:
        reader.findings += role_checks.check_references(
            products, {p.band for p in load_phases(tree)}
        )
    if reader.findings:
        raise FindingsError(reader.findings)
    return tuple(sorted(products, key=lambda product: (product.order, product.name)))


def load_go(tree: TemplateTree, environment: jinja2.Environment) -> StepDefinition:
    """The hold point before the first change; raises FindingsError with all mistakes in it."""
    reader = _Reader(tree, environment)
    document = reader._checked(GO, "go")
    if document is None:
        raise FindingsError(reader.findings)
    return reader.step(SPINE, document.data, document, ())


def load_phases(tree: TemplateTree) -> tuple[Phase, ...]:
    """The bands of the forward numbering, in order; raises FindingsError with all mistakes."""
    form = _read(tree, f"{SPINE}/phases.schema.yml").data
    document = validator.judged(_read(tree, f"{SPINE}/phases.yml"), form)
    findings: list[Finding] = []
    bands = [item["band"] for item in document.data]
    for index, (band, above) in enumerate(zip(bands[1:], bands, strict=False), start=1):
        if band <= above:
            message = f"the band '{band}' must be greater than '{above}' above it"
            findings.append(document.finding("T216", (index, "band"), message))
    if findings:
        raise FindingsError(findings)
    return tuple(Phase(item["band"], item["title"]) for item in document.data)


def _read(tree: TemplateTree, name: str) -> yaml_source.Document:
    document = yaml_source.load_template(tree, name)
    if document is None:
        message = f"there is no file templates/{name}"
        raise FindingsError([Finding("T201", message, f"templates/{name}")])
    return document


@dataclass
class _Reader:
    tree: TemplateTree
    environment: jinja2.Environment
    findings: list[Finding] = field(default_factory=list)

    def product(self, name: str) -> Product:
        document = self._checked(f"{name}/product.yml", "product")
        data: dict[str, Any] = document.data if document else {}
        cmdlets = f"{name}/cmdlets.yml"
        known = self._checked(cmdlets, "cmdlets") if self.tree.find(cmdlets) else None
        roles = tuple(self.role(name, role) for role in self.tree.roles(name))
        return Product(
            name=name,
            title=data.get("title", name),
            order=data.get("order", 0),
            team=data.get("team", ""),
            values=data,
            roles=roles,
            commands=known.data if known else {},
        )

    def role(self, product: str, name: str) -> Role:
        source = f"{product}/{name}/role.yml"
        document = self._checked(source, "role")
        if document is None:
            return Role(product, name, name, "[]", (), source)
        data = document.data
        runbooks = tuple(
            self.runbook(product, (name, data["title"]), item, document, ("runbooks", index))
            for index, item in enumerate(data["runbooks"])
        )
        return Role(product, name, data["title"], data["hosts"], runbooks, source)

    def runbook(
        self,
        product: str,
        role: tuple[str, str],
        data: Mapping[str, Any],
        document: yaml_source.Document,
        place: tuple[str | int, ...],
    ) -> RunbookDefinition:
        steps = tuple(
            self.step(f"{product}/{role[0]}", item, document, (*place, "steps", index))
            for index, item in enumerate(data["steps"])
        )
        self.findings += role_checks.repeated_ids(steps, document, place)
        self.findings += role_checks.following(steps, document, place)
        needs = tuple(
            NeedDefinition(
                item["runbook"],
                item["hosts"],
                item.get("hours"),
                document.mark((*place, "needs", index))[0],
                item.get("optional", False),
            )
            for index, item in enumerate(data.get("needs", ()))
        )
        return RunbookDefinition(
            product=product,
            role=role[0],
            role_title=role[1],
            action=data["action"],
            phase=data["phase"],
            scope=data["scope"],
            when=data.get("when"),
            values=data,
            needs=needs,
            serves=_listed(data.get("serves", ())),
            steps=steps,
            source=f"{product}/{role[0]}/role.yml",
            line=document.mark((*place, "action"))[0],
        )

    def step(
        self,
        folder: str,
        data: Mapping[str, Any],
        document: yaml_source.Document,
        place: tuple[str | int, ...],
    ) -> StepDefinition:
        back = data.get("back", {})
        line = document.mark((*place, "id"))[0]
        template = ""
        blocks: frozenset[str] = frozenset()
        try:
            template = step_file(folder, data)
        except RefusedNameError as error:
            self.findings.append(
                role_checks.finding_at(document, (*place, "file"), "T217", str(error))
            )
        if template and not _WITHOUT_FILE & data.keys():
            known = len(self.findings)
            blocks = self._blocks(template, document, (*place, "id"))
            if len(self.findings) == known:
                self.findings += role_checks.block_mistakes(data, blocks, template, document, place)
        return StepDefinition(
            id=data["id"],
            template=template,
            texts=_texts(data),
            undo_texts=_texts(back) if back else StepTexts(""),
            flags={name: data[name] for name in _FLAGS if name in data},
            when=data.get("when"),
            blocks=blocks,
            source=document.display,
            line=line,
            follows=tuple(data.get("after", ())),
            once=data.get("scope") == "organization",
            in_undo=data.get("in_undo", True),
            undo_ask=back.get("ask", ""),
        )

    def _blocks(
        self, template: str, document: yaml_source.Document, place: tuple[str | int, ...]
    ) -> frozenset[str]:
        try:
            return frozenset(self.environment.get_template(template).blocks)
        except jinja2.TemplateNotFound as error:
            message = f"there is no step file templates/{error.name}"
            self.findings.append(role_checks.finding_at(document, place, "T201", message))
        except (jinja2.TemplateError, FindingsError) as error:
            self.findings += errors.loading(error, template)
        return frozenset()

    def _checked(self, name: str, kind: str) -> yaml_source.Document | None:
        """A document that follows its schema, or None with its mistakes among the findings."""
        form = f"{SPINE}/{kind}.schema.yml"
        try:
            return validator.judged(_read(self.tree, name), _read(self.tree, form).data)
        except FindingsError as error:
            self.findings += error.findings
            return None


def _texts(data: Mapping[str, Any]) -> StepTexts:
    names = ("title", "why", "effect", "done", "undo")
    return StepTexts(**{name: data[name] for name in names if name in data})


def _listed(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def step_file(folder: str, step: Mapping[str, Any]) -> str:
    """The name of a step's file in the tree; raises RefusedNameError where it would leave it.

    By default it is named after the step's id; `../shared.ps1.j2` lies beside the role's folder.
    """
    return beside(folder, step.get("file", step["id"].replace("-", "_") + ".ps1.j2"))
