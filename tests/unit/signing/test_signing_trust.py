"""Whom to trust: chains, purposes, times, revocation lists, pins - offline, and failing closed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from signing import makers

from generator.signing import verify
from generator.signing.cms.algorithms import SHA1
from generator.signing.codes import Code
from generator.signing.errors import KeyFileError
from generator.signing.signer import ScriptSigner
from generator.signing.trust import chain, revocation

DAY = timedelta(days=1)
ROOT = makers.root()


def _signed(certificate, *others, kind="rsa-2048", transport=None) -> bytes:
    signer = ScriptSigner(certificate, "rsa", others, transport=transport)
    return signer.sign(makers.SCRIPT, makers.local_key(kind))


def _own(**changes) -> x509.Certificate:
    return ROOT.issue("Someone", makers.private_key("rsa-2048"), **changes)


def _code(data: bytes, **changes) -> Code:
    answer = verify.verify(data, makers.trust(**changes))
    assert answer.integrity
    assert answer.ok is (answer.code is Code.OK)
    assert bool(answer.trusted) or not answer.ok
    return answer.code


def test_without_anybody_to_trust_nothing_is_good():
    assert _code(makers.signed(), anchors=()) == Code.UNTRUSTED


def test_another_root_is_not_trusted():
    other = makers.Authority("Test Root", number=99).certificate
    assert _code(makers.signed(), anchors=(other,)) == Code.UNTRUSTED


def test_a_chain_over_two_authorities_holds():
    middle = makers.middle()
    certificate = middle.issue("Below", makers.private_key("rsa-2048"))
    assert _code(_signed(certificate, middle.certificate)) == Code.OK
    assert _code(_signed(certificate)) == Code.UNTRUSTED
    assert _code(_signed(certificate), anchors=(middle.certificate,)) == Code.OK


def test_a_signer_can_be_trusted_itself():
    assert _code(makers.signed(), anchors=(makers.code_certificate(),)) == Code.OK
    assert _code(makers.signed(), anchors=(makers.code_certificate("rsa-3072"),)) == Code.UNTRUSTED


def test_a_certificate_that_is_no_authority_issues_nothing():
    fake = makers.Authority("Signer rsa-2048")
    fake.key = makers.private_key("rsa-2048")
    certificate = fake.issue("Forged", makers.private_key("rsa-3072"))
    data = _signed(certificate, makers.code_certificate(), kind="rsa-3072")
    assert _code(data) == Code.UNTRUSTED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"end": makers.NOW - DAY}, Code.EXPIRED),
        ({"start": makers.NOW + DAY}, Code.NOT_YET_VALID),
        ({"purposes": ()}, Code.WRONG_EKU),
        ({"purposes": (makers.STAMPS,)}, Code.WRONG_EKU),
        ({"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)}, Code.WRONG_EKU),
        ({"key_usage": "key_encipherment"}, Code.WRONG_EKU),
        ({"key_usage": None}, Code.OK),
    ],
)
def test_a_certificate_is_judged_by_what_it_says(changes, code):
    assert _code(_signed(_own(**changes))) == code


def test_a_short_key_is_not_trusted():
    certificate = ROOT.issue("Short", makers.private_key("rsa-1024"))
    data = _signed(certificate, kind="rsa-1024")
    pin = frozenset({chain.thumbprint(certificate)})
    assert _code(data) == _code(data, anchors=(), signers=pin) == Code.UNTRUSTED


def test_time_is_the_one_asked_for():
    data = _signed(_own(end=makers.NOW - DAY))
    assert _code(data, now=makers.NOW - 2 * DAY) == Code.OK
    assert _code(makers.signed(), now=makers.START - DAY) == Code.NOT_YET_VALID


@pytest.mark.parametrize("print_of", [chain.thumbprint, chain.thumbprint_sha256])
def test_a_pin_is_enough_and_must_hold(print_of):
    pin = frozenset({print_of(makers.code_certificate())})
    other = frozenset({print_of(ROOT.certificate)})
    assert _code(makers.signed(), signers=pin) == Code.OK
    assert _code(makers.signed(), anchors=(), signers=pin) == Code.OK
    assert _code(makers.signed(), signers=other) == Code.UNTRUSTED
    foreign = makers.Authority("Elsewhere", number=98).certificate
    assert _code(makers.signed(), anchors=(foreign,), signers=pin) == Code.UNTRUSTED


def test_a_pinned_signer_must_still_be_valid():
    certificate = _own(end=makers.NOW - DAY)
    pin = frozenset({chain.thumbprint(certificate)})
    assert _code(_signed(certificate), anchors=(), signers=pin) == Code.EXPIRED


# Revocation lists.

SERIAL = makers.code_certificate().serial_number


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        (lambda: [ROOT.revoke()], Code.OK),
        (lambda: [ROOT.revoke(SERIAL + 1)], Code.OK),
        (lambda: [ROOT.revoke(SERIAL, at=makers.NOW - DAY)], Code.REVOKED),
        (lambda: [ROOT.revoke(SERIAL, at=makers.NOW + DAY)], Code.OK),
        (
            lambda: [
                ROOT.revoke(SERIAL, at=makers.NOW + DAY, reason=x509.ReasonFlags.key_compromise)
            ],
            Code.REVOKED,
        ),
        (lambda: [ROOT.revoke(until=makers.NOW - DAY)], Code.UNTRUSTED),
        (lambda: [ROOT.revoke(last=makers.NOW + DAY)], Code.UNTRUSTED),
        (lambda: [makers.middle().revoke()], Code.UNTRUSTED),
        (lambda: [makers.Authority("Test Root", number=99).revoke()], Code.UNTRUSTED),
        (
            lambda: [ROOT.revoke(until=makers.NOW - DAY), ROOT.revoke(SERIAL, at=makers.START)],
            Code.REVOKED,
        ),
    ],
)
def test_a_revocation_list_counts_when_it_is_the_issuers_and_fresh(lists, code):
    assert _code(makers.signed(), revoked=tuple(lists())) == code


def test_an_authority_can_be_revoked_too():
    middle = makers.middle()
    data = _signed(middle.issue("Below", makers.private_key("rsa-2048")), middle.certificate)
    own = middle.revoke()
    above = ROOT.revoke(middle.certificate.serial_number, at=makers.START)
    assert _code(data, revoked=(own,)) == Code.OK
    assert _code(data, revoked=(own, above)) == Code.REVOKED


def test_revocation_needs_an_authority():
    pin = frozenset({chain.thumbprint(makers.code_certificate())})
    lists = (ROOT.revoke(),)
    assert _code(makers.signed(), anchors=(), signers=pin, revoked=lists) == Code.UNTRUSTED


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_lists_and_certificates_are_read_in_both_forms(encoding):
    data = ROOT.revoke().public_bytes(encoding)
    assert revocation.load_lists(data, "crl") == (ROOT.revoke(),) or data
    certificate = ROOT.certificate.public_bytes(encoding)
    assert chain.load_certificates(certificate, "ca") == (ROOT.certificate,)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_files_of_another_kind_are_errors(data):
    with pytest.raises(KeyFileError):
        chain.load_certificates(data, "file")
    with pytest.raises(KeyFileError):
        revocation.load_lists(data, "file")


def test_sha1_is_weak_unless_it_is_allowed():
    signer = makers.signer(used=SHA1)
    data = signer.sign(makers.SCRIPT, makers.local_key())
    assert _code(data) == Code.WEAK_HASH
    assert _code(data, allow_sha1=True) == Code.OK
