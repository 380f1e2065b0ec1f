"""Signing requests as files: written from scripts, answered with a key, attached to scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.core import ParameterSource

from generator.cli import signing_inputs as inputs
from generator.cli import terminal
from generator.cli.signing_options import KeyOptions
from generator.errors import UsageError
from generator.files import atomic, named
from generator.files.signature_block import Style
from generator.signing import request
from generator.signing.batch import Batch, Target, Turn
from generator.signing.cms import signed_data
from generator.signing.errors import DeclinedError, IntegrityError
from generator.signing.request import Change, Request
from generator.signing.signer import ScriptSigner
from generator.signing.trust import preflight
from generator.signing.trust.chain import Certificates, thumbprint
from generator.signing.trust.timestamp import Transport
from generator.signing.verify import facts

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
    made = request.make(signer, certificates, drafts, _change(batch))
    atomic.write(output, request.encode(made))
    terminal.say(f"{output}: {len(drafts)} files to sign, fingerprint {made.fingerprint()}.")


def sign(
    paths: tuple[Path, ...],
    place: KeyOptions,
    given: tuple[Path, ...],
    *,
    sure: bool,
    dry_run: bool,
) -> None:
    """Shows what requests ask for, and puts the signatures of a key into all of them or none.

    On a terminal somebody must agree, unless `sure`; without one nobody can. With `dry_run` the
    requests are judged and shown, and no key is touched.
    """
    _refuse_options_of_scripts()
    if not dry_run:
        inputs.chosen_key(place, given)
    found = {path: _read(path) for path in paths}
    for path, asked in found.items():
        certificate = asked.certificates[0]
        kept = preflight.check(certificate, inputs.time(None), allow_ecdsa=True)
        terminal.say(*(f"warning: {warning}" for warning in kept), *_shown(path, asked))
    if dry_run:
        terminal.say("Nothing was signed.")
        return
    if not sure:
        _ask(sum(len(asked.entries) for asked in found.values()))
    with inputs.identity(place, given) as identity:
        for path, asked in found.items():
            if signed_data.encoded(asked.certificates[0]) != signed_data.encoded(
                identity.certificate
            ):
                raise UsageError(f"{path}: made for another certificate than that of the key")
        answered = {path: request.answer(asked, identity.key) for path, asked in found.items()}
    atomic.write_all({path: request.encode(asked) for path, asked in answered.items()})
    terminal.say(*(f"{path}: {len(a.entries)} hashes signed." for path, a in answered.items()))


def attaching(batch: Batch, path: Path, transport: Transport | None) -> Turn:
    """What puts the signatures of a request into the files of a batch."""
    found = _read(path)
    signer = request.signer_for(
        found.certificates, found.hash, found.program, found.address, transport=transport
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


def _read(path: Path) -> Request:
    return request.decode(named.read(path, request.MOST_BYTES), str(path))


def _shown(path: Path, asked: Request) -> Iterator[str]:
    """All that a request asks for, as somebody should read it before the key is used."""
    certificate = asked.certificates[0]
    yield f"{path}: {len(asked.entries)} scripts are to be signed"
    yield f"    certificate  {facts(certificate).subject}  {thumbprint(certificate)}"
    if asked.change:
        yield f"    change       {asked.change.id}  {asked.change.title}"
    if asked.program or asked.address:
        yield f"    program      {asked.program}  {asked.address}".rstrip()
    yield f"    fingerprint  {asked.fingerprint()}"
    yield f"    hashes       {asked.hash.name}, as `runbook inspect` shows them"
    for entry in asked.entries:
        yield f"    {entry.file_hash.hex()}  {entry.path}"


def _ask(count: int) -> None:
    """Raises DeclinedError unless somebody says yes; where there is no terminal nobody is asked."""
    if not sys.stderr.isatty():
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise DeclinedError(
            "Nothing was signed: nobody can be asked while standard input is not the terminal. "
            "Read what is listed above, then say --yes"
        )
    if not terminal.confirmed(f"Sign these {count} hashes?"):
        raise DeclinedError("Nothing was signed.")


def _refuse_options_of_scripts() -> None:
    """A request says itself what is signed and how: raises UsageError for an option that would."""
    context = click.get_current_context()
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name in _OF_SCRIPTS
        and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(
            f"{', '.join(given)}: a request says itself what is signed and how. Leave it out here, "
            "and give it to `runbook digest` or `runbook attach`"
        )


_OF_SCRIPTS = {
    "hash_name", "program", "url", "authority", "timestamp_seconds", "fix_encoding", "again",
}  # fmt: skip


def _change(batch: Batch) -> Change | None:
    """The change of the one built folder that all files are of."""
    if len(batch.folders) != 1 or not all(target.folder for target in batch.targets):
        return None
    change = batch.folders[0].record["change"]
    return Change(str(change["id"]), str(change["title"]))


def _name(target: Target) -> str:
    return target.name or target.path.name
