"""Keys, certificates and scripts for the tests of signing, made once a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from generator.signing.cms import signed_data, structures
from generator.signing.cms.algorithms import SHA256
from generator.signing.keys.key_files import LocalKey
from generator.signing.signer import ScriptSigner
from generator.signing.trust import timestamp
from generator.signing.verify import Trust

START = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2045, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
CODE = ExtendedKeyUsageOID.CODE_SIGNING
STAMPS = ExtendedKeyUsageOID.TIME_STAMPING

SCRIPT = b"$name = 'EX01'\r\nWrite-Output $name\r\n"
KINDS = ("rsa-2048", "rsa-3072", "rsa-4096", "p-256", "p-384")


def private_key(kind: str, number: int = 0):
    """A key of its kind; `number` asks for another one of the same kind."""
    return _private_key(kind, number)


@cache
def _private_key(kind: str, number: int):
    if kind == "p-256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p-384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    """A certificate authority with its root, or below another one."""

    title: str
    kind: str = "rsa-2048"
    number: int = 90
    parent: Authority | None = None
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.key = private_key(self.kind, self.number)
        above = self.parent or self
        builder = _builder(self.title, self.key.public_key(), above, START, END)
        self.certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(above.key, hashes.SHA256())
        )

    def issue(
        self,
        title,
        key,
        *,
        purposes=(CODE,),
        start=START,
        end=END,
        key_usage="digital_signature",
        used=None,
    ) -> x509.Certificate:
        builder = _builder(title, key.public_key(), self, start, end).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        if purposes:
            critical = tuple(purposes) == (STAMPS,)
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
        if key_usage:
            builder = builder.add_extension(usage(**{key_usage: True}), critical=True)
        return builder.sign(self.key, used or hashes.SHA256())

    def revoke(self, *serials, at=NOW, last=START, until=END, reason=None):
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(last)
            .next_update(until)
        )
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
            if reason:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256())


def usage(**set_flags: bool) -> x509.KeyUsage:
    flags = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**(flags | set_flags))


def _builder(title, public, issuer: Authority, start, end) -> x509.CertificateBuilder:
    issuer_name = name(issuer.title)
    return (
        x509.CertificateBuilder()
        .subject_name(name(title))
        .issuer_name(issuer_name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()),
            critical=False,
        )
    )


@cache
def root() -> Authority:
    return Authority("Test Root")


@cache
def middle() -> Authority:
    return Authority("Test Issuing CA", number=91, parent=root())


def code_certificate(kind: str = "rsa-2048") -> x509.Certificate:
    return _code_certificate(kind)


@cache
def _code_certificate(kind: str) -> x509.Certificate:
    return root().issue(f"Signer {kind}", private_key(kind))


def signer(kind: str = "rsa-2048", **options) -> ScriptSigner:
    family = "rsa" if kind.startswith("rsa") else "ec"
    return ScriptSigner(code_certificate(kind), family, (root().certificate,), **options)


def local_key(kind: str = "rsa-2048") -> LocalKey:
    return LocalKey(private_key(kind))


def signed(data: bytes = SCRIPT, kind: str = "rsa-2048") -> bytes:
    return signer(kind).sign(data, local_key(kind))


def trust(**changes: Any) -> Trust:
    return Trust(**{"now": NOW, "anchors": (root().certificate,), **changes})


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def key_pem(kind: str = "rsa-2048", passphrase: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return private_key(kind).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def samples() -> dict[str, bytes]:
    """Scripts in every form that may be signed: encoding, line ends, end of the file."""
    ascii_text = "$name = 'EX01'\nWrite-Output $name"
    accents = "$name = 'Zo\u00eb \u20ac \U0001f600'\nWrite-Output $name"
    found = {}
    for end_name, end in (("crlf", "\r\n"), ("lf", "\n"), ("mixed", None)):
        for final_name, final in (("final", "\n"), ("open", ""), ("blank", "\n\n\n")):
            for form, text, encoding in (
                ("ascii", ascii_text, "ascii"),
                ("utf8", accents, "utf-8-sig"),
                ("utf16le", accents, "utf-16-le"),
            ):
                body = text + final
                body = body.replace("\n", "\r\n", 1) if end is None else body.replace("\n", end)
                mark = "\ufeff" if encoding == "utf-16-le" else ""
                found[f"{form}-{end_name}-{final_name}"] = (mark + body).encode(encoding)
    return found


@cache
def stamp_certificate() -> x509.Certificate:
    return root().issue("Time authority", private_key("rsa-2048", 5), purposes=(STAMPS,))


def stamper(
    *,
    at=NOW,
    certificate=None,
    key=None,
    nonce=None,
    imprint=None,
    used=SHA256,
    status=0,
    with_certificates=True,
):
    """A time authority in memory; each option makes it wrong in one way."""
    certificate = certificate or stamp_certificate()
    key = key or LocalKey(private_key("rsa-2048", 5))
    content_type = timestamp._INFO

    def answer(request: bytes) -> bytes:
        asked = structures.decode(structures.TimeStampRequest, request)
        if status > 1:
            return structures.encode(
                structures.TimeStampResponse(
                    status=structures.StatusInfo(status=status, text=["not today"], failure=None),
                    token=None,
                )
            )
        info = structures.TimeStampInfo(
            version=1,
            policy=x509.ObjectIdentifier("1.2.3.4"),
            imprint=imprint or asked.imprint,
            serial_number=7,
            time=asn1.GeneralizedTime(at),
            accuracy=None,
            ordering=False,
            nonce=asked.nonce if nonce is None else nonce,
            authority=None,
            extensions=None,
        )
        octets = structures.encode(info)
        envelope = signed_data.Envelope(
            certificate, (), kind=key.kind, used=used, content_type=content_type
        )
        attributes = envelope.signed_attributes(used.digest(octets))
        signature = key.sign(structures.encode(attributes), used)
        token = envelope.signed_data(attributes, signature, structures.encode(octets))
        if not with_certificates:
            data = signed_data.unwrap(token)
            data.certificates = None
            token = signed_data.wrap(data)
        return structures.encode(
            structures.TimeStampResponse(
                status=structures.StatusInfo(status=status, text=None, failure=None),
                token=structures.decode(structures.ContentInfo, token),
            )
        )

    return answer
