"""Renders the sentences of role.yml for each planned runbook.

Texts are data: heading, log, run sheet and plan print the same sentence. A text may name hosts,
inventory values and the numbers of other runbooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from generator import expressions
from generator.findings import Finding, FindingsError
from generator.model import Plan, Product, Runbook, Step, StepDefinition, StepTexts, Values


def runbook_texts(plan: Plan, products: Sequence[Product]) -> Plan:
    """The plan with every text rendered; raises FindingsError with all mistakes in texts."""
    by_name = {product.name: product for product in products}
    forward_numbers = _numbers(plan.forward, "")
    undo_numbers = {**forward_numbers, **_numbers(plan.undo, "undo/")}
    undo_of = {runbook.undoes: f"undo/{runbook.number}" for runbook in plan.undo}
    findings: list[Finding] = []

    def rendered(runbook: Runbook) -> Runbook:
        names = {
            **plan.inventory.values,
            "host": host_names(runbook),
            "runbook": {
                "id": runbook.id,
                "number": f"undo/{runbook.number}" if runbook.backward else runbook.number,
                "undo": undo_of.get(runbook.id, ""),
                "undoes": runbook.undoes or "",
            },
            "of": undo_numbers if runbook.backward else forward_numbers,
            "backward": runbook.backward,
        }
        return _Texts(names, findings).runbook(runbook, by_name[runbook.definition.product])

    result = replace(
        plan,
        forward=tuple(rendered(runbook) for runbook in plan.forward),
        undo=tuple(rendered(runbook) for runbook in plan.undo),
    )
    if findings:
        raise FindingsError(list(dict.fromkeys(findings)))
    return result


def host_names(runbook: Runbook) -> dict[str, Any]:
    """What a template may say about the host: its own keys, netbios, fqdn and domain."""
    host = runbook.host
    own = {"fqdn": host.fqdn, "netbios": host.netbios, "domain": host.ad_domain}
    return {**host.values, **own}


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
    def __init__(self, names: Mapping[str, Any], findings: list[Finding]) -> None:
        self.names = names
        self.findings = findings

    def runbook(self, runbook: Runbook, product: Product) -> Runbook:
        values: Values = runbook.definition.values
        if runbook.backward:
            values = {**values, **values.get("undo", {})}
        steps = [s for s in runbook.definition.steps if s.changes or not runbook.undoes]
        if runbook.undoes:
            steps.reverse()
        source, line = f"templates/{runbook.definition.source}", runbook.definition.line

        def text(name: str, default: str = "") -> str:
            return self._text(str(values.get(name, default)), source, line)

        return replace(
            runbook,
            title=text("title"),
            effect=text("effect"),
            texts={
                "role": self._text(runbook.definition.role_title, source, line),
                "team": product.team,
                "rights": text("rights"),
                "ask": text("ask", "Ask who grants these rights."),
                "help": text("help", f"{product.team}, with the evidence file"),
                "stop": text("stop"),
                "minutes": text("minutes"),
            },
            steps=tuple(
                self._step(number, step, bool(runbook.undoes))
                for number, step in enumerate(steps, start=1)
            ),
        )

    def _step(self, number: int, step: StepDefinition, backward: bool) -> Step:
        texts = step.undo_texts if backward else step.texts
        place = step.source, step.line
        flags = {
            name: self._text(value, *place) if isinstance(value, str) else value
            for name, value in step.flags.items()
        }
        return Step(
            number,
            replace(step, flags=flags),
            StepTexts(
                title=self._text(texts.title, *place),
                why=self._text(texts.why, *place),
                effect=self._text(texts.effect, *place),
                done=self._text(texts.done, *place),
                undo=self._text(texts.undo, *place),
            ),
        )

    def _text(self, template: str, source: str, line: int) -> str:
        if "{" not in template:
            return template
        try:
            return expressions.text(template, self.names)
        except expressions.ExpressionError as error:
            self.findings.append(Finding("T303", f"{template!r}: {error}", source, line, 1))
            return ""
