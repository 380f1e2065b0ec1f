"""Rows of the field review that a plan, a sheet or the text of a script shows (F03 to F34)."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from runbooks.test_counts import LITWAREINC, ROOT, TREE, change_of

from generator import pipeline
from generator.documents import runsheet
from generator.model.build import Build
from generator.rules.steps import CHANGING_LINES, READ_ONLY_LINES
from generator.templating.marks import text_of

README = (ROOT / "README.md").read_text("utf-8")
BALANCER = re.compile("load balancer", re.IGNORECASE)


@cache
def built(folder: Path, exchange: int, skype: int, balanced: bool = True) -> Build:
    data = change_of(exchange, skype)
    data["exchange"]["load_balanced"] = balanced
    path = folder / "some.yml"
    path.write_text(yaml.safe_dump(data))
    return pipeline.build(path, TREE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inventories")


def code(build: Build, action: str) -> str:
    """What the scripts of an action say: headings and code, neither comments in it nor engine."""
    lines = (
        line
        for script in build.rendered
        if script.runbook.definition.action == action
        for piece in script.pieces
        if not piece.name.startswith("engine")
        for line in text_of(piece.marked).splitlines()
    )
    return "\n".join(line for line in lines if not line.startswith("        #"))


# A command of a step, and what makes a sentence ask for the same action.
ASKED = {
    "Set-CsUserServicesPolicy": r" -Identity '?global'? -UcsAllowed `?\$false",
    "Set-CsCertificate": r" -Identity '?global",
    "New-CsPartnerApplication": " -",
    "Set-CsOAuthConfiguration": r" -Identity '?global'? -ExchangeAutodiscoverUrl 'http",
    "Set-ClientAccessService": "",
    "Configure-EnterprisePartnerApplication.ps1": " -",
    "iisreset.exe": "",
    "Invoke-CsManagementStoreReplication": "$",
}
_STRING = re.compile(r"'((?:[^'\n]|'')*)'|\"((?:[^\"\n]|`\")*)\"")
_JOINED = re.compile(r"(['\"]) \+\n\s*['\"]")


@pytest.mark.parametrize("name", ["litwareinc", "contoso"])
def test_F03_no_sentence_asks_for_by_hand_what_a_runbook_of_this_change_does(name: str) -> None:
    """Done by hand it would have no record, and the undo would leave it as it is."""
    steps = [
        text_of(piece.marked)
        for script in pipeline.build(ROOT / "inventories" / f"{name}.yml", TREE).rendered
        for piece in script.pieces
        if piece.name.startswith("step")
    ]
    applies = "".join(text.partition("    Apply = {")[2] for text in steps)
    done = [re.escape(one) + more for one, more in ASKED.items() if one in applies]
    assert len(done) > 3
    wrong = {
        sentence
        for text in steps
        for sentence in map("".join, _STRING.findall(_JOINED.sub("", text)))
        if " " in sentence and any(re.search(one, sentence) for one in done)
    }
    assert wrong == set()


def test_F10_without_a_load_balancer_nobody_is_asked_about_one(folder: Path) -> None:
    build = built(folder, 2, 1, balanced=False)
    assert BALANCER.findall(code(build, "restart")) == []
    assert [one.id for runbook in build.plan.runbooks for one in _asked(runbook)] == ["go"]


def test_F10_no_sentence_says_where_a_server_is_before_anything_happened(folder: Path) -> None:
    build = built(folder, 2, 1)
    text = " ".join(code(build, "restart").split())
    assert len(BALANCER.findall(text)) > 4
    assert not re.search(r"(stays|is now|remains) out of the load balancer", text)
    assert "Keep it out of the load balancer until it answers." in text.replace("' + '", "")


def _asked(runbook):
    return [step.definition for step in runbook.steps if "ask" in step.definition.flags]


def test_F18_the_sheet_says_what_holds_for_scripts_on_a_share() -> None:
    text = " ".join(runsheet.render(pipeline.build(LITWAREINC, TREE), TREE).split())
    assert "PowerShell refuses a script" not in text
    assert "only if the share is in the zone Local intranet or a trusted publisher" in text


@pytest.mark.parametrize(("exchange", "skype"), [(1, 1), (20, 10)])
def test_F23_the_figures_of_the_readme_hold_for_any_number_of_servers(
    folder: Path, exchange: int, skype: int
) -> None:
    said = " ".join(README.split())
    assert f"{CHANGING_LINES} lines where it changes something" in said
    assert f"{READ_ONLY_LINES} where it only reads" in said
    for script in built(folder, exchange, skype).rendered:
        lines = sum(
            piece.marked.rstrip("\n").count("\n") + 2
            for piece in script.pieces
            if not piece.name.startswith("engine")
        )
        # All of them, entries of lists too: none grows with the servers beyond the figure.
        assert lines <= (CHANGING_LINES if script.runbook.touches else READ_ONLY_LINES)


def test_F25_one_table_by_exit_code_and_no_choice_by_index() -> None:
    engine = (TREE.roots[-1] / "_runbook" / "engine.ps1").read_text()
    (table,) = re.findall(r"^    Ends = @\{\n(.*?)^    \}", engine, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^        (\d) = @\{ Outcome", table, re.MULTILINE) == list("01234")
    assert len(re.findall(r"\.Ends\[", engine)) > 2
    for name in TREE.files(".ps1") + TREE.files(".j2"):
        path = TREE.find(name)
        assert path is not None
        text = path.read_text("utf-8")
        assert not re.search(r"\)\[\s*\[(int|bool)\]", text), name
        # A list of texts that a number of the run chooses from.
        assert not re.search(r"\)\[\$Runbook\.Code\]", text), name


@pytest.mark.parametrize(("exchange", "skype"), [(1, 1), (4, 4), (20, 10)])
def test_F30_a_server_is_finished_in_one_visit_a_phase(
    folder: Path, exchange: int, skype: int
) -> None:
    plan = built(folder, exchange, skype).plan
    visits = Counter((one.definition.phase, one.host.fqdn) for one in plan.forward)
    assert set(visits.values()) == {1}
    # What a restart waits for, does and proves is one runbook, not one for each of them.
    for runbook in plan.forward:
        if runbook.definition.action == "restart":
            ids = [step.definition.id for step in runbook.steps]
            assert ids == ["directory", "drained", "restart-iis", "health", "back"]


@pytest.mark.parametrize(("exchange", "skype"), [(1, 1), (4, 4), (20, 10)])
def test_F34_a_server_has_one_preflight(folder: Path, exchange: int, skype: int) -> None:
    plan = built(folder, exchange, skype).plan
    preflights = [one for one in plan.forward if one.definition.phase == "00"]
    hosts = Counter(one.host.fqdn for one in preflights)
    assert hosts.keys() == {one.host.fqdn for one in plan.forward}
    assert set(hosts.values()) == {1}
    assert not any(one.touches for one in preflights)
