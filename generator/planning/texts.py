"""Renders the sentences of role.yml for each planned runbook.

Texts are data: heading, log, run sheet and plan print the same sentence. A text may name hosts,
inventory values and the numbers of other runbooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from generator import progress
from generator.findings import Finding, FindingsError
from generator.model.inventory import Values
from generator.model.plan import Plan, Product, Runbook, Step, StepDefinition, StepTexts
from generator.templating import expressions

_OWN = {"host", "runbook"}
"""The names whose values differ from runbook to runbook."""


def runbook_texts(plan: Plan, products: Sequence[Product]) -> Plan:
    """The plan with every text rendered; raises FindingsError with all mistakes in texts."""
    texts = _Texts(plan, products)
    runbooks = tuple(map(texts.runbook, progress.over(plan.runbooks, "Planning")))
    if texts.findings:
        raise FindingsError(list(dict.fromkeys(texts.findings)))
    return replace(plan, forward=runbooks[: len(plan.forward)], undo=runbooks[len(plan.forward) :])


def _numbers(runbooks: Sequence[Runbook], prefix: str) -> dict[str, str]:
    """`product.action` -> `10-001`, or `20-001 to 20-004` when it runs on several hosts."""
    found: dict[str, list[str]] = {}
    for runbook in runbooks:
        found.setdefault(runbook.definition.name, []).append(f"{prefix}{runbook.number}")
    return {
        name: numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
        for name, numbers in found.items()
    }


class _Texts:
    """Renders the sentences of one runbook after the other.

    Most sentences name neither host nor runbook. They, and steps made of them, are rendered once
    for a direction and shared by all runbooks: with thousands of servers that is most of them.
    """

    def __init__(self, plan: Plan, products: Sequence[Product]) -> None:
        self.findings: list[Finding] = []
        self._products = {product.name: product for product in products}
        self._values = plan.inventory.values
        numbers = _numbers(plan.forward, "")
        self._of = {False: numbers, True: {**numbers, **_numbers(plan.undo, "undo/")}}
        self._undo_of = {
            runbook.undoes: f"undo/{runbook.number}" for runbook in plan.undo if runbook.undoes
        }
        self._texts: dict[tuple[str, bool], str] = {}
        self._roles: dict[tuple[str, str], str] = {}
        self._steps: dict[tuple[int, int, bool, bool], Step] = {}
        self._same: dict[tuple[str, ...], dict[str, str]] = {}

    def runbook(self, runbook: Runbook) -> Runbook:
        names = self._names(runbook)
        product = self._products[runbook.definition.product]
        values: Values = runbook.definition.values
        if runbook.backward:
            values = {**values, **values.get("undo", {})}
        source, line = f"templates/{runbook.definition.source}", runbook.definition.line

        def text(name: str, default: str = "") -> str:
            return self._text(str(values.get(name, default)), names, source, line)

        texts = {
            "role": self._role(runbook, names, source, line),
            "team": product.team,
            "rights": text("rights"),
            "ask": text("ask", "Ask who grants these rights."),
            "help": text("help", f"{product.team}, with the evidence file"),
            "stop": text("stop"),
            "minutes": text("minutes"),
            "waits": text("waits", "0"),
        }
        return replace(
            runbook,
            title=text("title"),
            effect=text("effect"),
            texts=self._same.setdefault(tuple(texts.values()), texts),
            steps=tuple(
                self._step(number, step, bool(runbook.undoes) and step.changes, names)
                for number, step in enumerate(runbook.definition.steps, start=1)
            ),
        )

    def _role(self, runbook: Runbook, names: Mapping[str, Any], source: str, line: int) -> str:
        """What the host is; the same text in all runbooks of a role there."""
        key = runbook.definition.role_title, runbook.host.fqdn
        if key not in self._roles:
            self._roles[key] = self._text(key[0], names, source, line)
        return self._roles[key]

    def _names(self, runbook: Runbook) -> dict[str, Any]:
        return {
            **self._values,
            "host": runbook.host.names,
            "runbook": {
                "id": runbook.id,
                "number": f"undo/{runbook.number}" if runbook.backward else runbook.number,
                "undo": self._undo_of.get(runbook.id, ""),
                "undoes": runbook.undoes or "",
            },
            "of": self._of[runbook.backward],
            "backward": runbook.backward,
        }

    def _step(
        self, number: int, step: StepDefinition, undoes: bool, names: Mapping[str, Any]
    ) -> Step:
        key = (id(step), number, undoes, names["backward"])
        known = self._steps.get(key)
        if known is not None:
            return known
        texts = step.undo_texts if undoes else step.texts
        sentences = [texts.title, texts.why, texts.effect, texts.done, texts.undo]
        place = step.source, step.line
        flags = {
            name: self._text(value, names, *place) if isinstance(value, str) else value
            for name, value in step.flags.items()
        }
        title, why, effect, done, undo = (self._text(one, names, *place) for one in sentences)
        definition = step if flags == step.flags else replace(step, flags=flags)
        made = Step(number, definition, StepTexts(title, why, effect, done, undo))
        if all(map(_shared, [*sentences, *map(str, step.flags.values())])):
            self._steps[key] = made
        return made

    def _text(self, template: str, names: Mapping[str, Any], source: str, line: int) -> str:
        if "{" not in template:
            return template
        key = (template, names["backward"])
        known = self._texts.get(key)
        if known is not None:
            return known
        try:
            text = expressions.text(template, names)
        except expressions.ExpressionError as error:
            code = error.limit or "T303"
            self.findings.append(Finding(code, f"{template!r}: {error}", source, line, 1))
            return ""
        if _shared(template):
            self._texts[key] = text
        return text


def _shared(template: str) -> bool:
    """Whether a text is the same for every runbook of a direction."""
    return "{" not in template or _OWN.isdisjoint(expressions.names_in(template))
