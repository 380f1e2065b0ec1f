"""Passphrases, key files and key commands that are not what they should be."""

from __future__ import annotations

import base64
import io
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from security import desk, fuzz
from signing import makers
from signing.test_signing_keys import _pfx

from generator import cli
from generator.signing.cms.algorithms import SHA256
from generator.signing.errors import KeyFileError, SigningError
from generator.signing.keys import external, key_work, passphrase, pkcs11
from generator.signing.trust import revocation

LATIN = "Zo\u00eb".encode("latin-1")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    desk.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "locked.pem").write_bytes(makers.key_pem(desk.KIND, LATIN))
    (tmp_path / "locked.pfx").write_bytes(_pfx(desk.KIND, b"secret words"))
    return tmp_path


# Passphrases.


@pytest.mark.skipif(os.name != "posix", reason="variables are bytes on POSIX")
def test_G08_a_passphrase_is_taken_as_the_bytes_that_stand_there(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sign", "a.ps1", "--again", "--key", "locked.pem", *desk.CERT]
    monkeypatch.setenv("PHRASE", os.fsdecode(LATIN))
    assert desk.run(*command, "--pass-env", "PHRASE") == 0
    (place / "phrase").write_bytes(LATIN + b"\r\n")
    assert desk.run(*command, "--pass-file", "phrase") == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LATIN + b"\n")))
    assert desk.run(*command, "--pass-file", "-") == 0
    assert passphrase.Source().read(lambda: os.fsdecode(LATIN)) == LATIN


ODD = (
    b"", b"\n", b"\xff", LATIN, b"\xc3", b"a\0b", b"\0", b"\xed\xa0\x80", b"x" * 65_536,
    b"x" * 65_537, b"x" * 200_000, bytes(range(256)), b"\x1b[2J", b"wrong words",
)  # fmt: skip


@pytest.mark.parametrize("secret", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("key", ["locked.pem", "locked.pfx", "key.pem"])
def test_G08_a_passphrase_that_does_not_fit_is_an_error(
    key: str, secret: bytes, place: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if (key, secret) == ("locked.pem", LATIN):
        key = "locked.pfx"
    (place / "phrase").write_bytes(secret)
    before = desk.everything(place)
    command = ["sign", "a.ps1", "--key", key, *desk.CERT]
    assert desk.run(*command, "--pass-file", "phrase") == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(secret)))
    assert desk.run(*command, "--pass-file", "-") == 2
    if b"\0" not in secret and os.name == "posix":
        monkeypatch.setenv("PHRASE", os.fsdecode(secret))
        assert desk.run(*command, "--pass-env", "PHRASE") == 2
    shown = "".join(capsys.readouterr())
    assert "words" not in shown
    assert "panicked" not in shown
    assert desk.shows_no_control_characters(shown)
    assert desk.everything(place) == before


class Endless(io.RawIOBase):
    """Standard input that never ends; whoever would read all of it is told."""

    taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self.taken += len(buffer)
        assert self.taken < 10_000_000, "somebody reads all of it"
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


@pytest.mark.parametrize(
    "stdin",
    [lambda: io.TextIOWrapper(io.BufferedReader(cast(Any, Endless()))), lambda: None, io.StringIO],
    ids=["endless", "closed", "no bytes"],
)
def test_G08_standard_input_that_is_no_passphrase(
    stdin: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin())
    command = ["sign", "a.ps1", "--key", "locked.pem", *desk.CERT]
    assert desk.run(*command, "--pass-file", "-") == 2
    if sys.stdin is None:
        assert desk.run(*command) == 2


@pytest.mark.parametrize("name", ["", "NO_SUCH", "a=b", "\udcff", "\x1b[2J\n"])
def test_G08_a_variable_that_is_not_set(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sign", "a.ps1", "--key", "locked.pem", *desk.CERT, "--pass-env", name]
    assert desk.run(*command) == 2
    shown = capsys.readouterr().err
    assert "is not set" in shown
    assert desk.shows_no_control_characters(shown)


def test_G08_half_a_character_is_no_passphrase() -> None:
    with pytest.raises(KeyFileError, match="half a character"):
        passphrase.Source().read(lambda: "\ud800")


def test_G08_a_pin_that_is_no_text() -> None:
    pytest.importorskip("pkcs11")
    with pytest.raises(KeyFileError, match="UTF-8"):
        pkcs11.open_token("/no/such/library.so", LATIN)


# Key files that ask for more work than anybody should do.


def with_rounds(data: bytes, rounds: int) -> bytes:
    """The same file, that asks for so many rounds for each of its parts."""
    nodes = fuzz.parse(data)
    assert nodes is not None
    number = rounds.to_bytes(rounds.bit_length() // 8 + 1, "big")
    for node in nodes:
        for one in node.all():
            for before, after in zip(one.parts, one.parts[1:], strict=False):
                if (before.tag, after.tag) == (0x04, 0x02):
                    after.content = number
    return b"".join(node.encode() for node in nodes)


def pem_of(der: bytes) -> bytes:
    text = base64.encodebytes(der)
    return (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )


def pkcs8() -> bytes:
    return makers.private_key(desk.KIND).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )


def scrypt(cost: int) -> bytes:
    """AlgorithmIdentifier of scrypt (RFC 7914) in a file of an encrypted key."""
    salt = fuzz.Node(0x04, b"salt" * 4)
    numbers = [
        fuzz.Node(0x02, cost.to_bytes(8, "big")),
        fuzz.Node(0x02, b"\x08"),
        fuzz.Node(0x02, b"\1"),
    ]
    oid = fuzz.Node(0x06, bytes.fromhex("2b06010401da47040b"))
    algorithm = fuzz.Node(0x30, parts=[oid, fuzz.Node(0x30, parts=[salt, *numbers])])
    return fuzz.Node(0x30, parts=[algorithm, fuzz.Node(0x04, b"x" * 40)]).encode()


HARD = {
    "PFX": lambda: with_rounds(_pfx(desk.KIND, b"x"), 2**31 - 1),
    "PFX of an older kind": lambda: with_rounds(_pfx(desk.KIND, b"x", legacy=True), 2**31 - 1),
    "PFX without encryption": lambda: with_rounds(_pfx(desk.KIND, None), 2**31 - 1),
    "PFX with numbers beyond all bounds": lambda: with_rounds(_pfx(desk.KIND, b"x"), 2**8_000),
    "PEM": lambda: pem_of(with_rounds(pkcs8(), 2**31 - 1)),
    "PEM with scrypt": lambda: pem_of(scrypt(2**30)),
}


@pytest.mark.parametrize("case", HARD)
def test_G14_a_key_that_takes_hours_to_open_is_not_opened(
    case: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PHRASE", "x")

    def opened(*_: object) -> None:
        raise AssertionError("somebody began to open it")

    monkeypatch.setattr(pkcs12, "load_key_and_certificates", opened)
    monkeypatch.setattr(serialization, "load_pem_private_key", opened)
    (place / "hard").write_bytes(HARD[case]())
    command = ["sign", "a.ps1", "--key", "hard", *desk.CERT]
    assert desk.run(*command, "--pass-env", "PHRASE") == 2
    assert desk.run(*command) == 2
    assert capsys.readouterr().err.count("would take more than 5000000 rounds") == 2


def test_G14_the_work_of_usual_keys_is_done() -> None:
    for data in (
        _pfx(desk.KIND, b"x"), _pfx(desk.KIND, b"x", legacy=True), _pfx(desk.KIND, None),
        makers.key_pem(desk.KIND), makers.key_pem(desk.KIND, b"x"), makers.key_pem("p-256", b"x"),
        pem_of(with_rounds(pkcs8(), 1_000_000)), pem_of(scrypt(2**15)), b"", b"x",
    ):  # fmt: skip
        key_work.refuse_hard_work(data, "key")


@pytest.mark.parametrize("form", ["PKCS #1", "PKCS #8"])
def test_G14_a_key_of_numbers_that_take_hours_is_not_opened(
    place: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """Whether a number of hundreds of thousands of bits is a prime nobody finds out in time."""
    key = fuzz.Node(0x30, parts=[fuzz.Node(2, b"\0"), *[fuzz.Node(2, b"\x7f" * 30_000)] * 8])
    if form == "PKCS #8":
        kind = fuzz.Node(0x30, parts=[fuzz.Node(6, bytes.fromhex("2a864886f70d010101"))])
        inner = fuzz.Node(4, key.encode())
        key = fuzz.Node(0x30, parts=[fuzz.Node(2, b"\0"), kind, inner])
    (place / "huge.pem").write_bytes(pem_of(key.encode()))
    assert desk.run("sign", "a.ps1", "--key", "huge.pem", *desk.CERT) == 2
    assert "a number of this key has more than 16,384 bits" in capsys.readouterr().err


def test_G08_every_revocation_list_of_a_file_is_read() -> None:
    """Of a list that is passed over nothing is revoked."""
    by = [makers.root(), makers.Authority("Another", number=91)]
    lists = [each.revoke().public_bytes(serialization.Encoding.PEM) for each in by]
    found = revocation.load_lists(b"# two\n" + b"".join(lists), "x.pem")
    assert [one.issuer for one in found] == [each.certificate.subject for each in by]
    for odd in (lists[0] + makers.pem(by[0].certificate), lists[0] + lists[1][:60], b"-----BEGIN"):
        with pytest.raises(KeyFileError, match="no revocation list"):
            revocation.load_lists(odd, "x.pem")


def test_G14_what_looks_like_a_pfx_is_judged_in_one_pass() -> None:
    """Nests, lengths and marks without an end: neither recursion nor a loop."""
    for data in (
        b"\x30\x80" * 500_000, b"\x24\x80" * 500_000, b"\x04\x84\xff\xff\xff\xff" * 100_000,
        b"\x04\x02\x04\x00" * 200_000, b"\x30\xff" * 100_000, b"\x04\x83\x0f\xff\xf0" * 150_000,
        b"\x04\x01x\x02\x01\x01" * 150_000, b"\x00" * 1_000_000,
    ):  # fmt: skip
        desk.in_time(partial(key_work.refuse_hard_work, data, "key"))


def test_G14_rounds_in_a_form_without_lengths_are_found() -> None:
    """BER, as some tools write PFX files: marks in place of lengths, strings in pieces."""
    salt = b"\x24\x80\x04\x04salt\x04\x04salt\0\0"
    inner = b"\x30\x80" + salt + b"\x02\x04\x7f\xff\xff\xff\0\0"
    pieces = b"\x24\x80" + b"".join(b"\x04\x01" + inner[at : at + 1] for at in range(len(inner)))
    for data in (inner, b"\x30\x80\xa0\x80" + inner + b"\0\0\0\0", pieces + b"\0\0"):
        with pytest.raises(KeyFileError, match="more than"):
            key_work.refuse_hard_work(data, "key")


# Certificates with odd fields.


def odd_certificate(*path: int, tag: int | None = None, content: bytes | None = None) -> bytes:
    """A certificate (RFC 5280) in which the element at this path has another tag or content."""
    nodes = fuzz.parse(makers.code_certificate(desk.KIND).public_bytes(serialization.Encoding.DER))
    assert nodes is not None
    node = nodes[0]
    for index in path:
        node = node.parts[index]
    if tag is not None:
        node.tag = tag
    if content is not None:
        node.parts, node.content = [], content
    return nodes[0].encode()


def doubled_extension() -> bytes:
    nodes = fuzz.parse(makers.code_certificate(desk.KIND).public_bytes(serialization.Encoding.DER))
    assert nodes is not None
    extensions = nodes[0].parts[0].parts[7].parts[0]
    extensions.parts.append(extensions.parts[0])
    return nodes[0].encode()


UNKNOWN = bytes.fromhex("2a030405")
CERTIFICATES = {
    "another version": lambda: odd_certificate(0, 0, 0, content=b"\x63"),
    "a serial number below zero": lambda: odd_certificate(0, 1, content=b"\xff"),
    "an unknown signature": lambda: odd_certificate(1, 0, content=UNKNOWN),
    "an unknown signature inside": lambda: odd_certificate(0, 2, 0, content=UNKNOWN),
    "an issuer that is none": lambda: odd_certificate(0, 3, content=b"\x31\x02\x05\x00"),
    "an issuer of no text": lambda: odd_certificate(0, 3, 0, 0, 1, content=b"\xff\xfe"),
    "times that are none": lambda: odd_certificate(0, 4, 0, content=b"not a time"),
    "a time of another kind": lambda: odd_certificate(0, 4, 1, tag=0x18, content=b"9999"),
    "a subject of no text": lambda: odd_certificate(0, 5, 0, 0, 1, content=b"\xc3\x28"),
    "a subject of another kind": lambda: odd_certificate(0, 5, 0, 0, 1, tag=0x02, content=b"\x01"),
    "an unknown key": lambda: odd_certificate(0, 6, 0, 0, content=UNKNOWN),
    "a key that is none": lambda: odd_certificate(0, 6, 1, content=b"\x00\x30\x00"),
    "extensions that are none": lambda: odd_certificate(0, 7, 0, content=b"\x30\x00"),
    "an extension that is none": lambda: odd_certificate(0, 7, 0, 1, content=b"\x06\x01\x55"),
    "an extension twice": doubled_extension,
    "half of one": lambda: odd_certificate()[:300],
}  # fmt: skip


@pytest.mark.parametrize("form", ["DER", "PEM"])
@pytest.mark.parametrize("case", CERTIFICATES)
def test_G08_a_certificate_with_odd_fields_is_no_traceback(
    case: str, form: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = CERTIFICATES[case]()
    if form == "PEM":
        text = base64.encodebytes(data)
        data = b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"
    (place / "odd.pem").write_bytes(data)
    (place / "both.pem").write_bytes(makers.key_pem(desk.KIND) + b"\n" + data)
    (place / "s.ps1").write_bytes(makers.signed())
    before = desk.everything(place)
    for command in (
        ["digest", "a.ps1", "--cert", "odd.pem", "--output", "x.json"],
        ["sign", "a.ps1", "--key", "key.pem", "--cert", "odd.pem"],
        ["sign", "a.ps1", *desk.KEY, "--cert", "odd.pem"],
        ["sign", "a.ps1", "--key", "both.pem"],
        ["sign", "a.ps1", "--key-command", "no-such-program", "--cert", "odd.pem"],
        ["verify", "s.ps1", "--anchors", "odd.pem"],
        ["verify", "s.ps1", "--anchors", "root.pem", "--tsa-anchors", "odd.pem"],
    ):
        code = desk.run(*command)
        shown = capsys.readouterr()
        assert code < 5, shown.err
        assert desk.shows_no_control_characters(shown.out + shown.err)
        if code:
            assert desk.everything(place) == before
        for name in before:
            (place / name).write_bytes(before[name])
        (place / "x.json").unlink(missing_ok=True)


# Commands.


def python(code: str) -> str:
    return f"{sys.executable} -c {shlex.quote(code)}"


SIGNS = "import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write(b'x' * 384)"
COMMANDS = {
    "an answer without an end": (
        "import sys\nwhile True: sys.stdout.buffer.write(b'x' * 1000000)",
        "gave more than 65536 bytes",
    ),
    "an answer without an end, and it does not mind": (
        "import sys, os, signal\nfor n in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):"
        " signal.signal(n, signal.SIG_IGN)\nwhile True:\n try: os.write(1, b'x' * 1000000)\n"
        " except OSError: pass",
        "gave more than 65536 bytes",
    ),
    "hangs": ("import time; time.sleep(300)", "no signature within 0.7 seconds"),
    "hangs after its answer": (
        "import os, time; os.write(1, b'x'); os.close(1); time.sleep(300)",
        "no signature within 0.7 seconds",
    ),
    "drips": (
        "import os, time\nwhile True: os.write(1, b'x'); time.sleep(.05)",
        "no signature within 0.7 seconds",
    ),
    "does not mind the end": (
        "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)",
        "no signature within 0.7 seconds",
    ),
    "leaves somebody who holds its output": (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time;"
        " time.sleep(4)'])",
        "no signature within 0.7 seconds",
    ),
    "closes its input at once": (
        "import os, sys; os.close(0); sys.exit(3)", "ended with code 3",
    ),
    "never reads, and answers": (
        "import os; os.close(0); os.write(1, b'x' * 384)", "no signature of this certificate's key",
    ),
    "closes its output at once": ("import os; os.close(1); os.read(0, 99)", "gave 0 bytes"),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", "ended with code -9"),
    "only says something": (
        "import sys; sys.stderr.write('x' * 1000)", "gave 0 bytes",
    ),
}  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="signals and handles of POSIX")
@pytest.mark.parametrize("case", COMMANDS)
def test_G08_a_command_ends_in_time_and_memory(
    case: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = COMMANDS[case]
    before = desk.everything(place)
    # Long enough for Python to start on a busy machine where its end is waited for.
    seconds = "0.7" if "within" in message else "50"
    command = ["sign", "a.ps1", *desk.CERT, "--key-command", python(code)]
    assert desk.run(*command, "--key-seconds", seconds) == 2
    assert message in capsys.readouterr().err
    assert desk.everything(place) == before


def test_G08_no_more_is_read_of_an_answer_than_a_signature_can_have(place: Path) -> None:
    note = place / "written"
    code = (
        "import os\nfor number in range(4096):\n os.write(1, b'x' * 16384)\n"
        f" open({str(note)!r}, 'a').write('x')"
    )
    key = external.ExternalKey(python(code), makers.code_certificate(desk.KIND))
    with pytest.raises(SigningError, match="more than 65536 bytes"):
        key.sign(b"data", SHA256)
    # What was read, what the pipe holds, and one piece in between.
    assert len(note.read_text()) < 64


def test_G08_a_command_that_has_ended_before_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end of standard input is closed when the hash is written."""

    class Ended(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            self.wait()

    monkeypatch.setattr(subprocess, "Popen", Ended)
    code = "import os; os.write(1, b'x' * 384)"
    key = external.ExternalKey(python(code), makers.code_certificate(desk.KIND))
    assert key.sign(b"data", SHA256) == b"x" * 384


@pytest.mark.skipif(os.name != "posix", reason="processes of POSIX")
@pytest.mark.parametrize("code", ["import time; time.sleep(300)", "while True: print('x' * 9999)"])
def test_G08_a_command_that_is_given_up_is_gone(code: str, place: Path) -> None:
    note = place / "number"
    code = f"import os; open({str(note)!r}, 'w').write(str(os.getpid()))\n{code}"
    key = external.ExternalKey(python(code), makers.code_certificate(desk.KIND), seconds=5)
    with pytest.raises(SigningError):
        key.sign(b"data", SHA256)
    number = int(note.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_G08_a_command_that_is_answered_leaves_no_thread() -> None:
    before = threading.active_count()
    key = external.ExternalKey(python(SIGNS), makers.code_certificate(desk.KIND))
    assert key.sign(b"data", SHA256) == b"x" * 384
    assert threading.active_count() == before


@pytest.mark.parametrize("command", ["", " ", "'", "no-such\0program", "\udcff", "no-such-program"])
def test_G08_a_command_that_is_none(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("sign", "a.ps1", *desk.CERT, "--key-command", command) == 2
    assert desk.shows_no_control_characters(capsys.readouterr().err)


def test_G12_a_command_does_not_inherit_the_passphrase(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHRASE", "secret words")
    monkeypatch.setenv("OTHER", "which a library of a token needs")
    note = place / "environment"
    code = f"import os; open({str(note)!r}, 'w').write(repr(dict(os.environ)))"
    command = ["sign", "a.ps1", *desk.CERT, "--key-command", python(code)]
    assert desk.run(*command, "--pass-env", "PHRASE") == 2
    found = note.read_text()
    assert "secret words" not in found
    assert "'PHRASE'" not in found
    for name in ("OTHER", "PATH"):
        assert repr(name) in found
    assert os.environ["PHRASE"] == "secret words"


def test_G08_no_passphrase_is_shown_when_a_key_fails(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PHRASE", "secret words")
    for key in ("locked.pem", "key.pem", "signer.pem", "a.ps1"):
        cli.run(["sign", "a.ps1", "--key", key, *desk.CERT, "--pass-env", "PHRASE"])
    assert "secret" not in "".join(capsys.readouterr())
