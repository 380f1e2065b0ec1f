"""A changing step: asked, judged again, recorded, applied, read back, resumed."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta

import pytest
from lab import toy
from lab.lab import YES, Lab
from lab.saying import refused, said


@pytest.mark.parametrize("typed", ["\n", "N\n", "", None], ids=["enter", "no", "closed", "none"])
def test_first_answer_is_no_and_a_prompt_that_cannot_be_shown_is_a_no(toys, typed):
    lab = toys()
    assert lab.run(toy.CHANGE, stdin=typed) == 3, lab.out
    refused(lab, "Result: declined, exit code 3.", "wait until it may go on")


def test_yes_changes_and_the_answer_is_evidence(toys):
    lab = toys()
    assert lab.run(toy.CHANGE, stdin="Y\nY\nY\n") == 0, lab.out
    answers = [one["message"] for one in lab.evidence(toy.CHANGE) if one["status"] == "answer"]
    assert answers[0] == "text: Set the text? Yes (litwareinc\\adm)."
    assert len(answers) == 3


def test_a_second_run_changes_nothing_and_keeps_the_receipt(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    receipt = lab.receipt_path(toy.CHANGE).read_bytes()
    assert lab.run(toy.CHANGE) == 0, lab.out
    said(lab, "already so", "Nothing was changed.")
    assert lab.changes() == []
    assert lab.receipt_path(toy.CHANGE).read_bytes() == receipt


def test_receipt_carries_the_values_left_by_each_step(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    steps = {one["id"]: one for one in lab.receipt(toy.CHANGE)["steps"]}
    assert steps["list"]["state"]["list"] == ["a", "c", "d"]
    assert steps["object"]["state"]["object"] == ["ours"]
    assert [one["outcome"] for one in steps.values()] == ["changed"] * 3


def test_preview_shows_every_value_asks_nothing_and_writes_only_evidence(toys):
    lab = toys()
    before = lab.snapshot()
    assert lab.run(toy.CHANGE, "-WhatIf") == 0, lab.out
    refused(
        lab,
        "whatif    text: text is nothing, wanted is 'new'.",
        "whatif    list: list is 'a', 'b', wanted is 'a', 'c', 'd'.",
        "A preview writes its evidence, and nothing else.",
        "Next: run this file without -WhatIf.",
    )
    after = lab.snapshot()
    new = {path for path in after if after[path] != before.get(path)}
    assert new == {f"{toy.HOST}/Runbook/CHG1/{toy.CHANGE}.jsonl"}
    assert all(one["preview"] for one in lab.evidence(toy.CHANGE))


def test_preview_does_not_wait_for_a_check(toys):
    slow = toy.CHECKS["value"] + "    TimeoutSeconds = 900\n"
    lab = toys(checks={"value": slow})
    lab.run(toy.CHECK, "-WhatIf")
    assert lab.calls.count("Get-ToyValue") == 2, lab.calls


def test_preview_goes_on_after_a_step_that_cannot_be_read(toys):
    lab = toys()
    lab.run(toy.CHANGE, "-WhatIf")
    at = lab.call("Get-ToyValue", 2)
    lab = toys()
    assert lab.run(toy.CHANGE, "-WhatIf", LAB_FAIL=f"{at}:before") == 2, lab.out
    refused(lab, "text: it could not be read: Lab: fault", "whatif    list: list is")
    assert "whatif    text" not in lab.out


def test_value_that_does_not_come_is_not_verified_and_says_what_to_do(toys):
    lazy = toy.TEXT + "    Apply = {\n    }\n    TimeoutSeconds = 20\n"
    lab = toys(forward={"text": lazy})
    assert lab.run(toy.CHANGE, *YES) == 4, lab.out
    said(lab, "did not come within 20 s. Run this again", "Begun, not finished: Set the text.")
    assert lab.receipt(toy.CHANGE)["outcome"] == "not verified"
    assert not lab.records(toy.CHANGE, "After")


def test_wait_ends_although_the_clock_is_set_back(toys):
    lazy = toy.TEXT + "    Apply = {\n    }\n    TimeoutSeconds = 20\n"
    lab = toys(forward={"text": lazy})
    # Each look at the clock is ten seconds earlier than the one before.
    path = lab.variant(
        toy.CHANGE,
        "    Apply = {\n",
        "    Apply = {\n        $global:labBack = 0\n        function global:Get-Date {\n"
        "            $global:labBack += 10\n"
        "            ([datetime] '2027-03-06T21:40:00').AddSeconds(-$global:labBack)\n        }\n",
    )
    assert lab.run(toy.CHANGE, *YES, path=path) == 4, lab.out
    said(lab, "did not come within 20 s")


def test_r45_an_error_in_apply_fails_and_the_end_says_what_was_begun(toys):
    lab = toys()
    lab.run(toy.CHANGE, "-WhatIf")
    lab = toys()
    lab.all([toy.CHANGE])
    number = lab.call("Set-ToyValue", 2)
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, LAB_FAIL=f"{number}:after") == 1, lab.out
    said(
        lab,
        "failed    Step 2, list: Lab: fault after Set-ToyValue Run this again: it goes on",
        "Changed: Set the text. Begun, not finished: Set the list.",
        "Next: read the line 'failed' above, then run this file again. Help: the toy team.",
    )
    assert "Nothing was changed" not in lab.out
    assert lab.receipt(toy.CHANGE)["outcome"] == "failed"
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out


@pytest.mark.parametrize("place", ["before", "after"])
def test_own_completed_receipt_is_void_while_it_changes_again(toys, place):
    lab = toys()
    lab.all([toy.CHANGE])
    lab.alter(lambda state: state["toy"].update(list=["a", "b"]))
    for path in lab.records(toy.CHANGE):
        if ".list." in path.name:
            path.unlink()
    lab.run(toy.CHANGE, "-WhatIf")
    # The calls of a real run up to the change are those of the preview and one reading more.
    kept = lab.snapshot()
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out
    at = lab.call("Set-ToyValue")
    for name, data in kept.items():
        (lab.dir / name).write_bytes(data)
    for path in lab.records(toy.CHANGE):
        if ".list." in path.name:
            path.unlink()
    assert lab.run(toy.CHANGE, *YES, LAB_KILL=f"{at}:{place}") not in (0, 2)
    assert lab.receipt(toy.CHANGE)["outcome"] == "interrupted"
    assert lab.run(toy.CHECK) == 2
    said(lab, f"{toy.CHANGE} ended as 'interrupted'. Run it again until it is completed.")


@pytest.mark.parametrize("flag", ["    Replicates = $true\n", ""], ids=["replicates", "plain"])
def test_r14_what_replicates_is_waited_for_before_it_is_judged(toys, flag):
    step = toy.FORWARD["text"].replace(
        "        Set-ToyValue",
        "        Set-ToyValue -Name 'made' -Value 'yes'\n        Set-ToyValue",
    )
    step += flag + (
        "    Require = {\n        param ($before, $present)\n"
        "        if (-not $present.text -and (Get-ToyValue -Name 'made') -eq 'yes') {\n"
        "            'Somebody works here. Find out who.'\n        }\n    }\n"
    )
    lab = toys(forward={"text": step})
    lab.alter(lambda state: state["toy"].update(made=""))
    first = lab.snapshot()["state.json"]
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out
    at = lab.call("Set-ToyValue", 2)
    lab = toys(forward={"text": step})
    (lab.dir / "state.json").write_bytes(first)
    assert lab.run(toy.CHANGE, *YES, LAB_KILL=f"{at}:after") not in (0, 2)
    slow = (lab.now + timedelta(seconds=90)).isoformat()
    code = lab.run(toy.CHANGE, *YES, LAB_SLOW=slow)
    if flag:
        assert code == 0, lab.out
        said(lab, "Begun by an earlier run: waiting up to 300 s for its result.")
    else:
        assert code == 2, lab.out
        refused(lab, "text: Somebody works here. Find out who.")


def test_window_is_judged_again_after_the_prompt(toys):
    lab = toys()

    def late(question):
        lab.wait(4 * 3600)
        return "Y"

    assert lab.run(toy.CHANGE, answer=late) == 2, lab.out
    refused(lab, "Set the text?", "outside the change window")


def test_keep_present_is_for_what_others_changed_after_us(toys):
    lab = toys()
    words = ("-Unattended", "-KeepPresent=list.list", "-Reason=CHG77")
    assert lab.run(toy.CHANGE, *words) == 2, lab.out
    refused(lab, "list: -KeepPresent 'list.list' keeps what others changed after this runbook")
    lab.all([toy.CHANGE])
    lab.alter(lambda state: state["toy"].update(list=["z"]))
    assert lab.run(toy.CHANGE, *YES) == 2, lab.out
    refused(lab, "list: list was left as 'a', 'c', 'd' and is 'z' now.", "-KeepPresent 'list.list'")
    assert lab.run(toy.CHANGE, *words) == 0, lab.out
    said(lab, "kept", "list.list is kept. Overridden: CHG77")
    assert lab.changes() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-KeepPresent=list.lst",), "-KeepPresent list.lst names no value here."),
        (("-KeepPresent=list",), "-KeepPresent list names no value here."),
        (("-SkipReceipt=10-001",), "-SkipReceipt 10-001 is no receipt that this runbook asks for."),
        (("-ReceiptPath=nowhere",), "is no folder. Give the folder of the receipts."),
    ],
    ids=["name", "step", "receipt", "folder"],
)
def test_an_override_that_names_nothing_is_refused(toys, words, says):
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, *words) == 2, lab.out
    refused(lab, says)


def test_hold_point_is_asked_only_when_something_behind_it_changes(toys):
    ask = "    Number = {number}\n    Id = 'hold'\n    Title = 'Is it drained?'\n"
    ask += "    Ask = 'Is it out of the load balancer?'\n    Who = 'the network team'\n"
    lab = toys(forward={"hold": ask, "text": toy.FORWARD["text"]})
    assert lab.run(toy.CHANGE, "-WhatIf") == 0
    said(lab, "whatif    hold: Is it out of the load balancer? (To answer: the network team)")
    assert lab.run(toy.CHANGE, "-Unattended") == 3, lab.out
    refused(lab, "a hold point needs -Reason")
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out
    assert lab.receipt(toy.CHANGE)["steps"][0]["outcome"] == "answered"
    assert lab.run(toy.CHANGE) == 0, lab.out
    said(lab, "Step 1  not needed")


def test_evidence_cut_by_a_crash_stays_and_is_chained(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    path = lab.folder(toy.CHANGE) / f"{toy.CHANGE}.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    assert lab.run(toy.CHANGE, "-WhatIf") == 0
    assert lab.chain(toy.CHANGE)
    assert len([line for line in path.read_bytes().split(b"\n") if line]) > len(
        lab.evidence(toy.CHANGE)
    )


def test_evidence_is_utc_and_the_screen_local_with_offset(toys):
    lab = toys()
    lab.run(toy.CHANGE, "-WhatIf", TZ="Asia/Kolkata")
    first = lab.out.split("\n")[0]
    assert re.match(r"03:00:3\d \+05:30 ", first)
    assert lab.evidence(toy.CHANGE)[0]["at"].startswith("2027-03-06T21:30:30.")


def test_works_from_read_only_media_with_another_name_in_its_path(toys, tmp_path):
    lab = toys()
    media = tmp_path / "Änderung Übersicht [1]"
    media.mkdir()
    path = media / f"{toy.CHANGE}.ps1"
    path.write_bytes(lab.scripts.find(toy.CHANGE).path.read_bytes())
    shutil.copy(lab.scripts.folder / "Start-Change.ps1", media)
    path.chmod(0o444)
    media.chmod(0o555)
    assert lab.run(toy.CHANGE, *YES, path=path) == 0, lab.out
    assert lab.evidence(toy.CHANGE)[0]["data"]["file"].endswith(f"Übersicht [1]/{toy.CHANGE}.ps1")


def run_shows(lab: Lab) -> list[str]:
    """The outcomes of the last run, step by step."""
    return [line.split()[2] for line in lab.out.split("\n") if line.startswith("Step ")]


def test_r13_a_refusal_after_a_change_is_a_failure(toys):
    strict = toy.FORWARD["list"] + (
        "    Require = {\n        if ((Get-ToyValue -Name 'text') -eq 'new') {\n"
        "            'It must not be new. Ask why.'\n        }\n    }\n"
    )
    lab = toys(forward={"text": toy.FORWARD["text"], "list": strict})
    assert lab.run(toy.CHANGE, *YES) == 1, lab.out
    said(lab, "refused   list: It must not be new. Ask why.", "Changed: Set the text.")
    assert "Nothing was changed" not in lab.out
    assert run_shows(lab) == ["changed", "refused"]
