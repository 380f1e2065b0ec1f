"""Runbooks that mix changes, checks, actions, waits and hold points, and what is due in them."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from lab import toy
from lab.lab import YES, Lab, Prompt
from lab.saying import refused, said

LISTED = """    Number = {number}
    Id = 'list'
    Title = 'Set the list'
    Follows = @('text')
    Wanted = [ordered] @{ list = 'a', 'c', 'd' }
    Read = {
        [ordered] @{ list = (Get-ToyValue -Name 'list') }
    }
    Require = {
        if ((Get-ToyValue -Name 'text') -ne 'new') {
            'The text is not new. Run the step text.'
        }
    }
    Apply = {
        Set-ToyValue -Name 'list' -Value @('a', 'c', 'd')
    }
"""
ACTION = """    Number = {number}
    Id = 'restart'
    Title = 'Restart the service'
    Repeats = $true
    Follows = @('text')
    Wanted = [ordered] @{ service = 'Running' }
    Read = {
        [ordered] @{ service = 'Running' }
    }
    Apply = {
        New-ToyObject -Name 'restart'
    }
"""
ASK = """    Number = {number}
    Id = 'ask-%s'
    Title = 'The board agrees'
    Ask = 'Does the board agree (%s)?'
    Who = 'the board'
"""
WAIT = """    Number = {number}
    Id = 'wait'
    Title = 'Wait 15 minutes'
    WaitSeconds = 900
    Follows = @('text')
"""
CHECK = """    Number = {number}
    Id = 'look'
    Title = 'The list is as it was'
    Wanted = [ordered] @{ list = 'a', 'b' }
    Read = {
        [ordered] @{ list = (Get-ToyValue -Name 'list') }
    }
"""
TEXT = toy.FORWARD["text"]


def restarts(lab: Lab) -> int:
    """How often the action was done."""
    return sum(one["Name"] == "restart" for one in lab.state()["toy"]["objects"])


class TestSteps:
    def test_a_step_that_follows_another_is_judged_when_its_turn_comes(self, toys):
        lab = toys(forward={"text": TEXT, "list": LISTED})
        assert lab.run(toy.CHANGE, "-WhatIf") == 0, lab.out
        said(lab, "list: It is judged when text is done.", "after text")
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        said(lab, "Changed: Set the text. Changed: Set the list.")

    def test_without_that_word_it_is_judged_in_the_survey(self, toys):
        lab = toys(forward={"text": TEXT, "list": LISTED.replace("@('text')", "@()")})
        assert lab.run(toy.CHANGE, *YES) == 2, lab.out
        refused(lab, "list: The text is not new. Run the step text.")

    def test_once_the_other_is_done_it_is_judged_in_the_survey_again(self, toys):
        lab = toys(forward={"text": TEXT, "list": LISTED})
        lab.alter(lambda state: state["toy"].update(text="new"))
        assert lab.run(toy.CHANGE, "-WhatIf") == 0, lab.out
        said(lab, "whatif    list: list is 'a', 'b', wanted is 'a', 'c', 'd'.")

    def test_a_refusal_after_a_change_says_what_was_changed(self, toys):
        later = LISTED.replace("-ne 'new'", "-eq 'new'")
        lab = toys(forward={"text": TEXT, "list": later})
        assert lab.run(toy.CHANGE, *YES) == 1, lab.out
        said(lab, "refused   list: The text is not new.", "Changed: Set the text.")
        assert "Nothing was changed" not in lab.out

    def test_a_check_that_does_not_pass_stops_before_the_change_behind_it(self, toys):
        lab = toys(forward={"look": CHECK, "text": TEXT})
        lab.alter(lambda state: state["toy"].update(list=["x"]))
        assert lab.run(toy.CHANGE, *YES) == 4, lab.out
        refused(lab, "problem   look: list is 'x', wanted is 'a', 'b'.")

    def test_checks_behind_a_change_all_run(self, toys):
        other = CHECK.replace("'look'", "'again'").replace("The list", "Again the list")
        lab = toys(forward={"text": TEXT, "look": CHECK, "again": other})
        lab.alter(lambda state: state["toy"].update(list=["x"]))
        assert lab.run(toy.CHANGE, *YES) == 4, lab.out
        said(lab, "problem   look:", "problem   again:", "Changed: Set the text.")

    def test_a_check_that_would_wait_is_said_in_a_preview(self, toys):
        slow = CHECK.replace("    Wanted", "    TimeoutSeconds = 60\n    Wanted")
        lab = toys(forward={"look": slow, "text": TEXT})
        lab.alter(lambda state: state["toy"].update(list=["x"]))
        assert lab.run(toy.CHANGE, "-WhatIf") == 0, lab.out
        said(lab, "look: It would be waited for, up to 60 s: list is 'x'")


class TestActions:
    def test_U03_an_action_is_done_although_what_it_wants_holds_already(self, toys):
        lab = toys(forward={"text": TEXT, "restart": ACTION})
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        assert restarts(lab) == 1
        said(lab, "It is due: it was not done since what it serves.")

    def test_a_second_run_does_not_repeat_it(self, toys):
        lab = toys(forward={"text": TEXT, "restart": ACTION})
        for _ in range(2):
            assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        assert restarts(lab) == 1
        said(lab, "Nothing was changed.")

    @pytest.mark.parametrize("place", ["before", "after"])
    def test_it_is_due_until_it_has_ended(self, toys, place):
        lab = toys(forward={"text": TEXT, "restart": ACTION})
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        at = lab.call("New-ToyObject")
        lab = toys(forward={"text": TEXT, "restart": ACTION})
        assert lab.run(toy.CHANGE, *YES, LAB_FAIL=f"{at}:{place}") == 1, lab.out
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        assert restarts(lab) == (1 if place == "before" else 2)

    def test_it_is_due_when_what_it_wants_does_not_hold(self, toys):
        down = ACTION.replace("{ service = 'Running' }\n    }", "{ service = $service }\n    }", 1)
        look = "(Get-ToyValue -Name 'list') -contains 'a'"
        words = f"        $service = 'Stopped'\n        if ({look}) {{ $service = 'Running' }}"
        down = down.replace("    Read = {", f"    Read = {{\n{words}")
        down = down.replace("New-ToyObject -Name 'restart'",
                            "Set-ToyValue -Name 'list' -Value @('a')")  # fmt: skip
        lab = toys(forward={"text": TEXT, "restart": down})
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        lab.alter(lambda state: state["toy"].update(list=[]))
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        assert lab.state()["toy"]["list"] == ["a"]

    def test_U03_what_serves_a_receipt_is_due_once_for_each(self, toys):
        serving = ACTION.replace("    Follows = @('text')\n", "")
        lab = toys(checks={"restart": serving}, serves=f"'{toy.CHANGE}'")
        lab.all([toy.CHANGE, toy.CHECK])
        lab.all([toy.CHANGE, toy.CHECK])
        assert restarts(lab) == 1
        lab.all([toy.UNDO, toy.CHANGE, toy.CHECK])
        assert restarts(lab) == 2

    def test_a_skipped_receipt_makes_it_due_each_time(self, toys):
        serving = ACTION.replace("    Follows = @('text')\n", "")
        lab = toys(checks={"restart": serving}, serves=f"'{toy.CHANGE}'")
        for count in (1, 2):
            assert lab.run(toy.CHECK, *YES, f"-SkipReceipt={toy.CHANGE}") == 0, lab.out
            assert restarts(lab) == count


class TestShellThatEnds:
    """An action that ends the session of the shell, as an IIS restart does."""

    LOOK = CHECK.replace("'look'", "'shown'")
    ENDS = ACTION.replace("    Follows = @('text')\n", "    EndsShell = $true\n")

    @pytest.fixture
    def lab(self, toys) -> Lab:
        steps = {"shown": self.LOOK, "restart": self.ENDS}
        lab = toys(checks=steps, serves=f"'{toy.CHANGE}'", forward={"text": TEXT})
        lab.all([toy.CHANGE])
        return lab

    def test_the_shell_is_discarded_right_before_it(self, lab):
        discard = "$Runbook.Discard = {\n    Set-ToyValue -Name 'text' -Value 'gone'\n}\n"
        path = lab.variant(toy.CHECK, "$Runbook.Shell = {\n", f"{discard}$Runbook.Shell = {{\n")
        assert lab.run(toy.CHECK, *YES, path=path) == 0, lab.out
        assert lab.changes() == ["Set-ToyValue", "New-ToyObject"]

    def test_once_begun_it_is_resumed_without_the_shell(self, lab):
        assert lab.run(toy.CHECK, "-WhatIf") == 0, lab.out
        copy = json.loads((lab.dir / "state.json").read_text())
        assert lab.run(toy.CHECK, *YES) == 0, lab.out
        at = lab.call("New-ToyObject")
        again = Lab(lab.dir.with_name("again"), lab.scripts)
        again.alter(lambda state: state.update(copy))
        again.all([toy.CHANGE])
        assert again.run(toy.CHECK, *YES, LAB_FAIL=f"{at}:after") == 1, again.out
        # The shell does not answer any more; the check in front of the restart was passed.
        again.alter(lambda state: state["toy"].update(list=["x"]))
        dead = again.run(toy.CHECK, *YES, LAB_FLAGS="dead-shell")
        assert dead == 0, again.out
        said(again, "Step 1  done before")
        assert restarts(again) == 2


class TestHoldPoints:
    STEPS = {"before": ASK % ("before", "before"), "text": TEXT, "after": ASK % ("after", "after")}  # noqa: RUF012

    def test_U02_one_behind_the_last_change_is_asked_too(self, toys):
        lab = toys(forward=self.STEPS)
        assert lab.run(toy.CHANGE, stdin="Y\nY\nN\n") == 3, lab.out
        said(lab, "Does the board agree (after)? (To answer: the board) No")
        assert lab.state()["toy"]["text"] == "new"
        assert lab.receipt(toy.CHANGE)["outcome"] == "declined"

    def test_U02_an_undo_asks_too_in_front_of_its_changes_and_behind_them(self, toys):
        backward = {**self.STEPS, "text": toy.BACKWARD["text"]}
        lab = toys(forward={"text": TEXT}, backward=backward)
        lab.all([toy.CHANGE])
        assert lab.run(toy.UNDO, stdin="Y\nY\nN\n") == 3, lab.out
        said(lab, "Does the board agree (before)?", "Does the board agree (after)?")
        assert lab.state()["toy"]["text"] == ""
        assert lab.receipt(toy.UNDO)["outcome"] == "declined"
        assert lab.run(toy.UNDO, stdin="Y\n") == 0, lab.out

    def test_U02_an_undo_that_has_nothing_to_do_asks_nothing(self, toys):
        backward = {**self.STEPS, "text": toy.BACKWARD["text"]}
        lab = toys(forward={"text": TEXT}, backward=backward)
        lab.alter(lambda state: state["toy"].update(text="theirs"))
        assert lab.run(toy.UNDO, stdin="") == 0, lab.out
        said(lab, "Result: nothing to undo", "not needed")

    def test_an_answer_counts_until_the_runbook_is_completed(self, toys):
        lab = toys(forward=self.STEPS, backward={"text": toy.BACKWARD["text"]})
        assert lab.run(toy.CHANGE, stdin="Y\nY\nN\n") == 3, lab.out
        assert lab.run(toy.CHANGE, stdin="Y\n") == 0, lab.out
        said(lab, "ask-before: Answered with Yes before: litwareinc\\adm at 2027-")
        assert lab.run(toy.CHANGE, stdin="") == 0, lab.out
        assert "agree" not in lab.out.replace("The board agrees", "")
        assert lab.run(toy.UNDO, *YES) == 0, lab.out
        assert lab.run(toy.CHANGE, stdin="N\n") == 3, lab.out
        said(lab, "Does the board agree (before)?")

    @pytest.mark.parametrize("given", [0, 1, 2])
    def test_killed_at_a_question_it_is_asked_again_and_answers_before_it_count(self, toys, given):
        """Questions are those of the hold point, of the change, and of the hold point behind it."""
        lab = toys(forward=self.STEPS)
        waiting = Prompt(lab, toy.CHANGE)
        for count in range(given):
            waiting.wait_for("default is", count + 1)
            waiting.answer("Y")
        waiting.wait_for("default is", given + 1)
        waiting.process.kill()
        waiting.end()
        assert lab.state()["toy"]["text"] == ("new" if given == 2 else ""), waiting.out
        # The question of a change is put again, unless the change was made.
        assert lab.run(toy.CHANGE, stdin="Y\n" * (3 - given)) == 0, lab.out
        assert lab.out.count("Answered with Yes before") == (given > 0), lab.out
        assert lab.receipt(toy.CHANGE)["outcome"] == "completed"
        assert lab.chain(toy.CHANGE)

    def test_killed_behind_the_last_answer_nothing_is_asked_again(self, toys):
        lab = toys(forward={**self.STEPS, "look": CHECK})
        assert lab.run(toy.CHANGE, "-WhatIf") == 0, lab.out
        calls = Lab(lab.dir.with_name("twin"), lab.scripts, copy_of=lab)
        assert calls.run(toy.CHANGE, stdin="Y\nY\nY\n") == 0, calls.out
        at = len(calls.calls)
        assert lab.run(toy.CHANGE, stdin="Y\nY\nY\n", LAB_KILL=f"{at}:before") not in (0, 2)
        assert lab.run(toy.CHANGE, stdin="") == 0, lab.out
        assert lab.out.count("Answered with Yes before") == 2, lab.out

    def test_it_is_not_asked_where_nothing_is_changed(self, toys):
        lab = toys(forward=self.STEPS)
        lab.alter(lambda state: state["toy"].update(text="new"))
        assert lab.run(toy.CHANGE, stdin="") == 0, lab.out
        said(lab, "Step 1  not needed", "Step 3  not needed")

    def test_U02_one_that_is_always_asked_is(self, toys):
        always = (ASK % ("always", "always")) + "    Always = $true\n"
        lab = toys(forward={"text": TEXT, "always": always})
        lab.alter(lambda state: state["toy"].update(text="new"))
        assert lab.run(toy.CHANGE, stdin="N\n") == 3, lab.out
        refused(lab, "Does the board agree (always)?")

    def test_a_preview_says_that_it_would_ask(self, toys):
        lab = toys(forward=self.STEPS)
        assert lab.run(toy.CHANGE, "-WhatIf") == 0, lab.out
        said(lab, "Step 1  would ask", "Step 3  would ask")

    def test_a_witness_is_asked_for_and_recorded(self, toys):
        lab = toys(forward=self.STEPS, witness="true")
        assert lab.run(toy.CHANGE, stdin="Y\nAnn Other\nY\nY\n\n") == 3, lab.out
        said(lab, "(before)? (To answer: the board) Yes (litwareinc\\adm, witness 'Ann Other').")
        said(lab, "(after)? (To answer: the board) No (litwareinc\\adm, witness '').")

    def test_with_a_witness_nobody_answers_unattended(self, toys):
        lab = toys(forward=self.STEPS, witness="true")
        assert lab.run(toy.CHANGE, *YES) == 3, lab.out
        refused(lab, "was declined")


class TestWaits:
    STEPS = {"text": TEXT, "wait": WAIT}  # noqa: RUF012

    def test_it_waits_on_this_hosts_clock_and_says_until_when(self, toys):
        lab = toys(forward=self.STEPS)
        before = lab.now
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        assert lab.now - before >= timedelta(minutes=15)
        said(lab, "wait: Waiting until 2027-03-06 21:4", "Step 2  waited")

    def test_a_second_run_does_not_wait(self, toys):
        lab = toys(forward=self.STEPS)
        lab.all([toy.CHANGE])
        before = lab.now
        lab.all([toy.CHANGE])
        assert lab.now - before < timedelta(minutes=2)

    def test_a_wait_that_was_interrupted_goes_on(self, toys):
        lab = toys(forward=self.STEPS)
        assert lab.run(toy.CHANGE, *YES, LAB_WAKE="3") == 1, lab.out
        lab.now += timedelta(minutes=10)
        before = lab.now
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        assert timedelta(minutes=3) < lab.now - before < timedelta(minutes=7)

    def test_a_preview_says_until_when(self, toys):
        lab = toys(forward=self.STEPS)
        lab.alter(lambda state: state["toy"].update(text="new"))
        serving = WAIT.replace("    Follows = @('text')\n", "")
        lab = toys(checks={"wait": serving}, serves=f"'{toy.CHANGE}'")
        lab.all([toy.CHANGE])
        assert lab.run(toy.CHECK, "-WhatIf") == 0, lab.out
        said(lab, "Step 1  would wait")


RISK = (
    "    Count = 'How many lists would be lost?'\n    Risk = {\n"
    "        if ((Get-ToyValue -Name 'list') -contains 'z') {\n            'A list is there.'\n"
    "        }\n        %s\n    }\n"
)


class TestRisk:
    """F06: past a reading of an undo that fails, and past nothing else."""

    def undo(self, toys, words: str) -> Lab:
        backward = {**toy.BACKWARD, "text": toy.BACKWARD["text"] + RISK % words}
        lab = toys(backward=backward)
        lab.all([toy.CHANGE])
        return lab

    def test_F06_a_reading_that_fails_is_a_reason_with_the_way_past_it(self, toys):
        lab = self.undo(toys, "throw 'The pool is down.'")
        assert lab.run(toy.UNDO, *YES) == 2, lab.out
        refused(lab, "text: How many lists would be lost? That cannot be read: The pool is down.",
                "use -AcceptRisk 'text' -Reason '...'.")  # fmt: skip

    def test_F06_it_is_asked_counted_and_recorded(self, toys):
        lab = self.undo(toys, "throw 'The pool is down.'")
        accept = ("-AcceptRisk=text", "-Reason=CAB said so")
        assert lab.run(toy.UNDO, *accept, stdin="Y\n0\nY\nY\nY\n") == 0, lab.out
        said(lab, "override  text: The pool is down. The risk is accepted. Overridden: CAB said so")
        assert any("The risk is accepted" in one for one in lab.receipt(toy.UNDO)["overrides"])
        assert lab.state()["toy"] == toy.STATE

    @pytest.mark.parametrize(("typed", "code"), [("Y\n3\n", 2), ("Y\n\n", 2), ("N\n", 3)])
    def test_F06_a_count_by_hand_other_than_0_and_a_no_stop_it(self, toys, typed, code):
        lab = self.undo(toys, "throw 'The pool is down.'")
        accept = ("-AcceptRisk=text", "-Reason=CAB said so")
        assert lab.run(toy.UNDO, *accept, stdin=typed) == code, lab.out
        refused(lab)

    def test_F06_it_never_goes_past_a_reading_that_answered(self, toys):
        lab = self.undo(toys, "'Two lists are there. Bring them back.'")
        accept = ("-AcceptRisk=text", "-Reason=CAB said so")
        assert lab.run(toy.UNDO, *accept, stdin="Y\n0\nY\nY\nY\n") == 2, lab.out
        refused(lab, "text: Two lists are there.")

    def test_F06_it_is_never_unattended_and_names_a_risk(self, toys):
        lab = self.undo(toys, "throw 'The pool is down.'")
        assert lab.run(toy.UNDO, *YES, "-AcceptRisk=text") == 2, lab.out
        refused(lab, "-AcceptRisk text is asked, so it cannot be given with -Unattended.")
        assert lab.run(toy.UNDO, "-AcceptRisk=list", "-Reason=x") == 2, lab.out
        refused(lab, "-AcceptRisk list names no risk here.")
        assert lab.run(toy.UNDO, "-AcceptRisk=text") == 2, lab.out
        refused(lab, "An override needs -Reason")

    def test_F06_a_require_that_fails_is_a_reason_too(self, toys):
        need = "    Require = {\n        throw 'The pool is down.'\n    }\n"
        backward = {**toy.BACKWARD, "text": toy.BACKWARD["text"] + need}
        lab = toys(backward=backward)
        lab.all([toy.CHANGE])
        assert lab.run(toy.UNDO, *YES) == 2, lab.out
        refused(lab, "text: It cannot be judged: The pool is down. Repair that, then run this")


class TestTable:
    """Gates by id: what counts stands in Start-Change.ps1 alone."""

    def test_without_the_table_nothing_runs(self, toys):
        lab = toys()
        (lab.scripts.folder / "Start-Change.ps1").unlink()
        assert lab.run(toy.CHANGE, *YES) == 2, lab.out
        refused(lab, "Start-Change.ps1. Copy the whole folder of the change to this server.")

    def test_a_runbook_of_another_build_is_refused(self, toys):
        lab = toys()
        toy.write_table(lab.scripts.folder, {toy.CHANGE: ["0" * 64], toy.CHECK: ["1" * 64]})
        assert lab.run(toy.CHANGE, *YES) == 2, lab.out
        refused(lab, "is of another build than this file. Use the files of one package only.")

    def test_receipts_of_a_superseded_text_count_when_the_table_lists_it(self, toys):
        lab = toys()
        lab.all([toy.CHANGE])
        own = lab.receipt(toy.CHANGE)["hash"]
        check = toy.hash_of(lab.scripts.find(toy.CHECK).path)
        undo = toy.hash_of(lab.scripts.find(toy.UNDO).path)
        for counts, code in ((["f" * 64], 2), (["f" * 64, own], 0)):
            table = {toy.CHANGE: counts, toy.CHECK: [check], toy.UNDO: [undo]}
            toy.write_table(lab.scripts.folder, table)
            assert lab.run(toy.CHECK) == code, lab.out

    def test_a_need_for_all_runbooks_of_an_action_is_one_for_each_in_the_table(self, toys):
        lab = toys(hours=72)
        path = lab.variant(toy.CHECK, f"@{{ Id = '{toy.CHANGE}'", "@{ All = 'toy-change'")
        table = (path.parent / "Start-Change.ps1").read_bytes().decode()
        other = toy.CHANGE.replace("10-001", "10-002").replace("TOY-01", "TOY-02")
        more = f"    @{{ Id = '{other}'\r\n        Counts = '{'a' * 64}' }}\r\n)"
        (path.parent / "Start-Change.ps1").write_text(table.replace(")\r\n", more), newline="")
        lab.all([toy.CHANGE])
        assert lab.run(toy.CHECK, path=path) == 2, lab.out
        refused(lab, f"There is no receipt of {other}.")
        assert lab.run(toy.CHECK, f"-SkipReceipt={other}", "-Reason=x", path=path) == 0, lab.out

    def test_the_table_must_be_signed_where_signers_are_asked_for(self, toys):
        lab = toys(signer="AB" * 20)
        more = {"LAB_SIGNATURE": "NotSigned", "LAB_SIGNED": "Start-Change.ps1"}
        assert lab.run(toy.CHANGE, *YES, **more) == 2, lab.out
        refused(lab, "Start-Change.ps1: it has no signature. Fetch the approved file again.")


class TestSmallThings:
    def test_F07_an_entry_that_explorer_made_is_taken_away_and_told(self, toys):
        lab = toys()
        lab.all([toy.CHANGE])
        folder = f"{toy.HOST}/Runbook/CHG1"
        with (lab.dir / "icacls.log").open("a") as log:
            log.write(f"\n{folder} explorer")
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        said(lab, "S-1-5-21-1-2-3-1106", "those of others were taken away.")
        assert any(one["status"] == "rights" for one in lab.evidence(toy.CHANGE))
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        assert "taken away" not in lab.out

    def test_F11_the_line_of_a_failure_names_step_command_and_next_action(self, toys):
        broken = TEXT.replace("Set-ToyValue", "Get-Item -LiteralPath 'no:'; Set-ToyValue")
        lab = toys(forward={"text": broken})
        assert lab.run(toy.CHANGE, *YES) == 1, lab.out
        said(lab, "failed    Step 1, text: Get-Item: ", "Run this again: it goes on from there.")

    def test_F12_a_clock_that_is_moments_behind_is_waited_for(self, toys):
        lab = toys()
        lab.all([toy.CHANGE])
        lab.now -= timedelta(minutes=3)
        before = lab.now
        assert lab.run(toy.CHECK) == 0, lab.out
        said(lab, "clock     The receipt of", "by this clock: waiting until then.")
        assert lab.now - before > timedelta(minutes=1)

    def test_F13_the_window_gets_its_preferences_back(self, toys):
        lab = toys()
        script = lab.scripts.find(toy.CHANGE).path
        probe = lab.dir / "probe.ps1"
        probe.write_text(
            "$global:ErrorActionPreference = 'Continue'\n"
            f"try {{ & '{script}' -Unattended -Reason lab }} finally {{\n"
            '    Write-Host "preference is $global:ErrorActionPreference" }\n'
        )
        lab.run(toy.CHANGE, path=probe)
        said(lab, "preference is Continue")

    def test_F14_a_reading_that_fails_is_one_more_round_of_waiting(self, toys):
        lab = toys(forward={"text": TEXT})
        assert lab.run(toy.CHANGE, *YES) == 0, lab.out
        reads = [at for at, call in enumerate(lab.calls, 1) if call == "Get-ToyValue"]
        after = [at for at in reads if at > lab.call("Set-ToyValue")]
        lab = toys(forward={"text": TEXT})
        assert lab.run(toy.CHANGE, *YES, LAB_FAIL=f"{after[0]}:before") == 0, lab.out
        said(lab, "wait      text: The reading failed, one more round:")

    def test_F14_a_lock_says_which_process_of_whom_holds_it(self, toys):
        ask = {"ask": ASK % ("ask", "ask") + "    Always = $true\n"}
        lab = toys(forward=ask)
        waiting = Prompt(lab, toy.CHANGE)
        waiting.wait_for("Does the board agree")
        assert lab.run(toy.CHECK, *YES) == 2, lab.out
        assert re.search(
            rf"Another runbook of CHG1 is running on this server: {toy.CHANGE}, process \d+ of "
            r"\S+\\\S+\. Wait for its end\.",
            lab.out,
        ), lab.out
        waiting.answer("N")
        assert waiting.end() == 3

    def test_F14_what_is_no_lock_is_not_told_as_one(self, toys):
        lab = toys()
        lab.all([toy.CHANGE])
        lock = lab.folder(toy.CHANGE) / "lock"
        lock.unlink()
        lock.mkdir()
        assert lab.run(toy.CHECK, *YES) != 0, lab.out
        assert "Another runbook" not in lab.out
        said(lab, "failed    New-Object: ")

    def test_F15_outside_a_preview_the_window_refuses(self, toys):
        lab = toys()
        early = {"LAB_NOW": "2027-03-05T21:30:00+00:00"}
        assert lab.run(toy.CHANGE, *YES, **early) == 2, lab.out
        refused(lab, "Come back in time, or use -OutsideWindow -Reason '...'.")

    def test_F15_in_a_preview_the_window_is_a_remark(self, toys):
        lab = toys()
        early = {"LAB_NOW": "2027-03-05T21:30:00+00:00"}
        assert lab.run(toy.CHANGE, "-WhatIf", **early) == 0, lab.out
        said(lab, "window    It is 2027-03-05", "Result: preview, 0 reason(s) to refuse")
