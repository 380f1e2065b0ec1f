"""The commands that write: sign, timestamp, strip, digest, attach."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from generator.cli import requests, terminal
from generator.cli import signing_inputs as inputs
from generator.cli import signing_options as shared
from generator.cli.signing_options import CertificateOptions, KeyOptions, StampOptions
from generator.errors import UsageError
from generator.files.signature_block import Style
from generator.signing import batch as batches
from generator.signing import request, script, signer
from generator.signing.batch import Batch, Turn
from generator.signing.cms.algorithms import HASHES
from generator.signing.keys import key_files
from generator.signing.signer import Identity, ScriptSigner
from generator.signing.trust import preflight

_jobs = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=os.cpu_count() or 1,
    help="How many files at a time; by default one a processor.",
)


@click.command()
@shared.paths
@shared.key_options
@shared.certificate_options
@shared.stamp_options
@click.option("--fix-encoding", is_flag=True, help="First make it CRLF, and UTF-8 with a mark.")
@click.option("--again", is_flag=True, help="Sign also what this certificate has signed already.")
@_jobs
@click.option("--yes", is_flag=True, help="Do not ask before a request is signed.")
@shared.dry_run
def sign(
    paths: tuple[Path, ...],
    *,
    dry_run: bool,
    jobs: int,
    yes: bool,
    fix_encoding: bool,
    again: bool,
    key_place: KeyOptions,
    signature: CertificateOptions,
    stamp: StampOptions,
) -> None:
    """Sign scripts, or the folder out/NAME, with an Authenticode signature; all or nothing.

    A signing request (from `runbook digest`, a .json file) gets its signatures instead: what it
    asks for is shown first, and on a terminal somebody must agree. --dry-run only shows it.
    """
    if requests.is_request(paths):
        requests.sign(paths, key_place, signature.certificates, sure=yes, dry_run=dry_run)
        return
    batch = batches.collect(paths)
    with inputs.identity(key_place, signature.certificates) as identity:
        maker = _signer(identity, batch, signature, stamp)

        def turn(data: bytes, style: Style) -> bytes:
            if not again and maker.has_signed(data, style):
                return data
            body = script.fix_encoding(data) if fix_encoding else data
            return maker.sign(body, identity.key, style)

        at_a_time = jobs if identity.key.parallel else 1
        _change(batch, turn, "signed", jobs=at_a_time, dry_run=dry_run)


@click.command()
@shared.paths
@shared.stamp_options
@_jobs
@shared.dry_run
def timestamp(paths: tuple[Path, ...], dry_run: bool, jobs: int, stamp: StampOptions) -> None:
    """Add a timestamp to signed scripts, so that they outlast their certificate.

    A timestamp that is there already is replaced. Without an answer nothing is written.
    """
    transport = inputs.transport(stamp)
    if transport is None:
        raise UsageError("name the time authority with --timestamp URL")
    _change(
        batches.collect(paths),
        lambda data, style: signer.add_timestamp(data, transport, style),
        "stamped",
        jobs=jobs,
        dry_run=dry_run,
    )


@click.command()
@shared.paths
@shared.dry_run
def strip(paths: tuple[Path, ...], dry_run: bool) -> None:
    """Remove signatures: afterwards each file has the bytes that it had before signing.

    In a built folder manifest.json and SHA256SUMS follow; all files are changed or none.
    """
    _change(batches.collect(paths), signer.strip, "stripped", jobs=1, dry_run=dry_run)


@click.command()
@shared.paths
@shared.certificate_options
@click.option(
    "--output", type=shared.FILE, metavar="FILE", required=True, help="The request, a .json file."
)
def digest(paths: tuple[Path, ...], output: Path, signature: CertificateOptions) -> None:
    """Write a signing request: the hashes of scripts, for a station that has the key.

    The station puts signatures in with `runbook sign REQUEST`, or with any other tool that signs
    a hash; `runbook attach` then makes signed scripts of them.
    """
    batch = batches.collect(paths)
    maker = _certificate_signer(signature)
    _warn(maker, batch, stamped=False, allow_ecdsa=signature.allow_ecdsa)
    requests.write(batch, maker, inputs.certificates(signature.certificates), output)


@click.command()
@shared.paths
@click.option(
    "--request",
    "answered",
    type=shared.FILE,
    metavar="FILE",
    required=True,
    help="It, with signatures.",
)
@shared.stamp_options
@shared.dry_run
def attach(paths: tuple[Path, ...], answered: Path, dry_run: bool, stamp: StampOptions) -> None:
    """Put the signatures of a request into the scripts that it was made for.

    A file that changed since then, or a signature that is not good, and nothing is written.
    """
    batch = batches.collect(paths)
    turn = requests.attaching(batch, answered, inputs.transport(stamp))
    _change(batch, turn, "signed", jobs=1, dry_run=dry_run)


def _signer(
    identity: Identity, batch: Batch, signature: CertificateOptions, stamp: StampOptions
) -> ScriptSigner:
    transport = inputs.transport(stamp)
    made = ScriptSigner(
        identity.certificate,
        identity.key.kind,
        identity.chain,
        used=HASHES[signature.hash_name],
        transport=transport,
        program=signature.program,
        address=signature.url,
    )
    _warn(made, batch, stamped=transport is not None, allow_ecdsa=signature.allow_ecdsa)
    return made


def _certificate_signer(signature: CertificateOptions) -> ScriptSigner:
    given = inputs.certificates(signature.certificates)
    if not given:
        raise UsageError("give the signer's certificate with --cert")
    key_files.refuse_strays(given[0], given)
    return request.signer_for(given, HASHES[signature.hash_name], signature.program, signature.url)


def _warn(made: ScriptSigner, batch: Batch, *, stamped: bool, allow_ecdsa: bool) -> None:
    warnings = preflight.check(
        made.certificate,
        inputs.time(None),
        windows=batch.window_ends,
        stamped=stamped,
        allow_ecdsa=allow_ecdsa,
    )
    terminal.say(*(f"warning: {warning}" for warning in warnings))


def _change(batch: Batch, turn: Turn, done: str, *, jobs: int, dry_run: bool) -> None:
    with _progress(len(batch.targets)) as step:
        changed = batches.turned(batch, turn, jobs=jobs, done=step)
    if not dry_run:
        batches.write(batch, changed)
    as_before = len(batch.targets) - len(changed)
    note = f", {as_before} as before" if as_before else ""
    word = f"would be {done}" if dry_run else done
    terminal.say(f"{len(changed)} of {len(batch.targets)} files {word}{note}.")


@contextmanager
def _progress(length: int) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=length, file=sys.stderr) as bar:
        yield lambda: bar.update(1)
