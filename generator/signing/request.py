"""A signing request: hashes for a station that has the key and never sees the files.

The build station writes it, the signing station puts signatures in, the build station attaches
them. It is JSON (`request.schema.json`), for people and for other tools: for each file `file_hash`
is the Authenticode hash of its text, `digest` what a key has to sign (both hexadecimal),
`to_be_signed` the bytes of which that is the hash (base64), `signature` the answer (base64; PKCS
#1 v1.5 for RSA, DER for ECDSA).

A key signs whatever bytes it is given. So nobody takes `to_be_signed` from a request: whoever
reads one derives these bytes anew from the file's hash and from what can be shown, and refuses a
request that says otherwise.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from generator.errors import UsageError
from generator.signing.cms import signed_data
from generator.signing.cms.algorithms import HASHES, Hash, check_signature, signature_identifier
from generator.signing.errors import (
    IntegrityError,
    KeyFileError,
    MalformedError,
    SignatureError,
    SigningError,
)
from generator.signing.keys import key_files
from generator.signing.signer import Draft, Key, ScriptSigner
from generator.signing.trust.chain import Certificates, load_certificates
from generator.untrusted import document

FORMAT = 2
SCHEMA = Path(__file__).with_name("request.schema.json")

MOST_BYTES = 128 << 20
"""A request for the 62,000 scripts of ten thousand servers has 70 MB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its Authenticode hash, what the key signs, and the signature once there is one."""

    path: str
    file_hash: bytes
    to_be_signed: bytes
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What the files are for, in the words of the build station; nothing signs it."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Request:
    """The signer's certificate first, then those of the CAs above it."""

    hash: Hash
    certificates: Certificates
    program: str
    address: str
    entries: tuple[Entry, ...]
    change: Change | None = None

    def fingerprint(self) -> str:
        """A hash over all that is asked for, to compare at both stations."""
        lines = (
            f"{self.hash.digest(entry.to_be_signed).hex()}  {entry.path}\n"
            for entry in self.entries
        )
        return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def make(
    signer: ScriptSigner,
    certificates: Certificates,
    drafts: Mapping[str, Draft],
    change: Change | None = None,
) -> Request:
    """A request for the drafts of files, by path, that a signer made; raises UsageError."""
    for path in drafts:
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            raise UsageError(f"{path}: this name is not UTF-8; rename the file") from None
    entries = tuple(Entry(path, draft.digest, draft.to_be_signed) for path, draft in drafts.items())
    return Request(signer.hash, certificates, signer.program, signer.address, entries, change)


def answer(request: Request, key: Key) -> Request:
    """The same request with signatures; for the signing station. Raises SigningError."""
    public = signed_data.public_key(request.certificates[0])
    identifier = signature_identifier(key.kind, request.hash)

    def signed(entry: Entry) -> Entry:
        signature = key.sign(entry.to_be_signed, request.hash)
        try:
            check_signature(public, identifier, request.hash, signature, entry.to_be_signed)
        except SignatureError as error:
            raise SigningError(
                "what came back is no signature of this certificate's key; nothing was written "
                f"({error})"
            ) from error
        return replace(entry, signature=signature)

    return replace(request, entries=tuple(signed(entry) for entry in request.entries))


def encode(request: Request) -> bytes:
    """The bytes of a request."""
    change = request.change
    data = {
        "format": FORMAT,
        "hash": request.hash.name,
        "program": request.program,
        "url": request.address,
        "change": {"id": change.id, "title": change.title} if change else None,
        "certificates": [
            each.public_bytes(Encoding.PEM).decode("ascii") for each in request.certificates
        ],
        "files": [_entry(entry, request.hash) for entry in request.entries],
    }
    return (json.dumps(data, indent=2) + "\n").encode("ascii")


def decode(data: bytes, display: str) -> Request:
    """Reads a request; raises MalformedError, and IntegrityError where it contradicts itself."""
    found = document.read(data, SCHEMA, display)
    used = HASHES[found["hash"]]
    try:
        certificates = load_certificates("".join(found["certificates"]).encode("utf-8"), display)
        signer = signer_for(certificates, used, found["program"], found["url"])
        entries = tuple(_read_entry(each, signer, display) for each in found["files"])
    except (KeyFileError, UsageError) as error:
        raise MalformedError(f"{display}: this is no signing request ({error})") from error
    twice = [path for path, count in Counter(e.path for e in entries).items() if count > 1]
    if twice:
        raise IntegrityError(f"{display}: files that stand there twice:", *twice)
    change = Change(**found["change"]) if found["change"] else None
    return Request(used, certificates, signer.program, signer.address, entries, change)


def signer_for(
    certificates: Certificates, used: Hash, program: str, address: str, **more: Any
) -> ScriptSigner:
    """What makes drafts and signatures for a request; raises UsageError for odd texts."""
    kind = key_files.family(signed_data.public_key(certificates[0]))
    return ScriptSigner(
        certificates[0], kind, certificates[1:], used=used, program=program, address=address, **more
    )


def signatures(request: Request, paths: Iterable[str]) -> dict[str, bytes]:
    """The signature of each path; raises IntegrityError when one is missing."""
    found = {entry.path: entry.signature for entry in request.entries}
    wanted = {path: found.get(path) for path in paths}
    missing = [path for path, signature in wanted.items() if not signature]
    if missing:
        raise IntegrityError("nothing was written. There is no signature for:", *missing)
    return {path: signature for path, signature in wanted.items() if signature}


def _entry(entry: Entry, used: Hash) -> dict[str, Any]:
    data = {
        "path": entry.path,
        "file_hash": entry.file_hash.hex(),
        "digest": used.digest(entry.to_be_signed).hex(),
        "to_be_signed": base64.b64encode(entry.to_be_signed).decode("ascii"),
    }
    if entry.signature is not None:
        data["signature"] = base64.b64encode(entry.signature).decode("ascii")
    return data


def _read_entry(data: Mapping[str, Any], signer: ScriptSigner, display: str) -> Entry:
    """What is said of one file, when it is what this tool asks for a file of this hash."""
    path, file_hash = data["path"], bytes.fromhex(data["file_hash"])
    if len(file_hash) != signer.hash.primitive.digest_size:
        raise IntegrityError(f"{display}: the hash of {path} is none of {signer.hash.name}")
    to_be_signed = signer.to_be_signed(file_hash)
    if _bytes(data["to_be_signed"]) != to_be_signed:
        raise IntegrityError(
            f"{display}: what is to be signed for {path} is not the signature of a script with "
            "this hash, program and url. Sign nothing of this request, and ask who changed it"
        )
    if data["digest"] != signer.hash.digest(to_be_signed).hex():
        raise IntegrityError(f"{display}: the digest of {path} is not that of its own bytes")
    signature = data.get("signature")
    if signature is None:
        return Entry(path, file_hash, to_be_signed)
    answered = _bytes(signature)
    if answered is None:
        raise MalformedError(f"{display}: the signature of {path} is no base64")
    return Entry(path, file_hash, to_be_signed, answered)


def _bytes(text: str) -> bytes | None:
    """The bytes of base64 in its one form; None for anything else."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return data if base64.b64encode(data).decode("ascii") == text else None
