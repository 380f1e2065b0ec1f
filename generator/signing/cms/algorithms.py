"""Hash and signature algorithms by name, object identifier and cryptography's own object."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509 import ObjectIdentifier

from generator.signing.cms.structures import AlgorithmIdentifier
from generator.signing.errors import MalformedError, SignatureError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
RSA_BITS = 2048
"""Shorter RSA keys are not accepted, as everywhere since 2014."""

_RSA = ObjectIdentifier("1.2.840.113549.1.1.1")
_EC = ObjectIdentifier("1.2.840.10045.2.1")


@dataclass(frozen=True, slots=True)
class Hash:
    """A hash algorithm; `weak` ones are accepted only on demand and never used to sign."""

    name: str
    identifier: AlgorithmIdentifier
    primitive: hashes.HashAlgorithm
    rsa: ObjectIdentifier
    ecdsa: ObjectIdentifier
    weak: bool = False

    def digest(self, data: bytes) -> bytes:
        """The hash of some bytes."""
        return hashlib.new(self.name, data, usedforsecurity=not self.weak).digest()


def _hash(
    oid: str, primitive: hashes.HashAlgorithm, rsa_oid: str, ecdsa_oid: str, *, weak: bool = False
) -> Hash:
    identifier = AlgorithmIdentifier(algorithm=ObjectIdentifier(oid), parameters=asn1.Null())
    return Hash(
        primitive.name,
        identifier,
        primitive,
        ObjectIdentifier(rsa_oid),
        ObjectIdentifier(ecdsa_oid),
        weak,
    )


SHA256 = _hash(
    "2.16.840.1.101.3.4.2.1", hashes.SHA256(), "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"
)
SHA384 = _hash(
    "2.16.840.1.101.3.4.2.2", hashes.SHA384(), "1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"
)
SHA512 = _hash(
    "2.16.840.1.101.3.4.2.3", hashes.SHA512(), "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"
)
SHA1 = _hash(
    "1.3.14.3.2.26", hashes.SHA1(), "1.2.840.113549.1.1.5", "1.2.840.10045.4.1",  # noqa: S303
    weak=True,
)  # fmt: skip

HASHES = {known.name: known for known in (SHA256, SHA384, SHA512)}
"""Those to sign with, the default first."""

_BY_OID = {known.identifier.algorithm: known for known in (*HASHES.values(), SHA1)}


def hash_of(identifier: AlgorithmIdentifier) -> Hash:
    """The hash of an identifier; raises MalformedError for one that is not known here."""
    known = _BY_OID.get(identifier.algorithm)
    if known is None or isinstance(identifier.parameters, ObjectIdentifier):
        raise MalformedError(
            f"the hash algorithm {identifier.algorithm.dotted_string} is not known"
        )
    return known


def signature_identifier(kind: str, used: Hash) -> AlgorithmIdentifier:
    """What a SignerInfo names, as Windows writes it: rsaEncryption, or ecdsa-with-..."""
    if kind == "rsa":
        return AlgorithmIdentifier(algorithm=_RSA, parameters=asn1.Null())
    return AlgorithmIdentifier(algorithm=used.ecdsa, parameters=None)


def check_signature(
    key: object, identifier: AlgorithmIdentifier, used: Hash, signature: bytes, data: bytes
) -> None:
    """Raises SignatureError unless `signature` over `data` was made with the key."""
    check_digest(key, identifier, used, signature, used.digest(data))


def check_digest(
    key: object, identifier: AlgorithmIdentifier, used: Hash, signature: bytes, digest: bytes
) -> None:
    """The same for the hash of the data."""
    hashed = Prehashed(used.primitive)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            _expect(identifier, _RSA, used.rsa)
            key.verify(signature, digest, padding.PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            # signtool names id-ecPublicKey where the standard wants ecdsa-with-...
            _expect(identifier, _EC, used.ecdsa)
            key.verify(signature, digest, ec.ECDSA(hashed))
        else:
            raise SignatureError("the certificate has a key of a kind that signs no scripts")
    except InvalidSignature as error:
        raise SignatureError(
            "the signature does not belong to these bytes and this certificate"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"the signature cannot be checked: {error}") from error


def _expect(identifier: AlgorithmIdentifier, *allowed: ObjectIdentifier) -> None:
    if identifier.algorithm not in allowed:
        raise SignatureError(
            f"the signature names the algorithm {identifier.algorithm.dotted_string}, which does "
            "not fit key and hash"
        )
