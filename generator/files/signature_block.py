"""The one rule for what a signature block is: the signer's, for everybody who leaves one out.

A block is exactly what a signing tool writes, at the very end of the text and once: a line end,
the begin marker, lines of 64 characters of canonical base64 (the last may be shorter), the end
marker, a line end. Text before it there must be. The markers stand nowhere else, in capital or
small letters. Whatever only looks like a block is text like any other, so that nothing hides
behind it. `Get-ContentHash` in the engine has the same rule; whether the signature in a block is
worth anything is not asked here.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import Enum

_BEGIN = "SIG # Begin signature block"
_END = "SIG # End signature block"
_COMMON = "signature block"
_LAST = f"\r\n# {_END}\r\n".encode("ascii")
_WIDTH = 64
# Letters of ASCII only: other alphabets have letters that are small forms of S, I and K.
_MARKER = re.compile(r"sig # (?:(begin)|end) signature block", re.ASCII | re.IGNORECASE)


class Style(Enum):
    """How a line of the block is made a comment, by kind of file."""

    HASH = ("# ", "")
    XML = ("<!-- ", " -->")
    C = ("/* ", " */")

    def line(self, text: str) -> str:
        """One line of the block, with its line end."""
        return f"{self.value[0]}{text}{self.value[1]}\r\n"


class BlockError(ValueError):
    """Text with markers of a block that is none; the message says what is wrong with it."""


def render(signature: bytes, style: Style = Style.HASH) -> str:
    """The text of a signature block, from the begin marker to the last line end."""
    payload = base64.b64encode(signature).decode("ascii")
    lines = [payload[i : i + _WIDTH] for i in range(0, len(payload), _WIDTH)]
    before, after = style.value
    middle = f"{after}\r\n{before}".join([_BEGIN, *lines, _END])
    return f"{before}{middle}{after}\r\n"


def split(text: str, style: Style = Style.HASH) -> tuple[str, bytes | None]:
    """The text without its block, and what the block holds; None for a text without markers.

    Raises BlockError for markers that are not those of one whole block at the end.
    """
    begins, ends = _markers(text)
    if not begins and not ends:
        return text, None
    if begins != 1 or ends != 1:
        raise BlockError(
            f"{begins} begin and {ends} end markers of a signature block; one of each, at the "
            "end of the file, is the only form with a clear meaning"
        )
    at = text.find("\r\n" + style.line(_BEGIN))
    if at < 1 or not text.endswith("\r\n" + style.line(_END)):
        raise BlockError(
            "a signature block begins on its own line after the text, and nothing follows its "
            "last line"
        )
    return text[:at], _payload(text[at + 2 :], style)


def without(data: bytes) -> bytes:
    """The bytes of a script without its signature block; all of them when there is none."""
    if not data.endswith(_LAST):
        return data
    try:
        body, _ = split(data.decode("latin-1"))
    except BlockError:
        return data
    return body.encode("latin-1")


def looks_signed(data: bytes) -> bool:
    """Whether a script ends like one with a block, be it a block or not."""
    return data.rstrip()[-len(_END) :].lower() == _END.lower().encode("ascii")


def _markers(text: str) -> tuple[int, int]:
    """How many begin and end markers there are, in capital or small letters, anywhere."""
    if _COMMON not in text.lower():
        return 0, 0
    begins = [bool(found[1]) for found in _MARKER.finditer(text)]
    return sum(begins), len(begins) - sum(begins)


def _payload(block: str, style: Style) -> bytes:
    """The bytes in a block that is exactly what `render` writes: one form, no slack."""
    before, after = style.value
    first, last = len(style.line(_BEGIN)), len(style.line(_END))
    payload = block[first + len(before) : -last - len(after) - 2].replace(
        f"{after}\r\n{before}", ""
    )
    try:
        signature = base64.b64decode(payload.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BlockError("the signature block holds something that is no base64") from error
    if not signature or render(signature, style) != block:
        raise BlockError("the lines of the signature block are not as a signing tool writes them")
    return signature
