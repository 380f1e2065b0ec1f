"""The commands, from the command line to the files: whole or not at all, and their exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import records
from signing import makers
from signing.test_signing_timestamp import serving

from generator import cli
from generator.output import manifest
from generator.signing import batch as batches
from generator.signing.errors import IntegrityError
from generator.signing.trust import chain

SCRIPTS = {
    "00-001-preflight_EX01.ps1": b"Write-Output 'preflight'\r\n",
    "10-001-change_EX01.ps1": b"Write-Output 'change'\r\n",
    "undo/01-001-change_EX01.ps1": b"Write-Output 'undo'\r\n",
    "Start-Change.ps1": b"Write-Output 'start'\r\n",
}
SHEET = b"# Run sheet\n"
LATER = "2044-06-01T23:00+02:00"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as a build leaves it, with a note of somebody beside its files."""
    folder = tmp_path / "out" / "litware"
    (folder / "undo").mkdir(parents=True)
    record = records.record(
        SCRIPTS, {"RUNSHEET.md": SHEET}, window={**records.WINDOW, "until": LATER}
    )
    for name, data in SCRIPTS.items():
        (folder / name).write_bytes(data)
    (folder / "RUNSHEET.md").write_bytes(SHEET)
    data = manifest.encode(record)
    (folder / manifest.NAME).write_bytes(data)
    (folder / manifest.SUMS).write_bytes(manifest.sums(record, data))
    (folder / "note.txt").write_bytes(b"mine")
    return folder


@pytest.fixture
def desk(tmp_path: Path, monkeypatch) -> Path:
    """The working folder of the person who signs: key, certificate, root."""
    (tmp_path / "signer.pem").write_bytes(
        makers.key_pem("rsa-3072") + makers.pem(makers.code_certificate("rsa-3072"))
    )
    (tmp_path / "certificate.pem").write_bytes(makers.pem(makers.code_certificate("rsa-3072")))
    (tmp_path / "root.pem").write_bytes(makers.pem(makers.root().certificate))
    monkeypatch.chdir(tmp_path)
    return tmp_path


FOLDER = "out/litware"
SIGN = ["sign", FOLDER, "--key", "signer.pem"]
VERIFY = ["verify", FOLDER, "--anchors", "root.pem"]


def _all(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _sums_hold(folder: Path) -> None:
    for line in (folder / manifest.SUMS).read_text().splitlines():
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    record = json.loads((folder / manifest.NAME).read_bytes())
    assert {entry["content_sha256"] for entry in record["runbooks"]} == {"1" * 64}


def verified(folder: Path, *more: str) -> int:
    """What `verify` says of the folder without the note: what no list names is damage."""
    assert cli.run([*VERIFY, *more]) == 3
    (folder / "note.txt").unlink()
    code = cli.run([*VERIFY, *more])
    (folder / "note.txt").write_bytes(b"mine")
    return code


def test_a_folder_is_signed_verified_and_stripped(built, desk, capsys):
    before = _all(built)
    assert cli.run(SIGN) == 0
    assert "4 of 4 files signed." in capsys.readouterr().err
    _sums_hold(built)
    assert (built / "note.txt").read_bytes() == b"mine"
    assert verified(built) == 0
    for name, data in SCRIPTS.items():
        assert (built / name).read_bytes().startswith(data + b"\r\n# SIG # Begin")
    assert cli.run(["strip", FOLDER]) == 0
    assert _all(built) == before


def test_signing_again_changes_nothing(built, desk, capsys):
    assert cli.run(SIGN) == 0
    before = _all(built)
    assert cli.run([*SIGN, "--again"]) == 0
    assert cli.run(SIGN) == 0
    assert "0 of 4 files signed, 4 as before." in capsys.readouterr().err
    assert _all(built) == before


def test_dry_run_writes_nothing(built, desk, capsys):
    before = _all(built)
    assert cli.run([*SIGN, "--dry-run"]) == 0
    assert "4 of 4 files would be signed." in capsys.readouterr().err
    assert _all(built) == before


def test_one_file_of_a_folder_takes_its_hashes_along(built, desk):
    name = "undo/01-001-change_EX01.ps1"
    assert cli.run(["sign", f"{FOLDER}/{name}", "--key", "signer.pem"]) == 0
    _sums_hold(built)
    assert b"Begin signature block" in (built / name).read_bytes()
    assert cli.run(VERIFY) == 3


def test_loose_files_are_signed_whole_or_not_at_all(desk, capsys):
    good, bad = desk / "good.ps1", desk / "bad.ps1"
    good.write_bytes(makers.SCRIPT)
    bad.write_bytes("'Zo\u00eb'\r\n".encode())
    good.chmod(0o750)
    assert cli.run(["sign", "good.ps1", "bad.ps1", "--key", "signer.pem"]) == 1
    message = capsys.readouterr().err
    assert "nothing was written" in message
    assert "bad.ps1: byte 4 is not 7-bit ASCII" in message
    assert good.read_bytes() == makers.SCRIPT
    command = ["sign", "good.ps1", "bad.ps1", "--key", "signer.pem", "--fix-encoding"]
    assert cli.run(command) == 0
    assert cli.run(["verify", "good.ps1", "bad.ps1", "--anchors", "root.pem"]) == 0
    assert good.stat().st_mode & 0o777 == 0o750
    assert sorted(path.name for path in desk.iterdir()) == [
        "bad.ps1", "certificate.pem", "good.ps1", "root.pem", "signer.pem",
    ]  # fmt: skip


def test_an_edited_folder_is_not_signed(built, desk, capsys):
    (built / "RUNSHEET.md").write_bytes(b"edited")
    (built / "10-001-change_EX01.ps1").unlink()
    before = _all(built)
    assert cli.run(SIGN) == 3
    message = capsys.readouterr().err
    assert "RUNSHEET.md: not the file that the manifest names" in message
    assert "10-001-change_EX01.ps1: missing" in message
    assert _all(built) == before


def test_a_folder_that_changes_meanwhile_is_left_alone(built, desk):
    found = batches.collect([built])
    changed = batches.turned(
        found, lambda data, style: makers.signer().sign(data, makers.local_key())
    )
    (built / "RUNSHEET.md").write_bytes(b"edited")
    before = _all(built)
    with pytest.raises(IntegrityError, match="meanwhile"):
        batches.write(found, changed)
    assert _all(built) == before


def test_a_full_disk_leaves_everything_as_it_was(built, desk, monkeypatch):
    before = _all(built)

    def full(self, data):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert cli.run(SIGN) == 2
    monkeypatch.undo()
    assert _all(built) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "RUNSHEET.md").write_bytes(b"x"), "RUNSHEET.md: not the file"),
        (lambda f: (f / "extra.ps1").write_bytes(makers.SCRIPT), "extra.ps1: not in the manifest"),
        (lambda f: (f / "00-001-preflight_EX01.ps1").unlink(), "EX01.ps1: missing"),
        (lambda f: (f / manifest.SUMS).unlink(), "does not agree with the manifest"),
        (
            lambda f: (f / "00-001-preflight_EX01.ps1").write_bytes(makers.signed()),
            "EX01.ps1: not the file",
        ),
    ],
)
def test_a_damaged_folder_is_not_verified(built, desk, capsys, damage, message):
    assert cli.run(SIGN) == 0
    damage(built)
    assert cli.run(VERIFY) == 3
    assert message in capsys.readouterr().err


def test_exit_codes_tell_damage_from_distrust(desk, capsys):
    script = desk / "a.ps1"
    script.write_bytes(makers.signed())
    assert cli.run(["verify", "a.ps1", "--anchors", "root.pem"]) == 0
    assert cli.run(["verify", "a.ps1"]) == 4
    pin = chain.thumbprint(makers.code_certificate())
    spaced = " ".join(pin[i : i + 2] for i in range(0, 40, 2)).lower()
    assert cli.run(["verify", "a.ps1", "--signer", spaced]) == 0
    assert cli.run(["verify", "a.ps1", "--signer", pin, "--time", "2050-01-01"]) == 4
    script.write_bytes(makers.signed().replace(b"EX01", b"EX02"))
    capsys.readouterr()
    assert cli.run(["verify", "a.ps1", "--anchors", "root.pem"]) == 3
    assert capsys.readouterr().out.startswith("hash-mismatch    a.ps1\n")


def test_verify_answers_in_json(desk, capsys):
    (desk / "a.ps1").write_bytes(makers.signed())
    assert cli.run(["verify", "a.ps1", "--format", "json", "--anchors", "root.pem"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["files"]
    assert (found["code"], found["integrity"], found["trusted_by"]) == ("ok", True, "CN=Test Root")
    assert found["signer"]["thumbprint"] == chain.thumbprint(makers.code_certificate())


def test_inspect_shows_a_signature_without_trust(desk, capsys):
    (desk / "a.ps1").write_bytes(makers.signed())
    assert cli.run(["inspect", "a.ps1"]) == 0
    assert "signer       CN=Signer rsa-2048" in capsys.readouterr().out
    (desk / "a.ps1").write_bytes(makers.SCRIPT)
    assert cli.run(["inspect", "a.ps1"]) == 3


def test_expiring_signatures_are_listed(desk, capsys):
    (desk / "a.ps1").write_bytes(makers.signed())
    stamped = makers.signer(transport=makers.stamper()).sign(makers.SCRIPT, makers.local_key())
    (desk / "b.ps1").write_bytes(stamped)
    assert cli.run(["expiring", "a.ps1", "b.ps1", "--time", "2026-06-01"]) == 0
    assert cli.run(["expiring", "a.ps1", "b.ps1", "--time", "2044-12-20"]) == 4
    assert capsys.readouterr().out == "2045-01-01  a.ps1\n"


def test_a_folder_is_stamped_later(built, desk):
    assert cli.run(SIGN) == 0
    with serving(makers.stamper()) as address:
        assert cli.run(["timestamp", FOLDER, "--timestamp", address]) == 0
    _sums_hold(built)
    assert verified(built, "--tsa-anchors", "root.pem") == 0


def test_no_timestamp_no_signature(built, desk, capsys):
    before = _all(built)
    with serving(makers.stamper(status=2)) as address:
        assert cli.run([*SIGN, "--timestamp", address]) == 3
    assert "refused with status 2" in capsys.readouterr().err
    assert _all(built) == before


def test_a_station_apart_signs_by_request(built, desk, capsys):
    cert = ["--cert", "certificate.pem", "--cert", "root.pem"]
    assert cli.run(["digest", FOLDER, *cert, "--output", "request.json"]) == 0
    assert cli.run(["attach", FOLDER, "--request", "request.json"]) == 3
    assert cli.run(["sign", "request.json", "--key", "signer.pem"]) == 0
    assert cli.run(["attach", FOLDER, "--request", "request.json"]) == 0
    _sums_hold(built)
    assert verified(built) == 0
    apart = _all(built)
    assert cli.run(["strip", FOLDER]) == 0
    assert cli.run(SIGN) == 0
    assert _all(built) == apart
    assert "inventor" not in (desk / "request.json").read_text()


def test_a_request_for_files_that_changed_is_not_attached(desk, capsys):
    (desk / "a.ps1").write_bytes(makers.SCRIPT)
    assert cli.run(["digest", "a.ps1", "--cert", "certificate.pem", "--output", "r.json"]) == 0
    assert cli.run(["sign", "r.json", "--key", "signer.pem"]) == 0
    (desk / "a.ps1").write_bytes(b"Remove-Item x\r\n")
    assert cli.run(["attach", "a.ps1", "--request", "r.json"]) == 3
    assert "changed since the request was made" in capsys.readouterr().err


def test_a_signature_that_is_swapped_in_a_request_is_not_attached(desk):
    for name in ("a.ps1", "b.ps1"):
        (desk / name).write_bytes(f"# {name}\r\n".encode())
    assert (
        cli.run(["digest", "a.ps1", "b.ps1", "--cert", "certificate.pem", "--output", "r.json"])
        == 0
    )
    assert cli.run(["sign", "r.json", "--key", "signer.pem"]) == 0
    data = json.loads((desk / "r.json").read_text())
    one, two = data["files"]
    one["signature"], two["signature"] = two["signature"], one["signature"]
    (desk / "r.json").write_text(json.dumps(data))
    assert cli.run(["attach", "a.ps1", "b.ps1", "--request", "r.json"]) == 2
    assert (desk / "a.ps1").read_bytes() == b"# a.ps1\r\n"


def test_an_encrypted_key_gets_its_passphrase_from_a_variable(desk, monkeypatch, capsys):
    (desk / "a.ps1").write_bytes(makers.SCRIPT)
    (desk / "locked.pem").write_bytes(makers.key_pem("rsa-3072", b"secret words"))
    command = ["sign", "a.ps1", "--key", "locked.pem", "--cert", "certificate.pem"]
    monkeypatch.setenv("PHRASE", "wrong words")
    assert cli.run([*command, "--pass-env", "PHRASE"]) == 2
    monkeypatch.setenv("PHRASE", "secret words")
    assert cli.run([*command, "--pass-env", "PHRASE", "--dry-run"]) == 0
    (desk / "phrase").write_text("secret words\n")
    assert cli.run([*command, "--pass-file", "phrase"]) == 0
    shown = capsys.readouterr()
    assert "words" not in shown.out + shown.err


def test_a_certificate_that_ends_before_the_window_is_warned_of(built, desk, capsys):
    short = makers.root().issue(
        "Short", makers.private_key("rsa-3072"), end=makers.NOW + timedelta(days=4000)
    )
    (desk / "short.pem").write_bytes(makers.key_pem("rsa-3072") + makers.pem(short))
    assert cli.run(["sign", FOLDER, "--key", "short.pem"]) == 0
    assert "before the change window ends (2044-06-01)" in capsys.readouterr().err


def test_an_expired_certificate_signs_nothing(built, desk, capsys):
    old = makers.root().issue(
        "Old", makers.private_key("rsa-3072"), end=makers.START + timedelta(days=1)
    )
    (desk / "old.pem").write_bytes(makers.key_pem("rsa-3072") + makers.pem(old))
    before = _all(built)
    assert cli.run(["sign", FOLDER, "--key", "old.pem"]) == 4
    assert _all(built) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sign", "a.ps1"], "name one key"),
        (["sign", "a.ps1", "--key", "signer.pem", "--key-command", "x"], "name one key"),
        (["sign", "a.ps1", "--key-command", "x"], "--cert"),
        (["sign", "a.ps1", "--key", "missing.pem"], "missing.pem"),
        (["sign", "missing.ps1", "--key", "signer.pem"], "no such file or folder"),
        (["sign", ".", "--key", "signer.pem"], "no folder that a build wrote"),
        (["sign", "a.ps1", "r.json", "--key", "signer.pem"], "not both at once"),
        (["timestamp", "a.ps1"], "--timestamp URL"),
        (["digest", "a.ps1", "--output", "r.json"], "--cert"),
        (["verify", "a.ps1", "--signer", "12"], "no thumbprint"),
        (["verify", "a.ps1", "--time", "soon"], "no time such as"),
        (["verify", "a.ps1", "--anchors", "a.ps1"], "no certificate"),
    ],
)
def test_a_command_that_cannot_work_ends_with_2(desk, capsys, command, message):
    (desk / "a.ps1").write_bytes(makers.SCRIPT)
    assert cli.run(command) == 2
    assert message in capsys.readouterr().err


def test_a_link_is_not_followed(desk, capsys):
    (desk / "a.ps1").write_bytes(makers.SCRIPT)
    (desk / "link.ps1").symlink_to("a.ps1")
    assert cli.run(["sign", "link.ps1", "--key", "signer.pem"]) == 2


@pytest.mark.parametrize(
    "path", ["../evil.ps1", "/etc/evil.ps1", "a/../../evil.ps1", "C:/evil.ps1", "a\\evil.ps1", ""]
)
def test_a_manifest_that_leaves_its_folder_is_refused(built, desk, capsys, path):
    record = json.loads((built / manifest.NAME).read_bytes())
    record["runbooks"][0]["path"] = path
    (built / manifest.NAME).write_text(json.dumps(record))
    assert cli.run(SIGN) == 3
    assert "no manifest of a change" in capsys.readouterr().err


def test_a_token_is_asked_once_a_file_and_never_again(desk, capsys):
    """A key that fails ends the batch: the next file does not try it again."""
    for number in range(5):
        (desk / f"{number}.ps1").write_bytes(makers.SCRIPT)
    log = desk / "log"
    code = f"open({str(log)!r}, 'a').write('x'); raise SystemExit(1)"
    command = ["sign", *(f"{n}.ps1" for n in range(5)), "--cert", "certificate.pem", "--jobs", "1"]
    assert cli.run([*command, "--key-command", f'{sys.executable} -c "{code}"']) == 2
    assert log.read_text() == "x"


def test_the_command_line_starts_without_cryptography():
    code = (
        "import sys; from generator import cli; cli.run(['--help']); "
        "sys.exit('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="uses sha256sum")
def test_sha256sum_agrees_after_every_command(built, desk):
    def agrees() -> None:
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=built, check=True)

    assert cli.run(SIGN) == 0
    agrees()
    with serving(makers.stamper()) as address:
        assert cli.run(["timestamp", FOLDER, "--timestamp", address]) == 0
    agrees()
    assert cli.run(["strip", FOLDER]) == 0
    agrees()
