"""Options that several commands share, and what they stand for: an identity, a trust, a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from generator.cli import terminal
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

Options = Mapping[str, Any]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_DAY = 86_400
_LARGEST_KEY = 1 << 20
# Beyond these, a calculation with days leaves what can be a time.
_FIRST_YEAR, _LAST_YEAR = 1950, 9000

FILE = click.Path(path_type=Path, dir_okay=False)

paths = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
dry_run = click.option("--dry-run", is_flag=True, help="Do everything but write.")
form = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the answer is printed.",
)


def _seconds(context: click.Context, option: click.Parameter, value: float) -> float:
    """A limit of time: above nothing, a day at most; nan and inf are refused."""
    if not 0 < value <= _DAY:
        raise click.BadParameter(f"{value:g} is no number of seconds up to {_DAY}", context, option)
    return value


def _together(*options: Decorator) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


certificate_options = _together(
    click.option(
        "--cert",
        "certificates",
        type=FILE,
        metavar="FILE",
        multiple=True,
        help="Certificates in PEM or DER: the signer's, and the CAs above it.",
    ),
    click.option(
        "--hash",
        "hash_name",
        type=click.Choice(["sha256", "sha384", "sha512"]),
        default="sha256",
        show_default=True,
        help="The hash that is signed.",
    ),
    click.option(
        "--program",
        metavar="NAME",
        default="",
        help="Name that Windows shows in a file's properties.",
    ),
    click.option("--url", metavar="URL", default="", help="Address that Windows shows there."),
    click.option("--allow-ecdsa", is_flag=True, help="Sign with an ECDSA key all the same."),
)

key_options = _together(
    click.option("--key", type=FILE, metavar="FILE", help="Key file: PFX, or PEM."),
    click.option("--pass-env", metavar="NAME", help="Variable that holds the passphrase or PIN."),
    click.option("--pass-file", metavar="FILE", help="File that holds it; - is standard input."),
    click.option("--pkcs11-module", metavar="LIBRARY", help="Library of a token or HSM."),
    click.option("--token", metavar="LABEL", help="The token, when there are several."),
    click.option("--key-label", metavar="LABEL", help="The key on the token."),
    click.option("--key-id", metavar="HEX", help="The key on the token, by its id."),
    click.option(
        "--key-command",
        metavar="COMMAND",
        help="Program that gets the hash on standard input and answers with the signature; "
        "{hash} stands for sha256. Needs --cert.",
    ),
    click.option(
        "--key-seconds",
        metavar="SECONDS",
        type=float,
        callback=_seconds,
        default=60.0,
        show_default=True,
        help="How long the program may take for one file.",
    ),
)

stamp_options = _together(
    click.option("--timestamp", "authority", metavar="URL", help="RFC 3161 time authority."),
    click.option(
        "--timestamp-seconds",
        metavar="SECONDS",
        type=float,
        callback=_seconds,
        default=30.0,
        show_default=True,
        help="How long the time authority may take.",
    ),
)

trust_options = _together(
    click.option(
        "--anchors",
        type=FILE,
        metavar="FILE",
        multiple=True,
        help="Certificates of trusted CAs, or of trusted signers.",
    ),
    click.option(
        "--signer",
        "signers",
        metavar="THUMBPRINT",
        multiple=True,
        help="Accept these signers only; without --anchors that is enough.",
    ),
    click.option(
        "--tsa-anchors",
        type=FILE,
        metavar="FILE",
        multiple=True,
        help="Certificates of CAs that are trusted for timestamps.",
    ),
    click.option(
        "--crl", type=FILE, metavar="FILE", multiple=True, help="Revocation lists, as files."
    ),
    click.option("--time", "when", metavar="TIME", help="Judge at this time (ISO 8601), not now."),
    click.option("--allow-sha1", is_flag=True, help="Accept signatures that use SHA-1."),
)


@contextmanager
def identity(options: Options) -> Iterator[Identity]:
    """The key and certificate that the options name, open for the time of a batch."""
    found = _identity(options)
    try:
        yield found
    finally:
        found.key.close()


def certificates(files: tuple[Path, ...]) -> Certificates:
    """The certificates of several files, in their order."""
    return tuple(each for file in files for each in load_certificates(named.read(file), str(file)))


def transport(options: Options) -> Transport | None:
    """The way to the time authority, None without one."""
    if options["authority"] is None:
        return None
    addresses.http_address(options["authority"], "a time authority")
    return http_transport(options["authority"], options["timestamp_seconds"])


def trust(options: Options) -> Trust:
    """Whom the person who verifies trusts."""
    return Trust(
        now=time(options["when"]),
        anchors=certificates(options["anchors"]),
        signers=frozenset(_thumbprint(each) for each in options["signers"]),
        stamp_anchors=certificates(options["tsa_anchors"]),
        revoked=tuple(
            each
            for file in options["crl"]
            for each in revocation.load_lists(named.read(file), str(file))
        ),
        allow_sha1=options["allow_sha1"],
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


def chosen_key(options: Options) -> str:
    """Which kind of key the options name; raises UsageError for none, several, contradictions."""
    chosen = [name for name in ("key", "pkcs11_module", "key_command") if options[name] is not None]
    if len(chosen) != 1:
        raise UsageError("name one key: --key FILE, --pkcs11-module LIBRARY or --key-command ...")
    if options["pass_env"] is not None and options["pass_file"] is not None:
        raise UsageError("name one place of the passphrase: --pass-env or --pass-file")
    of_tokens = [name for name in ("token", "key_label", "key_id") if options[name] is not None]
    if of_tokens and chosen != ["pkcs11_module"]:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in of_tokens)
        raise UsageError(f"{names}: only for a key on a token (--pkcs11-module)")
    if chosen == ["key_command"] and not options["certificates"]:
        raise UsageError("--key-command needs the signer's certificate: give it with --cert")
    return chosen[0]


def _identity(options: Options) -> Identity:
    chosen = chosen_key(options)
    given = certificates(options["certificates"])
    secret = Source(options["pass_env"], options["pass_file"])
    if chosen == "key":
        data, display = named.read(options["key"], _LARGEST_KEY), str(options["key"])
        refuse_hard_work(data, display)
        needed = secret.given or key_files.needs_passphrase(data)
        phrase = secret.read(_asking(f"Passphrase of {display}")) if needed else None
        return key_files.load(data, display, phrase, given)
    if given:
        key_files.refuse_strays(given[0], given)
    if chosen == "pkcs11_module":
        return pkcs11.open_token(
            options["pkcs11_module"],
            secret.read(_asking("PIN of the token")),
            given,
            token=options["token"],
            label=options["key_label"],
            key_id=options["key_id"],
        )
    hidden = [options["pass_env"]] if options["pass_env"] is not None else []
    command = external.ExternalKey(options["key_command"], given[0], options["key_seconds"], hidden)
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
