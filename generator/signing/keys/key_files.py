"""Keys and certificates from PEM and PFX files."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import Certificate

from generator.signing.cms import signed_data
from generator.signing.cms.algorithms import Hash
from generator.signing.errors import KeyFileError, MalformedError
from generator.signing.signer import Identity
from generator.signing.trust.chain import Certificates, load_certificates, thumbprint

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
    `certificates`. The signer's is the one that holds the key's public half; what is given beside
    the file must not contradict it. `display` names the file in messages.
    """
    if b"-----BEGIN" in data:
        private = _pem_key(data, display, passphrase)
        own = load_certificates(data, display) if b"BEGIN CERTIFICATE" in data else ()
    else:
        private, own = _pfx(data, display, passphrase)
    return _identity(LocalKey(_accepted(private, display)), own, certificates, display)


def _identity(key: LocalKey, own: Certificates, given: Certificates, display: str) -> Identity:
    """The key, its certificate among those of its file and those given, and the others."""
    inside, beside = (_of(key, certificates) for certificates in (own, given))
    fitting = tuple(dict.fromkeys((*beside, *inside)))
    if not fitting and not own and not given:
        raise KeyFileError(f"{display}: there is no certificate with this key; give it with --cert")
    if not fitting:
        raise KeyFileError(
            f"{display}: key and certificate do not belong together. Give the certificate that "
            "was issued for this key"
        )
    if len(beside) > 1 or (beside and inside and beside[0] not in inside):
        raise KeyFileError(
            f"{display}: several certificates for this key, of which one can be meant. Leave the "
            "others out:",
            *(f"  {_called(each)}" for each in fitting),
        )
    certificate = fitting[0]
    refuse_strays(certificate, given, own)
    others = dict.fromkeys(each for each in (*own, *given) if each != certificate)
    return Identity(key, certificate, tuple(others))


def _of(key: LocalKey, certificates: Certificates) -> Certificates:
    public = key.public_bytes()
    return tuple(dict.fromkeys(each for each in certificates if public_bytes(each) == public))


def refuse_strays(certificate: Certificate, given: Certificates, own: Certificates = ()) -> None:
    """Raises KeyFileError for a given certificate that is not the signer's nor above it.

    Somebody meant to sign with it, or named the wrong file. `own` are those that came with the
    key.
    """
    names = {signed_data.issuer_of(certificate)}
    pool = {*given, *own}
    while above := {each for each in pool if signed_data.subject_of(each) in names}:
        names |= {signed_data.issuer_of(each) for each in above}
        pool -= above
    strays = [each for each in given if each in pool and each != certificate]
    if strays:
        raise KeyFileError(
            f"--cert gives certificates that are neither {_called(certificate)} nor of a CA above "
            "it. Leave them out, or give the key that belongs to them:",
            *(f"  {_called(each)}" for each in strays),
        )


def needs_passphrase(data: bytes) -> bool:
    """Whether a key file says, without being opened, that it is encrypted."""
    if b"-----BEGIN" in data:
        return b"ENCRYPTED" in data
    try:
        with signed_data.foreign("no PFX file that opens like this"):
            pkcs12.load_key_and_certificates(data, None)
    except MalformedError:
        return True
    return False


def family(key: object) -> str:
    """`rsa` or `ec`, for a private or a public key; empty for any other."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return "rsa"
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return "ec"
    return ""


def public_bytes(certificate: Certificate) -> bytes:
    """The public key of a certificate as DER; raises MalformedError."""
    with signed_data.foreign("a certificate whose key cannot be read"):
        return _public_bytes(certificate.public_key())


def _public_bytes(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _pfx(data: bytes, display: str, passphrase: bytes | None) -> tuple[object, Certificates]:
    try:
        # cryptography takes text here, and panics at a NUL.
        usable = passphrase is None or "\0" not in passphrase.decode("utf-8")
    except UnicodeDecodeError:
        usable = False
    if not usable:
        raise KeyFileError(
            f"{display}: the passphrase of a PFX file is UTF-8 text without NUL; this one is not"
        )
    try:
        with signed_data.foreign("no PFX file that opens like this"):
            private, certificate, others = pkcs12.load_key_and_certificates(data, passphrase)
    except MalformedError as error:
        raise KeyFileError(
            f"{display}: this is no PFX file, or the passphrase is not the right one"
        ) from error
    if private is None or certificate is None:
        raise KeyFileError(f"{display}: this PFX holds no key with its certificate")
    return private, (certificate, *others)


def _called(certificate: Certificate) -> str:
    return f"{signed_data.subject_name(certificate)}  {thumbprint(certificate)}"


def _pem_key(data: bytes, display: str, passphrase: bytes | None) -> object:
    try:
        with signed_data.tolerant():
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
