"""Hostile files: no change outside the payload is accepted, no exception is not ours."""

from __future__ import annotations

import base64
import random

import pytest
from signing import makers

from generator.files import signature_block
from generator.signing import script, verify
from generator.signing.cms import authenticode, signed_data, structures
from generator.signing.codes import Code

BEGIN = b"# SIG # Begin signature block\r\n"
END = b"# SIG # End signature block\r\n"
LF_SCRIPT = makers.SCRIPT.replace(b"\r\n", b"\n")


def _insert_in_block(signed: bytes, line: bytes) -> bytes:
    at = signed.index(BEGIN) + len(BEGIN) + 68
    return signed[:at] + line + signed[at:]


def _wide_lines(signed: bytes) -> bytes:
    read = script.read(signed)
    payload = base64.b64encode(read.signature or b"")
    lines = [payload[i : i + 76] for i in range(0, len(payload), 76)]
    return b"".join([read.body, b"\r\n", BEGIN, *(b"# " + x + b"\r\n" for x in lines), END])


CASES = {
    "code after the end marker": (lambda s: s + b"Remove-Item x\r\n", Code.MALFORMED_BLOCK),
    "a blank line after the end marker": (lambda s: s + b"\r\n", Code.MALFORMED_BLOCK),
    "no line end after the end marker": (lambda s: s[:-2], Code.MALFORMED_BLOCK),
    "code between the lines of the block": (
        lambda s: _insert_in_block(s, b"Remove-Item x\r\n"),
        Code.MALFORMED_BLOCK,
    ),
    "an empty comment in the block": (
        lambda s: _insert_in_block(s, b"# \r\n"),
        Code.MALFORMED_BLOCK,
    ),
    "two blocks with code between": (
        lambda s: s + b"Remove-Item x\r\n" + s[s.index(BEGIN) :],
        Code.MALFORMED_BLOCK,
    ),
    "the block twice": (lambda s: s + s[s.index(BEGIN) :], Code.MALFORMED_BLOCK),
    "a begin marker in the text": (lambda s: b"# " + BEGIN + s, Code.MALFORMED_BLOCK),
    "an end marker in the text": (lambda s: END.lower() + s, Code.MALFORMED_BLOCK),
    "lines of another width": (_wide_lines, Code.MALFORMED_BLOCK),
    "all line ends LF": (lambda s: s.replace(b"\r\n", b"\n"), Code.NOT_SIGNED),
    "LF in the block only": (
        lambda s: s[: s.index(BEGIN)] + s[s.index(BEGIN) :].replace(b"\r\n", b"\n"),
        Code.MALFORMED_BLOCK,
    ),
    "an 8-bit character": (lambda s: s.replace(b"EX01", b"EX\xe91"), Code.ENCODING),
    "a byte order mark added": (lambda s: b"\xef\xbb\xbf" + s, Code.HASH_MISMATCH),
    "one letter changed": (lambda s: s.replace(b"EX01", b"EX02"), Code.HASH_MISMATCH),
    "a line end added": (lambda s: s.replace(BEGIN, b"\r\n" + BEGIN), Code.HASH_MISMATCH),
    "a line end changed": (lambda s: s.replace(b"\r\n", b"\n", 1), Code.HASH_MISMATCH),
    "text cut": (lambda s: s[9:], Code.HASH_MISMATCH),
    "block cut": (lambda s: s[: s.index(BEGIN)], Code.NOT_SIGNED),
    "nothing": (lambda s: b"", Code.NOT_SIGNED),
    "only the block": (lambda s: s[s.index(BEGIN) - 2 :], Code.MALFORMED_BLOCK),
    "UTF-16 big-endian": (
        lambda s: b"\xfe\xff" + s.decode().encode("utf-16-be"),
        Code.ENCODING,
    ),
    "UTF-16 little-endian": (
        lambda s: b"\xff\xfe" + s.decode().encode("utf-16-le"),
        Code.HASH_MISMATCH,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_changed_file_has_its_code(case):
    change, code = CASES[case]
    answer = verify.verify(change(makers.signed()), makers.trust())
    assert answer.code == code
    assert not answer.integrity


def test_code_pages_cannot_be_swapped_under_a_signature():
    for text in ("'caf\u00e9'", "'caf\u00e8'", "'caf\ufffd'"):
        data = makers.signed().replace(b"'EX01'", text.encode("cp1252", "replace"))
        assert verify.verify(data, makers.trust()).code in {Code.ENCODING, Code.HASH_MISMATCH}


def _remade(change) -> bytes:
    """A signed file whose signature was taken apart, changed and put together again."""
    read = script.read(makers.signed())
    data = signed_data.unwrap(read.signature or b"")
    change(data)
    return read.with_signature(signed_data.wrap(data))


def _other_signature(data) -> None:
    info = data.signers.as_list()[0]
    info.signature = makers.local_key().sign(b"another text", makers.signer().hash)


def _other_certificate(data) -> None:
    data.certificates = [structures.any_value(signed_data.encoded(makers.root().certificate))]


def _no_attributes(data) -> None:
    data.signers.as_list()[0].signed_attributes = None


def _two_signers(data) -> None:
    data.signers = type(data.signers)(data.signers.as_list() * 2)


def _other_content(data) -> None:
    data.content.type = signed_data.DATA


def _nested(data) -> None:
    info = data.signers.as_list()[0]
    info.unsigned_attributes = [
        signed_data.attribute(authenticode.NESTED_SIGNATURE, structures.encode(b"anything"))
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_other_signature, Code.BAD_SIGNATURE),
        (_other_certificate, Code.MALFORMED_BLOCK),
        (_no_attributes, Code.MALFORMED_BLOCK),
        (_two_signers, Code.MALFORMED_BLOCK),
        (_other_content, Code.MALFORMED_BLOCK),
        (_nested, Code.OK),
    ],
)
def test_a_remade_signature_has_its_code(change, code):
    answer = verify.verify(_remade(change), makers.trust())
    assert answer.code == code
    assert answer.nested == (change is _nested)


def test_a_signature_of_another_file_does_not_fit():
    block = script.read(makers.signed()).signature
    other = script.read(b"Remove-Item x\r\n").with_signature(block or b"")
    assert verify.verify(other, makers.trust()).code == Code.HASH_MISMATCH


def _mutations(signed: bytes, seed: int, count: int):
    rng = random.Random(seed)
    lines = (b"Remove-Item x\r\n", b"# \r\n", b"\r\n", b"\n", BEGIN, END, b"<# ", b"#>\r\n")
    block = signed.index(BEGIN)
    payload = bytearray(script.read(signed).signature or b"")
    for _ in range(count):
        kind = rng.randrange(6)
        data = bytearray(signed)
        at = rng.randrange(len(data))
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            data[at:at] = rng.choice(lines)
        elif kind == 3:
            del data[at : at + rng.randrange(1, 80)]
        elif kind == 4:
            other = rng.randrange(len(data))
            data[at : at + 40] = signed[other : other + 40]
        else:
            # Inside the DER, so that the base64 stays well formed.
            changed = bytearray(payload)
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            rendered = signature_block.render(bytes(changed)).encode()
            data = bytearray(signed[:block] + rendered)
        yield bytes(data)


def _sources():
    anchors = makers.root().certificate
    stamped = makers.signer(transport=makers.stamper()).sign(makers.SCRIPT, makers.local_key())
    return (
        makers.signed(),
        makers.signed(LF_SCRIPT, "p-256"),
        makers.signed(b"\xef\xbb\xbf" + "'Zo\u00eb'\r\n".encode()),
        stamped,
    ), makers.trust(anchors=(anchors,), stamp_anchors=(anchors,))


def _attack(count: int, seed: int) -> dict[str, int]:
    sources, trust = _sources()
    tally: dict[str, int] = {}
    for number, signed in enumerate(sources):
        body = script.read(signed).hashed
        assert verify.verify(signed, trust).ok
        for data in _mutations(signed, seed + number, count // len(sources)):
            if data == signed:
                continue
            answer = verify.verify(data, trust)
            tally[answer.code] = tally.get(answer.code, 0) + 1
            if answer.ok:
                read = script.read(data)
                assert read.hashed == body
                assert read.with_signature(read.signature or b"") == data
    return tally


def test_random_changes_are_found():
    tally = _attack(4_000, 20260601)
    assert sum(tally.values()) > 3_900
    assert tally.get("ok", 0) < 10


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_many_random_changes_are_found(seed):
    tally = _attack(20_000, 1_000_000 * (seed + 1))
    assert sum(tally.values()) > 19_500
    assert tally.get("ok", 0) < 50


@pytest.mark.soak
def test_every_single_byte_of_a_signed_file_counts():
    signed, trust = makers.signed(), makers.trust()
    for at in range(len(signed)):
        for bit in range(8):
            data = bytearray(signed)
            data[at] ^= 1 << bit
            assert not verify.verify(bytes(data), trust).ok, at


def test_random_bytes_are_no_signature():
    rng = random.Random(7)
    for _ in range(500):
        block = signature_block.render(rng.randbytes(rng.randrange(1, 2000)))
        data = makers.SCRIPT + b"\r\n" + block.encode()
        assert verify.verify(data, makers.trust()).code == Code.MALFORMED_BLOCK
