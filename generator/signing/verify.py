"""Judges a signed file: integrity, signer, trust and time apart from each other, and one code.

Nothing is good that was not shown to be good: without somebody to trust the answer is `untrusted`,
and every problem that a parser meets makes the file a bad one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509

from generator.files.signature_block import Style
from generator.signing import script as scripts
from generator.signing.cms import authenticode, signed_data
from generator.signing.cms.algorithms import Hash
from generator.signing.codes import Code
from generator.signing.errors import IntegrityError, MalformedError, RefusedError, SignatureError
from generator.signing.script import Script
from generator.signing.trust import chain, revocation, timestamp
from generator.signing.trust.chain import Certificates
from generator.signing.trust.timestamp import Stamp

_CLOCKS = timedelta(minutes=10)
"""By how much the clock here may be behind that of a time authority."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom and what the person who verifies trusts.

    `anchors` are certificates of CAs, or of signers themselves; `signers` are thumbprints, SHA-1
    or SHA-256 in hexadecimal: when given, the signer must be one of them, and without anchors
    that is enough. `stamp_anchors` are trusted for timestamps only. `now` is the time of
    judgement of a file without a trusted timestamp, an aware time.
    """

    now: datetime
    anchors: Certificates = ()
    signers: frozenset[str] = frozenset()
    stamp_anchors: Certificates = ()
    revoked: revocation.Lists = ()
    allow_sha1: bool = False


@dataclass(frozen=True, slots=True)
class SignerFacts:
    """Who signed, as the certificate names them."""

    subject: str
    issuer: str
    serial_number: str
    thumbprint: str
    thumbprint_sha256: str
    not_before: datetime
    not_after: datetime


@dataclass(slots=True)
class Verification:
    """The answer, and the facts behind it, which stay when the code is a bad one.

    `integrity`: the text is the signed one, and the signature that of its certificate. `trusted`:
    by whom the signer is vouched for, empty when nobody. `judged_at` is the time at which
    certificates were judged, `stamp` the timestamp when its signature holds, `stamp_trusted`
    whether an anchor vouches for it.
    """

    code: Code
    reason: str = ""
    integrity: bool = False
    hash: str = ""
    digest: str = ""
    signer: SignerFacts | None = None
    trusted: str = ""
    judged_at: datetime | None = None
    stamp: Stamp | None = None
    stamp_trusted: bool = False
    nested: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything was shown to be good."""
        return self.code is Code.OK


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that was shown to belong to its content and to its certificate."""

    signature: bytes
    signer: signed_data.Signer
    certificates: Certificates
    hash: Hash

    @property
    def others(self) -> Certificates:
        """The certificates beside the signer's."""
        return tuple(each for each in self.certificates if each != self.signer.certificate)


@dataclass(frozen=True, slots=True)
class Opened(Signed):
    """A signed script, with its text; `digest` is the hash that was signed."""

    script: Script
    digest: bytes


def verify(data: bytes, trust: Trust, style: Style = Style.HASH) -> Verification:
    """Judges the bytes of a file. Never raises for anything that stands in them."""
    return _answered(lambda answer: _open(scripts.read(data, style), answer), trust)


def verify_detached(signature: bytes, content: bytes, trust: Trust) -> Verification:
    """Judges a detached CMS signature over some bytes, in the same way."""
    return _answered(lambda answer: _open_detached(signature, content, answer), trust)


def _answered(open_it: Callable[[Verification], Signed], trust: Trust) -> Verification:
    answer = Verification(Code.MALFORMED_BLOCK)
    try:
        _judge(open_it(answer), trust, answer)
    except RefusedError as error:
        answer.code, answer.reason = error.code, str(error)
    except IntegrityError as error:
        answer.code, answer.reason = Code.MALFORMED_BLOCK, str(error)
    return answer


def open_signed(data: bytes, style: Style = Style.HASH) -> Opened:
    """A signed file whose signature holds, whoever made it; raises IntegrityError otherwise."""
    try:
        return _open(scripts.read(data, style), Verification(Code.MALFORMED_BLOCK))
    except RefusedError as error:
        raise IntegrityError(f"{error.code}: {error}") from error


def holds(data: bytes) -> bool:
    """Whether a script carries a signature over its text, whoever made it."""
    try:
        open_signed(data)
    except IntegrityError:
        return False
    return True


def _open(script: Script, answer: Verification) -> Opened:
    if script.signature is None:
        raise RefusedError(Code.NOT_SIGNED, "")
    data = signed_data.unwrap(script.signature)
    content = authenticode.read_file_hash(data)
    certificates = signed_data.certificates(data)
    signer = signed_data.signer(data, certificates)
    answer.hash, answer.digest = content.hash.name, content.digest.hex()
    answer.signer = facts(signer.certificate)
    answer.nested = authenticode.NESTED_SIGNATURE in signer.unsigned
    if content.hash is not signer.hash:
        raise MalformedError("the signature mixes two hash algorithms")
    if content.digest != content.hash.digest(script.hashed):
        raise RefusedError(Code.HASH_MISMATCH, "")
    try:
        signer.check(authenticode.INDIRECT_DATA, signer.hash.digest(content.octets))
    except SignatureError as error:
        raise RefusedError(Code.BAD_SIGNATURE, str(error)) from error
    answer.integrity = True
    return Opened(script.signature, signer, certificates, content.hash, script, content.digest)


def _open_detached(signature: bytes, content: bytes, answer: Verification) -> Signed:
    data = signed_data.unwrap(signature)
    if data.content.type != signed_data.DATA or data.content.content is not None:
        raise MalformedError("this is no detached signature over data")
    certificates = signed_data.certificates(data)
    signer = signed_data.signer(data, certificates)
    answer.hash, answer.digest = signer.hash.name, signer.hash.digest(content).hex()
    answer.signer = facts(signer.certificate)
    try:
        signer.check(signed_data.DATA, signer.hash.digest(content))
    except SignatureError as error:
        raise RefusedError(Code.BAD_SIGNATURE, str(error)) from error
    answer.integrity = True
    return Signed(signature, signer, certificates, signer.hash)


def _judge(opened: Signed, trust: Trust, answer: Verification) -> None:
    answer.judged_at = trust.now
    if answer.nested:
        answer.notes.append("there is a second, nested signature, which was not judged")
    if opened.hash.weak and not trust.allow_sha1:
        raise RefusedError(Code.WEAK_HASH, "the signature uses SHA-1")
    _judge_stamp(opened, trust, answer)
    certificate = opened.signer.certificate
    chain.check_own(certificate, chain.CODE_SIGNING, answer.judged_at)
    pinned = _pinned(answer.signer, trust.signers)
    if trust.signers and not pinned:
        raise RefusedError(Code.UNTRUSTED, "the signer is not one of those asked for")
    if trust.anchors or not pinned:
        path = chain.build(
            certificate, opened.others, trust.anchors, chain.CODE_SIGNING, answer.judged_at
        )
        if trust.revoked:
            revocation.check(path, trust.revoked, answer.judged_at, trust.now)
        answer.trusted = signed_data.subject_name(path[-1])
    elif trust.revoked:
        raise RefusedError(
            Code.UNTRUSTED, "revocation lists can be used together with trusted CAs only"
        )
    else:
        answer.trusted = "the signer asked for"
    answer.code = Code.OK


def _judge_stamp(opened: Signed, trust: Trust, answer: Verification) -> None:
    try:
        stamp = read_stamp(opened)
    except IntegrityError as error:
        raise RefusedError(Code.TIMESTAMP, str(error)) from error
    if stamp is None:
        return
    answer.stamp = stamp
    try:
        chain.check_own(stamp.authority, chain.TIME_STAMPING, stamp.time)
        if not trust.stamp_anchors:
            answer.notes.append(
                "the timestamp was not used: no time authority that is trusted here was given"
            )
            return
        if stamp.hash.weak and not trust.allow_sha1:
            raise RefusedError(Code.TIMESTAMP, "the timestamp uses SHA-1")
        chain.build(
            stamp.authority, stamp.others, trust.stamp_anchors, chain.TIME_STAMPING, stamp.time
        )
    except (RefusedError, MalformedError) as error:
        raise RefusedError(Code.TIMESTAMP, f"of the timestamp: {error}") from error
    if stamp.time > trust.now + _CLOCKS:
        raise RefusedError(Code.TIMESTAMP, "the timestamp lies in the future")
    answer.stamp_trusted = True
    answer.judged_at = stamp.time


def read_stamp(opened: Signed) -> Stamp | None:
    """The timestamp of a signature, None without one; raises IntegrityError for a wrong one."""
    unsigned, signature = opened.signer.unsigned, opened.signer.info.signature
    token = unsigned.get(authenticode.TIMESTAMP_TOKEN)
    if token is not None:
        return timestamp.read_token(token, signature)
    value = unsigned.get(authenticode.COUNTER_SIGNATURE)
    if value is not None:
        return timestamp.read_countersignature(value, signature, opened.certificates)
    return None


@lru_cache(maxsize=256)
def facts(certificate: x509.Certificate) -> SignerFacts:
    """What a person wants to know of a certificate; raises MalformedError."""
    with signed_data.foreign("a certificate whose fields cannot be read"):
        return SignerFacts(
            subject=signed_data.subject_name(certificate),
            issuer=certificate.issuer.rfc4514_string(),
            serial_number=f"{certificate.serial_number:x}",
            thumbprint=chain.thumbprint(certificate),
            thumbprint_sha256=chain.thumbprint_sha256(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )


def _pinned(signer: SignerFacts | None, wanted: frozenset[str]) -> bool:
    return signer is not None and not wanted.isdisjoint(
        {signer.thumbprint, signer.thumbprint_sha256}
    )
