"""Signing requests as files: written from scripts, answered with a key, attached to scripts."""

from __future__ import annotations

from pathlib import Path

from generator import terminal
from generator.errors import UsageError
from generator.files import atomic, named
from generator.signature_block import Style
from generator.signing import cms, keys, preflight, request
from generator.signing import options as shared
from generator.signing.batch import Batch, Target, Turn
from generator.signing.chain import Certificates
from generator.signing.errors import IntegrityError
from generator.signing.signer import Identity, ScriptSigner
from generator.signing.timestamp import Transport

SUFFIX = ".json"


def is_request(paths: tuple[Path, ...]) -> bool:
    """Whether the paths of `sign` name requests, by their ending; raises UsageError for a mix."""
    found = [path.suffix.lower() == SUFFIX for path in paths]
    if any(found) and not all(found):
        raise UsageError("sign either scripts or signing requests, not both at once")
    return all(found)


def write(batch: Batch, signer: ScriptSigner, certificates: Certificates, output: Path) -> None:
    """Writes a request for all files of a batch."""
    drafts = {
        _name(target): signer.draft(named.read(target.path), target.style)
        for target in batch.targets
    }
    if len(drafts) != len(batch.targets):
        raise UsageError("two files of the same name; make a request for each folder")
    data = request.encode(request.make(signer, certificates, drafts))
    atomic.write(output, data)
    terminal.say(f"{output}: {len(drafts)} files to sign.")


def sign(paths: tuple[Path, ...], identity: Identity, *, dry_run: bool) -> None:
    """Puts the signatures of a key into requests."""
    for path in paths:
        found = request.decode(named.read(path), str(path))
        certificate = found.certificates[0]
        if cms.encoded(certificate) != cms.encoded(identity.certificate):
            raise UsageError(f"{path}: made for another certificate than that of the key")
        ecdsa = identity.key.kind == "ec"
        warnings = preflight.check(certificate, shared.time(None), allow_ecdsa=ecdsa)
        terminal.say(*(f"warning: {warning}" for warning in warnings))
        answered = request.answer(found, identity.key)
        if not dry_run:
            atomic.write(path, request.encode(answered))
        word = "would be signed" if dry_run else "signed"
        terminal.say(f"{path}: {len(answered.entries)} hashes {word}.")


def attaching(batch: Batch, path: Path, transport: Transport | None) -> Turn:
    """What puts the signatures of a request into the files of a batch."""
    found = request.decode(named.read(path), str(path))
    certificate = found.certificates[0]
    signer = ScriptSigner(
        certificate,
        keys.family(cms.public_key(certificate)),
        found.certificates[1:],
        used=found.hash,
        transport=transport,
        program=found.program,
        address=found.address,
    )
    signatures = request.signatures(found, [_name(target) for target in batch.targets])
    asked = {entry.to_be_signed: signatures.get(entry.path) for entry in found.entries}

    def turn(data: bytes, style: Style) -> bytes:
        draft = signer.draft(data, style)
        signature = asked.get(draft.to_be_signed)
        if signature is None:
            raise IntegrityError(
                "nothing was written: a file changed since the request was made. Make a new one"
            )
        return signer.finish(draft, signature)

    return turn


def _name(target: Target) -> str:
    return target.name or target.path.name
