"""RFC 3161: asks a time authority to confirm that a signature exists, and reads the answer.

The transport is handed in, so that this module never touches a network. Certificates are always
asked for: Windows does not accept a token without them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509 import ObjectIdentifier

from generator.findings import show
from generator.signing.cms import authenticode, signed_data, structures
from generator.signing.cms.algorithms import SHA256, Hash, hash_of
from generator.signing.cms.structures import Attribute, DigestInfo, TimeStampInfo
from generator.signing.errors import IntegrityError, MalformedError, TimestampError

Transport = Callable[[bytes], bytes]
"""Sends a request, answers with the response; raises TimestampError."""

_INFO = ObjectIdentifier("1.2.840.113549.1.9.16.1.4")
_SIGNING_TIME = ObjectIdentifier("1.2.840.113549.1.9.5")
_GRANTED = (0, 1)
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time that an authority vouches for. Its signature holds; whether to trust it is open."""

    time: datetime
    hash: Hash
    authority: x509.Certificate
    others: tuple[x509.Certificate, ...]
    kind: str


def fetch(signature: bytes, transport: Transport, used: Hash = SHA256) -> Attribute:
    """The unsigned attribute with a token over a signature; raises TimestampError."""
    nonce = int.from_bytes(secrets.token_bytes(_NONCE_BYTES), "big")
    answer = transport(request(signature, used, nonce))
    try:
        token = _token(answer)
        stamp = read_token(token, signature)
        info = _info(signed_data.unwrap(token))
    except IntegrityError as error:
        raise TimestampError(f"the time authority's answer is not usable: {error}") from error
    if info.nonce != nonce:
        raise TimestampError(
            "the time authority answered another request (its nonce is not ours); somebody may "
            "be replaying old answers"
        )
    if stamp.hash.weak:
        raise TimestampError("the time authority signs with SHA-1, which can be forged")
    return signed_data.attribute(authenticode.TIMESTAMP_TOKEN, token)


def request(signature: bytes, used: Hash, nonce: int) -> bytes:
    """The bytes of a request for a token over a signature."""
    return structures.encode(
        structures.TimeStampRequest(
            version=1,
            imprint=DigestInfo(algorithm=used.identifier, digest=used.digest(signature)),
            policy=None,
            nonce=nonce,
            certificates=True,
        )
    )


def read_token(token: bytes, signature: bytes) -> Stamp:
    """The stamp in a token over a signature; raises IntegrityError when anything is wrong."""
    data = signed_data.unwrap(token)
    info = _info(data)
    imprint = hash_of(info.imprint.algorithm)
    if info.imprint.digest != imprint.digest(signature):
        raise IntegrityError("the timestamp is one over another signature")
    known = signed_data.certificates(data)
    signer = signed_data.signer(data, known)
    _, octets = signed_data.content_octets(data)
    signer.check(_INFO, signer.hash.digest(octets))
    weaker = imprint if imprint.weak else signer.hash
    with signed_data.foreign("a timestamp without a time"):
        time = info.time.as_datetime()
    return Stamp(time, weaker, signer.certificate, _others(known, signer.certificate), "rfc3161")


def read_countersignature(
    value: bytes, signature: bytes, known: tuple[x509.Certificate, ...]
) -> Stamp:
    """The stamp in a PKCS #9 countersignature, which Windows wrote before RFC 3161."""
    signer = signed_data.signer_of(structures.decode(structures.SignerInfo, value), known)
    signer.check(signed_data.DATA, signer.hash.digest(signature))
    encoded = signer.signed.get(_SIGNING_TIME)
    if encoded is None:
        raise MalformedError("the countersignature names no time")
    with signed_data.foreign("a countersignature without a time"):
        time = structures.utc_time(encoded)
    return Stamp(time, signer.hash, signer.certificate, _others(known, signer.certificate), "pkcs9")


def _token(answer: bytes) -> bytes:
    response = structures.decode(structures.TimeStampResponse, answer)
    status = response.status
    if status.status not in _GRANTED:
        reason = "; ".join(status.text or ["no reason given"])
        raise TimestampError(
            f"the time authority refused with status {status.status}: {show(reason)}"
        )
    if response.token is None:
        raise MalformedError("the answer holds no token")
    return structures.encode(response.token)


def _info(data: structures.SignedData) -> TimeStampInfo:
    if data.content.type != _INFO:
        raise MalformedError("this is a signature, but no timestamp")
    element, _ = signed_data.content_octets(data)
    info = structures.decode(TimeStampInfo, structures.parse(element, bytes))
    if info.version != 1:
        raise MalformedError(f"version {info.version} of a timestamp; version 1 is understood")
    return info


def _others(
    known: tuple[x509.Certificate, ...], own: x509.Certificate
) -> tuple[x509.Certificate, ...]:
    return tuple(each for each in known if each != own)
