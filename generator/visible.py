"""Text as one line of a terminal may show it, whoever wrote it."""

from __future__ import annotations


def visible(text: str) -> str:
    """Text for one line of a terminal: what is not printable as `\\xNN` or `\\uNNNN`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
