"""A signing request: hashes for a station that has the key and never sees the files.

The build station writes it, the signing station puts signatures in, the build station attaches
them. It is JSON, for people and for other tools: for each file `digest` is what a key has to sign
(hexadecimal), `to_be_signed` the bytes of which it is the hash (base64), `signature` the answer
(base64; PKCS #1 v1.5 for RSA, DER for ECDSA).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from generator.signing.algorithms import HASHES, Hash
from generator.signing.chain import Certificates, load_certificates
from generator.signing.errors import IntegrityError, KeyFileError, MalformedError
from generator.signing.signer import Draft, Key, ScriptSigner

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: what the key signs, and the signature once there is one."""

    path: str
    to_be_signed: bytes
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The signer's certificate first, then those of the CAs above it."""

    hash: Hash
    certificates: Certificates
    program: str
    address: str
    entries: tuple[Entry, ...]


def make(signer: ScriptSigner, certificates: Certificates, drafts: Mapping[str, Draft]) -> Request:
    """A request for the drafts of files, by path, that a signer made."""
    entries = tuple(Entry(path, draft.to_be_signed) for path, draft in drafts.items())
    return Request(signer.hash, certificates, signer.program, signer.address, entries)


def answer(request: Request, key: Key) -> Request:
    """The same request with signatures; for the signing station."""
    signed = (
        replace(entry, signature=key.sign(entry.to_be_signed, request.hash))
        for entry in request.entries
    )
    return replace(request, entries=tuple(signed))


def encode(request: Request) -> bytes:
    """The bytes of a request."""
    data = {
        "format": FORMAT,
        "hash": request.hash.name,
        "program": request.program,
        "url": request.address,
        "certificates": [
            each.public_bytes(Encoding.PEM).decode("ascii") for each in request.certificates
        ],
        "files": [_entry(entry, request.hash) for entry in request.entries],
    }
    return (json.dumps(data, indent=2) + "\n").encode("ascii")


def decode(data: bytes, display: str) -> Request:
    """Reads a request; raises MalformedError, IntegrityError when its hashes do not agree."""
    try:
        found = json.loads(data)
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']!r}")
        used = HASHES[found["hash"]]
        pem = "".join(found["certificates"]).encode("ascii")
        entries = tuple(_read_entry(each, used, display) for each in found["files"])
        certificates = load_certificates(pem, display)
        return Request(used, certificates, str(found["program"]), str(found["url"]), entries)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, KeyFileError) as error:
        raise MalformedError(f"{display}: this is no signing request ({error})") from error


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
        "digest": used.digest(entry.to_be_signed).hex(),
        "to_be_signed": base64.b64encode(entry.to_be_signed).decode("ascii"),
    }
    if entry.signature is not None:
        data["signature"] = base64.b64encode(entry.signature).decode("ascii")
    return data


def _read_entry(data: Mapping[str, Any], used: Hash, display: str) -> Entry:
    path, digest = str(data["path"]), data["digest"]
    to_be_signed = base64.b64decode(data["to_be_signed"], validate=True)
    if digest != used.digest(to_be_signed).hex():
        raise IntegrityError(f"{display}: the digest of {path} is not that of its own bytes")
    signature = data.get("signature")
    return Entry(
        path,
        to_be_signed,
        base64.b64decode(signature, validate=True) if signature is not None else None,
    )
