"""From a certificate up to one that is trusted here, offline: no address in a certificate is used.

cryptography's path validation does the work (names, signatures, validity, depth); the purpose and
the CA flags are asked for here. It accepts neither SHA-1 signatures nor short RSA keys.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ObjectIdentifier, verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from generator.signing.cms import signed_data
from generator.signing.cms.algorithms import RSA_BITS, SHA1, SHA256
from generator.signing.codes import Code
from generator.signing.errors import KeyFileError, MalformedError, RefusedError

CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING
TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
Certificates = tuple[x509.Certificate, ...]


def load_certificates(data: bytes, display: str) -> Certificates:
    """The certificates of a file, PEM (any number) or DER (one); raises KeyFileError."""
    try:
        if b"-----BEGIN" not in data:
            return (signed_data.load_certificate(data),)
        with signed_data.foreign("no certificate that can be read"):
            # Among the roots that Microsoft ships are some with a serial number below zero.
            return tuple(x509.load_pem_x509_certificates(data))
    except MalformedError as error:
        raise KeyFileError(
            f"{display}: this holds no certificate in PEM or DER form ({error})"
        ) from error


def check_own(certificate: x509.Certificate, purpose: ObjectIdentifier, at: datetime) -> None:
    """What the certificate says of itself; raises RefusedError (wrong-eku, expired, ...)."""
    with signed_data.foreign("a certificate whose extensions cannot be read"):
        extensions = certificate.extensions
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        usages = _usages(extensions)
        key_usage = _key_usage(extensions)
    key = signed_data.public_key(certificate)
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS:
        raise RefusedError(
            Code.UNTRUSTED, f"an RSA key of {key.key_size} bits; {RSA_BITS} is the least"
        )
    if usages is None or purpose not in usages:
        raise RefusedError(
            Code.WRONG_EKU,
            f"the certificate is not meant for {_PURPOSES[purpose]} (extended key usage)",
        )
    if key_usage is not None and not key_usage.digital_signature:
        raise RefusedError(Code.WRONG_EKU, "the key of the certificate must not sign (key usage)")
    if at > end:
        raise RefusedError(Code.EXPIRED, f"the certificate ran out on {end:%Y-%m-%d %H:%M} UTC")
    if at < start:
        raise RefusedError(
            Code.NOT_YET_VALID, f"the certificate is valid from {start:%Y-%m-%d %H:%M} UTC on"
        )


@lru_cache(maxsize=256)
def build(
    certificate: x509.Certificate,
    others: Certificates,
    anchors: Certificates,
    purpose: ObjectIdentifier,
    at: datetime,
) -> Certificates:
    """The path from the certificate to an anchor, both included; raises RefusedError."""
    if certificate in anchors:
        return (certificate,)
    if not anchors:
        raise RefusedError(Code.UNTRUSTED, "no certificate that is trusted here was given")
    builder = (
        verification.PolicyBuilder()
        .store(verification.Store(list(anchors)))
        .time(at)
        .extension_policies(ca_policy=_ca_policy(purpose), ee_policy=_leaf_policy(purpose))
    )
    try:
        with signed_data.foreign("the chain cannot be read"):
            return tuple(builder.build_client_verifier().verify(certificate, list(others)).chain)
    except verification.VerificationError as error:
        raise RefusedError(
            Code.UNTRUSTED, f"no path from the signer to a trusted certificate: {error}"
        ) from error
    except MalformedError as error:
        raise RefusedError(Code.UNTRUSTED, str(error)) from error


def thumbprint(certificate: x509.Certificate) -> str:
    """The SHA-1 thumbprint as Windows shows it: 40 hexadecimal digits, upper case."""
    # A name, not a proof: this is how Windows and its administrators call a certificate.
    return certificate.fingerprint(_SHA1).hex().upper()


def thumbprint_sha256(certificate: x509.Certificate) -> str:
    """The SHA-256 of the certificate, 64 hexadecimal digits, upper case."""
    return certificate.fingerprint(SHA256.primitive).hex().upper()


_SHA1 = SHA1.primitive
_PURPOSES = {CODE_SIGNING: "signing code", TIME_STAMPING: "timestamps"}


def _usages(extensions: x509.Extensions) -> tuple[ObjectIdentifier, ...] | None:
    try:
        return tuple(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None


def _key_usage(extensions: x509.Extensions) -> x509.KeyUsage | None:
    try:
        return extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _leaf_policy(purpose: ObjectIdentifier) -> verification.ExtensionPolicy:
    def usage(
        _policy: verification.Policy, _certificate: x509.Certificate, value: x509.ExtendedKeyUsage
    ) -> None:
        if purpose not in value:
            raise ValueError("wrong extended key usage")

    agnostic = verification.Criticality.AGNOSTIC
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.ExtendedKeyUsage, agnostic, usage)
        .may_be_present(x509.CertificatePolicies, agnostic, None)
    )


def _ca_policy(purpose: ObjectIdentifier) -> verification.ExtensionPolicy:
    def constraints(
        _policy: verification.Policy, _certificate: x509.Certificate, value: x509.BasicConstraints
    ) -> None:
        if not value.ca:
            raise ValueError("an issuer that is no CA")

    def key_usage(
        _policy: verification.Policy, _certificate: x509.Certificate, value: x509.KeyUsage | None
    ) -> None:
        if value is not None and not value.key_cert_sign:
            raise ValueError("an issuer that must not sign certificates")

    def usage(
        _policy: verification.Policy,
        _certificate: x509.Certificate,
        value: x509.ExtendedKeyUsage | None,
    ) -> None:
        if value is not None and not {purpose, _ANY} & set(value):
            raise ValueError("an issuer for other purposes")

    agnostic = verification.Criticality.AGNOSTIC
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, agnostic, constraints)
        .may_be_present(x509.KeyUsage, agnostic, key_usage)
        .may_be_present(x509.ExtendedKeyUsage, agnostic, usage)
        # Critical in Microsoft's CAs. They restrict nothing unless a verifier asks for a policy.
        .may_be_present(x509.CertificatePolicies, agnostic, None)
    )


_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
