"""Sends a timestamp request over HTTP; the only place in this package that opens a connection."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request

from generator.signing.errors import TimestampError
from generator.signing.timestamp import Transport

SECONDS = 30.0
"""How long an answer may take."""

_LONGEST = 1 << 20
_QUERY = "application/timestamp-query"


def http_transport(address: str, seconds: float = SECONDS) -> Transport:
    """A transport to a time authority; raises TimestampError for an address that is none.

    Plain HTTP is usual and enough: the answer is signed, and bound to the request by its nonce.
    """
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TimestampError(f"{address!r} is no http or https address of a time authority")

    def send(request: bytes) -> bytes:
        query = urllib.request.Request(  # noqa: S310 - the scheme was checked above
            address, data=request, headers={"Content-Type": _QUERY}, method="POST"
        )
        try:
            with urllib.request.urlopen(query, timeout=seconds) as answer:  # noqa: S310
                data: bytes = answer.read(_LONGEST + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise TimestampError(f"{parts.hostname}: answered {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            raise TimestampError(
                f"{parts.hostname}: no answer ({error or type(error).__name__}). Nothing was "
                "written; try again, or sign without --timestamp and stamp later"
            ) from error
        if len(data) > _LONGEST:
            raise TimestampError(f"{parts.hostname}: the answer is too long to be a timestamp")
        return data

    return send
