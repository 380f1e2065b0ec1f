"""How much work a key file asks for before it opens: judged before anybody starts on it.

An encrypted key says itself how many rounds turn its passphrase into a key (RFC 8018, RFC 7292),
and how much memory that takes (scrypt, RFC 7914). A file that asks for billions would keep a
processor busy for hours, and nothing could interrupt it. In each of these structures the numbers
follow the salt, an octet string; so every number behind one is judged, whatever it is for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from generator.signing.errors import KeyFileError

MOST_ROUNDS = 5_000_000
"""Today's tools write 2,000 to 1,000,000."""

MOST_MEMORY = 1 << 30

MOST_BYTES = 2_049
"""Of a number in a key: 16,384 bits, more than any system signs with. Whether larger ones are
primes takes hours to find out.
"""

_INTEGER, _OCTETS, _END, _CONSTRUCTED = 0x02, 0x04, 0x00, 0x20
_SEQUENCE, _OPEN = 0x30, 0x80
_DEEPEST = 24
_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----([A-Za-z0-9+/=\s]+)-----END")


def refuse_hard_work(data: bytes, display: str) -> None:
    """Raises KeyFileError for a PFX or PEM file that would take too much time or memory."""
    blocks = [_decoded(found[1]) for found in _PEM.finditer(data)] or [data]
    for block in blocks:
        if any(size > MOST_BYTES for size in _sizes(block)):
            raise KeyFileError(
                f"{display}: a number of this key has more than 16,384 bits; use RSA with 3072 bits"
            )
        for rounds, *more in _numbers_behind_salts(block):
            # Three numbers are those of scrypt: cost, block size, parallelism.
            hard = 128 * rounds * more[0] > MOST_MEMORY if len(more) > 1 else rounds > MOST_ROUNDS
            if hard:
                raise KeyFileError(
                    f"{display}: opening this key would take more than {MOST_ROUNDS} rounds, or "
                    "too much memory. Export the key anew"
                )


def _sizes(data: bytes) -> Iterator[int]:
    """Of every number, also of those in octet strings that hold one structure, as a key may."""
    waiting = [(data, 0)]
    while waiting:
        part, depth = waiting.pop()
        for tag, content in _elements(part):
            if tag == _INTEGER:
                yield len(content)
            elif tag == _OCTETS and depth < _DEEPEST and _is_sequence(content):
                waiting.append((content, depth + 1))


def _is_sequence(data: bytes) -> bool:
    """Whether it looks like one sequence and nothing else, which what is encrypted does not."""
    if len(data) < 2 or data[0] != _SEQUENCE:
        return False
    return data[1] == _OPEN or sum(_length(data, 1)) == len(data)


def _numbers_behind_salts(data: bytes) -> Iterator[list[int]]:
    waiting = [(data, 0)]
    while waiting:
        part, depth = waiting.pop()
        numbers: list[int] | None = None
        for tag, content in _elements(part):
            if tag == _INTEGER and numbers is not None:
                numbers.append(int.from_bytes(content, "big"))
                continue
            if numbers:
                yield numbers
            numbers = [] if tag == _OCTETS else None
            # An octet string may hold a structure of its own.
            if tag == _OCTETS and depth < _DEEPEST:
                waiting.append((content, depth + 1))
        if numbers:
            yield numbers


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents in their order, those of structures entered, without any more meaning.

    PFX files are BER: a structure may end at a mark instead of saying its length, and an octet
    string may come in pieces, which are joined here.
    """
    at = 0
    while at + 2 <= len(data):
        tag = data[at]
        at, size = _length(data, at + 1)
        if tag == _OCTETS | _CONSTRUCTED:
            at, content = _joined(data, at)
            yield _OCTETS, content
        elif tag & _CONSTRUCTED:
            yield tag, b""
        else:
            if tag != _END:
                yield tag, data[at : at + size]
            at += size


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Where the content begins, and its size; 0 where a mark ends it."""
    size = data[at]
    if size < 0x80:
        return at + 1, size
    begin = at + 1 + (size & 0x7F)
    return begin, int.from_bytes(data[at + 1 : begin], "big")


def _joined(data: bytes, at: int) -> tuple[int, bytes]:
    pieces = []
    while at + 2 <= len(data) and data[at] == _OCTETS:
        begin, size = _length(data, at + 1)
        pieces.append(data[begin : begin + size])
        at = begin + size
    return at, b"".join(pieces)


def _decoded(block: bytes) -> bytes:
    try:
        return base64.b64decode(block)
    except ValueError:
        return b""
