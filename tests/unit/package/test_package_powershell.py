"""Verify-Package.ps1, run as it stands in a package by the real engine of PowerShell."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from lab import running
from package import samples
from signing import makers

from generator.package import contents
from generator.signing import verify
from generator.signing.codes import Code
from generator.untrusted import archive

HERE = Path(__file__).parent
SCRIPT = "10-001-change_EX01.ps1"
STATUS = {
    Code.OK: "Valid",
    Code.NOT_SIGNED: "NotSigned",
    Code.HASH_MISMATCH: "HashMismatch",
    Code.BAD_SIGNATURE: "HashMismatch",
    Code.MALFORMED_BLOCK: "NotSigned",
    Code.ENCODING: "HashMismatch",
}


class Desk:
    """An unpacked package on the desk of an operator."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "package"
        self.table = place / "table.json"
        for name, data in archive.read(samples.small()).items():
            self.write(name, data)
        self.answers: dict[str, dict[str, str]] = {}

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def run(
        self, *more: str, stand_in: bool = True, process: bool = False
    ) -> tuple[int, list[str]]:
        """Exit code and lines of the verifier in the folder."""
        found = {}
        for path in self.folder.rglob("*.ps1"):
            answer = verify.verify(path.read_bytes(), makers.trust())
            found[path.name] = {
                "Status": STATUS.get(answer.code, "UnknownError"),
                "Thumbprint": answer.signer.thumbprint if answer.signer else "",
            }
        self.table.write_text(json.dumps(found | self.answers))
        script = self.folder / contents.VERIFIER
        if stand_in:
            more = ("-Table", str(self.table), "-Script", str(script), *more)
            script = HERE / "stand_in.ps1"
        how = running.process if process else running.served
        done = how(script, more, dict(os.environ), None)
        assert done.error == ""
        return done.code, done.output.splitlines()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("process", [False, True], ids=["served", "process"])
def test_a_package_is_good(desk, process):
    code, lines = desk.run(process=process)
    assert code == 0, lines
    (line,) = lines
    assert line.startswith("The package of CHG1 is as it was handed over: 11 files, signed with ")


def _rename(desk: Desk, name: str, to: str) -> None:
    (desk.folder / name).rename(desk.folder / to)


def _swap(desk: Desk) -> None:
    one, two, *_ = map(desk.read, samples.SCRIPTS)
    desk.write(SCRIPT, two)
    desk.write("undo/01-001-change_EX01.ps1", one)


DAMAGE = {
    "changed": (lambda d: d.write("RUNSHEET.md", b"x"), ["changed   RUNSHEET.md"]),
    "one byte": (
        lambda d: d.write(SCRIPT, d.read(SCRIPT).replace(b"change", b"chanqe", 1)),
        [f"changed   {SCRIPT}", f"signature {SCRIPT} was changed after it was signed."],
    ),
    "missing": (lambda d: (d.folder / SCRIPT).unlink(), [f"missing   {SCRIPT}"]),
    "emptied": (
        lambda d: d.write(SCRIPT, b""),
        [f"changed   {SCRIPT}", f"signature {SCRIPT} has no signature."],
    ),
    "extra": (lambda d: d.write("x.ps1", b"x"), ["extra     x.ps1"]),
    "extra in a new folder": (lambda d: d.write("new/x.txt", b"x"), ["extra     new/x.txt"]),
    "hidden": (lambda d: d.write(".hidden", b"x"), ["extra     .hidden"]),
    "renamed": (
        lambda d: _rename(d, SCRIPT, "y.ps1"),
        [f"renamed   {SCRIPT} is called y.ps1"],
    ),
    "renamed in case": (
        lambda d: _rename(d, SCRIPT, SCRIPT.upper()),
        [f"renamed   {SCRIPT} is called {SCRIPT.upper()}"],
    ),
    "swapped": (_swap, [f"changed   {SCRIPT}", "changed   undo/01-001-change_EX01.ps1"]),
    "signed by somebody else": (
        lambda d: d.write(
            SCRIPT, samples.signed(samples.SCRIPTS[SCRIPT], samples.identity(number=7))
        ),
        [f"changed   {SCRIPT}", f"signature {SCRIPT} is signed with the certificate "],
    ),
    "not signed": (
        lambda d: d.write(SCRIPT, samples.SCRIPTS[SCRIPT]),
        [f"changed   {SCRIPT}", f"signature {SCRIPT} has no signature."],
    ),
    "list changed": (
        lambda d: d.write(contents.NAME, d.read(contents.NAME).replace(b"CHG1", b"CHG2")),
        [f"changed   {contents.NAME}"],
    ),
    "seal changed": (
        lambda d: d.write(contents.SEAL, d.read(contents.SEAL)[:-1] + b"x"),
        [f"changed   {contents.SEAL}"],
    ),
    "input changed": (
        lambda d: d.write("inputs/litware.yml", b"x"),
        ["changed   inputs/litware.yml"],
    ),
    "a link": (
        lambda d: (d.folder / "link").symlink_to("RUNSHEET.md"),
        ["link      link"],
    ),
    "a folder missing": (
        lambda d: _rename(d, "evidence", "proof"),
        ["renamed   evidence/rehearsal.json is called proof/rehearsal.json"],
    ),
    "its own text": (
        lambda d: d.write(
            contents.VERIFIER, d.read(contents.VERIFIER).replace(b"# Checks", b"# checks", 1)
        ),
        [f"signature {contents.VERIFIER} was changed after it was signed."],
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named(desk, case):
    change, expected = DAMAGE[case]
    change(desk)
    code, lines = desk.run()
    assert code == 3, lines
    assert len(lines) == len(expected) + 1
    for line, start in zip(lines, expected, strict=False):
        assert line.startswith(start)


def test_bytes_all_over_the_files_count(desk):
    """A sample of single bytes: each run changes one byte in each of several files."""
    rng = random.Random(3)
    names = sorted(archive.read(samples.small()))
    names.remove(contents.VERIFIER)
    for _ in range(6):
        chosen = {name: desk.read(name) for name in rng.sample(names, 4)}
        for name, data in chosen.items():
            at = rng.randrange(len(data))
            desk.write(name, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        code, lines = desk.run()
        assert code == 3
        for name, data in chosen.items():
            assert f"changed   {name}" in lines
            desk.write(name, data)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("NotTrusted", "Trusted Publishers"),
        ("UnknownError", "Trusted Root Certification Authorities"),
        ("Incompatible", "does not accept (Incompatible): What Windows says."),
    ],
)
def test_each_answer_of_windows_has_its_sentence(desk, status, message):
    own = {"Thumbprint": verify.facts(samples.identity().certificate).thumbprint}
    desk.answers[SCRIPT] = {"Status": status, **own}
    code, lines = desk.run()
    assert code == 4
    assert message in lines[0]
    assert "their signer is not accepted here" in lines[-1]


def test_the_expected_signer_can_be_named(desk):
    thumbprint = verify.facts(samples.identity().certificate).thumbprint
    spaced = " ".join(thumbprint[i : i + 2] for i in range(0, 40, 2)).lower()
    assert desk.run("-Signer", spaced)[0] == 0
    code, lines = desk.run("-Signer", "0" * 40)
    assert (code, len(lines)) == (4, 1)


def test_a_folder_can_be_named(desk, tmp_path):
    code, lines = desk.run("-Folder", str(tmp_path / "nowhere"))
    assert (code, lines) == (2, [f"Cannot check: there is no folder {tmp_path / 'nowhere'}."])
    assert desk.run("-Folder", f"{desk.folder}/")[0] == 0


def test_where_signatures_cannot_be_checked_it_says_so(desk):
    code, lines = desk.run(stand_in=False)
    assert code == 4
    assert lines[0] == "signature cannot be checked on this computer, only the files."


def test_it_is_plain_text_for_windows(desk):
    data = desk.read(contents.VERIFIER)
    assert data.isascii()
    assert data.count(b"\n") == data.count(b"\r\n")
    assert b"<<" not in data
