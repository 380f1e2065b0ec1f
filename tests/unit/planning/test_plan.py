"""The order of work over random organizations: what must always hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from organizations import inventories

from generator.findings import FindingsError
from generator.inventory.reader import load_inventory
from generator.model.plan import Plan, Runbook
from generator.planning import plan, roles
from generator.templating import environment
from generator.templating.expressions import evaluate
from generator.templating.templates import TemplateTree

TREE = TemplateTree.for_project()
PRODUCTS = roles.load_products(TREE, environment.make(TREE))
PHASES = roles.load_phases(TREE)
GO = roles.load_go(TREE, environment.make(TREE))
ROOT = Path(__file__).resolve().parents[3]

properties = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def planned(folder: Path, data: dict[str, Any]) -> Plan:
    path = folder / "random.yml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return plan.make(load_inventory(path, TREE), PRODUCTS, PHASES, GO)


def named(runbooks: Iterable[Runbook], name: str) -> list[Runbook]:
    return [runbook for runbook in runbooks if runbook.definition.name == name]


def ancestors(runbook: Runbook, line: tuple[Runbook, ...]) -> set[str]:
    """Names of everything that a runbook waits for, directly or through others."""
    by_id = {one.id: one for one in line}
    found: set[str] = set()
    queue = [need.id for need in runbook.needs]
    while queue:
        needed = by_id[queue.pop()]
        found.add(needed.id)
        queue += [need.id for need in needed.needs]
    return found


@given(data=inventories())
@properties
def test_every_order_is_topological_and_is_the_file_listing(tmp_path: Path, data: Any) -> None:
    made = planned(tmp_path, data)
    for line in (made.forward, made.undo):
        at = {runbook.id: index for index, runbook in enumerate(line)}
        assert len(at) == len(line)
        assert [runbook.id for runbook in line] == sorted(at)
        for runbook in line:
            assert all(at[need.id] < at[runbook.id] for need in runbook.needs)


@given(data=inventories())
@properties
def test_no_later_product_changes_before_an_earlier_one_in_a_band(
    tmp_path: Path, data: Any
) -> None:
    order = {product.name: product.order for product in PRODUCTS}
    made = planned(tmp_path, data)
    for phase in PHASES:
        band = [r for r in made.forward if r.definition.phase == phase.band and r.touches]
        places = [order[runbook.definition.product] for runbook in band]
        assert places == sorted(places)


@given(data=inventories())
@properties
def test_the_truth_that_a_step_rests_on_comes_before_it(tmp_path: Path, data: Any) -> None:
    made = planned(tmp_path, data)
    (exchange,) = named(made.forward, "exchange.partner-application")
    (skype,) = named(made.forward, "skype.partner-application")
    # Exchange downloads Skype's certificate and realm, so these are final before it; and a server
    # that is not ready does not stop the night.
    before_exchange = ancestors(exchange, made.forward)
    early = [one for one in made.forward if one.definition.phase in ("00", "05")]
    assert {one.id for one in early} == before_exchange
    # Skype is told about Exchange only when every server has read its new partner.
    restarts = named(made.forward, "exchange.restart")
    assert len(restarts) == len(data["exchange"]["servers"])
    assert {exchange.id, *(r.id for r in restarts)} <= ancestors(skype, made.forward)
    # What changed is verified on every server that must show it.
    checked = named(made.forward, "exchange.verification")
    assert [one.host for one in checked] == [one.host for one in restarts]
    ends = named(made.forward, "skype.verification")
    assert len(ends) == len(made.inventory.values["skype"]["front_ends"])
    assert all(skype.id in ancestors(one, made.forward) for one in ends)


@given(data=inventories())
@properties
def test_every_change_has_one_undo_in_the_reverse_order(tmp_path: Path, data: Any) -> None:
    made = planned(tmp_path, data)
    changing = [r.id for r in made.forward if r.definition.changes]
    undoing = [r.undoes for r in made.undo if r.undoes]
    assert sorted(undoing) == sorted(changing)
    assert undoing == list(reversed(changing))
    for runbook in made.forward:
        expected = [r.id for r in made.undo if r.undoes == runbook.id]
        assert ([runbook.undo] if runbook.undo else []) == expected


@given(data=inventories())
@properties
def test_a_gate_follows_the_undo_that_it_serves(tmp_path: Path, data: Any) -> None:
    made = planned(tmp_path, data)
    at = {runbook.id: index for index, runbook in enumerate(made.undo)}
    first_end = made.inventory.values["skype"]["front_ends"][0]["fqdn"]
    for forward in made.forward:
        again = [r for r in made.undo if r.definition.name == forward.definition.name]
        on_this_host = [r for r in again if r.host == forward.host]
        # What a Front End received is looked at where the undo itself did not look already.
        looked = forward.definition.name == "skype.verification" and forward.host.fqdn == first_end
        expected = forward.definition.changes or (forward.serves and not looked)
        assert len(on_this_host) == bool(expected)
    for gate in made.undo:
        if gate.undoes:
            continue
        last = max(at[served] for served in gate.serves)
        between = [r for r in made.undo[last + 1 : at[gate.id]] if r.undoes]
        assert gate.serves
        assert between == []


@given(data=inventories())
@properties
def test_scopes_are_kept(tmp_path: Path, data: Any) -> None:
    made = planned(tmp_path, data)
    values = made.inventory.values
    hosts = {"exchange": values["exchange"]["servers"], "skype": values["skype"]["front_ends"]}
    for runbook in made.forward:
        definition = runbook.definition
        same = [r.host.fqdn for r in named(made.forward, definition.name)]
        if definition.scope == "organization":
            assert len(same) == 1
            continue
        when = definition.when or "true"
        chosen = [h for h in hosts[definition.product] if evaluate(when, {**values, "host": h})]
        assert same == [host["fqdn"] for host in chosen]


def test_numbers_are_as_wide_as_the_change_needs(tmp_path: Path) -> None:
    servers = [
        {"fqdn": f"ex{index:04d}.litwareinc.com", "roles": ["mailbox"]} for index in range(1001)
    ]
    data = yaml.safe_load((ROOT / "inventories/litwareinc.yml").read_text("utf-8"))
    data["exchange"] |= {"servers": servers, "load_balanced": False}
    data["change"]["window"] = {k: str(v) for k, v in LITWARE_WINDOW.items()}
    made = planned(tmp_path, data)
    assert made.forward[0].number == "00-0001"
    assert [r.id for r in made.forward] == sorted(r.id for r in made.forward)


LITWARE_WINDOW = {"from": "2027-03-06T22:00:00+01:00", "until": "2027-03-07T02:00:00+01:00"}


def test_a_gate_on_a_later_phase_is_a_finding_at_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "exchange" / "server"
    folder.mkdir(parents=True)
    original = (ROOT / "templates/exchange/server/role.yml").read_text("utf-8")
    marker = "      - {runbook: exchange.partner-application, hosts: first}"
    assert marker in original
    changed = original.replace(
        marker, f"{marker}\n      - {{runbook: skype.verification, hosts: first}}", 1
    )
    (folder / "role.yml").write_text(changed, "utf-8")
    tree = TemplateTree((tmp_path, *TREE.roots))
    products = roles.load_products(tree, environment.make(tree))
    with pytest.raises(FindingsError) as caught:
        plan.make(load_inventory(ROOT / "inventories/litwareinc.yml", tree), products, PHASES, GO)
    (finding, *_) = caught.value.findings
    assert finding.code == "T301"
    assert finding.file == "templates/exchange/server/role.yml"
    line = changed.splitlines()[finding.line - 1]
    assert "skype.verification" in line
