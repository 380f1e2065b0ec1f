"""Rows of the review that concern the engine alone, on the toy product: quick to try."""

from __future__ import annotations

import json

from lab import toy
from lab.lab import YES, Prompt
from lab.saying import refused, said

NEED = "    Require = {\n        param ($before, $present)\n        '%s'\n    }\n"


def test_r03_one_run_at_a_time(toys):
    lab = toys()
    waiting = Prompt(lab, toy.CHANGE)
    waiting.wait_for("Set the text?")
    assert lab.run(toy.UNDO, *YES) == 2
    refused(lab, f"Another runbook of CHG1 is running on this server: {toy.CHANGE}, process ")
    waiting.answer("N")
    assert waiting.end() == 3
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out


def test_r03_a_before_record_is_never_overwritten(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    at = lab.call("Set-ToyValue", 2)
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, LAB_KILL=f"{at}:after") not in (0, 2)
    path = next(path for path in lab.records(toy.CHANGE, "Before") if ".list." in path.name)
    before = path.read_bytes()
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out
    assert path.read_bytes() == before


def test_r04_what_changed_at_the_prompt_is_not_overwritten(toys):
    lab = toys()

    def meanwhile(question):
        lab.alter(lambda state: state["toy"].update(text="theirs"))
        return "Y"

    assert lab.run(toy.CHANGE, answer=meanwhile) == 2, lab.out
    said(lab, "text: text is 'theirs', wanted is 'new'.", "Find out who, then run this again.")
    assert lab.state()["toy"]["text"] == "theirs"
    assert not lab.records(toy.CHANGE)


def test_r08_undo_after_a_kill_needs_no_value_that_only_undo_uses(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    at = lab.call("New-ToyObject")
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, LAB_KILL=f"{at}:after") not in (0, 2)
    assert lab.run(toy.UNDO, *YES) == 0, lab.out
    assert lab.state()["toy"] == toy.STATE


def test_r15_a_resume_goes_on_where_the_first_run_read(toys):
    step = toy.FORWARD["text"].replace(
        "        [ordered] @{ text = (Get-ToyValue -Name 'text') }\n",
        "        param ($source)\n        if (-not $source) {\n"
        "            $source = Get-ToyValue -Name 'controller'\n        }\n"
        "        [ordered] @{ text = (Get-ToyValue -Name 'text'); Source = $source }\n",
    )
    lab = toys(forward={"text": step})
    lab.alter(lambda state: state["toy"].update(controller="DC1"))
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out
    at = lab.call("Set-ToyValue")
    lab = toys(forward={"text": step})
    lab.alter(lambda state: state["toy"].update(controller="DC1"))
    assert lab.run(toy.CHANGE, *YES, LAB_KILL=f"{at}:before") not in (0, 2)
    lab.alter(lambda state: state["toy"].update(controller="DC2"))
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out
    assert lab.record(toy.CHANGE, "text", "After")["state"]["Source"] == "DC1"


def test_r20_vendor_code_is_relaxed_for_its_call_only(toys):
    for flag, code in (("    Relaxed = $true\n", 0), ("", 1)):
        lab = toys(forward={"text": toy.FORWARD["text"] + flag})
        assert lab.run(toy.CHANGE, *YES, LAB_FLAGS="noisy") == code, lab.out
        said(lab, "The list will be updated later.")


def test_r23_a_dead_shell_is_reported_as_such(toys):
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, LAB_FLAGS="dead-shell") == 2, lab.out
    refused(lab, "The product's shell does not answer: The store is closed.", "Call the toy team.")


def test_r24_an_order_that_was_broken_shows(toys):
    lab = toys()
    lab.all([toy.CHANGE, toy.UNDO, toy.CHANGE])
    path = lab.receipt_path(toy.CHANGE)
    receipt = json.loads(path.read_text())
    relied = {"id": toy.UNDO, "hash": "0" * 64, "expires": True}
    path.write_text(json.dumps({**receipt, "relied": [relied]}))
    assert lab.run(toy.CHECK) == 0, lab.out
    path.write_text(json.dumps({**receipt, "relied": [{**relied, "expires": False}]}))
    assert lab.run(toy.CHECK) == 2, lab.out
    refused(lab, f"{toy.UNDO} was run again after {toy.CHANGE}. Run {toy.CHANGE} again.")


def test_r28_rights_are_the_commands_that_are_visible(toys):
    lab = toys()
    path = lab.variant(toy.CHANGE, "@('Get-ToyValue')", "@('Get-Nothing', 'Get-ToyValue')")
    assert lab.run(toy.CHANGE, *YES, path=path) == 2, lab.out
    refused(lab, "These commands are not visible: Get-Nothing. Ask for the toy role.")


def test_r33_a_preview_names_all_reasons_of_all_steps(toys):
    steps = {
        "text": toy.FORWARD["text"] + NEED % "Ask Ann.",
        "list": toy.FORWARD["list"] + NEED % "Ask Bob.",
    }
    lab = toys(forward=steps, members="'Nobody'")
    assert lab.run(toy.CHANGE, *YES) == 2, lab.out
    early = {"LAB_NOW": "2027-03-05T21:30:00+00:00"}
    assert lab.run(toy.CHANGE, "-WhatIf", **early) == 2, lab.out
    refused(
        lab,
        "outside the change window",
        "You are not in the group Nobody.",
        "text: Ask Ann.",
        "list: Ask Bob.",
        "whatif    list: list is",
        "Result: preview, 3 reason(s) to refuse, exit code 2.",
    )


def test_r33_a_run_names_the_reasons_of_all_steps_together(toys):
    steps = {
        "text": toy.FORWARD["text"] + NEED % "Ask Ann.",
        "list": toy.FORWARD["list"] + NEED % "Ask Bob.",
    }
    lab = toys(forward=steps)
    assert lab.run(toy.CHANGE, *YES) == 2, lab.out
    refused(lab, "text: Ask Ann.", "list: Ask Bob.", "2 reason(s) to stop.")


def test_r37_an_error_while_reading_says_that_nothing_was_changed(toys):
    lab = toys()
    lab.run(toy.CHANGE, "-WhatIf")
    at = lab.call("Get-ToyObject")
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, LAB_FAIL=f"{at}:before") == 1
    refused(
        lab,
        "failed    Step 3, object: Lab: fault before Get-ToyObject",
        "Next: read the line 'failed' above",
    )
    assert "at <ScriptBlock>" not in lab.out
    failed = [one for one in lab.evidence(toy.CHANGE) if one["status"] == "failed"]
    assert "line" in failed[0]["data"]


def test_r38_a_receipt_is_written_when_the_evidence_cannot_be(toys):
    lab = toys()
    old = "        Set-ToyValue -Name 'text' -Value 'new'"
    path = lab.variant(toy.CHANGE, old, f"        $Runbook.Evidence.Dispose()\n{old}")
    assert lab.run(toy.CHANGE, *YES, path=path) == 1, lab.out
    assert lab.receipt(toy.CHANGE)["outcome"] == "failed"
    said(lab, "Result: failed, exit code 1. Changed: Set the text.")


def test_r39_evidence_names_operator_host_parameters_answers_and_output(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    records = lab.evidence(toy.CHANGE)
    data = records[0]["data"]
    assert (data["operator"], data["host"]) == ("litwareinc\\adm", toy.HOST)
    assert data["parameters"]["Reason"] == "lab"
    assert data["powershell"] == "5.1.14393.1 Desktop"
    statuses = {one["status"] for one in records}
    assert {"open", "start", "differs", "answer", "apply", "output", "done", "end"} <= statuses


def test_r42_the_shell_cannot_make_a_preview_real(toys):
    lab = toys()
    old = "    Import-Module -Name 'Toy' -ErrorAction Stop\n"
    path = lab.variant(
        toy.CHANGE, old, old + "    $Preview = $false\n    $WhatIfPreference = $true\n"
    )
    assert lab.run(toy.CHANGE, "-WhatIf", path=path) == 0, lab.out
    assert lab.changes() == []
    path = lab.variant(toy.CHANGE, old, old + "    $Runbook = @{ Preview = $false }\n")
    lab.run(toy.CHANGE, "-WhatIf", path=path)
    assert lab.changes() == []
    said(lab, "The product's shell does not answer:", "Nothing was changed.")


def test_r43_the_configuration_is_saved_before_the_first_change_only(toys):
    lab = toys()
    save = "$Runbook.Save = {\n    param ($path)\n"
    save += "    [System.IO.File]::WriteAllText(\"$path.txt\", 'all')\n}\n"
    path = lab.variant(toy.CHANGE, "$Runbook.Shell = {\n", f"{save}$Runbook.Shell = {{\n")
    assert lab.run(toy.CHANGE, "-WhatIf", path=path) == 0
    assert not list(lab.folder(toy.CHANGE).glob("*.saved-*"))
    for _ in range(2):
        assert lab.run(toy.CHANGE, *YES, path=path) == 0, lab.out
    order = [one["status"] for one in lab.evidence(toy.CHANGE)]
    assert order.count("saved") == 1
    assert order.index("saved") < order.index("apply")
    assert [one.read_text() for one in lab.folder(toy.CHANGE).glob("*.saved-*")] == ["all"]
