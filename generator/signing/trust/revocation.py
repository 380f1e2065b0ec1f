"""Revocation lists from files: whether one covers a certificate, and what it says."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise

from cryptography import x509

from generator.signing.cms import signed_data
from generator.signing.codes import Code
from generator.signing.errors import KeyFileError, MalformedError, RefusedError
from generator.signing.trust.chain import Certificates

_PEM = re.compile(rb"-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----")

Lists = tuple[x509.CertificateRevocationList, ...]

_KNOWN_CRITICAL = (x509.IssuingDistributionPoint,)
# The key itself was stolen: no date tells which signatures are good.
_ANY_TIME = (x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise)


def load_lists(data: bytes, display: str) -> Lists:
    """The revocation lists of a file, PEM (any number) or DER (one); raises KeyFileError."""
    try:
        with signed_data.foreign("nothing that can be read"):
            if b"-----BEGIN" not in data:
                return (x509.load_der_x509_crl(data),)
            # cryptography reads the first one of a file, and what it does not read revokes nothing.
            blocks = _PEM.findall(data)
            if len(blocks) != data.count(b"-----BEGIN"):
                raise MalformedError("it holds something that is no revocation list in PEM form")
            return tuple(x509.load_pem_x509_crl(block) for block in blocks)
    except MalformedError as error:
        raise KeyFileError(f"{display}: this is no revocation list ({error})") from error


def check(chain: Certificates, lists: Lists, signed: datetime, now: datetime) -> None:
    """Raises RefusedError when a certificate of the chain was revoked before `signed`.

    The signer's issuer must have a list that is fresh at `now`: who hands in lists wants them
    used. For the issuers above it a list is used when there is one.
    """
    for certificate, issuer in pairwise(chain):
        covering = [each for each in lists if _covers(each, issuer)]
        fresh = [each for each in covering if _fresh(each, now)]
        if certificate == chain[0] and not fresh:
            problem = "has run out or is not valid yet" if covering else "is missing"
            raise RefusedError(
                Code.UNTRUSTED,
                f"a revocation list of {signed_data.subject_name(issuer)} {problem}",
            )
        for each in covering:
            _refuse_revoked(certificate, each, signed)


def _covers(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    with signed_data.foreign("a revocation list that cannot be read"):
        if crl.issuer != issuer.subject or not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
            return False
        for extension in crl.extensions:
            if extension.critical and not isinstance(extension.value, _KNOWN_CRITICAL):
                return False
            if isinstance(extension.value, x509.IssuingDistributionPoint):
                point = extension.value
                if (
                    point.indirect_crl
                    or point.only_contains_ca_certs
                    or point.only_contains_attribute_certs
                    or point.only_some_reasons
                ):
                    return False
    return True


def _fresh(crl: x509.CertificateRevocationList, now: datetime) -> bool:
    with signed_data.foreign("a revocation list whose times cannot be read"):
        end = crl.next_update_utc
        return crl.last_update_utc <= now and (end is None or now <= end)


def _refuse_revoked(
    certificate: x509.Certificate, crl: x509.CertificateRevocationList, signed: datetime
) -> None:
    with signed_data.foreign("a revocation list that cannot be read"):
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is None:
            return
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except x509.ExtensionNotFound:
            reason = x509.ReasonFlags.unspecified
    if reason is x509.ReasonFlags.remove_from_crl:
        return
    if reason in _ANY_TIME or entry.revocation_date_utc <= signed:
        raise RefusedError(
            Code.REVOKED,
            f"{signed_data.subject_name(certificate)} was revoked on "
            f"{entry.revocation_date_utc:%Y-%m-%d} ({reason.value})",
        )
