"""Guards: place, edition, text, signature, folder; and the words for each of them."""

from __future__ import annotations

import pytest
from lab import toy
from lab.lab import YES
from lab.saying import refused, said

OWN = 'O="Litware, Inc."'
SIGNED = 'CN=Release, O="Litware, Inc.", C=US'


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"COMPUTERNAME": "TOY-02"},
            "for TOY-01.litwareinc.com and this is TOY-02",
        ),
        ({"LAB_LEVEL": "8192"}, "This window is not elevated."),
        ({"PROCESSOR_ARCHITECTURE": "x86"}, "Start the 64-bit Windows PowerShell"),
        ({"LAB_DOMAIN": "corp.litwareinc.com"}, "this is TOY-01.corp.litwareinc.com"),
        ({"LAB_PSVERSION": "7.4.0"}, "This is PowerShell 7.4.0"),
    ],
    ids=["host", "elevation", "bits", "domain", "edition"],
)
def test_r40_r43_place_is_guarded(toys, more, words):
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, **more) == 2, lab.out
    refused(lab, words, "Next: do what the lines 'refused'")
    assert not lab.folder(toy.CHANGE).exists()


def test_old_powershell_that_names_no_edition_is_welcome(toys):
    lab = toys()
    assert lab.run(toy.CHANGE, "-WhatIf", LAB_PSVERSION="3.0") == 0, lab.out
    assert lab.evidence(toy.CHANGE)[0]["data"]["powershell"] == "3.0 "


def test_constrained_language_is_refused_in_one_sentence(toys):
    lab = toys()
    assert lab.run(toy.CHANGE, *YES, LAB_LANGUAGE="ConstrainedLanguage") == 2
    assert lab.out.startswith("Constrained Language Mode: nothing was changed. Ask who manages")
    assert lab.changes() == []


def test_guards_speak_together(toys):
    lab = toys()
    more = {"COMPUTERNAME": "TOY-02", "LAB_LEVEL": "8192", "PROCESSOR_ARCHITECTURE": "x86"}
    assert lab.run(toy.CHANGE, *YES, "-OutsideWindow", "-Reason=", **more) == 2
    refused(lab, "Run it there", "not elevated", "64-bit", "An override needs -Reason")


@pytest.mark.parametrize("change", ["letter", "line-ends", "appended"])
def test_changed_text_is_refused(toys, change):
    lab = toys()
    text = lab.scripts.find(toy.CHANGE).path.read_bytes()
    new = {
        "letter": text.replace(b"Set the text", b"Set the test", 1),
        "line-ends": text.replace(b"\r\n", b"\n"),
        "appended": text + b"# more\r\n",
    }[change]
    path = lab.dir / "x.ps1"
    path.write_bytes(new)
    assert lab.run(toy.CHANGE, *YES, path=path) == 2, lab.out
    refused(lab, "The text of this file was changed", "Fetch the approved file again.")


def test_signed_text_has_the_same_content_hash(toys):
    lab = toys()
    path = lab.scripts.folder / "x.ps1"
    block = b"\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n"
    path.write_bytes(lab.scripts.find(toy.CHANGE).path.read_bytes() + block)
    assert lab.run(toy.CHANGE, *YES, path=path) == 0, lab.out


SIGNATURES = {
    "NotSigned": "it has no signature. Fetch the approved file again.",
    "HashMismatch": f"it was changed after '{SIGNED}' signed it. Fetch the approved file again.",
    "NotTrusted": f"'{SIGNED}' is distrusted on this server. Ask who manages its certificates.",
    "UnknownError": f"this server does not know the root of the chain of '{SIGNED}'",
    "NotSupportedFileFormat": "Windows finds no place for a signature in it. Fetch the approved",
    "Incompatible": "its signature uses an algorithm that this server does not know.",
    "Strange": "the signature status is Strange. Fetch the approved file again.",
}


@pytest.mark.parametrize("status", SIGNATURES)
def test_r29_each_signature_status_has_its_own_sentence(toys, status):
    lab = toys(signer=OWN)
    assert lab.run(toy.CHANGE, *YES, LAB_SIGNATURE=f"{status}|{SIGNED}") == 2, lab.out
    refused(lab, SIGNATURES[status], f"{toy.CHANGE}.ps1: ")


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        (SIGNED, 0),
        (OWN, 0),
        ("CN=x, O=Litware", 2),
        ('CN=x, O="Litware, Inc.", O=x', 0),
        ('CN=x O="Litware, Inc."', 2),
    ],
)
def test_r29_own_signer_is_a_whole_part_of_the_subject(toys, subject, code):
    lab = toys(signer=OWN)
    assert lab.run(toy.CHANGE, "-WhatIf", LAB_SIGNATURE=f"Valid|{subject}") == code, lab.out
    if code:
        said(lab, f"is signed by '{subject}', expected is '{OWN}'. Fetch the approved file again.")


@pytest.mark.parametrize(("thumbprint", "code"), [("AB" * 20, 0), ("ab" * 20, 0), ("CD" * 20, 2)])
def test_r29_own_signer_can_be_pinned_by_thumbprint(toys, thumbprint, code):
    lab = toys(signer=thumbprint)
    assert lab.run(toy.CHANGE, "-WhatIf", LAB_SIGNATURE=f"Valid|CN=x, {thumbprint}x") == code, (
        lab.out
    )
    if code:
        said(lab, f"expected is '{thumbprint}'. Fetch the approved file again.")


@pytest.mark.parametrize(
    "subject", ['CN="x, O=Litware, y", C=US', 'CN="x, O=Litware", C=US', 'CN="""x"", O=Litware"']
)
def test_r29_a_signer_within_quotes_is_none(toys, subject):
    lab = toys(signer="O=Litware")
    assert lab.run(toy.CHANGE, "-WhatIf", LAB_SIGNATURE=f"Valid|{subject}") == 2, lab.out
    said(lab, "expected is 'O=Litware'. Fetch the approved file again.")


def test_a_thumbprint_in_a_subject_is_no_thumbprint(toys):
    lab = toys(signer="CD" * 20)
    assert lab.run(toy.CHANGE, "-WhatIf", LAB_SIGNATURE=f"Valid|CN=x, {'CD' * 20}") == 2, lab.out


@pytest.mark.parametrize(
    ("members", "groups", "code"),
    [
        ("'RTCUniversalServerAdmins'", "RTCUniversalServerAdmins", 0),
        ("'rtcuniversalserveradmins'", "RTCUniversalServerAdmins", 0),
        ("'S-1-5-21-1-2-3-1200'", "Anybody", 0),
        ("'S-1-5-21-1-2-3-120'", "Anybody", 2),
        ("'Admins'", "RTCUniversalServerAdmins", 2),
    ],
)
def test_r28_groups_are_asked_by_name_or_sid_and_whole(toys, members, groups, code):
    lab = toys(members=members)
    assert lab.run(toy.CHANGE, "-WhatIf", LAB_GROUPS=groups) == code, lab.out
    if code:
        said(lab, "You are not in the group", "Ask for the toy role.")


@pytest.mark.parametrize("way", ["parent", "folder", "rights", "link"])
def test_r19_a_folder_that_others_can_steer_is_refused(toys, way):
    lab = toys()
    more = {
        "parent": {"LAB_OWNER": "Runbook"},
        "folder": {"LAB_OWNER": "CHG1"},
        "rights": {"LAB_FLAGS": "open-folder"},
        "link": {},
    }[way]
    if way == "link":
        (lab.dir / "elsewhere").mkdir()
        (lab.dir / toy.HOST).mkdir()
        (lab.dir / toy.HOST / "Runbook").symlink_to(lab.dir / "elsewhere")
    assert lab.run(toy.CHANGE, *YES, **more) == 2, lab.out
    words = {
        "rights": "could not be closed to others: O:BAG:",
        "link": "is a link. Ask who made it, and remove it.",
    }
    refused(lab, words.get(way, "belongs to neither Administrators nor SYSTEM. Ask who made it"))


def test_r19_files_are_judged_by_owner_only_in_a_folder_that_was_not_ours(toys):
    lab = toys()
    lab.folder(toy.CHANGE).mkdir(parents=True)
    planted = lab.folder(toy.CHANGE) / f"{toy.CHANGE}.text.Before.json"
    planted.write_text("{}")
    more = {"LAB_OWNER": planted.name}
    assert lab.run(toy.CHANGE, *YES, **more) == 2, lab.out
    refused(lab, f"{planted.name} belongs to neither Administrators nor SYSTEM.")
    planted.unlink()
    assert lab.run(toy.CHANGE, *YES) == 0, lab.out
    # An administrator's own files may carry his own name as owner, once nobody else can write.
    assert lab.run(toy.CHANGE, "-WhatIf", **more) == 0, lab.out


def test_r03_one_run_at_a_time_and_the_lock_ends_with_the_run(toys):
    lab = toys()
    lab.all([toy.CHANGE])
    lock = lab.folder(toy.CHANGE) / "lock"
    assert lock.exists()
    assert lab.run(toy.CHECK) == 0, lab.out


def test_evidence_that_cannot_be_opened_is_said(toys):
    lab = toys()
    (lab.folder(toy.CHANGE) / f"{toy.CHANGE}.jsonl").mkdir(parents=True)
    assert lab.run(toy.CHANGE, *YES) == 1, lab.out
    refused(lab, "Result: failed, exit code 1.")
