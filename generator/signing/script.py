"""A script file as Windows signs it: encoding, body, signature block at the very end.

What is hashed is the text before the line end that precedes the begin marker, as UTF-16LE, byte
order mark included, line ends untouched. Text that machines could read differently is refused:
Windows PowerShell takes a file without byte order mark in the code page of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from generator.files import signature_block
from generator.files.signature_block import BlockError, Style
from generator.signing.codes import Code
from generator.signing.errors import RefusedError

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16LE_BOM = b"\xff\xfe"
_UTF16BE_BOM = b"\xfe\xff"
_SHORTEST = 4
"""Windows does not look for a signature in a file of fewer bytes."""

_STYLES = {
    ".ps1": Style.HASH,
    ".psm1": Style.HASH,
    ".psd1": Style.HASH,
    ".ps1xml": Style.XML,
    ".psc1": Style.XML,
    ".cdxml": Style.XML,
    ".mof": Style.C,
}


class Encoding(Enum):
    """The three ways to write a script that every Windows reads alike."""

    ASCII = "ascii"
    UTF8 = "utf-8"
    UTF16LE = "utf-16-le"


@dataclass(frozen=True, slots=True)
class Script:
    """A file taken apart. `signature` is the DER of the block, None in a file without one."""

    body: bytes
    signature: bytes | None
    encoding: Encoding
    style: Style
    hashed: bytes
    """What is hashed: the body as UTF-16LE."""

    def with_signature(self, signature: bytes) -> bytes:
        """The bytes of the signed file."""
        block = "\r\n" + signature_block.render(signature, self.style)
        return self.body + block.encode(self.encoding.value)


def style_of(name: str | PurePath) -> Style:
    """The comment style of a file by its name; raises RefusedError for other kinds of files."""
    suffix = PurePath(name).suffix.lower()
    style = _STYLES.get(suffix)
    if style is None:
        raise RefusedError(
            Code.NOT_SIGNED,
            f"files named {suffix or 'without an ending'} hold no signature block "
            f"(those that do: {', '.join(_STYLES)})",
        )
    return style


def read(data: bytes, style: Style = Style.HASH) -> Script:
    """Takes a file apart; raises RefusedError, with a code, for what must not be judged.

    The codes are those of a verification: not-signed, malformed-block, encoding.
    """
    text, encoding = _decode(data)
    try:
        body, signature = signature_block.split(text, style)
    except BlockError as error:
        if "\r" not in text:
            raise RefusedError(
                Code.NOT_SIGNED,
                "the line ends were changed from CRLF to LF after signing, and Windows sees no "
                "signature. Get the file as it was signed; copy it as a binary file",
            ) from error
        raise RefusedError(Code.MALFORMED_BLOCK, str(error)) from error
    hashed = body.encode("utf-16-le")
    kept = hashed if encoding is Encoding.UTF16LE else body.encode(encoding.value)
    return Script(kept, signature, encoding, style, hashed)


def read_to_sign(data: bytes, style: Style = Style.HASH) -> Script:
    """The same for a file that is to be signed; refuses what is too short to mean anything."""
    script = read(data, style)
    text = script.body.decode(script.encoding.value)
    if len(script.body) < _SHORTEST or not text.strip("\ufeff\r\n\t "):
        raise RefusedError(Code.NOT_SIGNED, "the file is empty; there is nothing to sign")
    return script


def fix_encoding(data: bytes) -> bytes:
    """The same text, unsigned, in a form that can be signed: CRLF, and UTF-8 with a mark.

    A file in 7-bit ASCII stays without mark. Raises RefusedError for bytes whose text cannot be
    known, and for markers inside the text.
    """
    if data.startswith((_UTF16BE_BOM, _UTF16LE_BOM)):
        text = _strict(data[2:], "utf-16-be" if data.startswith(_UTF16BE_BOM) else "utf-16-le")
    else:
        text = _strict(data.removeprefix(_UTF8_BOM), "utf-8")
    marked = read(_UTF8_BOM + text.encode("utf-8"))
    body = marked.body.removeprefix(_UTF8_BOM)
    body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return body if body.isascii() else _UTF8_BOM + body


def _decode(data: bytes) -> tuple[str, Encoding]:
    """Text, byte order mark included, and encoding."""
    if not data:
        raise RefusedError(Code.NOT_SIGNED, "the file is empty")
    if data.startswith(_UTF16BE_BOM):
        raise RefusedError(
            Code.ENCODING, "the file is UTF-16 big-endian; save it as UTF-8 with byte order mark"
        )
    if data.startswith(_UTF16LE_BOM):
        text, encoding = _strict(data, "utf-16-le"), Encoding.UTF16LE
    elif data.isascii():
        text, encoding = data.decode("ascii"), Encoding.ASCII
    elif data.startswith(_UTF8_BOM):
        text, encoding = _strict(data, "utf-8"), Encoding.UTF8
    else:
        raise RefusedError(
            Code.ENCODING,
            f"byte {_first_high(data) + 1} is not 7-bit ASCII and the file has no byte order "
            "mark: Windows reads such a file in the code page of the machine. Save it as UTF-8 "
            "with byte order mark (sign --fix-encoding does it before signing)",
        )
    if "\0" in text:
        raise RefusedError(Code.ENCODING, "the file contains a NUL character; it is no text")
    return text, encoding


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise RefusedError(
            Code.ENCODING, f"the bytes from {error.start + 1} on are no {encoding.upper()} text"
        ) from error


def _first_high(data: bytes) -> int:
    return next(i for i, byte in enumerate(data) if byte > 0x7F)
