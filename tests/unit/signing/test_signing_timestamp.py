"""Timestamps: a time authority on this machine, in every mood, and openssl's own."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from signing import makers

from generator.signing import script, verify
from generator.signing.cms import signed_data
from generator.signing.cms.algorithms import SHA1, SHA256, SHA384
from generator.signing.cms.structures import DigestInfo
from generator.signing.codes import Code
from generator.signing.errors import IntegrityError, TimestampError
from generator.signing.signer import ScriptSigner, add_timestamp, strip
from generator.signing.trust.transport import http_transport

DAY = timedelta(days=1)
ROOT = makers.root()


@contextmanager
def serving(answer, status: int = 200):
    """A time authority at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.headers["Content-Type"] == "application/timestamp-query"
            reply = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


CONFIG = """
[tsa]
default_tsa = it
[it]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
certs = chain.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
"""


@pytest.fixture
def openssl_authority(openssl: str, tmp_path: Path):
    """`openssl ts`, with a certificate of its own below the test root."""
    key = makers.private_key("rsa-2048", 5)
    (tmp_path / "tsa.cnf").write_text(CONFIG)
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.pem").write_bytes(makers.pem(makers.stamp_certificate()))
    # In an order that is not DER's, as real authorities send it.
    (tmp_path / "chain.pem").write_bytes(makers.pem(ROOT.certificate, makers.middle().certificate))
    (tmp_path / "tsa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

    def answer(request: bytes) -> bytes:
        (tmp_path / "query").write_bytes(request)
        command = [openssl, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query",
                   "-out", "answer"]  # fmt: skip
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        return (tmp_path / "answer").read_bytes()

    return answer


def _stamped(transport, certificate=None, data=makers.SCRIPT) -> bytes:
    signer = ScriptSigner(certificate or makers.code_certificate(), "rsa", transport=transport)
    return signer.sign(data, makers.local_key())


def _judge(data: bytes, **changes) -> verify.Verification:
    return verify.verify(data, makers.trust(**({"stamp_anchors": (ROOT.certificate,)} | changes)))


def test_a_stamp_of_openssl_holds_here_and_elsewhere(openssl_authority, osslsigncode, tmp_path):
    with serving(openssl_authority) as address:
        data = _stamped(http_transport(address))
    answer = _judge(data, now=datetime.now(UTC) + DAY)
    assert (answer.code, answer.stamp_trusted) == (Code.OK, True)
    assert osslsigncode.verify(data, "-TSA-CAfile", osslsigncode.anchors)


def test_a_stamp_can_be_added_later(openssl_authority, osslsigncode):
    with serving(openssl_authority) as address:
        data = add_timestamp(makers.signed(), http_transport(address))
        again = add_timestamp(data, http_transport(address))
    assert osslsigncode.verify(data, "-TSA-CAfile", osslsigncode.anchors)
    assert strip(data) == makers.SCRIPT
    assert verify.verify(again, makers.trust()).stamp is not None
    assert len(verify.open_signed(again).signer.unsigned) == 1


def test_what_another_tool_stamped_is_read(openssl_authority, osslsigncode):
    with serving(openssl_authority) as address:
        data = osslsigncode.sign(makers.SCRIPT, "rsa-2048", "-ts", address)
    answer = verify.verify(data, makers.trust(stamp_anchors=(ROOT.certificate,)))
    assert answer.stamp is not None
    assert answer.stamp.kind == "rfc3161"


def test_a_stamped_signature_outlasts_its_certificate():
    short = ROOT.issue("Short", makers.private_key("rsa-2048"), end=makers.NOW + DAY)
    data = _stamped(makers.stamper(at=makers.NOW), short)
    later = makers.NOW + 400 * DAY
    answer = _judge(data, now=later)
    assert (answer.code, answer.judged_at) == (Code.OK, makers.NOW)
    assert _judge(data, now=later, stamp_anchors=()).code == Code.EXPIRED
    plain = ScriptSigner(short, "rsa").sign(makers.SCRIPT, makers.local_key())
    assert _judge(plain, now=later).code == Code.EXPIRED
    assert _judge(plain, now=makers.NOW).code == Code.OK


def test_a_stamp_after_the_certificates_end_does_not_help():
    short = ROOT.issue("Short", makers.private_key("rsa-2048"), end=makers.NOW - DAY)
    data = _stamped(makers.stamper(at=makers.NOW), short)
    assert _judge(data).code == Code.EXPIRED


def test_a_stamp_of_a_stranger_does_not_help():
    other = makers.Authority("Stranger", number=97)
    certificate = other.issue("TSA", makers.private_key("rsa-2048", 5), purposes=(makers.STAMPS,))
    data = _stamped(makers.stamper(certificate=certificate))
    assert _judge(data).code == Code.TIMESTAMP
    answer = _judge(data, stamp_anchors=())
    assert (answer.code, answer.stamp_trusted) == (Code.OK, False)
    assert "not used" in answer.notes[0]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purposes": (makers.CODE,)}, Code.TIMESTAMP),
        ({"purposes": ()}, Code.TIMESTAMP),
        ({"end": makers.NOW - DAY}, Code.TIMESTAMP),
    ],
)
def test_a_stamp_needs_a_certificate_for_stamps(changes, code):
    changes = {"purposes": (makers.STAMPS,)} | changes
    certificate = ROOT.issue("TSA", makers.private_key("rsa-2048", 5), **changes)
    assert _judge(_stamped(makers.stamper(certificate=certificate))).code == code


def test_a_stamp_of_the_future_is_refused():
    assert _judge(_stamped(makers.stamper(at=makers.NOW + DAY))).code == Code.TIMESTAMP


def test_a_stamp_of_another_signature_is_refused():
    block = signed_data.unwrap(verify.open_signed(_stamped(makers.stamper())).signature)
    attributes = block.signers.as_list()[0].unsigned_attributes
    other = ScriptSigner(makers.code_certificate(), "rsa")
    read = script.read(other.sign(b"another script\r\n", makers.local_key()))
    data = signed_data.unwrap(read.signature or b"")
    data.signers.as_list()[0].unsigned_attributes = attributes
    answer = _judge(read.with_signature(signed_data.wrap(data)))
    assert (answer.code, answer.integrity) == (Code.TIMESTAMP, True)


BAD_IMPRINT = DigestInfo(algorithm=SHA256.identifier, digest=SHA256.digest(b"something else"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nonce": 1}, "its nonce is not ours"),
        ({"imprint": BAD_IMPRINT}, "over another signature"),
        ({"status": 2}, "refused with status 2: 'not today'"),
        ({"with_certificates": False}, "certificate is not in the signature"),
        ({"used": SHA1}, "SHA-1"),
    ],
)
def test_a_wrong_answer_writes_nothing(options, message):
    with (
        serving(makers.stamper(**options)) as address,
        pytest.raises(TimestampError, match=message),
    ):
        _stamped(http_transport(address))


def test_an_answer_signed_with_another_key_writes_nothing():
    wrong = makers.stamper(key=makers.local_key("rsa-2048"))
    with pytest.raises(TimestampError, match="not usable"):
        _stamped(wrong)


@pytest.mark.parametrize("reply", [b"", b"<html>", b"0" * 100, b"\x30\x03\x02\x01\x00"])
def test_an_answer_that_is_none_writes_nothing(reply):
    with serving(lambda request: reply) as address, pytest.raises(TimestampError):
        _stamped(http_transport(address))


def test_an_endless_answer_is_cut_off():
    with (
        serving(lambda request: b"x" * (2 << 20)) as address,
        pytest.raises(TimestampError, match="too long"),
    ):
        _stamped(http_transport(address))


def test_an_error_page_is_named():
    with (
        serving(lambda request: b"", status=503) as address,
        pytest.raises(TimestampError, match="answered 503"),
    ):
        _stamped(http_transport(address))


def test_an_authority_that_does_not_answer_is_an_error():
    stop = threading.Event()

    def sleep(request: bytes) -> bytes:
        stop.wait(5)
        return b""

    with serving(sleep) as address:
        try:
            with pytest.raises(TimestampError, match="no answer"):
                _stamped(http_transport(address, seconds=0.2))
        finally:
            stop.set()


def test_nobody_at_the_address_is_an_error():
    with serving(lambda request: b"") as address:
        pass
    with pytest.raises(TimestampError, match="no answer"):
        _stamped(http_transport(address))


@pytest.mark.parametrize("address", ["", "file:///etc/passwd", "ftp://x/", "http://", "x"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(TimestampError, match="no http or https address"):
        http_transport(address)


def test_a_damaged_file_is_not_stamped():
    asked: list[bytes] = []

    def ask(request: bytes) -> bytes:
        asked.append(request)
        return b""

    with pytest.raises(IntegrityError, match="hash-mismatch"):
        add_timestamp(makers.signed().replace(b"EX01", b"EX02"), ask)
    with pytest.raises(IntegrityError, match="not-signed"):
        add_timestamp(makers.SCRIPT, ask)
    assert asked == []


def test_another_hash_can_be_asked_for():
    signer = makers.signer(transport=makers.stamper(), used=SHA384)
    assert _judge(signer.sign(makers.SCRIPT, makers.local_key())).code == Code.OK
