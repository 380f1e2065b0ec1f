"""Signs scripts: bytes in, bytes out, and nothing comes out that does not verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat import asn1

from generator.files.signature_block import Style
from generator.signing import script as scripts
from generator.signing.cms import authenticode, signed_data, structures
from generator.signing.cms.algorithms import SHA256, Hash
from generator.signing.cms.structures import Attribute
from generator.signing.errors import IntegrityError, SigningError
from generator.signing.script import Script
from generator.signing.trust import timestamp
from generator.signing.trust.chain import Certificates
from generator.signing.trust.timestamp import Transport
from generator.signing.verify import Opened, open_signed


class Key(Protocol):
    """A private key, wherever it lies.

    `kind` is `rsa` or `ec`, `parallel` whether it can make several signatures at a time.
    """

    kind: str
    parallel: bool

    def sign(self, data: bytes, used: Hash) -> bytes:
        """A signature over the hash of `data`: PKCS #1 v1.5, or ECDSA in DER."""

    def close(self) -> None:
        """Lets go of a token or a session; nothing can be signed afterwards."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: a key with its certificate, and the CAs between it and the root."""

    key: Key
    certificate: x509.Certificate
    chain: Certificates = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A file on its way to a signature: what is to be signed, and what was hashed for it."""

    script: Script
    digest: bytes
    content: bytes
    attributes: asn1.SetOf[Attribute]
    to_be_signed: bytes


class ScriptSigner:
    """Signs any number of scripts with one certificate; may be used by several threads.

    `transport` leads to a time authority: with it each signature gets a timestamp, or there is
    an error. `program` and `address` are shown by Windows in the properties of a file; raises
    UsageError for texts that cannot be either.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        kind: str,
        chain: Certificates = (),
        *,
        used: Hash = SHA256,
        transport: Transport | None = None,
        program: str = "",
        address: str = "",
    ) -> None:
        self.certificate = certificate
        self.hash = used
        self.program = program
        self.address = address
        self._transport = transport
        # Windows leaves the root out: the machine that verifies must have it anyway.
        others = _without_roots(chain)
        self._envelope = signed_data.Envelope(
            certificate,
            others,
            kind=kind,
            used=used,
            content_type=authenticode.INDIRECT_DATA,
            fixed=authenticode.fixed_attributes(program, address),
        )

    def sign(self, data: bytes, key: Key, style: Style = Style.HASH) -> bytes:
        """The signed bytes of a file; a signature that it has already is replaced.

        Raises RefusedError for a file that must not be signed, SigningError when the key gives
        no good signature, TimestampError when a timestamp was asked for and not had.
        """
        draft = self.draft(data, style)
        return self.finish(draft, key.sign(draft.to_be_signed, self.hash))

    def draft(self, data: bytes, style: Style = Style.HASH) -> Draft:
        """What the key is to sign for a file; the first half of `sign`."""
        script = scripts.read_to_sign(data, style)
        digest = self.hash.digest(script.hashed)
        content, attributes = self._about(digest)
        return Draft(script, digest, content, attributes, structures.encode(attributes))

    def to_be_signed(self, digest: bytes) -> bytes:
        """What the key is to sign for a script whose text has this hash: DER of attributes.

        A signing station derives it from the hash that it shows, and signs nothing else.
        """
        return structures.encode(self._about(digest)[1])

    def _about(self, digest: bytes) -> tuple[bytes, asn1.SetOf[Attribute]]:
        content, octets = authenticode.indirect_data(digest, self.hash)
        return content, self._envelope.signed_attributes(self.hash.digest(octets))

    def finish(self, draft: Draft, signature: bytes) -> bytes:
        """The signed bytes; the second half of `sign`."""
        signed = self._assemble(draft, signature)
        if self._transport is None:
            return signed
        # Only a signature that was shown to be good is worth a timestamp.
        stamp = timestamp.fetch(signature, self._transport, self.hash)
        return self._assemble(draft, signature, (stamp,))

    def has_signed(self, data: bytes, style: Style = Style.HASH) -> bool:
        """Whether a file carries a good signature of this certificate, as this signer makes it."""
        try:
            opened = open_signed(data, style)
        except IntegrityError:
            return False
        return (
            opened.signer.certificate == self.certificate
            and opened.hash is self.hash
            and (self._transport is None or is_stamped(opened))
        )

    def _assemble(
        self, draft: Draft, signature: bytes, unsigned: tuple[Attribute, ...] = ()
    ) -> bytes:
        block = self._envelope.signed_data(draft.attributes, signature, draft.content, unsigned)
        signed = draft.script.with_signature(block)
        try:
            opened = open_signed(signed, draft.script.style)
        except IntegrityError as error:
            raise SigningError(
                "what came back is no signature of this certificate's key over this file; "
                f"nothing was written ({error})"
            ) from error
        if opened.script.body != draft.script.body or opened.signer.certificate != self.certificate:
            raise SigningError("the signed file does not hold what was to be signed")
        return signed


def sign_detached(content: bytes, identity: Identity, used: Hash = SHA256) -> bytes:
    """A detached CMS signature over some bytes, which `openssl cms -verify` checks as well.

    Like that of a script it has no signing time: the same bytes give the same signature.
    """
    envelope = signed_data.Envelope(
        identity.certificate,
        _without_roots(identity.chain),
        kind=identity.key.kind,
        used=used,
        content_type=signed_data.DATA,
    )
    attributes = envelope.signed_attributes(used.digest(content))
    signature = identity.key.sign(structures.encode(attributes), used)
    signed = envelope.signed_data(attributes, signature, None)
    try:
        signed_data.signer(signed_data.unwrap(signed), (identity.certificate,)).check(
            signed_data.DATA, used.digest(content)
        )
    except IntegrityError as error:
        raise SigningError(
            f"the key gave no good signature; nothing was written ({error})"
        ) from error
    return signed


def _without_roots(chain: Certificates) -> Certificates:
    return tuple(
        each for each in chain if signed_data.subject_of(each) != signed_data.issuer_of(each)
    )


def strip(data: bytes, style: Style = Style.HASH) -> bytes:
    """The bytes of a file as they were before it was signed; raises RefusedError."""
    return scripts.read(data, style).body


def add_timestamp(
    data: bytes, transport: Transport, style: Style = Style.HASH, used: Hash = SHA256
) -> bytes:
    """A signed file with a timestamp over its signature, in place of one that it may have.

    Raises IntegrityError when the signature does not hold, TimestampError without an answer.
    """
    opened = open_signed(data, style)
    stamp = timestamp.fetch(opened.signer.info.signature, transport, used)
    block = signed_data.unwrap(opened.signature)
    info = opened.signer.info
    kept = [
        each
        for each in info.unsigned_attributes or []
        if each.type not in (authenticode.TIMESTAMP_TOKEN, authenticode.COUNTER_SIGNATURE)
    ]
    block.signers = structures.one(
        structures.SignerInfo(
            version=info.version,
            sid=info.sid,
            digest_algorithm=info.digest_algorithm,
            signed_attributes=info.signed_attributes,
            signature_algorithm=info.signature_algorithm,
            signature=info.signature,
            unsigned_attributes=[*kept, stamp],
        )
    )
    stamped = opened.script.with_signature(signed_data.wrap(block))
    if not is_stamped(open_signed(stamped, style)):
        raise SigningError("the stamped file does not hold the timestamp")
    return stamped


def is_stamped(opened: Opened) -> bool:
    """Whether the signature carries a timestamp of either kind."""
    unsigned = opened.signer.unsigned
    return authenticode.TIMESTAMP_TOKEN in unsigned or authenticode.COUNTER_SIGNATURE in unsigned
