"""Receipts: the order of work, its copies, its clocks, and how a gate is passed on purpose."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
from lab import toy
from lab.lab import YES, Lab
from lab.saying import refused, said


@pytest.fixture
def done(toys) -> Lab:
    """The change was made."""
    lab = toys()
    lab.all([toy.CHANGE])
    return lab


def test_gate_opens_with_the_receipt_and_names_it_in_the_next_one(done):
    assert done.run(toy.CHECK) == 0, done.out
    relied = done.receipt(toy.CHECK)["relied"]
    assert [(one["id"], one["expires"]) for one in relied] == [(toy.CHANGE, False)]


FAULTS = {
    "missing": (None, "There is no receipt of"),
    "cut": (lambda text: text[:90], "counts as missing"),
    "empty": (lambda text: "", "counts as missing"),
    "list": (lambda text: "[1, 2]", "counts as missing"),
    "no-end": (lambda text: text.replace('"end"', '"edn"'), "counts as missing"),
    "other-change": (lambda text: text.replace("CHG1", "CHG2"), "counts as missing"),
    "other-text": (lambda text: text.replace('"hash":"', '"hash":"0', 1), "is from another text"),
    "failed": (lambda text: text.replace('"completed"', '"failed"'), "ended as 'failed'"),
    "both": (
        lambda text: text.replace('"completed"', '"failed"').replace('"hash":"', '"hash":"0', 1),
        "ended as 'failed'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_r18_bad_receipt_is_refused_for_the_right_reason(done, fault):
    path = done.receipt_path(toy.CHANGE)
    change, words = FAULTS[fault]
    text = path.read_text()
    path.unlink()
    if change:
        path.write_text(change(text))
    assert done.run(toy.CHECK) == 2, done.out
    refused(done, words, toy.CHANGE)


def test_a_damaged_copy_is_named_once_and_the_good_one_serves(done, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / f"{toy.CHANGE}.receipt.json").write_text("")
    assert done.run(toy.CHECK, f"-ReceiptPath={stick}") == 0, done.out
    assert done.out.count("counts as missing") == 1


def test_r41_receipts_are_looked_for_here_and_there(done, tmp_path):
    stick = tmp_path / "a stick"
    stick.mkdir()
    shutil.move(done.receipt_path(toy.CHANGE), stick)
    assert done.run(toy.CHECK) == 2
    assert done.run(toy.CHECK, f"-ReceiptPath={stick}") == 0, done.out


def test_r41_of_two_copies_the_later_one_decides_even_with_the_clock_set_back(done, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    shutil.copy(done.receipt_path(toy.CHANGE), stick)
    done.now -= timedelta(hours=1)
    assert done.run(toy.UNDO, *YES) == 0, done.out
    said(done, "The clock was set back:")
    assert done.run(toy.CHECK, f"-ReceiptPath={stick}") == 2, done.out
    refused(done, "ended as 'void'")


def test_a_receipt_of_this_host_from_the_future_is_no_proof(done):
    done.now -= timedelta(hours=1)
    assert done.run(toy.CHECK) == 2, done.out
    refused(done, "which is still to come: a clock was set back. Set the clocks right, delete")


def test_times_of_other_hosts_are_not_compared(done):
    path = done.receipt_path(toy.CHANGE)
    path.write_text(path.read_text().replace(f'"host":"{toy.HOST}"', '"host":"TOY-02"'))
    done.now -= timedelta(days=3)
    assert done.run(toy.CHECK) == 0, done.out


def test_a_preflight_receipt_expires_and_one_from_far_ahead_is_no_proof(toys):
    lab = toys(hours=72)
    lab.all([toy.CHANGE])
    assert lab.run(toy.CHECK) == 0, lab.out
    assert lab.receipt(toy.CHECK)["relied"][0]["expires"] is True
    lab.now += timedelta(hours=73)
    assert lab.run(toy.CHECK) == 2, lab.out
    refused(lab, "which is more than 72 hours ago. Run 10-001-toy-change_TOY-01 again.")
    path = lab.receipt_path(toy.CHANGE)
    path.write_text(path.read_text().replace(f'"host":"{toy.HOST}"', '"host":"TOY-02"'))
    lab.now -= timedelta(hours=75)
    assert lab.run(toy.CHECK) == 2, lab.out
    refused(lab, "ended on TOY-02 at", "still to come")


def test_checks_that_rely_on_nothing_lasting_renew_their_receipt(toys):
    lab = toys(hours=72)
    lab.all([toy.CHANGE])
    ends = []
    for _ in range(2):
        assert lab.run(toy.CHECK) == 0, lab.out
        ends.append(lab.receipt(toy.CHECK)["end"])
    assert ends[0] < ends[1]


def test_r10_checks_that_rely_on_a_change_keep_their_receipt(done):
    assert done.run(toy.CHECK) == 0
    first = done.receipt_path(toy.CHECK).read_bytes()
    assert done.run(toy.CHECK) == 0
    assert done.receipt_path(toy.CHECK).read_bytes() == first


def test_r24_a_predecessor_that_was_run_again_makes_a_receipt_stale(done, toys):
    assert done.run(toy.CHECK) == 0
    first = done.receipt(toy.CHECK)
    done.all([toy.UNDO, toy.CHANGE])
    assert done.run(toy.CHECK) == 0, done.out
    assert done.receipt(toy.CHECK)["relied"] != first["relied"]


def test_r25_a_receipt_is_skipped_by_id_with_a_reason_and_is_unknown(toys):
    gate = toy.CHECKS["value"].replace(
        "    Read = {\n", "    Read = {\n        param ($source, $past)\n"
    ).replace("(Get-ToyValue -Name 'text')", f"\"$($past['{toy.CHANGE}'])\"")  # fmt: skip
    lab = toys(checks={"value": gate})
    skip = f"-SkipReceipt={toy.CHANGE}"
    assert lab.run(toy.CHECK, skip) == 2, lab.out
    refused(lab, "An override needs -Reason '...'.")
    assert lab.run(toy.CHECK, skip, "-Reason=CAB said so") == 4, lab.out
    said(lab, "value: text is 'unknown', wanted is 'new'. Run 10-001.")
    assert "CAB said so" in lab.receipt(toy.CHECK)["overrides"][0]
    assert lab.receipt(toy.CHECK)["relied"] == []


def test_r12_facts_of_predecessors_come_from_the_engine(toys):
    gate = toy.CHECKS["value"].replace(
        "    Read = {\n", "    Read = {\n        param ($source, $past)\n"
    ).replace(
        "(Get-ToyValue -Name 'text')",
        f"$past['{toy.CHANGE}'].State['text'].text",
    )  # fmt: skip
    lab = toys(checks={"value": gate})
    lab.all([toy.CHANGE])
    assert lab.run(toy.CHECK) == 0, lab.out
    ends = gate.replace(".State['text'].text", ".End.Kind")
    lab = toys(checks={"value": ends})
    lab.all([toy.CHANGE])
    assert lab.run(toy.CHECK) == 4, lab.out
    said(lab, "value: text is 'Utc', wanted is 'new'.")


def test_failed_check_closes_the_gate_that_it_had_opened(done):
    assert done.run(toy.CHECK) == 0
    done.alter(lambda state: state["toy"].update(text="other"))
    assert done.run(toy.CHECK) == 4, done.out
    assert done.receipt(toy.CHECK)["outcome"] == "not verified"


def test_receipt_names_who_what_when_and_the_end_of_the_evidence(done):
    receipt = done.receipt(toy.CHANGE)
    assert receipt["operator"] == "litwareinc\\adm"
    assert receipt["host"] == toy.HOST
    assert receipt["start"] < receipt["changed"] <= receipt["end"]
    records = done.evidence(toy.CHANGE)
    after = [one["status"] for one in records if one["prev"] == receipt["evidence"]]
    assert after == ["receipt"]


@pytest.mark.parametrize("late", [False, True], ids=["inside", "outside"])
def test_window_is_asked_of_the_change_alone(toys, late):
    lab = toys()
    outside = {"LAB_NOW": "2027-03-05T21:30:00+00:00"}
    assert lab.run(toy.CHANGE, *YES, **outside) == 2, lab.out
    refused(lab, "It is 2027-03-05 21:3", "outside the change window")
    words = ("-Unattended", "-OutsideWindow", "-Reason=CAB moved it")
    assert lab.run(toy.CHANGE, *words, **outside) == 0, lab.out
    assert "CAB moved it" in json.dumps(lab.receipt(toy.CHANGE)["overrides"])
    more = {"LAB_NOW": "2027-03-09T21:30:00+00:00"} if late else {}
    assert lab.run(toy.CHECK, **more) == 0, lab.out
    assert lab.run(toy.UNDO, *YES, **more) == 0, lab.out
