"""Signing: every key, hash and encoding, against an independent implementation, both ways."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from signing import makers

from generator.signing import verify
from generator.signing.cms.algorithms import HASHES
from generator.signing.codes import Code
from generator.signing.errors import SigningError
from generator.signing.keys import key_files
from generator.signing.signer import ScriptSigner

SAMPLES = makers.samples()
FEW = ("rsa-2048", "p-256")
GOLDEN = Path(__file__).with_name("golden.pem")


def _accepted_everywhere(osslsigncode, kind: str, hash_name: str, form: str) -> None:
    data = SAMPLES[form]
    signed = makers.signer(kind, used=HASHES[hash_name]).sign(data, makers.local_key(kind))
    answer = verify.verify(signed, makers.trust())
    assert (answer.code, answer.hash) == (Code.OK, hash_name)
    assert osslsigncode.verify(signed)
    assert osslsigncode.strip(signed) == data


@pytest.mark.parametrize("form", SAMPLES)
@pytest.mark.parametrize("kind", FEW)
def test_a_signature_is_accepted_here_and_elsewhere(osslsigncode, kind, form):
    _accepted_everywhere(osslsigncode, kind, "sha256", form)


@pytest.mark.soak
@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("kind", makers.KINDS)
def test_every_key_with_every_hash_is_accepted_elsewhere(osslsigncode, kind, hash_name):
    for form in SAMPLES:
        _accepted_everywhere(osslsigncode, kind, hash_name, form)


@pytest.mark.parametrize("kind", makers.KINDS)
def test_every_key_signs(kind):
    for used in HASHES.values():
        signed = makers.signer(kind, used=used).sign(makers.SCRIPT, makers.local_key(kind))
        assert verify.verify(signed, makers.trust()).ok


@pytest.mark.parametrize("more", [(), ("-n", "Program", "-i", "https://example.com")])
@pytest.mark.parametrize("kind", FEW)
def test_what_another_tool_signed_is_read(osslsigncode, kind, more):
    for form, data in SAMPLES.items():
        signed = osslsigncode.sign(data, kind, *more)
        assert verify.verify(signed, makers.trust()).code == Code.OK, form


@pytest.mark.parametrize("kind", makers.KINDS)
def test_the_same_file_gives_the_same_signature(kind):
    signer, key = makers.signer(kind), makers.local_key(kind)
    once = signer.sign(makers.SCRIPT, key)
    assert all(signer.sign(makers.SCRIPT, key) == once for _ in range(3))
    assert signer.sign(once, key) == once


def test_another_signature_is_replaced(osslsigncode):
    theirs = osslsigncode.sign(makers.SCRIPT, "rsa-2048")
    assert makers.signer().sign(theirs, makers.local_key()) == makers.signed()


def test_bytes_are_the_same_on_every_system():
    pem = GOLDEN.read_bytes()
    identity = key_files.load(pem, "golden.pem", None)
    signed = ScriptSigner(identity.certificate, "rsa").sign(makers.SCRIPT, identity.key)
    assert hashlib.sha256(signed).hexdigest() == (
        "032fec2a40c1c13a2a2a6548e6fc311600b14fbde3b3f263d9a1119e76f6be02"
    )


def test_a_program_name_is_shown(osslsigncode):
    signer = makers.signer(program="Zo\u00eb's runbooks", address="https://example.com/")
    signed = signer.sign(makers.SCRIPT, makers.local_key())
    assert verify.verify(signed, makers.trust()).ok
    assert osslsigncode.verify(signed)


def test_a_signature_of_another_key_is_not_written():
    signer = makers.signer()
    with pytest.raises(SigningError, match="no signature of this certificate's key"):
        signer.sign(makers.SCRIPT, makers.local_key("rsa-3072"))


def test_garbage_from_a_key_is_not_written():
    class Garbage:
        kind = "rsa"
        parallel = True

        def sign(self, data, used):
            return b"x" * 256

        def close(self):
            pass

    with pytest.raises(SigningError):
        makers.signer().sign(makers.SCRIPT, Garbage())


def test_the_root_is_left_out_and_the_issuing_ca_is_not():
    middle, root = makers.middle(), makers.root()
    certificate = middle.issue("Below", makers.private_key("rsa-2048"))
    signer = ScriptSigner(certificate, "rsa", (middle.certificate, root.certificate))
    signed = signer.sign(makers.SCRIPT, makers.local_key())
    assert set(verify.open_signed(signed).certificates) == {certificate, middle.certificate}
    assert verify.verify(signed, makers.trust()).ok


def test_it_knows_its_own_signature():
    signer = makers.signer()
    assert signer.has_signed(makers.signed())
    assert not signer.has_signed(makers.SCRIPT)
    assert not signer.has_signed(makers.signed(kind="p-256"))
    assert not makers.signer(used=HASHES["sha512"]).has_signed(makers.signed())
    assert not makers.signer(transport=lambda request: b"").has_signed(makers.signed())


def test_a_certificate_with_its_key_in_one_file_is_read():
    identity = key_files.load(GOLDEN.read_bytes(), "golden.pem", None)
    assert isinstance(identity.certificate, x509.Certificate)
