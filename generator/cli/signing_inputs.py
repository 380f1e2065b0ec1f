"""What options stand for: an identity, a trust, a time stamp authority, a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from generator.cli import terminal
from generator.cli.signing_options import KeyOptions, StampOptions, TrustOptions
from generator.errors import UsageError
from generator.files import named
from generator.findings import show
from generator.signing import addresses
from generator.signing.keys import external, key_files, pkcs11
from generator.signing.keys.key_work import refuse_hard_work
from generator.signing.keys.passphrase import Source
from generator.signing.signer import Identity
from generator.signing.trust import revocation
from generator.signing.trust.chain import Certificates, load_certificates
from generator.signing.trust.timestamp import Transport
from generator.signing.trust.transport import http_transport
from generator.signing.verify import Trust

_LARGEST_KEY = 1 << 20
# Beyond these, a calculation with days leaves what can be a time.
_FIRST_YEAR, _LAST_YEAR = 1950, 9000


@contextmanager
def identity(place: KeyOptions, given: tuple[Path, ...]) -> Iterator[Identity]:
    """The key and certificate that the options name, open for the time of a batch."""
    found = _identity(place, given)
    try:
        yield found
    finally:
        found.key.close()


def certificates(files: tuple[Path, ...]) -> Certificates:
    """The certificates of several files, in their order."""
    return tuple(each for file in files for each in load_certificates(named.read(file), str(file)))


def transport(stamp: StampOptions) -> Transport | None:
    """The way to the time authority, None without one."""
    if stamp.authority is None:
        return None
    addresses.http_address(stamp.authority, "a time authority")
    return http_transport(stamp.authority, stamp.timestamp_seconds)


def trust(options: TrustOptions) -> Trust:
    """Whom the person who verifies trusts."""
    return Trust(
        now=time(options.when),
        anchors=certificates(options.anchors),
        signers=frozenset(_thumbprint(each) for each in options.signers),
        stamp_anchors=certificates(options.tsa_anchors),
        revoked=tuple(
            each
            for file in options.crl
            for each in revocation.load_lists(named.read(file), str(file))
        ),
        allow_sha1=options.allow_sha1,
    )


def time(text: str | None) -> datetime:
    """A time from the command line, in UTC when it names no zone; now for None."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise UsageError(f"{show(text)} is no time such as 2026-06-01T20:00+02:00")
    return found


def chosen_key(place: KeyOptions, given: tuple[Path, ...]) -> str:
    """Which kind of key the options name; raises UsageError for none, several, contradictions."""
    chosen = [
        name for name in ("key", "pkcs11_module", "key_command") if getattr(place, name) is not None
    ]
    if len(chosen) != 1:
        raise UsageError("name one key: --key FILE, --pkcs11-module LIBRARY or --key-command ...")
    if place.pass_env is not None and place.pass_file is not None:
        raise UsageError("name one place of the passphrase: --pass-env or --pass-file")
    of_tokens = [
        name for name in ("token", "key_label", "key_id") if getattr(place, name) is not None
    ]
    if of_tokens and chosen != ["pkcs11_module"]:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in of_tokens)
        raise UsageError(f"{names}: only for a key on a token (--pkcs11-module)")
    if chosen == ["key_command"] and not given:
        raise UsageError("--key-command needs the signer's certificate: give it with --cert")
    return chosen[0]


def _identity(place: KeyOptions, files: tuple[Path, ...]) -> Identity:
    chosen_key(place, files)
    given = certificates(files)
    secret = Source(place.pass_env, place.pass_file)
    if place.key is not None:
        data, display = named.read(place.key, _LARGEST_KEY), str(place.key)
        refuse_hard_work(data, display)
        needed = secret.given or key_files.needs_passphrase(data)
        phrase = secret.read(_asking(f"Passphrase of {display}")) if needed else None
        return key_files.load(data, display, phrase, given)
    if given:
        key_files.refuse_strays(given[0], given)
    if place.pkcs11_module is not None:
        return pkcs11.open_token(
            place.pkcs11_module,
            secret.read(_asking("PIN of the token")),
            given,
            token=place.token,
            label=place.key_label,
            key_id=place.key_id,
        )
    hidden = [place.pass_env] if place.pass_env is not None else []
    command = external.ExternalKey(place.key_command or "", given[0], place.key_seconds, hidden)
    return Identity(command, given[0], given[1:])


def _asking(question: str) -> Callable[[], str] | None:
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    return lambda: terminal.secret(question)


def _thumbprint(text: str) -> str:
    digits = "".join(text.replace(":", "").split()).upper()
    if len(digits) not in (40, 64) or set(digits) - set("0123456789ABCDEF"):
        raise UsageError(
            f"{show(text)} is no thumbprint: 40 (SHA-1) or 64 (SHA-256) digits of a hash"
        )
    return digits
