"""Checks: values and actions, one apart from the other, and the list of causes behind them."""

from __future__ import annotations

import pytest
from lab import toy
from lab.lab import YES
from lab.saying import said

CAUSES = """    Diagnosis = @(
        @{
            Id = 'name'; Text = 'The name resolves'
            Check = {
                @{ Saw = 'yes'; Problems = @() }
            }
        }
        @{
            Id = 'port'; Text = 'The port answers'
            Check = {
                %s
            }
        }
        @{
            Id = 'never'; Text = 'Nobody comes here'
            Check = {
                @{ Saw = 'no'; Problems = @('This was reached.') }
            }
        }
    )
"""


def diagnosed(body: str) -> dict[str, str]:
    return {"value": toy.CHECKS["value"] + CAUSES % body}


def test_problem_line_starts_with_the_id_and_names_the_next_action(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    lab.alter(lambda state: state["toy"].update(text="", objects=[]))
    assert lab.run(toy.CHECK) == 4, lab.out
    said(
        lab,
        "problem   value: text is nothing, wanted is 'new'. Run 10-001.",
        "problem   action: It does not answer. Run 10-001.",
        "2 of 2 steps did not pass. Do what the lines above say, then run this again.",
        "Next: do what the lines 'problem' and 'unproven' above say, then run this file again.",
    )
    problems = [one for one in lab.evidence(toy.CHECK) if one["status"] == "problem"]
    assert [one["message"].split(":")[0] for one in problems] == ["value", "action"]


def test_diagnosis_stops_at_the_first_cause_that_fails(toys):
    body = "@{ Saw = 'no'; Problems = @('Port 443 is closed. Ask the network team.') }"
    lab = toys(checks=diagnosed(body))
    lab.all([toy.CHANGE])
    assert lab.run(toy.CHECK) == 0, lab.out
    assert "  diagnosis " not in lab.out
    lab.alter(lambda state: state["toy"].update(text=""))
    assert lab.run(toy.CHECK) == 4, lab.out
    said(
        lab,
        "diagnosis value: name: The name resolves: in order.",
        "diagnosis value: First of the list that fails: port: Port 443 is closed. Ask the network",
    )
    assert "This was reached" not in lab.out


def test_diagnosis_goes_on_after_a_cause_that_threw(toys):
    lab = toys(checks=diagnosed("throw 'no such cmdlet'"))
    lab.all([toy.CHANGE])
    lab.alter(lambda state: state["toy"].update(text=""))
    assert lab.run(toy.CHECK) == 4, lab.out
    said(
        lab,
        "diagnosis value: port: It could not be checked: no such cmdlet",
        "First of the list that fails: never: This was reached.",
    )


def test_diagnosis_says_when_nothing_of_the_list_fails(toys):
    checks = diagnosed("throw 'no such cmdlet'")
    checks["value"] = checks["value"].replace("@('This was reached.')", "@()")
    lab = toys(checks=checks)
    lab.all([toy.CHANGE])
    lab.alter(lambda state: state["toy"].update(text=""))
    assert lab.run(toy.CHECK) == 4, lab.out
    said(lab, "None of the list fails, 1 could not be checked. Call the toy team.")


def test_diagnosis_also_follows_a_change_that_was_not_verified(toys):
    lazy = toy.TEXT + "    Apply = {\n    }\n    TimeoutSeconds = 5\n"
    lab = toys(forward={"text": lazy + CAUSES % "@{ Saw = 'no'; Problems = 'Mend it.' }"})
    assert lab.run(toy.CHANGE, *YES) == 4, lab.out
    said(lab, "First of the list that fails: port: Mend it.")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("'fine'", "it did not say what it saw."),
        ("", "it did not say what it saw."),
        ("@{ Saw = ''; Problems = @() }", "it did not say what it saw."),
        ("'noise'\n        @{ Saw = 'x'; Problems = @() }", "it did not say what it saw."),
        ("throw 'Kaputt.'", "It could not be checked: Kaputt."),
    ],
    ids=["text", "nothing", "saw-nothing", "noise", "threw"],
)
def test_r21_r22_silence_is_no_success_and_hides_no_other_check(toys, answer, says):
    broken = f"""    Number = {{number}}
    Id = 'broken'
    Title = 'A check that does not answer'
    Check = {{
        {answer}
    }}
"""
    lab = toys(checks={"broken": broken, **toy.CHECKS})
    lab.all([toy.CHANGE])
    assert lab.run(toy.CHECK) == 4, lab.out
    said(lab, f"problem   broken: It could not be checked: {says}" if "could" not in says else says)
    said(lab, "Call the toy team.", "Step 2  passed", "Step 3  passed")


def test_r22_what_a_check_saw_is_in_evidence_and_receipt(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    assert lab.run(toy.CHECK) == 0, lab.out
    data = [one["data"] for one in lab.evidence(toy.CHECK) if one["status"] == "done"]
    assert data[0]["text"] == "new"
    assert data[1] == "2 objects"
    assert lab.receipt(toy.CHECK)["steps"][0]["state"]["text"] == "new"


def test_check_by_values_waits_as_long_as_its_author_said(toys):
    slow = toy.CHECKS["value"] + "    TimeoutSeconds = 900\n"
    lab = toys(checks={"value": slow})
    lab.all([toy.CHANGE])
    assert lab.run(toy.CHECK, LAB_SLOW="2027-03-06T21:40:00+00:00") == 0, lab.out
    assert lab.run(toy.CHECK, LAB_SLOW="2027-03-06T22:30:00+00:00") == 4, lab.out


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[ordered] @{ text = (", "[ordered] @{ txt = (", "Read answers other names than wanted"),
        ("[ordered] @{ text = (", "'x'\n        [ordered] @{ text = (", "Read did not answer with"),
    ],
)
def test_r36_a_read_that_answers_otherwise_is_the_authors_fault(toys, old, new, says):
    lab = toys()
    path = lab.variant(toy.CHANGE, old, new)
    assert lab.run(toy.CHANGE, *YES, path=path) == 1, lab.out
    said(lab, says, "Call the author of the runbook.", "Nothing was changed.")
