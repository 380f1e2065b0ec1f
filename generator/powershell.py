"""The PowerShell language as far as a template needs it: values in, text of a script out.

Every value enters a script through `ps` or `ps_comment` (product.md 5.2). Both answer with
`Literal`, the only type of text that the template environment lets through.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections.abc import Mapping, Sequence

WIDTH = 100
ZERO_HASH = "0" * 64


class Literal(str):
    """Text that is PowerShell already: made by a filter here or written in a template."""

    __slots__ = ()


def ps(value: object) -> Literal:
    """A value as a typed literal: one expression of strings, [char] casts, `+`, parentheses.

    Takes text, True, False, None, whole numbers, lists and mappings of these.
    Raises TypeError for anything else.
    """
    if value is None:
        return Literal("$null")
    if isinstance(value, bool):
        return Literal("$true" if value else "$false")
    if isinstance(value, int):
        return Literal(str(value))
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        pairs = "; ".join(f"{_string(str(name))} = {ps(item)}" for name, item in value.items())
        return Literal(f"@{{ {pairs} }}" if pairs else "@{}")
    if isinstance(value, Sequence):
        return Literal("@(" + ", ".join(ps(item) for item in value) + ")")
    raise TypeError(f"no PowerShell literal for a value of type {type(value).__name__}")


def _string(text: str) -> Literal:
    parts: list[str] = []
    plain = ""
    for chunk in re.split(r"([ -~]+)", text):
        if not chunk:
            continue
        if chunk.isascii() and chunk.isprintable():
            plain = "'" + chunk.replace("'", "''") + "'"
            parts.append(plain)
        else:
            units = chunk.encode("utf-16-be", "surrogatepass")
            codes = [units[i : i + 2].hex().upper() for i in range(0, len(units), 2)]
            parts += [f"[char]0x{code}" for code in codes]
    if not parts:
        return Literal("''")
    if len(parts) == 1 and plain:
        return Literal(plain)
    # A [char] in front would make `+` a sum of numbers.
    if parts[0].startswith("[char]"):
        parts.insert(0, "''")
    return Literal("(" + " + ".join(parts) + ")")


def ps_list(values: Sequence[object], indent: int = 8) -> Literal:
    """The items of a list, separated by commas and wrapped to the width of a script.

    The template writes what stands around them; every line after the first is indented by
    `indent` columns.
    """
    lines = [""]
    for index, value in enumerate(values):
        item = ps(value) + ("," if index + 1 < len(values) else "")
        if lines[-1] and indent + len(lines[-1]) + 1 + len(item) > WIDTH:
            lines.append(item)
        else:
            lines[-1] = f"{lines[-1]} {item}".lstrip()
    return Literal(("\n" + " " * indent).join(lines))


def ps_comment(value: object, label: str | None = None, margin: int = 9) -> Literal:
    """Text for a comment: ASCII, `\\uNNNN` for the rest, wrapped with the label in front.

    Without a label the text must fit the line it stands in and is not wrapped. `margin` is the
    width of the label column. Line breaks and control characters are escaped, so no value can
    leave its comment.
    """
    text = "".join(_comment_character(character) for character in str(value))
    text = text.replace("#>", "# >").replace("<#", "< #")
    if label is None:
        return Literal(text)
    first = f"# {label:<{margin}}"
    rest = "# " + " " * margin
    lines = textwrap.wrap(
        text,
        WIDTH - 12,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Literal("\n".join(lines) if lines else first.rstrip())


def _comment_character(character: str) -> str:
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex().upper()}" for i in range(0, len(units), 2))


def encode(text: str) -> bytes:
    """The bytes of a script: CRLF, no BOM, one line end at the end.

    A script is 7-bit ASCII; what else a template holds is kept here and reported by the rules.
    """
    body = text.rstrip("\n") + "\n"
    return body.replace("\n", "\r\n").encode("utf-8", "surrogatepass")


def without_signature(data: bytes) -> bytes:
    """A script without its signature block; one that is not the very end of it is no signature.

    The same rule as the function Get-ContentHash of the engine. What a signature is worth, this
    does not ask.
    """
    end = data.rfind(b"\r\n# SIG # Begin signature block\r\n")
    signed = end >= 0 and data.endswith(b"\r\n# SIG # End signature block\r\n")
    return data[:end] if signed else data


def content_hash(data: bytes, own_hash: str = "") -> str:
    """SHA-256 of a script without signature block and with its own hash set to zeros.

    The same rule as the function Get-ContentHash of the engine (product.md 6, one content hash).
    """
    text = without_signature(data).decode("latin-1")
    if own_hash:
        text = text.replace(own_hash, ZERO_HASH)
    return hashlib.sha256(text.encode("latin-1")).hexdigest()
