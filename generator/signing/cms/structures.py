"""The ASN.1 structures of a signature: CMS (RFC 5652), Authenticode's SPC types, RFC 3161.

Declared for cryptography's `hazmat.asn1`, which reads strict DER only and writes the same bytes
again. Three habits need a word:

- A field that is `[n] EXPLICIT ANY OPTIONAL`, or a SET whose order no reader enforces, is declared
  as `[n] IMPLICIT SEQUENCE OF ANY`: the bytes are the same, and any order is read.
- Signed attributes are a real SET OF, so that an order other than DER's is refused.
- Algorithm identifiers carry NULL, a curve or nothing; RSA-PSS and the rest are refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from generator.signing.errors import MalformedError

T = TypeVar("T")


@asn1.sequence
class AlgorithmIdentifier:
    """RFC 5280, 4.1.1.2."""

    algorithm: ObjectIdentifier
    parameters: asn1.Null | ObjectIdentifier | None


@asn1.sequence
class DigestInfo:
    """RFC 8017, 9.2: a hash with its algorithm."""

    algorithm: AlgorithmIdentifier
    digest: bytes


@asn1.sequence
class Attribute:
    """RFC 5652, 5.3."""

    type: ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class IssuerAndSerialNumber:
    """RFC 5652, 10.2.4: which certificate signed."""

    issuer: asn1.TLV
    serial_number: int


@asn1.sequence
class SignerInfo:
    """RFC 5652, 5.3; version 1 with issuer and serial number only."""

    version: int
    sid: IssuerAndSerialNumber
    digest_algorithm: AlgorithmIdentifier
    signed_attributes: Annotated[asn1.SetOf[Attribute] | None, asn1.Implicit(0)]
    signature_algorithm: AlgorithmIdentifier
    signature: bytes
    unsigned_attributes: Annotated[list[Attribute] | None, asn1.Implicit(1)]


@asn1.sequence
class EncapsulatedContent:
    """RFC 5652, 5.2. `content` has one element, or is None in a detached signature."""

    type: ObjectIdentifier
    content: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]


@asn1.sequence
class SignedData:
    """RFC 5652, 5.1. Certificates may be attribute certificates, which nobody here needs."""

    version: int
    digest_algorithms: asn1.SetOf[AlgorithmIdentifier]
    content: EncapsulatedContent
    certificates: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    crls: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]
    signers: asn1.SetOf[SignerInfo]


@asn1.sequence
class ContentInfo:
    """RFC 5652, 3."""

    type: ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class SipInfo:
    """SPC_SIPINFO: which of Windows' subject interface packages reads the file."""

    version: int
    guid: bytes
    reserved_1: int
    reserved_2: int
    reserved_3: int
    reserved_4: int
    reserved_5: int


@asn1.sequence
class SipData:
    """SpcAttributeTypeAndOptionalValue with an SPC_SIPINFO."""

    type: ObjectIdentifier
    value: SipInfo


@asn1.sequence
class IndirectData:
    """SpcIndirectDataContent: the hash of a script."""

    data: SipData
    message_digest: DigestInfo


@asn1.sequence
class SpcString:
    """SpcString, a CHOICE: UTF-16BE text or ASCII text."""

    unicode: Annotated[bytes | None, asn1.Implicit(0)]
    ascii: Annotated[bytes | None, asn1.Implicit(1)]


@asn1.sequence
class SpcLink:
    """SpcLink, a CHOICE of which scripts use the address only."""

    url: Annotated[bytes | None, asn1.Implicit(0)]


@asn1.sequence
class OpusInfo:
    """SpcSpOpusInfo: name and address of a program; empty when there are none."""

    program_name: Annotated[SpcString | None, asn1.Implicit(0)]
    more_info: Annotated[SpcLink | None, asn1.Implicit(1)]


@asn1.sequence
class StatementType:
    """SpcStatementType."""

    purpose: ObjectIdentifier


@asn1.sequence
class TimeStampRequest:
    """RFC 3161, 2.4.1."""

    version: int
    imprint: DigestInfo
    policy: ObjectIdentifier | None
    nonce: int | None
    certificates: Annotated[bool, asn1.Default(value=False)]


@asn1.sequence
class StatusInfo:
    """RFC 3161, 2.4.2: 0 and 1 are granted, anything else is a refusal."""

    status: int
    text: list[str] | None
    failure: asn1.BitString | None


@asn1.sequence
class TimeStampResponse:
    """RFC 3161, 2.4.2."""

    status: StatusInfo
    token: ContentInfo | None


@asn1.sequence
class Accuracy:
    """RFC 3161, 2.4.2."""

    seconds: int | None
    millis: Annotated[int | None, asn1.Implicit(0)]
    micros: Annotated[int | None, asn1.Implicit(1)]


@asn1.sequence
class TimeStampInfo:
    """TSTInfo of RFC 3161, 2.4.2: what a time authority signs."""

    version: int
    policy: ObjectIdentifier
    imprint: DigestInfo
    serial_number: int
    time: asn1.GeneralizedTime
    accuracy: Accuracy | None
    ordering: Annotated[bool, asn1.Default(value=False)]
    nonce: int | None
    authority: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]


def encode(value: object) -> bytes:
    """The DER bytes of a structure, a number, an identifier or bytes (an OCTET STRING)."""
    return asn1.encode_der(value)


def decode(kind: type[T], data: bytes) -> T:
    """Reads one structure that fills `data`; raises MalformedError for anything else."""
    try:
        return asn1.decode_der(kind, data)
    except (ValueError, TypeError, OverflowError) as error:
        raise MalformedError(f"no valid {kind.__name__}: {error}") from error


def any_value(data: bytes) -> asn1.TLV:
    """Encoded bytes as an element of a structure that may hold anything."""
    return decode(asn1.TLV, data)


def parse(element: asn1.TLV, kind: type[T]) -> T:
    """The same as decode, for an element of a structure."""
    return decode(kind, encode(element))


def utc_time(data: bytes) -> datetime:
    """A UTCTime, as an aware time; raises MalformedError."""
    return decode(asn1.UTCTime, data).as_datetime()


def one(signer: SignerInfo) -> asn1.SetOf[SignerInfo]:
    """The set of a single signer."""
    return asn1.SetOf([signer])
