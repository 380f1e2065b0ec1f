"""What a plan must not lose in silence: a runbook, the work of a runbook, a gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator.findings import Finding, FindingsError
from generator.model.plan import Product, RunbookDefinition
from generator.planning.instances import Edge, Instance, Key


def refuse_lost_work(instances: Sequence[Instance], products: Sequence[Product]) -> None:
    """Raises FindingsError for a runbook without a step that acts or checks, and an empty plan.

    Two runbooks in one place are an error of this program.
    """
    keys = {one.key for one in instances}
    names = {(one.definition.name, one.host.fqdn) for one in instances}
    if len(keys) != len(instances) or len(names) != len(instances):
        raise ValueError("two runbooks have one place in the plan")
    findings = list(dict.fromkeys(_idle(instances)))
    if not instances:
        findings += _empty(products)
    if findings:
        raise FindingsError(findings)


def refuse_lost_gates(instances: Sequence[Instance], edges: Mapping[Key, Sequence[Edge]]) -> None:
    """Raises FindingsError for a gate without a runbook that it waits for."""
    findings = [
        _finding(
            "T307",
            one.definition,
            need.line,
            f"'{one.definition.name}' on {one.host.netbios} waits for '{need.runbook}', which "
            "this change does not have there",
            "correct hosts, or write optional: true where a change may be without it",
        )
        for one in instances
        for need in one.definition.needs
        if not need.optional and not any(found is need for _, found, _ in edges[one.key])
    ]
    if findings:
        raise FindingsError(list(dict.fromkeys(findings)))


def refuse_unverified(instances: Sequence[Instance], edges: Mapping[Key, Sequence[Edge]]) -> None:
    """Raises FindingsError for a change that no later runbook without a change waits for.

    `unverified` in role.yml says on purpose why there is none.
    """
    seen: set[Key] = set()
    waiting = [one for one in instances if not any(step.acts for step in one.definition.steps)]
    while waiting:
        for target, _, _ in edges[waiting.pop().key]:
            if target.key not in seen:
                seen.add(target.key)
                waiting.append(target)
    findings = [
        _finding(
            "T310",
            one.definition,
            one.definition.line,
            f"no runbook verifies what '{one.definition.name}' changes",
            "add one that needs it and only reads, or write unverified: and why there is none",
        )
        for one in instances
        if one.definition.changes
        and one.key not in seen
        and "unverified" not in one.definition.values
    ]
    if findings:
        raise FindingsError(list(dict.fromkeys(findings)))


def _idle(instances: Sequence[Instance]) -> Iterator[Finding]:
    for one in instances:
        if not any(step.judges for step in one.definition.steps):
            yield _finding(
                "T308",
                one.definition,
                one.definition.line,
                f"'{one.definition.name}' on {one.host.netbios} has no step that acts or checks",
                "give the runbook a `when` that says on which hosts it has work",
            )


def _empty(products: Sequence[Product]) -> Iterator[Finding]:
    runbooks = [found for product in products for role in product.roles for found in role.runbooks]
    if not runbooks:
        names = ", ".join(product.name for product in products)
        yield Finding("T309", f"no product of this inventory has a runbook: {names}", "templates")
    for found in runbooks:
        why = f"its `when` is false on every host: {found.when}" if found.when else "no host"
        yield _finding(
            "T309",
            found,
            found.line,
            f"the plan is empty; '{found.name}' is not in it: {why}",
            "correct `when` or `hosts`, or the inventory",
        )


def _finding(
    code: str, definition: RunbookDefinition, line: int, message: str, hint: str
) -> Finding:
    return Finding(code, message, f"templates/{definition.source}", line, 1, hint)
