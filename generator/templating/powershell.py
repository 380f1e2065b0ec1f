"""The PowerShell language as far as a template needs it: values in, text of a script out.

Every value enters a script through a filter of this module. They answer with `Literal`, the only
type of text that the template environment lets through.
"""

from __future__ import annotations

import hashlib
import re
import struct
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

WIDTH = 100
COMMENT_WIDTH = WIDTH - 12
ZERO_HASH = "0" * 64

CLOSING = len("})) {")

IN_A_ROW = 32
"""So many pieces of a string stand in a row; more are joined in groups."""

REMEMBERED = 4_096
"""The same names and sentences stand in thousands of scripts: so many are kept."""

WIDEST = WIDTH // 2
"""Columns of an indent, or of a margin with labels."""

KEPT = 1_000
"""Characters of the longest text that is kept."""

_PLAIN = re.compile(r"([ -~]+)")


class Literal(str):
    """Text that is PowerShell already: made by a filter here or written in a template."""

    __slots__ = ()


def ps(value: object) -> Literal:
    """A value as a typed literal: one expression of strings, [char] casts, `+`, parentheses.

    Takes text, True, False, None, whole numbers of 64 bits, lists and mappings of these. Raises
    TypeError for anything else, ValueError for what PowerShell cannot hold.
    """
    if isinstance(value, str):
        return _string(value) if len(value) <= KEPT else _string.__wrapped__(value)
    if value is None:
        return Literal("$null")
    if isinstance(value, bool):
        return Literal("$true" if value else "$false")
    if isinstance(value, int):
        return _number(value)
    if isinstance(value, Mapping):
        return _table(value)
    if isinstance(value, Sequence):
        return Literal(f"@({', '.join(_items(value))})")
    raise TypeError(f"no PowerShell literal for a value of type {type(value).__name__}")


def _number(value: int) -> Literal:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} is too large for a number of 64 bits")
    return Literal(str(value))


def _table(value: Mapping[object, object]) -> Literal:
    keys = [str(name) for name in value]
    if len({key.casefold() for key in keys}) != len(keys):
        raise ValueError(f"two keys of a table differ only by case: {', '.join(keys)}")
    pairs = zip(keys, value.values(), strict=True)
    text = "; ".join(f"{_string(key)} = {ps(item)}" for key, item in pairs)
    return Literal(f"@{{ {text} }}" if text else "@{}")


def _items(values: Sequence[object]) -> list[str]:
    items: list[str] = [ps(value) for value in values]
    if len(items) == 1 and items[0].startswith("@("):
        # Without the comma in front, `@(...)` would take a list in a list for the list itself.
        return [f", {items[0]}"]
    return items


@lru_cache(maxsize=REMEMBERED)
def _string(text: str) -> Literal:
    if text.isascii() and text.isprintable():
        return Literal("'" + text.replace("'", "''") + "'")
    parts: list[str] = []
    for chunk in _PLAIN.split(text):
        if chunk.isascii() and chunk.isprintable():
            if chunk:
                parts.append("'" + chunk.replace("'", "''") + "'")
        else:
            parts += [f"[char]0x{unit:04X}" for unit in _units(chunk)]
    return Literal(_sum(parts))


def _sum(parts: Sequence[str]) -> str:
    """Pieces joined with `+`, in groups: a long row of `+` is a tree as deep as it is long."""
    if len(parts) > IN_A_ROW:
        rows = range(0, len(parts), IN_A_ROW)
        return _sum([_sum(parts[at : at + IN_A_ROW]) for at in rows])
    # A [char] in front would make `+` a sum of numbers.
    first = "'' + " if parts[0].startswith("[char]") else ""
    return f"({first}{' + '.join(parts)})"


def _units(text: str) -> Iterator[int]:
    """UTF-16 code units, those of lone surrogates too: what a [char] of .NET is."""
    data = text.encode("utf-16-be", "surrogatepass")
    return (unit for (unit,) in struct.iter_unpack(">H", data))


def ps_list(values: Sequence[object], indent: int = 8) -> Literal:
    """The items of a list, separated by commas and wrapped to the width of a script.

    The template writes what stands around them; every line after the first is indented by
    `indent` columns. Behind the last item there is room for what closes the list: `})) {`.
    Raises ValueError for an indent that leaves no room.
    """
    if not 0 <= indent <= WIDEST:
        raise ValueError(f"an indent of {indent} leaves no room; at most {WIDEST} is expected")
    items = _items(values)
    lines = [""]
    for index, text in enumerate(items):
        last = index + 1 == len(items)
        item = text if last else f"{text},"
        room = WIDTH - indent - (CLOSING if last else 0)
        if lines[-1] and len(lines[-1]) + 1 + len(item) > room:
            lines.append(item)
        else:
            lines[-1] = f"{lines[-1]} {item}".lstrip()
    return Literal(("\n" + " " * indent).join(lines))


def ps_comment(value: object, label: str | None = None, margin: int = 9) -> Literal:
    """Text for a comment: ASCII, `\\uNNNN` for the rest, wrapped with the label in front.

    Without a label the text must fit the line it stands in and is not wrapped. `margin` is the
    width of the label column. Line breaks and control characters are escaped, so no value can
    leave its comment. Raises ValueError for a margin that leaves no room.
    """
    if not 0 <= margin <= WIDEST:
        raise ValueError(f"a margin of {margin} leaves no room; at most {WIDEST} is expected")
    text = str(value)
    make = _comment if len(text) <= KEPT else _comment.__wrapped__
    return make(text, label, margin)


@lru_cache(maxsize=REMEMBERED)
def _comment(text: str, label: str | None, margin: int) -> Literal:
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_comment_character, text))
    text = text.replace("#>", "# >").replace("<#", "< #")
    if label is None:
        return Literal(text)
    first = f"# {label:<{margin}}"
    line = f"{first}{text}".rstrip(" ")
    if len(line) <= COMMENT_WIDTH:
        return Literal(line)
    lines = textwrap.wrap(
        text,
        COMMENT_WIDTH,
        initial_indent=first,
        subsequent_indent="# " + " " * margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Literal("\n".join(lines) if lines else first.rstrip())


def _comment_character(character: str) -> str:
    if " " <= character <= "~":
        return character
    return "".join(f"\\u{unit:04X}" for unit in _units(character))


def ps_name(value: object) -> Literal:
    """A bare word where PowerShell wants a name: letters only. Raises ValueError otherwise."""
    text = str(value)
    if not (text.isascii() and text.isalpha()):
        raise ValueError(f"{text!a} is no name: only letters may stand bare in a script")
    return Literal(text)


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
    if not data.endswith(b"\r\n# SIG # End signature block\r\n"):
        return data
    end = data.rfind(b"\r\n# SIG # Begin signature block\r\n")
    return data[:end] if end >= 0 else data


def content_hash(data: bytes, own_hash: str = "") -> str:
    """SHA-256 of a script without signature block and with its own hash set to zeros.

    The same rule as the function Get-ContentHash of the engine.
    """
    script = without_signature(data)
    if own_hash:
        script = script.replace(own_hash.encode("ascii"), ZERO_HASH.encode("ascii"))
    return hashlib.sha256(script).hexdigest()
