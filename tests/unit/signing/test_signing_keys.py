"""Keys: files in every form, passphrases, tokens, commands, and what is refused beforehand."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from signing import makers
from signing.conftest import require

from generator.signing import request, verify
from generator.signing.cms.algorithms import SHA256
from generator.signing.errors import (
    IntegrityError,
    KeyFileError,
    PolicyError,
    SigningError,
)
from generator.signing.keys import external, key_files, passphrase, pkcs11
from generator.signing.signer import ScriptSigner
from generator.signing.trust import preflight

SECRET = "open sesame \u00e9".encode()


def _pfx(kind: str, secret: bytes | None, *, legacy: bool = False, others=None) -> bytes:
    if secret is None:
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    elif legacy:
        encryption = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(2048)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())
            .build(secret)
        )
    else:
        encryption = serialization.BestAvailableEncryption(secret)
    return pkcs12.serialize_key_and_certificates(
        b"signer", makers.private_key(kind), makers.code_certificate(kind), others, encryption
    )


def _signs(identity) -> None:
    signer = ScriptSigner(identity.certificate, identity.key.kind, identity.chain)
    assert verify.verify(signer.sign(makers.SCRIPT, identity.key), makers.trust()).ok


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("kind", ["rsa-3072", "p-256"])
def test_a_pem_key_signs(kind, secret):
    data = makers.key_pem(kind, secret)
    assert key_files.needs_passphrase(data) is bool(secret)
    _signs(key_files.load(data, "key.pem", secret, (makers.code_certificate(kind),)))


@pytest.mark.parametrize(("secret", "legacy"), [(None, False), (SECRET, False), (SECRET, True)])
@pytest.mark.parametrize("kind", ["rsa-3072", "p-256"])
def test_a_pfx_signs(kind, secret, legacy):
    data = _pfx(kind, secret, legacy=legacy, others=[makers.root().certificate])
    assert key_files.needs_passphrase(data) is bool(secret)
    identity = key_files.load(data, "key.pfx", secret)
    assert identity.chain == (makers.root().certificate,)
    _signs(identity)


@pytest.mark.parametrize("options", [["-legacy"], []], ids=["legacy", "modern"])
def test_a_pfx_of_openssl_is_read(openssl, tmp_path, options):
    (tmp_path / "all.pem").write_bytes(makers.key_pem() + makers.pem(makers.code_certificate()))
    subprocess.run(
        [openssl, "pkcs12", "-export", *options, "-in", "all.pem", "-out", "key.pfx",
         "-passout", "pass:secret"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    _signs(key_files.load((tmp_path / "key.pfx").read_bytes(), "key.pfx", b"secret"))


@pytest.mark.parametrize(
    ("data", "secret", "message"),
    [
        (lambda: _pfx("rsa-2048", SECRET), b"wrong", "passphrase is not the right one"),
        (lambda: _pfx("rsa-2048", SECRET), None, "passphrase is not the right one"),
        (lambda: makers.key_pem(passphrase=SECRET), b"wrong", "passphrase is not the right one"),
        (lambda: makers.key_pem(passphrase=SECRET), None, "needs a passphrase"),
        (makers.key_pem, SECRET, "is not encrypted"),
        (makers.key_pem, None, "give it with --cert"),
        (lambda: b"nonsense", None, "no PFX file"),
        (lambda: b"", None, "no PFX file"),
        (lambda: b"-----BEGIN PRIVATE KEY-----\n", None, "no private key in PEM form"),
        (lambda: makers.pem(makers.code_certificate()), None, "no private key in PEM form"),
        (lambda: makers.key_pem("ed25519"), None, "signs no scripts that Windows accepts"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(data, secret, message):
    with pytest.raises(KeyFileError, match=message) as caught:
        key_files.load(data(), "the key file", secret)
    assert "wrong" not in str(caught.value)
    assert SECRET.decode() not in str(caught.value)


def test_a_certificate_of_another_key_is_refused():
    with pytest.raises(KeyFileError, match="do not belong together"):
        key_files.load(makers.key_pem(), "key.pem", None, (makers.code_certificate("rsa-3072"),))


def test_passphrases_come_from_a_variable_a_file_or_the_person(tmp_path, monkeypatch):
    monkeypatch.setenv("PHRASE", "from the variable")
    assert passphrase.Source(variable="PHRASE").read(None) == b"from the variable"
    file = tmp_path / "phrase"
    file.write_bytes(b"from the file \r\n")
    assert passphrase.Source(file=str(file)).read(None) == b"from the file "
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\n")))
    assert passphrase.Source(file="-").read(None) == b"from a pipe"
    assert passphrase.Source().read(lambda: "typed") == b"typed"


@pytest.mark.parametrize(
    "source",
    [passphrase.Source(variable="NO_SUCH"), passphrase.Source(file="no/such"), passphrase.Source()],
)
def test_a_passphrase_that_is_not_there_is_an_error(source):
    with pytest.raises(KeyFileError):
        source.read(None)


def _issued(**changes):
    kind = changes.pop("kind", "rsa-3072")
    return makers.root().issue("Someone", makers.private_key(kind), **changes)


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        (lambda: _issued(end=makers.NOW - timedelta(days=1)), "ran out on"),
        (lambda: _issued(start=makers.NOW + timedelta(days=1)), "is valid from"),
        (lambda: _issued(purposes=()), "not meant for signing code"),
        (lambda: _issued(purposes=(makers.STAMPS,)), "not meant for signing code"),
        (lambda: _issued(key_usage="key_encipherment"), "must not sign"),
        (lambda: _issued(kind="rsa-1024"), "1024 bits"),
        (lambda: _issued(kind="p-256"), "--allow-ecdsa"),
    ],
)
def test_a_certificate_not_to_sign_with_is_refused(certificate, message):
    with pytest.raises(PolicyError, match=message) as caught:
        preflight.check(certificate(), makers.NOW)
    assert caught.value.exit_code == 4


def test_a_good_certificate_has_no_warnings():
    assert preflight.check(_issued(), makers.NOW) == []
    assert preflight.check(_issued(key_usage=None), makers.NOW) == []


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"kind": "rsa-2048"}, {}, "2048 bits"),
        ({"kind": "p-256"}, {"allow_ecdsa": True}, "not accepted by every Windows"),
        ({"end": makers.NOW + timedelta(days=9)}, {}, "there is no timestamp"),
        (
            {"end": makers.NOW + timedelta(days=90)},
            {"windows": [makers.NOW + timedelta(days=91)]},
            "before the change window ends",
        ),
    ],
)
def test_what_may_go_wrong_later_is_a_warning(changes, options, message):
    (warning,) = preflight.check(_issued(**changes), makers.NOW, **options)
    assert message in warning


def test_a_timestamp_outlasts_the_certificate():
    soon = _issued(end=makers.NOW + timedelta(days=9))
    late = [makers.NOW + timedelta(days=91)]
    assert preflight.check(soon, makers.NOW, windows=late, stamped=True) == []


# A key behind a command. openssl stands in for an HSM's own client.


def _command(tmp_path: Path, kind: str) -> str:
    key = tmp_path / "station.key"
    key.write_bytes(makers.key_pem(kind))
    return f"openssl pkeyutl -sign -inkey {key} -pkeyopt digest:{{hash}}"


@pytest.mark.parametrize("kind", ["rsa-3072", "p-256"])
def test_a_command_signs(openssl, tmp_path, kind):
    certificate = makers.code_certificate(kind)
    key = external.ExternalKey(_command(tmp_path, kind), certificate)
    signed = makers.signer(kind).sign(makers.SCRIPT, key)
    assert verify.verify(signed, makers.trust()).ok
    if kind == "rsa-3072":
        assert signed == makers.signed(kind=kind)


def _python(code: str) -> str:
    return f"{sys.executable} -c {shlex.quote(code)}"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (_python("import time; time.sleep(9)"), "no signature within 0.5 seconds"),
        (_python("import sys; sys.exit(7)"), "ended with code 7"),
        (_python("pass"), "gave 0 bytes"),
        (_python("print('x' * 70000)"), "gave more than 65536 bytes"),
        (_python("print('garbage')"), "no signature of this certificate's key"),
        ("no-such-program-anywhere", "cannot be started"),
    ],
)
def test_a_command_that_fails_writes_nothing(command, message):
    key = external.ExternalKey(command, makers.code_certificate(), seconds=0.5)
    with pytest.raises(SigningError, match=message):
        makers.signer().sign(makers.SCRIPT, key)


@pytest.mark.parametrize("command", ["", "  ", "'open"])
def test_a_command_that_is_none_is_refused(command):
    with pytest.raises(KeyFileError):
        external.ExternalKey(command, makers.code_certificate())


def test_a_command_gets_the_hash_and_nothing_else():
    data = b"what is signed"
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read() + sys.argv[1].encode())"
    key = external.ExternalKey(f"{_python(code)} {{hash}}", makers.code_certificate())
    assert key.sign(data, SHA256) == SHA256.digest(data) + b"sha256"


# A station apart from the build.


def _request(signer, *scripts: bytes):
    drafts = {f"{at}.ps1": signer.draft(data) for at, data in enumerate(scripts)}
    return request.make(signer, (signer.certificate, makers.root().certificate), drafts)


def test_a_request_goes_to_a_station_and_back():
    signer = makers.signer(program="Name", address="https://example.com")
    asked = request.decode(request.encode(_request(signer, makers.SCRIPT)), "asked.json")
    answered = request.decode(
        request.encode(request.answer(asked, makers.local_key())), "answered.json"
    )
    signature = request.signatures(answered, ["0.ps1"])["0.ps1"]
    signed = signer.finish(signer.draft(makers.SCRIPT), signature)
    assert signed == signer.sign(makers.SCRIPT, makers.local_key())
    assert (answered.program, answered.address) == ("Name", "https://example.com")


def test_any_tool_can_sign_the_digest_in_a_request(openssl, tmp_path):
    signer = makers.signer()
    data = json.loads(request.encode(_request(signer, makers.SCRIPT)))
    digest = bytes.fromhex(data["files"][0]["digest"])
    command = _command(tmp_path, "rsa-2048").format(hash="sha256").split()
    done = subprocess.run(command, input=digest, capture_output=True, check=True)
    assert signer.finish(signer.draft(makers.SCRIPT), done.stdout) == makers.signed()


def test_a_request_whose_hashes_do_not_agree_is_refused():
    data = json.loads(request.encode(_request(makers.signer(), makers.SCRIPT)))
    data["files"][0]["digest"] = "0" * 64
    with pytest.raises(IntegrityError, match="not that of its own bytes"):
        request.decode(json.dumps(data).encode(), "request.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b'{"format": 2}', b"\xff"])
def test_what_is_no_request_is_refused(data):
    with pytest.raises(IntegrityError, match="no signing request"):
        request.decode(data, "request.json")


def test_a_missing_signature_is_named():
    with pytest.raises(IntegrityError, match=r"0\.ps1"):
        request.signatures(_request(makers.signer(), makers.SCRIPT), ["0.ps1"])


# A token.

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = b"4711"


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """A token in a folder, with the keys rsa-2048 and p-256 in it."""
    module = next((path for path in MODULES if Path(path).exists()), None)
    require(shutil.which("softhsm2-util") and module, "softhsm2")
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")

    def run(*command: str) -> None:
        subprocess.run(["softhsm2-util", *command], check=True, capture_output=True, cwd=folder)

    run("--init-token", "--free", "--label", "runbooks", "--pin", "4711", "--so-pin", "0815")
    for number, kind in enumerate(("rsa-2048", "p-256"), 1):
        (folder / "key.pem").write_bytes(makers.key_pem(kind))
        name = ("--token", "runbooks", "--label", kind, "--id", f"0{number}")
        run("--import", "key.pem", *name, "--pin", "4711")
    return module


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256"])
def test_a_token_signs(token, kind):
    given = (makers.code_certificate(kind),)
    identity = pkcs11.open_token(token, PIN, given, token="runbooks", label=kind)
    try:
        signed = makers.signer(kind).sign(makers.SCRIPT, identity.key)
        assert verify.verify(signed, makers.trust()).ok
        if kind == "rsa-2048":
            assert signed == makers.signed()
    finally:
        identity.key.close()


def test_a_key_is_found_by_its_id(token):
    identity = pkcs11.open_token(token, PIN, (makers.code_certificate("p-256"),), key_id="02")
    assert identity.key.kind == "ec"
    identity.key.close()


@pytest.mark.parametrize(
    ("pin", "changes", "message"),
    [
        (b"9999", {}, "tried once and is not tried again"),
        (PIN, {"token": "no such token"}, "there is no token"),
        (PIN, {"label": "no such key"}, "no such key: no such key"),
        (PIN, {"label": None}, "several such keys"),
        (PIN, {"key_id": "xyz"}, "no hexadecimal key id"),
        (PIN, {"certificates": ()}, "no certificate with this key"),
        (PIN, {"label": "p-256"}, "do not belong together"),
    ],
)
def test_a_token_that_cannot_be_used_says_why(token, pin, changes, message):
    options = {
        "certificates": (makers.code_certificate(),),
        "token": "runbooks",
        "label": "rsa-2048",
    } | changes
    with pytest.raises(KeyFileError, match=message) as caught:
        pkcs11.open_token(token, pin, **options)
    assert pin.decode() not in str(caught.value)


def test_a_certificate_of_another_rsa_key_is_refused(token):
    other = makers.root().issue("Other", makers.private_key("rsa-2048", 3))
    with pytest.raises(KeyFileError, match="do not belong together"):
        pkcs11.open_token(token, PIN, (other,), label="rsa-2048")


def test_a_library_that_is_none_is_an_error():
    pytest.importorskip("pkcs11")
    with pytest.raises(KeyFileError):
        pkcs11.open_token("/no/such/library.so", PIN)
