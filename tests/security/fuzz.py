"""Structure-aware mutations: of JSON, of DER, of PEM around it, and of plain bytes."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

ODD_TEXTS = (
    "", " ", "\0", "\n", "a\nb", "\x1b[2J\x1b]0;x\x07", "\u202ex", "\ud800", "\udcff", "\U0001f600",
    "../../x", "/etc/passwd", "con", "0" * 64, "f" * 64, "F" * 64, "AAAA", "AA==", "AB==", "====",
    "x" * 100_000, "http://[", "http://x:99999999/", "file:///etc/passwd", "sha1", "md5", "%s%n",
    "${jndi:x}", "{{ 7 * 7 }}",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 2**63, 10**400, -0.0, 1e308, [], [[]], [None], "Pairs",
    *ODD_TEXTS,
)  # fmt: skip
ODD_CONTENTS = (
    b"\xff" * 5, b"\x7f" + b"\xff" * 7, b"\0", b"\xff" * 200, b"99991231235959Z",
    b"00000000000000Z", b"\n\x1b[2J\0",
)  # fmt: skip
ODD_TOKENS = ("NaN", "Infinity", "-Infinity", "1e999", "[" * 3_000, "{" * 50, "'x'", "01", "/**/")


class Pairs(list[tuple[str, Any]]):
    """A JSON object in its order, in which a key may stand twice."""


@dataclass(frozen=True)
class Token:
    """Text that stands in JSON as it is."""

    text: str


def json_mutants(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Documents that are nearly this one."""
    rng = Random(seed)
    for _ in range(count):
        if rng.random() < 0.15:
            yield bytes_mutant(data, rng)
            continue
        document = [json.loads(data, object_pairs_hook=Pairs)]
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            _change_json(document, rng)
        yield _dump(document[0]).encode("utf-8", "surrogatepass")


def _change_json(document: list[Any], rng: Random) -> None:
    places = list(_places(document))
    parent, key = rng.choice(places)
    value = parent[key][1] if isinstance(parent, Pairs) else parent[key]
    # The document itself is neither taken away nor doubled.
    kind = rng.randrange(2, 7) if parent is document else rng.randrange(7)
    if kind == 0:
        _put(parent, key, value, rng, delete=True)
    elif kind == 1:
        parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
    elif kind == 2 and isinstance(parent, Pairs):
        name = rng.choice((*ODD_TEXTS, *(one[0] for one in parent)))
        parent[key] = (name, value)
    elif kind == 3:
        other_parent, other = rng.choice(places)
        taken = other_parent[other]
        _put(parent, key, taken[1] if isinstance(other_parent, Pairs) else taken, rng)
    elif kind == 4 and isinstance(value, str) and value:
        _put(parent, key, _text_mutant(value, rng), rng)
    elif kind == 5:
        _put(parent, key, Token(rng.choice(ODD_TOKENS)), rng)
    else:
        odd = rng.choice(ODD_VALUES)
        _put(parent, key, Pairs() if odd == "Pairs" else odd, rng)


def _places(node: Any) -> Iterator[tuple[Any, int]]:
    for index, item in enumerate(node):
        yield node, index
        value = item[1] if isinstance(node, Pairs) else item
        if isinstance(value, list):
            yield from _places(value)


def _put(parent: Any, key: int, value: Any, rng: Random, *, delete: bool = False) -> None:
    if delete:
        del parent[key]
    else:
        # A copy: a list that held itself would have no end.
        value = copy.deepcopy(value)
        parent[key] = (parent[key][0], value) if isinstance(parent, Pairs) else value


def _text_mutant(text: str, rng: Random) -> str:
    """Inside base64, PEM and hexadecimal digits, else any letter."""
    if text.startswith("-----BEGIN"):
        return pem_mutant(text.encode(), rng).decode("utf-8", "surrogateescape")
    if re.fullmatch(r"[0-9a-f]{64,}", text):
        at = rng.randrange(len(text))
        return rng.choice((text[:at] + rng.choice("0fgF \n") + text[at + 1 :], text[:-2], text * 2))
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        at = rng.randrange(len(text) + 1)
        return text[:at] + rng.choice(ODD_TEXTS) + text[at:]
    return base64.b64encode(der_mutant(data, rng)).decode()


def _dump(value: Any) -> str:
    if isinstance(value, Token):
        return value.text
    if isinstance(value, Pairs):
        inner = (f"{json.dumps(name)}: {_dump(item)}" for name, item in value)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dump, value)) + "]"
    return json.dumps(value)


@dataclass
class Node:
    """One element of DER."""

    tag: int
    content: bytes = b""
    parts: list[Node] = field(default_factory=list)

    def encode(self) -> bytes:
        content = b"".join(part.encode() for part in self.parts) if self.parts else self.content
        size = len(content)
        if size < 0x80:
            return bytes((self.tag, size)) + content
        length = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes((self.tag, 0x80 | len(length))) + length + content

    def all(self) -> Iterator[Node]:
        yield self
        for part in self.parts:
            yield from part.all()


def parse(data: bytes) -> list[Node] | None:
    """The elements that fill these bytes; None when they are no DER."""
    found: list[Node] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            return None
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 0 < count <= 4 or at + count > len(data):
                return None
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            return None
        content = data[at : at + size]
        parts = parse(content) if tag & 0x20 else None
        # Octet and bit strings hold further structures in keys and PFX files.
        if tag == 0x04 and len(content) > 8 and content[0] in (0x30, 0x02):
            parts = parse(content)
        found.append(Node(tag, content, parts or []))
        at += size
    return found


def der_mutant(data: bytes, rng: Random) -> bytes:
    """One or two elements of a structure changed, with lengths that fit again."""
    nodes = parse(data)
    if not nodes or rng.random() < 0.2:
        return bytes_mutant(data, rng)
    root = Node(0, b"", nodes)
    for _ in range(rng.choice((1, 1, 2))):
        _change_der(root, rng)
    return b"".join(node.encode() for node in root.parts)


def _change_der(root: Node, rng: Random) -> None:
    every = list(root.all())[1:]
    if not every:
        return
    node = rng.choice(every)
    parents = [one for one in root.all() if any(part is node for part in one.parts)]
    siblings = parents[0].parts
    kind = rng.randrange(6)
    if kind == 0:
        node.tag = rng.choice((0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x16, 0x17, 0x1E,
                               0x30, 0x31, 0x80, 0xA0, 0xA1, 0xFF, rng.randrange(256)))  # fmt: skip
    elif kind == 1:
        siblings[:] = [part for part in siblings if part is not node]
    elif kind == 2:
        siblings.insert(siblings.index(node), copy.deepcopy(rng.choice(every)))
    elif kind == 3:
        node.parts, node.content = [], rng.randbytes(rng.choice((0, 1, 2, 8, 300)))
    elif kind == 4 and node.content:
        changed = bytearray(node.content)
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        node.parts, node.content = [], bytes(changed)
    else:
        node.parts = []
        node.content = rng.choice(ODD_CONTENTS)


def pem_mutant(data: bytes, rng: Random) -> bytes:
    """Inside one of the blocks, or of what stands around it."""
    blocks = list(re.finditer(rb"-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+?)-----END", data))
    if not blocks or rng.random() < 0.25:
        return bytes_mutant(data, rng)
    block = rng.choice(blocks)
    inner = der_mutant(base64.b64decode(block[2]), rng)
    return data[: block.start(2)] + base64.encodebytes(inner) + data[block.end(2) :]


def bytes_mutant(data: bytes, rng: Random) -> bytes:
    """Bytes changed, cut, repeated, or put in."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(changed) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del changed[at : at + rng.randrange(1, 200)]
        elif kind == 2:
            changed[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 3:
            changed[at:at] = changed[at : at + rng.randrange(1, 500)]
        elif kind == 4:
            del changed[at:]
        else:
            changed[0:0] = rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"-----BEGIN ", b"\0", b"\n"))
    return bytes(changed)
