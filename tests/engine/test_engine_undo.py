"""Undo: by records and identity, refused where others have been, careful without records."""

from __future__ import annotations

import json
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


def test_undo_restores_the_first_state_and_voids_the_forward_receipt(done):
    assert done.run(toy.UNDO, *YES) == 0, done.out
    assert done.state()["toy"] == toy.STATE
    assert done.receipt(toy.CHANGE)["outcome"] == "void"
    assert done.receipt(toy.UNDO)["outcome"] == "completed"
    assert not done.records(toy.CHANGE, "*")
    assert done.run(toy.CHECK) == 2
    refused(done, "ended as 'void'. Run it again until it is completed.")


def test_r09_after_records_are_archived_before_before_records(done):
    before, after = done.records(toy.CHANGE, "Before"), done.records(toy.CHANGE, "After")
    begins = done.now + timedelta(seconds=30)
    stamp = begins.strftime("%Y-%m-%dT%H%M%S%f")[:-3] + "Z"
    # In the way of every before-record: the first move of one fails.
    obstacles = [path.with_name(f"{path.name}.undone-{stamp}") for path in before]
    for path in obstacles:
        path.touch()
    assert done.run(toy.UNDO, *YES, LAB_FLAGS="still") == 1, done.out
    assert len(before) == len(after) == 3
    assert [path.exists() for path in (*before, *after)] == [True] * 3 + [False] * 3
    for path in obstacles:
        path.unlink()
    assert done.run(toy.UNDO, *YES) == 0, done.out
    assert done.state()["toy"] == toy.STATE


def test_r24_forward_after_undo_voids_the_undo_and_records_anew(done):
    done.all([toy.UNDO, toy.CHANGE])
    assert done.receipt(toy.UNDO)["outcome"] == "void"
    assert done.record(toy.CHANGE, "text", "After")["proof"] == "changed"


def test_what_was_so_before_is_held_and_left_by_undo(toys):
    lab = toys()
    lab.alter(lambda state: state["toy"].update(text="new"))
    lab.all([toy.CHANGE])
    assert lab.record(toy.CHANGE, "text", "After")["proof"] == "held"
    lab.all([toy.UNDO])
    assert lab.state()["toy"] == {**toy.STATE, "text": "new"}
    # Again: what its own receipt says was left is no riddle.
    receipt = lab.receipt_path(toy.UNDO).read_bytes()
    assert lab.run(toy.UNDO, *YES) == 0, lab.out
    assert lab.changes() == []
    assert lab.receipt_path(toy.UNDO).read_bytes() == receipt
    lab.alter(lambda state: state["toy"].update(list=["a", "b", "c"]))
    assert lab.run(toy.UNDO, *YES) == 4, lab.out


def test_a_list_half_way_is_taken_back_and_one_with_a_stranger_is_refused(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    at = lab.call("Set-ToyValue", 3)
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, LAB_KILL=f"{at}:before") not in (0, 2)
    assert lab.state()["toy"]["list"] == ["a", "c"]
    lab.alter(lambda state: state["toy"].update(list=["a", "c", "x"]))
    assert lab.run(toy.UNDO, *YES) == 2, lab.out
    refused(lab, "list: list is 'a', 'c', 'x', this change left 'a', 'c', 'd'.")
    lab.alter(lambda state: state["toy"].update(list=["a", "c"]))
    assert lab.run(toy.UNDO, *YES) == 0, lab.out
    assert lab.state()["toy"] == toy.STATE


def test_r07_a_recreated_object_is_not_removed(done):
    def recreate(state):
        state["toy"]["objects"][-1]["Guid"] = "recreated"

    done.alter(recreate)
    assert done.run(toy.UNDO, *YES) == 2, done.out
    refused(done, "object: object 'ours' is not what this change made", "'recreated'")
    said(done, "keep the whole step with -KeepPresent 'object' -Reason '...'")


@pytest.mark.parametrize(
    "words", ["object", "object.object,object.kind", "object.object, object.kind"]
)
def test_r17_in_undo_a_whole_step_is_kept(done, words):
    done.alter(lambda state: state["toy"]["objects"][-1].update(Guid="recreated"))
    keep = ("-Unattended", f"-KeepPresent={words}", "-Reason=theirs now")
    assert done.run(toy.UNDO, *keep) == 0, done.out
    assert "Remove-ToyObject" not in done.calls
    said(done, "Step 1  kept", "Changed: Set the list.")
    assert "theirs now" in json.dumps(done.receipt(toy.UNDO)["overrides"])
    assert done.state()["toy"]["text"] == ""


def test_r17_in_undo_a_part_of_a_step_is_refused(done):
    words = ("-Unattended", "-KeepPresent=object.object", "-Reason=no")
    assert done.run(toy.UNDO, *words) == 2, done.out
    refused(done, "in undo a step stays whole: 'step'")


def test_r17_a_later_change_can_be_kept_forward_and_backward(done):
    done.alter(lambda state: state["toy"].update(text="later"))
    for key, name in ((toy.CHANGE, "text.text"), (toy.UNDO, "text")):
        assert done.run(key, *YES) == 2, done.out
        refused(done, "text is 'later'" if key == toy.UNDO else "is 'later' now", name)
        words = ("-Unattended", f"-KeepPresent={name}", "-Reason=CHG99")
        assert done.run(key, *words) == 0, done.out
    assert done.state()["toy"] == {**toy.STATE, "text": "later"}


def test_r05_undo_without_records_names_what_looks_like_ours_and_leaves_it(done):
    for path in done.records(toy.CHANGE):
        path.unlink()
    assert done.run(toy.UNDO, *YES) == 4, done.out
    refused(
        done,
        f"object: object is 'ours', kind is 'good', as {toy.CHANGE} would leave it.",
        "text: text is 'new'",
        "nothing was taken back",
    )
    assert done.receipt(toy.CHANGE)["outcome"] == "completed"
    assert not done.receipt_path(toy.UNDO).exists()
    words = ("-Unattended", "-KeepPresent=object,list,text", "-Reason=known")
    assert done.run(toy.UNDO, *words) == 0, done.out
    assert done.changes() == []


def test_r05_undo_of_nothing_says_so(toys):
    lab = toys()
    lab.alter(lambda state: state["toy"].update(list=["b"]))
    assert lab.run(toy.UNDO, *YES) == 0, lab.out
    assert lab.receipt(toy.UNDO)["outcome"] == "nothing to undo"
    said(lab, "Result: nothing to undo, exit code 0.")


def test_r09_after_record_without_before_record_is_refused_both_ways(done):
    next(path for path in done.records(toy.CHANGE, "Before") if ".text." in path.name).unlink()
    for key in (toy.CHANGE, toy.UNDO):
        assert done.run(key, *YES) == 2, done.out
        refused(done, "text: the before-record is gone", "Call the toy team.")


@pytest.mark.parametrize("key", [toy.UNDO, toy.CHANGE])
def test_r09_a_cut_off_in_the_archive_can_be_left_both_ways(done, key):
    done.all([toy.UNDO])
    done.receipt_path(toy.UNDO).unlink()
    for path in done.folder(toy.CHANGE).glob("*.Before.json.undone-*"):
        path.rename(str(path).split(".undone-", maxsplit=1)[0])
    assert done.run(key, *YES) == 0, done.out
    assert (done.state()["toy"]["text"] == "new") == (key == toy.CHANGE)


def test_r32_what_no_record_proves_is_asked_about(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    at = lab.call("New-ToyObject")
    lab = toys()
    lab.run(toy.CHANGE, *YES, LAB_KILL=f"{at}:before")
    made = {"Guid": "theirs", "Name": "ours"}
    lab.alter(lambda state: state["toy"]["objects"].append(made))
    lab.all([toy.CHANGE])
    assert lab.record(toy.CHANGE, "object", "After")["proof"] == "unproven"
    assert lab.run(toy.UNDO, "-Unattended") == 3, lab.out
    refused(lab, "No record proves that this change made these: object 'ours'; kind 'good'.")
    assert lab.run(toy.UNDO, stdin="Y\nN\n") == 3, lab.out
    assert lab.run(toy.UNDO, *YES) == 0, lab.out
    assert lab.state()["toy"] == toy.STATE


def test_r09_declined_half_way_leaves_the_gate_behind_closed(done):
    assert done.run(toy.UNDO, stdin="Y\nN\n") == 3, done.out
    said(done, "Changed: Make the object.", "Result: declined, exit code 3.")
    assert done.receipt(toy.CHANGE)["outcome"] == "void"
    assert done.receipt(toy.UNDO)["outcome"] == "declined"
    assert done.run(toy.CHECK) == 2


def test_r16_records_of_another_text_name_the_way_on(done):
    text = toy.text_of("list")
    path = done.variant(toy.CHANGE, text, "0" * 64)
    assert done.run(toy.CHANGE, *YES, path=path) == 2, done.out
    refused(done, "was written by another text of the step list. Run the undo of the package that")
    other = done.variant(toy.CHANGE, "Ask for the toy role.", "Ask for it.")
    assert done.run(toy.CHANGE, *YES, path=other) == 0, done.out


@pytest.mark.parametrize("text", ["", "[]", '{"hash"'])
def test_a_damaged_record_is_refused(done, text):
    done.records(toy.CHANGE, "Before")[0].write_text(text)
    assert done.run(toy.UNDO, *YES) == 2, done.out
    refused(done, "is empty, cut or was written by hand. Leave it there, and call the toy team.")
