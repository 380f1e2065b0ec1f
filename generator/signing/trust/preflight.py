"""What is wrong with a certificate before anything is signed with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from generator.signing.cms import signed_data
from generator.signing.errors import PolicyError, RefusedError
from generator.signing.trust import chain

SOON = timedelta(days=30)
"""Without a timestamp, a certificate with less time left than this is worth a warning."""

_RECOMMENDED_BITS = 3072


def check(
    certificate: x509.Certificate,
    at: datetime,
    *,
    windows: Sequence[datetime] = (),
    stamped: bool = False,
    allow_ecdsa: bool = False,
) -> list[str]:
    """Warnings, in order of weight; raises PolicyError for a certificate not to sign with.

    `windows` are the ends of the change windows in which the files are to run, `stamped` says
    whether the signatures get timestamps, which keep them valid after the certificate's end.
    """
    try:
        chain.check_own(certificate, chain.CODE_SIGNING, at)
    except RefusedError as error:
        raise PolicyError(
            f"{signed_data.subject_name(certificate)}: {error}. Sign with another certificate"
        ) from error
    warnings = [*_time(certificate, at, windows, stamped=stamped)]
    key = signed_data.public_key(certificate)
    if not isinstance(key, rsa.RSAPublicKey):
        name = signed_data.subject_name(certificate)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise PolicyError(
                f"{name}: a key of a kind that signs no scripts. Use RSA with 3072 bits"
            )
        if not allow_ecdsa:
            raise PolicyError(
                f"{name}: an ECDSA key. Windows' own Set-AuthenticodeSignature refuses such "
                "certificates, and not every Windows accepts their signatures. Use RSA with 3072 "
                "bits; or say --allow-ecdsa after a test on your servers"
            )
        warnings.append("an ECDSA signature is not accepted by every Windows; try it first")
    elif key.key_size < _RECOMMENDED_BITS:
        warnings.append(
            f"the RSA key has {key.key_size} bits; {_RECOMMENDED_BITS} are asked for today"
        )
    with signed_data.foreign("a certificate whose own signature cannot be read"):
        used = certificate.signature_hash_algorithm
    if used is not None and used.name in ("md5", "sha1"):
        warnings.append(
            f"the certificate itself is signed with {used.name.upper()}, which many verifiers "
            "refuse"
        )
    return warnings


def _time(
    certificate: x509.Certificate, at: datetime, windows: Sequence[datetime], *, stamped: bool
) -> list[str]:
    end = certificate.not_valid_after_utc
    if stamped:
        return []
    late = [window for window in windows if window > end]
    if late:
        return [
            f"the certificate runs out on {end:%Y-%m-%d}, before the change window ends "
            f"({max(late):%Y-%m-%d}): then Windows refuses the files. Sign with --timestamp, add "
            "one later, or use a certificate that lasts"
        ]
    if end - at < SOON:
        return [
            f"the certificate runs out on {end:%Y-%m-%d} and there is no timestamp: after that "
            "day Windows refuses the files"
        ]
    return []
