"""Texts of a signature that come from the command line or a request: addresses, program names."""

from __future__ import annotations

import re
import urllib.parse
from ipaddress import IPv6Address

from generator.errors import UsageError
from generator.findings import show
from generator.visible import visible

_LONGEST = 2_000
_LONGEST_NAME = 255
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def http_address(text: str, what: str) -> urllib.parse.SplitResult:
    """An http or https address in plain ASCII; raises UsageError, `what` says whose it is."""
    problem = _problem_of_text(text)
    try:
        parts = urllib.parse.urlsplit("" if problem else text)
        problem = problem or _problem_of_parts(parts)
    except ValueError as error:
        problem = str(error)
    if problem:
        raise UsageError(f"{show(text)} is no http or https address of {what}: {problem}")
    return parts


def program_name(text: str) -> str:
    """A name that Windows can show; raises UsageError."""
    if len(text) > _LONGEST_NAME or visible(text) != text:
        raise UsageError(
            f"{show(text)} is no name of a program: at most {_LONGEST_NAME} characters, all of "
            "them printable"
        )
    return text


def _problem_of_text(text: str) -> str:
    if len(text) > _LONGEST:
        return f"it has {len(text)} characters, and {_LONGEST} are possible"
    if not text.isascii():
        return (
            "it has letters beyond ASCII; write the host name in its xn-- form, and other letters "
            "as %XX"
        )
    if not text.isprintable() or " " in text:
        return "it has a blank or a control character in it"
    return ""


def _problem_of_parts(parts: urllib.parse.SplitResult) -> str:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it must begin with http:// or https:// and a host name"
    if "@" in parts.netloc:
        return "a user name or password does not belong into it"
    if parts.port == 0 or parts.netloc.endswith(":"):
        return "a port is a number from 1 to 65535"
    return "" if _is_host(parts.netloc, parts.hostname) else "its host name is none"


def _is_host(netloc: str, host: str) -> bool:
    if netloc.startswith("["):
        try:
            IPv6Address(host)
        except ValueError:
            return False
        return True
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
