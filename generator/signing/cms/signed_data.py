"""CMS SignedData with one signer: written the same way each time, read strictly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ObjectIdentifier

from generator.signing.cms import structures
from generator.signing.cms.algorithms import Hash, check_signature, hash_of, signature_identifier
from generator.signing.cms.structures import Attribute, SignedData, SignerInfo
from generator.signing.errors import MalformedError, SignatureError

SIGNED_DATA = ObjectIdentifier("1.2.840.113549.1.7.2")
DATA = ObjectIdentifier("1.2.840.113549.1.7.1")
CONTENT_TYPE = ObjectIdentifier("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = ObjectIdentifier("1.2.840.113549.1.9.4")
_DER = Encoding.DER
_SEQUENCE = b"\x30"


def attribute(kind: ObjectIdentifier, value: bytes) -> Attribute:
    """An attribute with one value, given as DER."""
    return Attribute(type=kind, values=asn1.SetOf([structures.any_value(value)]))


class Envelope:
    """All of a SignedData that does not depend on what is signed, encoded once.

    `fixed` are signed attributes beside content type and message digest. No signing time: the
    same bytes and key give the same signature.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        others: tuple[x509.Certificate, ...],
        *,
        kind: str,
        used: Hash,
        content_type: ObjectIdentifier,
        fixed: tuple[Attribute, ...] = (),
    ) -> None:
        self.hash = used
        self._content_type = content_type
        self._fixed = [attribute(CONTENT_TYPE, structures.encode(content_type)), *fixed]
        self._certificates = [
            structures.any_value(data)
            for data in sorted(encoded(each) for each in (certificate, *others))
        ]
        self._sid = structures.IssuerAndSerialNumber(
            issuer=structures.any_value(issuer_of(certificate)),
            serial_number=serial_of(certificate),
        )
        self._signature_algorithm = signature_identifier(kind, used)

    def signed_attributes(self, digest: bytes) -> asn1.SetOf[Attribute]:
        """The attributes that are signed, for content octets of this hash.

        Encoded they are what the key signs: a DER SET.
        """
        return asn1.SetOf([*self._fixed, attribute(MESSAGE_DIGEST, structures.encode(digest))])

    def signed_data(
        self,
        attributes: asn1.SetOf[Attribute],
        signature: bytes,
        content: bytes | None,
        unsigned: tuple[Attribute, ...] = (),
    ) -> bytes:
        """The finished ContentInfo; without `content` it is a detached signature."""
        signer = SignerInfo(
            version=1,
            sid=self._sid,
            digest_algorithm=self.hash.identifier,
            signed_attributes=attributes,
            signature_algorithm=self._signature_algorithm,
            signature=signature,
            unsigned_attributes=list(unsigned) or None,
        )
        return wrap(
            SignedData(
                version=1,
                digest_algorithms=asn1.SetOf([self.hash.identifier]),
                content=structures.EncapsulatedContent(
                    type=self._content_type,
                    content=None if content is None else [structures.any_value(content)],
                ),
                certificates=self._certificates,
                crls=None,
                signers=asn1.SetOf([signer]),
            )
        )


@dataclass(frozen=True, slots=True)
class Signer:
    """The one signer of a SignedData, with the values of its attributes as DER."""

    info: SignerInfo
    hash: Hash
    signed: Mapping[ObjectIdentifier, bytes]
    unsigned: Mapping[ObjectIdentifier, bytes]
    certificate: x509.Certificate

    def check(self, content_type: ObjectIdentifier, digest: bytes) -> None:
        """Raises SignatureError unless this signer signed content of this type and hash."""
        if self.signed.get(CONTENT_TYPE) != _type_bytes(content_type):
            raise SignatureError("the signed attributes name another type of content")
        if self.signed.get(MESSAGE_DIGEST) != structures.encode(digest):
            raise SignatureError("the signed attributes hold the hash of other content")
        attributes = self.info.signed_attributes
        assert attributes is not None  # noqa: S101 - a signer without them is not read
        check_signature(
            public_key(self.certificate),
            self.info.signature_algorithm,
            self.hash,
            self.info.signature,
            structures.encode(attributes),
        )


def wrap(data: SignedData) -> bytes:
    """A SignedData in its ContentInfo."""
    return structures.encode(
        structures.ContentInfo(
            type=SIGNED_DATA, content=structures.any_value(structures.encode(data))
        )
    )


def unwrap(data: bytes) -> SignedData:
    """The SignedData in a ContentInfo; raises MalformedError."""
    outer = structures.decode(structures.ContentInfo, data)
    if outer.type != SIGNED_DATA:
        raise MalformedError("this is CMS, but no signature")
    return structures.parse(outer.content, SignedData)


def certificates(data: SignedData) -> tuple[x509.Certificate, ...]:
    """The certificates that came along; attribute certificates are left out."""
    return tuple(
        load_certificate(structures.encode(element))
        for element in data.certificates or ()
        if element.tag_bytes == _SEQUENCE
    )


def signer(data: SignedData, known: tuple[x509.Certificate, ...]) -> Signer:
    """The one signer; raises MalformedError for none, several, or one without certificate."""
    infos = data.signers.as_list()
    if len(infos) != 1:
        raise MalformedError(f"{len(infos)} signers; exactly one is understood")
    info = infos[0]
    named = [hash_of(identifier).name for identifier in data.digest_algorithms.as_list()]
    if hash_of(info.digest_algorithm).name not in named:
        raise MalformedError("the signer's hash algorithm is not among those of the signature")
    return signer_of(info, known)


def signer_of(info: SignerInfo, known: tuple[x509.Certificate, ...]) -> Signer:
    """A SignerInfo with its certificate and its attributes by type."""
    if info.version != 1:
        raise MalformedError(f"version {info.version} of SignerInfo; version 1 is understood")
    if info.signed_attributes is None:
        raise MalformedError("the signature has no signed attributes")
    issuer = structures.encode(info.sid.issuer)
    for certificate in known:
        if certificate.serial_number == info.sid.serial_number and issuer_of(certificate) == issuer:
            break
    else:
        raise MalformedError("the signer's certificate is not in the signature")
    return Signer(
        info,
        hash_of(info.digest_algorithm),
        _by_type(info.signed_attributes.as_list()),
        _by_type(info.unsigned_attributes or []),
        certificate,
    )


def content_octets(data: SignedData) -> tuple[asn1.TLV, bytes]:
    """The content, and its octets without tag and length, which is what CMS hashes."""
    elements = data.content.content
    if elements is None or len(elements) != 1:
        raise MalformedError("the signature holds no content")
    return elements[0], bytes(elements[0].data)


@lru_cache(maxsize=16)
def _type_bytes(content_type: ObjectIdentifier) -> bytes:
    return structures.encode(content_type)


@lru_cache(maxsize=256)
def load_certificate(data: bytes) -> x509.Certificate:
    """A certificate from DER; raises MalformedError."""
    with foreign("no certificate that can be read"):
        certificate = x509.load_der_x509_certificate(data)
    serial_of(certificate)
    return certificate


def serial_of(certificate: x509.Certificate) -> int:
    """The serial number; raises MalformedError for one that RFC 5280 does not allow."""
    with foreign("a certificate whose serial number cannot be read"):
        number = certificate.serial_number
    if number <= 0:
        raise MalformedError("a certificate whose serial number is not positive (RFC 5280)")
    return number


@lru_cache(maxsize=256)
def encoded(certificate: x509.Certificate) -> bytes:
    """The DER of a certificate."""
    return certificate.public_bytes(_DER)


@lru_cache(maxsize=256)
def issuer_of(certificate: x509.Certificate) -> bytes:
    """The DER of the issuer's name."""
    with foreign("a certificate whose issuer cannot be read"):
        return certificate.issuer.public_bytes()


@lru_cache(maxsize=256)
def subject_of(certificate: x509.Certificate) -> bytes:
    """The DER of the subject's name."""
    with foreign("a certificate whose subject cannot be read"):
        return certificate.subject.public_bytes()


@lru_cache(maxsize=256)
def subject_name(certificate: x509.Certificate) -> str:
    """The subject as people write it; raises MalformedError."""
    with foreign("a certificate whose subject cannot be read"):
        return certificate.subject.rfc4514_string()


@lru_cache(maxsize=256)
def public_key(certificate: x509.Certificate) -> object:
    """The public key of a certificate; raises MalformedError."""
    with foreign("a certificate whose key cannot be read"):
        return certificate.public_key()


@contextmanager
def tolerant() -> Iterator[None]:
    """Odd certificates make cryptography warn; that helps nobody who verifies a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def foreign(what: str) -> Iterator[None]:
    """Turns what a parser may raise into MalformedError: hostile input gets one kind of answer."""
    try:
        with tolerant():
            yield
    except (
        ValueError,
        TypeError,
        OverflowError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise MalformedError(f"{what}: {error}") from error


def _by_type(attributes: list[Attribute]) -> dict[ObjectIdentifier, bytes]:
    found: dict[ObjectIdentifier, bytes] = {}
    for each in attributes:
        values = each.values.as_list()
        if each.type in found or len(values) != 1:
            raise MalformedError(
                f"the attribute {each.type.dotted_string} does not have exactly one value"
            )
        found[each.type] = structures.encode(values[0])
    return found
