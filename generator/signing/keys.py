"""Keys and certificates from PEM and PFX files."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from generator.signing import cms
from generator.signing.algorithms import Hash
from generator.signing.chain import Certificates, load_certificates
from generator.signing.errors import KeyFileError
from generator.signing.signer import Identity, Key

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class LocalKey:
    """A private key in the memory of this process."""

    parallel = True

    def __init__(self, private: PrivateKey) -> None:
        self._private = private
        self.kind = family(private)

    def sign(self, data: bytes, used: Hash) -> bytes:
        """The same bytes for the same data each time, for RSA and for ECDSA (RFC 6979)."""
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(data, padding.PKCS1v15(), used.primitive)
        return self._private.sign(data, ec.ECDSA(used.primitive, deterministic_signing=True))

    def close(self) -> None:
        """Nothing to let go of."""

    def public_bytes(self) -> bytes:
        """The public half as DER, to compare it with a certificate's."""
        return _public_bytes(self._private.public_key())


def load(
    data: bytes, display: str, passphrase: bytes | None, certificates: Certificates = ()
) -> Identity:
    """An identity from the bytes of a key file, PFX or PEM; raises KeyFileError.

    A PFX brings its certificates along; to a PEM key they may stand in the same file, or come as
    `certificates`. The signer's is the one that holds the key's public half. `display` names the
    file in messages.
    """
    if b"-----BEGIN" in data:
        private = _pem_key(data, display, passphrase)
        own = load_certificates(data, display) if b"BEGIN CERTIFICATE" in data else ()
        return identity(LocalKey(_accepted(private, display)), (*certificates, *own), display)
    try:
        private, certificate, others = pkcs12.load_key_and_certificates(data, passphrase)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{display}: this is no PFX file, or the passphrase is not the right one"
        ) from error
    if private is None or certificate is None:
        raise KeyFileError(f"{display}: this PFX holds no key with its certificate")
    found = (certificate, *others, *certificates)
    return identity(LocalKey(_accepted(private, display)), found, display)


def identity(key: LocalKey, certificates: Certificates, display: str) -> Identity:
    """Key, its certificate among those given, and the others; raises KeyFileError."""
    return identity_for(key, key.public_bytes(), certificates, display)


def identity_for(key: Key, public: bytes, certificates: Certificates, display: str) -> Identity:
    """The same for a key of which the public half is known as DER (SubjectPublicKeyInfo)."""
    for certificate in certificates:
        if public_bytes(certificate) == public:
            others = dict.fromkeys(each for each in certificates if each != certificate)
            return Identity(key, certificate, tuple(others))
    if certificates:
        raise KeyFileError(
            f"{display}: key and certificate do not belong together. Give the certificate that "
            "was issued for this key"
        )
    raise KeyFileError(f"{display}: there is no certificate with this key; give it with --cert")


def needs_passphrase(data: bytes) -> bool:
    """Whether a key file says, without being opened, that it is encrypted."""
    if b"-----BEGIN" in data:
        return b"ENCRYPTED" in data
    try:
        pkcs12.load_key_and_certificates(data, None)
    except (ValueError, UnsupportedAlgorithm):
        return True
    return False


def family(key: object) -> str:
    """`rsa` or `ec`, for a private or a public key; empty for any other."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return "rsa"
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return "ec"
    return ""


def public_bytes(certificate: x509.Certificate) -> bytes:
    """The public key of a certificate as DER; raises MalformedError."""
    with cms.foreign("a certificate whose key cannot be read"):
        return _public_bytes(certificate.public_key())


def _public_bytes(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _pem_key(data: bytes, display: str, passphrase: bytes | None) -> object:
    try:
        return serialization.load_pem_private_key(data, passphrase)
    except TypeError as error:
        hint = "is not encrypted; give no passphrase" if passphrase else "needs a passphrase"
        raise KeyFileError(f"{display}: the key {hint}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{display}: no private key in PEM form, or the passphrase is not the right one"
        ) from error


def _accepted(private: object, display: str) -> PrivateKey:
    if isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return private
    raise KeyFileError(
        f"{display}: a key of this kind ({type(private).__name__.removesuffix('PrivateKey')}) "
        "signs no scripts that Windows accepts; use RSA with 3072 bits"
    )
