"""Small builds made without templates, for tests of what happens to a build afterwards.

The made-up change: a check, a change of a directory with a restart that serves it, a change on
a second server that needs both, and the way back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from generator.model.build import Build, Launcher, RenderedRunbook, Summary
from generator.model.inventory import Host, Inventory
from generator.model.plan import (
    Need,
    Plan,
    Runbook,
    RunbookDefinition,
    Step,
    StepDefinition,
    StepTexts,
)

WINDOW = {"from": "2027-03-06T22:00:00+01:00", "until": "2027-03-07T02:00:00+01:00"}
CHECKS = frozenset({"wanted", "read"})
CHANGES = CHECKS | {"apply", "undo_apply"}


def a_host(netbios: str = "APP01") -> Host:
    fqdn = f"{netbios.lower()}.contoso.com"
    return Host(fqdn, netbios, "contoso.com", {"fqdn": fqdn, "netbios": netbios})


def a_step(
    title: str = "Set the address", blocks: frozenset[str] = CHANGES, **flags: Any
) -> StepDefinition:
    texts = StepTexts(
        title=title,
        why="The other server finds its partner by this address.",
        effect="None for users.",
        done="The address is read back.",
        undo="The address recorded before is set again.",
    )
    return StepDefinition(
        id=title.lower().replace(" ", "-"),
        template="directory/main/step.ps1.j2",
        texts=texts,
        undo_texts=replace(texts, title=f"Take back: {title}"),
        flags=flags,
        when=None,
        blocks=blocks,
        source="directory/main/role.yml",
        line=1,
    )


def a_definition(
    action: str = "set-address", phase: str = "10", steps: Iterable[StepDefinition] = ()
) -> RunbookDefinition:
    return RunbookDefinition(
        product="directory",
        role="main",
        role_title="Directory servers",
        action=action,
        phase=phase,
        scope="server",
        when=None,
        values={},
        needs=(),
        serves=(),
        steps=tuple(steps) or (a_step(),),
        source="directory/main/role.yml",
        line=1,
    )


def a_runbook(
    action: str = "set-address",
    number: str = "10-001",
    host: Host | None = None,
    steps: Iterable[StepDefinition] = (),
    needs: Iterable[Runbook | Need] = (),
    title: str = "Set the address of the partner",
    texts: Mapping[str, str] | None = None,
    **more: Any,
) -> Runbook:
    """A runbook; `needs` are runbooks or gates, `texts` replace single sentences."""
    definition = a_definition(action, number[:2], steps)
    backward = bool(more.get("backward"))
    host = host or a_host()
    sentences = {
        "role": "Directory servers",
        "team": "the directory team",
        "rights": "Directory administrators",
        "ask": "Ask the directory team for Directory administrators.",
        "help": "the directory team, with the evidence file",
        "stop": "You may stop after it.",
        "minutes": "10",
    }
    return Runbook(
        id=f"{number}-{'undo-' if backward else ''}directory-{action}_{host.netbios}",
        number=number,
        definition=definition,
        host=host,
        title=title,
        effect="None for users.",
        texts={**sentences, **(texts or {})},
        steps=tuple(
            Step(at, step, step.undo_texts if more.get("undoes") else step.texts)
            for at, step in enumerate(definition.steps, start=1)
        ),
        needs=tuple(
            need if isinstance(need, Need) else Need(need.id, need.definition.name)
            for need in needs
        ),
        **{"backward": False, **more},
    )


def a_plan(name: str = "contoso", **change: Any) -> Plan:
    """The made-up change on two servers; `change` replaces keys of the inventory's `change`."""
    app, web = a_host("APP01"), a_host("WEB01")
    ask = a_step("Out of the load balancer?", frozenset(), ask="Is it out?", who="network team")
    restart = a_step("Restart the service", CHECKS | {"apply"}, repeats=True)
    check = a_runbook("preflight", "00-001", app, [a_step("Look", CHECKS)], title="Look first")
    first = a_runbook("set-address", "10-001", app, needs=[Need(check.id, "x", 72)])
    gate = a_runbook("restart", "20-001", app, [ask, restart], [first], serves=(first.id,))
    second = a_runbook("register", "30-001", web, [a_step("Register")], [first, gate])
    back_second = a_runbook(
        "register", "01-001", web, [a_step("Register")], backward=True, undoes=second.id
    )
    back_first = a_runbook(
        "set-address", "02-001", app, needs=[back_second], backward=True, undoes=first.id
    )
    back_gate = a_runbook(
        "restart", "03-001", app, [ask, restart], [back_first], backward=True,
        serves=(back_first.id,),
    )  # fmt: skip
    first = replace(first, undo=back_first.id)
    second = replace(second, undo=back_second.id)
    values = {
        "change": {
            "id": "CHG0012345", "title": "Two servers learn of each other", "window": WINDOW,
            **change,
        }
    }  # fmt: skip
    return Plan(
        Inventory(name, f"inventories/{name}.yml", values),
        (check, first, gate, second),
        (back_second, back_first, back_gate),
    )


def a_build(plan: Plan | None = None, body: str = "first text") -> Build:
    """A build whose scripts hold `body`: another body is another build of the same change."""
    plan = plan or a_plan()
    rendered = []
    for runbook in plan.runbooks:
        data = f"# {runbook.id}\r\n# {body}\r\n".encode()
        wanted = ("address = 'https://app01.contoso.com'",) * len(runbook.steps)
        digest = hashlib.sha256(b"content of " + data).hexdigest()
        rendered.append(RenderedRunbook(Summary(runbook, digest, wanted), data, ()))
    table = f"# {plan.inventory.name}\r\n# {body}\r\n".encode()
    launcher = Launcher(data=table, content_hash=hashlib.sha256(table).hexdigest())
    return Build(plan, tuple(rendered), hashlib.sha256(b"engine").hexdigest(), launcher)


def without_last(build: Build) -> Build:
    """The same change with one forward runbook less: what an earlier build wrote is stale."""
    plan = build.plan
    last = plan.forward[-1].id
    smaller = Plan(
        plan.inventory,
        plan.forward[:-1],
        tuple(replace(r, needs=()) for r in plan.undo if r.undoes != last),
    )
    kept = {runbook.id: runbook for runbook in smaller.runbooks}
    rendered = tuple(
        replace(one, summary=replace(one.summary, runbook=kept[one.runbook.id]))
        for one in build.rendered
        if one.runbook.id in kept
    )
    return replace(build, plan=smaller, rendered=rendered)
