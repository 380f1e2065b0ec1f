"""Rules about the bytes of a script, as far as they are not those of the constant engine."""

from __future__ import annotations

from generator.rules.rule import Answer, rule


@rule("R102", "CRLF line ends only", "bytes")
def line_ends(head: bytes, _: bytes) -> Answer:
    """Signatures and hashes cover the bytes: one kind of line end, the one of Windows.

    The renderer writes it; templates have plain line ends and no carriage return.
    """
    rest = head.replace(b"\r\n", b"")
    if b"\n" in rest or b"\r" in rest:
        line = next(
            number
            for number, text in enumerate(head.split(b"\n"), 1)
            if b"\r" in text[:-1] or not text.endswith(b"\r")
        )
        yield line, "a line does not end with CRLF alone"


@rule("R103", "No byte order mark", "bytes")
def byte_order_mark(head: bytes, _: bytes) -> Answer:
    """Plain ASCII needs none, and it would be part of what is hashed and signed."""
    if head.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        yield 1, "the script starts with a byte order mark"


@rule("R104", "One line end at the end", "bytes")
def last_line(_: bytes, whole: bytes) -> Answer:
    """A signature block is put behind the last line: exactly one CRLF ends it."""
    if not whole.endswith(b"\r\n") or whole.endswith(b"\r\n\r\n"):
        yield whole.count(b"\n"), "the script does not end with one CRLF"
