"""Options that several commands share: a group of them reaches a command as one value.

`signing_inputs.py` makes of them what they stand for: an identity, a trust, a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_DAY = 86_400

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


def _group(kind: type[Any], name: str, *options: Decorator) -> Decorator:
    """Options whose values reach the command as one `kind`, its argument `name`."""
    names = [field.name for field in fields(kind)]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def grouped(**given: Any) -> Any:
            given[name] = kind(**{each: given.pop(each) for each in names})
            return function(**given)

        decorated: Callable[..., Any] = grouped
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


@dataclass(frozen=True, slots=True)
class CertificateOptions:
    """What is signed with: certificates, the hash, and what Windows shows of the signer."""

    certificates: tuple[Path, ...]
    hash_name: str
    program: str
    url: str
    allow_ecdsa: bool


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Where the key comes from, and its passphrase or PIN."""

    key: Path | None
    pass_env: str | None
    pass_file: str | None
    pkcs11_module: str | None
    token: str | None
    key_label: str | None
    key_id: str | None
    key_command: str | None
    key_seconds: float


@dataclass(frozen=True, slots=True)
class StampOptions:
    """The time stamp authority, where there is one."""

    authority: str | None
    timestamp_seconds: float


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """Whom the person who verifies trusts, and at which time."""

    anchors: tuple[Path, ...]
    signers: tuple[str, ...]
    tsa_anchors: tuple[Path, ...]
    crl: tuple[Path, ...]
    when: str | None
    allow_sha1: bool


certificate_options = _group(
    CertificateOptions,
    "signature",
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

key_options = _group(
    KeyOptions,
    "key_place",
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

stamp_options = _group(
    StampOptions,
    "stamp",
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

trust_options = _group(
    TrustOptions,
    "trusted",
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
