"""The signing station: it signs what it shows, and nothing else that a request may hold."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cryptography import x509
from security import desk, fuzz
from signing import makers

from generator import cli
from generator.errors import IntegrityError
from generator.signing import request
from generator.signing.cms import authenticode, signed_data, structures
from generator.signing.cms.algorithms import SHA256, SHA384
from generator.untrusted import document

SIGN = ["sign", "r.json", *desk.KEY]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk with a request for the built folder."""
    desk.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["digest", desk.FOLDER, *desk.CERT, "--output", "r.json"]) == 0
    return tmp_path


def asked() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("r.json").read_text())
    return found


def write(data: dict[str, Any]) -> None:
    Path("r.json").write_text(json.dumps(data))


# Something else to sign, in the place of the attributes of a script.


def envelope(**changes: Any) -> signed_data.Envelope:
    options: dict[str, Any] = {
        "kind": "rsa",
        "used": SHA256,
        "content_type": authenticode.INDIRECT_DATA,
        "fixed": authenticode.fixed_attributes(),
    }
    return signed_data.Envelope(makers.code_certificate(desk.KIND), (), **(options | changes))


def attributes(octets: bytes, **changes: Any) -> bytes:
    return structures.encode(envelope(**changes).signed_attributes(SHA256.digest(octets)))


def remade(right: bytes, change: Callable[[list[fuzz.Node]], list[fuzz.Node]]) -> bytes:
    """The right attributes, changed as a list and not sorted again."""
    (whole,) = fuzz.parse(right) or []
    return fuzz.Node(whole.tag, parts=change(whole.parts)).encode()


def signing_time() -> fuzz.Node:
    time = signed_data.attribute(
        x509.ObjectIdentifier("1.2.840.113549.1.9.5"), b"\x17\x0d260601000000Z"
    )
    (node,) = fuzz.parse(structures.encode(time)) or []
    return node


def short_digest(_: bytes) -> bytes:
    return structures.encode(envelope().signed_attributes(b"\0" * 20))


def long_length(right: bytes) -> bytes:
    """The same structure with a length that DER writes in one byte."""
    assert right[0] == 0x31
    assert right[1] < 0x80
    return b"\x31\x81" + right[1:]


OTHERS: dict[str, Callable[[bytes], bytes]] = {
    "a letter": lambda _: b"I owe you 1,000,000",
    "nothing": lambda _: b"",
    "one byte more": lambda right: right + b"\0",
    "a hash": lambda _: b"\x5a" * 32,
    "a certificate to be signed": lambda _: makers.code_certificate().tbs_certificate_bytes,
    "attributes of a mail": lambda right: attributes(b"I owe you", content_type=signed_data.DATA),
    "another file": lambda right: attributes(b"another"),
    "another program": lambda right: attributes(
        b"", fixed=authenticode.fixed_attributes("Microsoft", "https://www.microsoft.com")
    ),
    "one attribute more": lambda right: remade(right, lambda parts: [*parts, signing_time()]),
    "one attribute less": lambda right: remade(right, lambda parts: parts[:-1]),
    "one attribute twice": lambda right: remade(right, lambda parts: [*parts, parts[-1]]),
    "a hash of another length": short_digest,
    "no canonical DER": long_length,
    "attributes in another order": lambda right: remade(right, lambda parts: parts[::-1]),
}


@pytest.mark.parametrize("size", [32, 48, 64])
def test_G15_a_hash_has_the_length_of_its_kind_also_where_the_rest_agrees(
    capsys: pytest.CaptureFixture[str], size: int
) -> None:
    """Another length is the hash of nothing, whoever derived the rest from it."""
    data = asked()
    file_hash = b"\x5a" * size
    signer = request.signer_for((makers.code_certificate(desk.KIND),), SHA256, "", "")
    right = signer.to_be_signed(file_hash)
    data["files"][0] |= {
        "file_hash": file_hash.hex(),
        "to_be_signed": base64.b64encode(right).decode(),
        "digest": SHA256.digest(right).hex(),
    }
    write(data)
    assert desk.run(*SIGN) == (0 if size == 32 else 3)
    assert size == 32 or "is none of sha256" in capsys.readouterr().err


@pytest.mark.parametrize("other", OTHERS)
def test_G15_nothing_but_the_attributes_of_the_shown_hash_is_signed(
    other: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = asked()
    right = base64.b64decode(data["files"][0]["to_be_signed"])
    wrong = OTHERS[other](right)
    assert wrong != right
    data["files"][0]["to_be_signed"] = base64.b64encode(wrong).decode()
    data["files"][0]["digest"] = SHA256.digest(wrong).hex()
    write(data)
    before = desk.everything(place)
    used = place / "used"
    command = f"{sys.executable} -c \"open({str(used)!r}, 'w')\""
    assert desk.run("sign", "r.json", *desk.CERT, "--key-command", command) == 3
    assert "is not the signature of a script with this hash" in capsys.readouterr().err
    assert not used.exists()
    assert desk.everything(place) == before
    assert desk.run("attach", desk.FOLDER, "--request", "r.json") == 3


def test_G15_the_hash_that_is_shown_decides_what_is_signed(place: Path) -> None:
    """Every part that is shown and signed: a request in which one was changed is refused."""
    for change in (
        lambda data: data["files"][0].update(file_hash="0" * 64),
        lambda data: data.update(program="Another"),
        lambda data: data.update(url="https://example.com"),
        lambda data: data["files"][0].update(digest="0" * 64),
        lambda data: data["files"][0].update(file_hash="0" * 96),
        lambda data: data.update(hash="sha384"),
        lambda data: data["files"].append(data["files"][0]),
    ):
        whole = Path("r.json").read_bytes()
        data = asked()
        change(data)
        write(data)
        assert desk.run(*SIGN) == 3
        Path("r.json").write_bytes(whole)
    assert desk.run(*SIGN) == 0


@pytest.mark.parametrize("used", [SHA256, SHA384])
def test_G15_the_station_derives_what_the_builder_asked_for(used: Any) -> None:
    signer = makers.signer(used=used, program="Name", address="https://example.com/x")
    draft = signer.draft(makers.SCRIPT)
    assert signer.to_be_signed(draft.digest) == draft.to_be_signed
    made = request.make(signer, (signer.certificate,), {"a.ps1": draft})
    (entry,) = request.decode(request.encode(made), "r.json").entries
    assert (entry.file_hash, entry.to_be_signed) == (draft.digest, draft.to_be_signed)


def test_G15_what_is_signed_is_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(SIGN) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "r.json: 3 scripts are to be signed\n" in shown.err
    assert "CN=Signer rsa-3072  " in shown.err
    assert "    change       CHG1  A change\n" in shown.err
    fingerprint = request.decode(Path("r.json").read_bytes(), "r.json").fingerprint()
    assert f"    fingerprint  {fingerprint}\n" in shown.err
    for one in asked()["files"]:
        assert f"    {one['file_hash']}  {one['path']}\n" in shown.err
    # What was shown is what `inspect` finds afterwards.
    assert cli.run(["attach", desk.FOLDER, "--request", "r.json"]) == 0
    capsys.readouterr()
    assert cli.run(["inspect", desk.FOLDER]) == 0
    found = capsys.readouterr().out
    for one in asked()["files"]:
        assert f"    hash         sha256 {one['file_hash']}\n" in found


def test_G15_both_stations_tell_one_fingerprint(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.run(["digest", desk.FOLDER, *desk.CERT, "--output", "again.json"]) == 0
    told = re.search(r"fingerprint ([0-9a-f]{64})\.", capsys.readouterr().err)
    assert cli.run(["sign", "again.json", *desk.KEY]) == 0
    assert told is not None
    assert f"fingerprint  {told[1]}\n" in capsys.readouterr().err
    data = asked()
    data["files"][0]["path"] = "10-001-harmless_EX01.ps1"
    write(data)
    assert cli.run(SIGN) == 0
    assert told[1] not in capsys.readouterr().err


def test_G15_shown_names_cannot_write_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = asked()
    data["files"][0]["path"] = "a\n0 scripts are to be signed\x1b[2J\u202e"
    data["change"]["title"] = "harmless\r\x1b]0;x\x07"
    write(data)
    capsys.readouterr()
    assert cli.run(SIGN) == 0
    shown = capsys.readouterr().err
    assert desk.shows_no_control_characters(shown)
    assert "a\\n0 scripts are to be signed\\x1b[2J\\u202e\n" in shown


# Somebody is asked.


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 1), ("\n", 1), ("", 130)]
)
def test_G15_on_a_terminal_somebody_is_asked_and_silence_is_a_no(
    answer: str, code: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = desk.everything(place)
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", shown)
    assert cli.run(SIGN) == code
    assert "Sign these 3 hashes? [y/N]" in shown.getvalue()
    assert (desk.everything(place) == before) is bool(code)


def test_G15_yes_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys, "stderr", shown)
    assert cli.run([*SIGN, "--yes"]) == 0
    assert "3 scripts are to be signed" in shown.getvalue()
    assert "[y/N]" not in shown.getvalue()


def test_G15_somebody_who_cannot_answer_has_not_agreed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = desk.everything(place)
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    monkeypatch.setattr(sys, "stderr", shown)
    assert cli.run(SIGN) == 1
    assert "say --yes" in shown.getvalue()
    assert desk.everything(place) == before


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of another kind")
def test_G15_a_real_terminal(place: Path) -> None:
    import pty  # noqa: PLC0415

    before = desk.everything(place)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "generator", *SIGN]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as program:
        os.close(theirs)
        os.write(ours, b"no\n")
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass
        assert program.wait() == 1
    os.close(ours)
    assert b"Sign these 3 hashes? [y/N]" in shown
    assert b"Nothing was signed." in shown
    assert desk.everything(place) == before


def test_G15_a_dry_run_shows_and_touches_no_key(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.everything(place)
    used = place / "used"
    command = f"{sys.executable} -c \"open({str(used)!r}, 'w')\""
    assert cli.run(["sign", "r.json", *desk.CERT, "--key-command", command, "--dry-run"]) == 0
    assert "3 scripts are to be signed" in capsys.readouterr().err
    assert desk.everything(place) == before


# The answer.


def test_G15_an_answer_of_another_key_is_not_written(place: Path) -> None:
    other = makers.root().issue("Other", makers.private_key(desk.KIND, 7))
    before = desk.everything(place)
    Path("other.pem").write_bytes(makers.pem(other))
    command = f"{sys.executable} -c \"import sys; sys.stdout.write('x' * 384)\""
    assert desk.run("sign", "r.json", *desk.CERT, "--key-command", command) == 2
    assert desk.run("sign", "r.json", "--cert", "other.pem", "--key-command", command) == 2
    Path("other.pem").unlink()
    assert desk.everything(place) == before


def test_G15_several_requests_are_signed_together_or_not_at_all(place: Path) -> None:
    assert cli.run(["digest", "a.ps1", *desk.CERT, "--output", "s.json"]) == 0
    data = json.loads(Path("s.json").read_text())
    data["files"][0]["to_be_signed"] = "AAAA"
    Path("s.json").write_text(json.dumps(data))
    before = desk.everything(place)
    assert desk.run("sign", "r.json", "s.json", *desk.KEY) == 3
    assert desk.everything(place) == before


@pytest.mark.parametrize(
    "option",
    [["--hash", "sha512"], ["--program", "x"], ["--url", "https://x.com"], ["--again"],
     ["--fix-encoding"], ["--timestamp", "http://localhost"], ["--timestamp-seconds", "5"]],
)  # fmt: skip
def test_G15_an_option_that_a_request_decides_is_refused(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("r.json").read_bytes()
    assert cli.run([*SIGN, *option]) == 2
    assert f"{option[0]}: a request says itself" in capsys.readouterr().err
    assert Path("r.json").read_bytes() == before


# The form.


def test_G15_the_schema_is_a_schema_that_describes_every_request(place: Path) -> None:
    schema = json.loads(request.SCHEMA.read_bytes())
    jsonschema_rs.meta.validate(schema)
    judge = jsonschema_rs.Draft202012Validator(schema)
    assert judge.is_valid(asked())
    assert cli.run(SIGN) == 0
    assert judge.is_valid(asked())
    assert set(schema["required"]) == set(asked())


def test_G08_a_request_that_is_too_large_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("r.json").open("wb") as file:
        file.truncate(request.MOST_BYTES + 1)
    assert desk.run(*SIGN) == 2
    assert "r.json: the file is too large (at most 128 MiB are read)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-3], "no signing request"),
        (lambda text: "\ufeff" + text, "no signing request"),
        (lambda text: text.replace('"format": 2', '"format": 1'), "  format: 2 was expected"),
        (lambda text: text.replace('"format": 2', '"format": 2, "format": 2'), "given twice"),
        (lambda text: text.replace('"format": 2', '"format": 2, "x": 1'), "'x' was unexpected"),
        (lambda text: text.replace('"format": 2', '"format": NaN'), "NaN is no whole number"),
        (lambda text: text.replace('"format": 2', '"format": 1e999'), "1e999 is no whole number"),
        (lambda text: text.replace('"format": 2', '"format": ' + "9" * 9999), "signing request"),
        (lambda text: text.replace('"program": ""', '"program": "\\u0000"'), "name of a program"),
        (lambda text: text.replace('"program": ""', '"program": "\\ud800"'), "no signing request"),
        (lambda text: text.replace('"path": "', '"path": "\\udcff', 1), "no signing request"),
        (lambda text: text.replace('"title": "', '"title": "\\ud800', 1), "no signing request"),
        (lambda text: text.replace('"url": ""', '"url": "http://["'), "no http or https address"),
        (lambda text: text.replace('"url": ""', '"url": "file:///x"'), "no http or https address"),
        (lambda text: "[" * 100_000, "nested too deep"),
        (lambda text: '{"a":' * 100_000, "nested too deep"),
        (lambda text: "[" + "[],[]," * 600_000 + "[]]", "too many values"),
        (lambda text: "[" + "1," * 4_100_000 + "1]", "too many values"),
        (lambda text: text.replace("-----BEGIN", "-----BEGUN"), "no certificate"),
        (lambda text: '{"files": "' + "x" * 5_000_000 + '"}', "no signing request"),
    ],
)  # fmt: skip
def test_G08_odd_json_is_an_error(
    change: Callable[[str], str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = change(Path("r.json").read_text("utf-8"))
    Path("r.json").write_text(changed, "utf-8")
    capsys.readouterr()
    assert desk.run(*SIGN) == 3
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown) < 2_000
    assert Path("r.json").read_text("utf-8") == changed


def test_G08_mistakes_of_a_document_are_told_together() -> None:
    with pytest.raises(IntegrityError) as caught:
        document.read(b'{"format": 2, "hash": 1}', request.SCHEMA, "x.json")
    assert len(caught.value.lines) == 6


def test_G08_a_name_that_is_no_text_is_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"\xff.ps1")
    Path(name).write_bytes(makers.SCRIPT)
    assert cli.run(["digest", name, *desk.CERT, "--output", "x.json"]) == 2
    assert "\\udcff.ps1: this name is not UTF-8" in capsys.readouterr().err
    assert not Path("x.json").exists()
