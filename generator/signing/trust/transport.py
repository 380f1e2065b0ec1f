"""Sends a timestamp request over HTTP; the only place in this package that opens a connection.

The limit of time is for the whole of it: finding the server, connecting, sending, and every
byte of the answer. Redirections are not followed, and no other protocol is spoken.
"""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from generator.errors import UsageError
from generator.signing import addresses
from generator.signing.errors import TimestampError
from generator.signing.trust.timestamp import Transport

SECONDS = 30.0
"""How long an answer may take."""

_LONGEST = 1 << 20
_REASON = 200
"""So much of what a server says instead of an answer is shown."""

_QUERY = "application/timestamp-query"

_Seen = Callable[[socket.socket], None]


def http_transport(address: str, seconds: float = SECONDS) -> Transport:
    """A transport to a time authority; raises TimestampError for an address that is none.

    Plain HTTP is usual and enough: the answer is signed, and bound to the request by its nonce.
    """
    try:
        host = addresses.http_address(address, "a time authority").hostname or ""
    except UsageError as error:
        raise TimestampError(*error.lines) from error

    def send(request: bytes) -> bytes:
        return _Call(address, host, seconds).answer(request)

    return send


class _Call:
    """One request and its answer, on a thread of its own that is left behind at the limit.

    Nothing else can end what the system does on the way, such as asking for the address of a
    host, or what a server does that sends a byte now and then.
    """

    def __init__(self, address: str, host: str, seconds: float) -> None:
        self._address = address
        self._host = host
        self._seconds = seconds
        self._sockets: list[socket.socket] = []
        self._data = b""
        self._error: Exception | None = None

    def answer(self, request: bytes) -> bytes:
        """The bytes of the answer; raises TimestampError."""
        thread = threading.Thread(target=self._run, args=(request,), daemon=True)
        thread.start()
        thread.join(self._seconds)
        late = thread.is_alive()
        if late:
            self._hang_up()
        if late or _is_timeout(self._error):
            raise self._failed(f"no answer within {self._seconds:g} seconds") from self._error
        if isinstance(self._error, urllib.error.HTTPError):
            raise TimestampError(f"{self._host}: answered {self._error.code}") from self._error
        if isinstance(self._error, OSError | http.client.HTTPException | ValueError):
            reason = str(self._error) or type(self._error).__name__
            raise self._failed(f"no answer ({reason[:_REASON]})") from self._error
        if self._error is not None:
            raise self._error
        if len(self._data) > _LONGEST:
            raise TimestampError(f"{self._host}: the answer is too long to be a timestamp")
        return self._data

    def _run(self, request: bytes) -> None:
        # What goes wrong is raised by `answer`, on the caller's thread.
        try:
            self._data = self._post(request)
        except Exception as error:
            self._error = error

    def _post(self, request: bytes) -> bytes:
        query = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._address, data=request, headers={"Content-Type": _QUERY}, method="POST"
        )
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Handler(self._sockets.append),
            _SecureHandler(self._sockets.append),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            opener.add_handler(handler)
        try:
            with opener.open(query, timeout=self._seconds) as answer:
                data: bytes = answer.read(_LONGEST + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise
        return data

    def _hang_up(self) -> None:
        """Wakes the thread, if it waits for a server, so that it ends."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _failed(self, problem: str) -> TimestampError:
        return TimestampError(
            f"{self._host}: {problem}. Nothing was written; try again, or sign without --timestamp "
            "and stamp later"
        )


def _is_timeout(error: Exception | None) -> bool:
    return isinstance(error, TimeoutError) or isinstance(
        getattr(error, "reason", None), TimeoutError
    )


class _Connection(http.client.HTTPConnection):
    def __init__(self, seen: _Seen, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._seen = seen

    def connect(self) -> None:
        super().connect()
        self._seen(self.sock)


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, seen: _Seen, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._seen = seen

    def connect(self) -> None:
        super().connect()
        self._seen(self.sock)


class _Handler(urllib.request.HTTPHandler):
    def __init__(self, seen: _Seen) -> None:
        super().__init__()
        self._seen = seen

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Connection, self._seen), req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self, seen: _Seen) -> None:
        super().__init__()
        self._seen = seen

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_SecureConnection, self._seen), req)
