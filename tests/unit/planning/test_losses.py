"""What a plan must not lose in silence (U01, U04, U06, U07): a runbook, its work, a gate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import made_up
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from organizations import inventories

from generator import pipeline
from generator.findings import FindingsError
from generator.model.plan import Plan
from generator.planning import losses
from generator.templating.templates import TemplateTree

INVENTORY: dict[str, Any] = {
    "change": {
        "id": "CHG1",
        "title": "An address",
        "window": {"from": "2027-03-06T22:00:00+01:00", "until": "2027-03-07T02:00:00+01:00"},
    },
    "directory": {"servers": [{"fqdn": "app01.contoso.com", "site": "ham"}]},
}
VERIFY = """\
  - action: verify
    phase: "50"
    scope: server
    title: Verify the address
    effect: "None: it only reads."
    rights: Directory administrators
    minutes: 5
    needs:
      - {runbook: directory.set-address, hosts: same}
    steps:
      - id: address
        title: The address is set
"""
CHECK = "".join(
    f"{{% block {name} %}}\n        {text}\n{{% endblock %}}\n"
    for name, text in (("wanted", "address = 'x'"), ("read", "[ordered] @{ address = '' }"))
)
FILES = {
    **made_up.FILES,
    "main/role.yml": made_up.FILES["main/role.yml"] + VERIFY,
    "main/address.ps1.j2": CHECK,
}


def planned(folder: Path, tree: TemplateTree, data: Mapping[str, Any] = INVENTORY) -> Plan:
    path = folder / "made-up.yml"
    path.write_text(yaml.safe_dump(dict(data)), "utf-8")
    return pipeline.order(path, tree)[0]


def findings(folder: Path, tree: TemplateTree, data: Mapping[str, Any] = INVENTORY) -> list[str]:
    with pytest.raises(FindingsError) as caught:
        planned(folder, tree, data)
    return [finding.format().split("\n")[0] for finding in caught.value.findings]


@pytest.fixture
def tree(tmp_path: Path) -> TemplateTree:
    return made_up.templates(tmp_path / "templates", FILES)


def test_the_made_up_change_has_a_plan(tmp_path: Path, tree: TemplateTree) -> None:
    ids = [one.id for one in planned(tmp_path, tree).runbooks]
    assert ids == [
        "10-001-directory-set-address_APP01", "50-001-directory-verify_APP01",
        "01-001-undo-directory-set-address_APP01",
    ]  # fmt: skip


@given(data=inventories())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_U01_every_runbook_stands_once_and_every_gate_leads_to_one(
    tmp_path: Path, data: Any
) -> None:
    made = planned(tmp_path, TemplateTree.for_project(), data)
    for line in (made.forward, made.undo):
        places = [(one.definition.name, one.host.fqdn) for one in line]
        assert len(set(places)) == len(places)
        by_id = {one.id: one for one in line}
        for one in line:
            assert {need.name for need in one.needs} == {
                by_id[need.id].definition.name for need in one.needs
            }
            if one.backward:
                continue
            gone = {need.runbook for need in one.definition.needs if not need.optional} - {
                need.name for need in one.needs
            }
            assert gone == set()


def test_U01_two_products_of_the_same_order_are_both_in_the_plan(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    other = {
        name: text.replace("directory", "archive").replace("E901", "E902")
        for name, text in FILES.items()
    }
    made_up.templates(folder, other, "archive")
    tree = made_up.templates(folder, FILES)
    site = {"servers": [{"fqdn": "web01.contoso.com", "site": "ham"}]}
    made = planned(tmp_path, tree, {**INVENTORY, "archive": site})
    assert [one.id for one in made.forward] == [
        "10-001-archive-set-address_WEB01", "10-002-directory-set-address_APP01",
        "50-001-archive-verify_WEB01", "50-002-directory-verify_APP01",
    ]  # fmt: skip
    names = {one.definition.name: [need.name for need in one.needs] for one in made.forward}
    assert names["archive.verify"] == ["archive.set-address"]
    assert names["directory.verify"] == ["directory.set-address"]


def test_U01_two_runbooks_in_one_place_are_an_error_of_the_program(
    tmp_path: Path, tree: TemplateTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = losses.refuse_lost_work
    monkeypatch.setattr(
        losses, "refuse_lost_work", lambda found, products: check([*found, found[0]], products)
    )
    with pytest.raises(ValueError, match="two runbooks have one place in the plan"):
        planned(tmp_path, tree)


@pytest.mark.parametrize(
    ("back", "asked"),
    [("", ["Is it agreed?"]), ("back: {title: Agreed again, ask: Go back?}", ["Go back?"]),
     ("in_undo: false", [])],
)  # fmt: skip
def test_U02_an_undo_asks_the_same_question_or_its_own_or_none(
    tmp_path: Path, tree: TemplateTree, back: str, asked: list[str]
) -> None:
    step = (
        f"      - id: agreed\n        title: Agreed\n        ask: Is it agreed?\n        {back}\n"
    )
    made_up.change(
        tree,
        "directory/main/role.yml",
        "      - id: set-address\n",
        f"{step}      - id: set-address\n",
    )
    (undo,) = planned(tmp_path, tree).undo
    steps = [step.definition for step in undo.steps if step.definition.id == "agreed"]
    assert [step.flags["ask"] for step in steps] == asked


def test_U04_a_runbook_without_work_is_a_finding(tmp_path: Path, tree: TemplateTree) -> None:
    made_up.change(
        tree, "directory/main/role.yml", "      - id: address\n",
        "      - id: address\n        when: host.site == 'nyc'\n",
    )  # fmt: skip
    assert findings(tmp_path, tree) == [
        "templates/directory/main/role.yml:15:1: error[T308] 'directory.verify' on APP01 has no "
        "step that acts or checks (give the runbook a `when` that says on which hosts it has work)"
    ]


def test_U04_a_change_that_nothing_verifies_is_a_finding(
    tmp_path: Path, tree: TemplateTree
) -> None:
    role = made_up.FILES["main/role.yml"]
    (tree.roots[0] / "directory/main/role.yml").write_text(role)
    assert findings(tmp_path, tree) == [
        "templates/directory/main/role.yml:4:1: error[T310] no runbook verifies what "
        "'directory.set-address' changes (add one that needs it and only reads, or write "
        "unverified: and why there is none)"
    ]
    made_up.change(
        tree, "directory/main/role.yml", "    minutes: 5\n",
        "    minutes: 5\n    unverified: The owner of the address looks at it.\n",
    )  # fmt: skip
    assert len(planned(tmp_path, tree).forward) == 1


def test_U06_an_empty_plan_says_what_made_it_empty(tmp_path: Path, tree: TemplateTree) -> None:
    for action in ("set-address", "verify"):
        made_up.change(
            tree, "directory/main/role.yml", f"  - action: {action}\n",
            f"  - action: {action}\n    when: host.site == 'nyc'\n",
        )  # fmt: skip
    place = "templates/directory/main/role.yml"
    hint = "(correct `when` or `hosts`, or the inventory)"
    assert findings(tmp_path, tree) == [
        f"{place}:4:1: error[T309] the plan is empty; 'directory.{action}' is not in it: its "
        f"`when` is false on every host: host.site == 'nyc' {hint}".replace(":4:1", f":{line}:1")
        for action, line in (("set-address", 4), ("verify", 16))
    ]


def test_U06_no_host_makes_an_empty_plan_too(tmp_path: Path, tree: TemplateTree) -> None:
    made_up.change(
        tree, "directory/main/role.yml", "hosts: directory.servers",
        "hosts: directory.servers | selectattr('site', 'equalto', 'nyc') | list",
    )  # fmt: skip
    for one in findings(tmp_path, tree):
        assert "no host" in one


@pytest.mark.parametrize("hosts", ["same", "first", "all"])
def test_U07_a_gate_that_matches_nothing_is_a_finding(
    tmp_path: Path, tree: TemplateTree, hosts: str
) -> None:
    made_up.change(
        tree, "directory/main/role.yml", "  - action: set-address\n",
        "  - action: set-address\n    when: host.site == 'nyc'\n",
    )  # fmt: skip
    made_up.change(tree, "directory/main/role.yml", "hosts: same", f"hosts: {hosts}")
    assert findings(tmp_path, tree) == [
        "templates/directory/main/role.yml:24:1: error[T307] 'directory.verify' on APP01 waits "
        "for 'directory.set-address', which this change does not have there (correct hosts, or "
        "write optional: true where a change may be without it)"
    ]
    made_up.change(
        tree, "directory/main/role.yml", f"hosts: {hosts}", f"hosts: {hosts}, optional: true"
    )
    (only,) = planned(tmp_path, tree).forward
    assert only.needs == ()
