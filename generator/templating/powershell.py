"""The PowerShell language as far as a template needs it: values in, text of a script out.

Every value enters a script through a filter of this module. They answer with `Literal`, the only
type of text that the template environment lets through. A filter also says what the rules are to
see of it, its shape: the content of a value is for the reader, not for the rules.
"""

from __future__ import annotations

import hashlib
import re
import struct
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from generator.files import signature_block
from generator.templating.marks import BREAK, VALUE, WIDTH, WORDS, mark

COMMENT_WIDTH = WIDTH - 12
ZERO_HASH = "0" * 64

CLOSING = len("})) {")

IN_A_ROW = 32
"""So many pieces of a string stand in a row; more are joined in groups."""

IN_A_PIECE = 60
"""So many characters of plain text stand in one piece, if there are blanks between them."""

REMEMBERED = 4_096
"""The same names and sentences stand in thousands of scripts: so many are kept."""

RESERVED = (
    "Count", "Keys", "Values", "Item", "Identity", "Source", "IsReadOnly", "IsFixedSize",
    "IsSynchronized", "SyncRoot",
)  # fmt: skip
"""Names that a table would shadow with its own members, or the engine with its own entries.

The only content that the rules see of a value: no name of a wanted value may be one of these.
"""

_RESERVED = {name.lower() for name in RESERVED}
_SIGNATURE = re.compile(r"(sig #)( (?:begin|end) signature block)", re.IGNORECASE)
"""The lines around a signature. Where they stand elsewhere a script cannot be signed."""

WIDEST = WIDTH // 2
"""Columns of an indent, or of a margin with labels."""

KEPT = 1_000
"""Characters of the longest text that is kept."""

_PLAIN = re.compile(r"([ -~]+)")
_WORD = re.compile(r" *[^ ]+ *| +")


class Literal(str):
    """Text that is PowerShell already: made by a filter here or written in a template.

    `shape` is what the rules see of it, `marked` is what stands for it in a marked text. Both are
    the text itself where nothing is blanked. `breakable` is the text with its breaks.
    """

    __slots__ = ("breakable", "marked", "shape")

    breakable: str
    marked: str
    shape: str

    def __new__(cls, text: str, shape: str | None = None) -> Literal:
        """A literal of a text that may have breaks."""
        made = super().__new__(cls, text.replace(BREAK, " "))
        made.breakable = text
        made.shape = text if shape is None else shape
        made.marked = mark(text, made.shape)
        return made


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
        items = _items(value)
        text = ", ".join(item.breakable for item in items)
        return Literal(f"@({text})", f"@({_shape(value, items)})")
    raise TypeError(f"no PowerShell literal for a value of type {type(value).__name__}")


def _number(value: int) -> Literal:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} is too large for a number of 64 bits")
    return Literal(str(value))


def _table(value: Mapping[object, object]) -> Literal:
    keys = [str(name) for name in value]
    if len({key.casefold() for key in keys}) != len(keys):
        raise ValueError(f"two keys of a table differ only by case: {', '.join(keys)}")
    if not keys:
        return Literal("@{}")
    pairs = [(_string(key), ps(item)) for key, item in zip(keys, value.values(), strict=True)]
    text = "; ".join(f"{key.breakable} = {item.breakable}" for key, item in pairs)
    shape = "; ".join(f"{key.shape} = {item.shape}" for key, item in pairs)
    return Literal(f"@{{ {text} }}", f"@{{ {shape} }}")


def _items(values: Sequence[object]) -> list[Literal]:
    items = [ps(value) for value in values]
    if len(items) == 1 and items[0].startswith("@("):
        # Without the comma in front, `@(...)` would take a list in a list for the list itself.
        return [Literal(f", {items[0].breakable}", f", {items[0].shape}")]
    return items


def _shape(values: Sequence[object], items: Sequence[Literal]) -> str:
    """Of a list. A list of texts is one value, however many there are and of what characters."""
    if items and all(isinstance(value, str) for value in values):
        return ", ".join([f"'{VALUE}'"] * min(len(items), 2))
    return ", ".join(item.shape for item in items)


@lru_cache(maxsize=REMEMBERED)
def _string(text: str) -> Literal:
    comma = "," if "," in text else ""
    if text.isascii() and text.isprintable() and not _SIGNATURE.search(text):
        plain = "'" + text.replace("'", "''") + "'"
        return Literal(plain, None if text.lower() in _RESERVED else f"'{VALUE}{comma}'")
    parts: list[str] = []
    for chunk in _PLAIN.split(text):
        if chunk.isascii() and chunk.isprintable():
            parts += ["'" + piece.replace("'", "''") + "'" for piece in _pieces(chunk)]
        else:
            parts += [f"[char]0x{unit:04X}" for unit in _units(chunk)]
    return Literal(_sum(parts), f"('{VALUE}{comma}')")


def _pieces(chunk: str) -> Iterator[str]:
    """The plain text of a sum in pieces that fit a line, broken behind blanks."""
    for part in _SIGNATURE.sub(r"\1\n\2", chunk).split("\n"):
        piece = ""
        for word in _WORD.findall(part):
            if piece and len(piece) + len(word) > IN_A_PIECE:
                yield piece
                piece = ""
            piece += word
        if piece:
            yield piece


def _sum(parts: Sequence[str]) -> str:
    """Pieces joined with `+`, in groups: a long row of `+` is a tree as deep as it is long."""
    if len(parts) > IN_A_ROW:
        rows = range(0, len(parts), IN_A_ROW)
        return _sum([_sum(parts[at : at + IN_A_ROW]) for at in rows])
    # A [char] in front would make `+` a sum of numbers.
    row = ["''", *parts] if parts[0].startswith("[char]") else parts
    return f"({f' +{BREAK}'.join(row)})"


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
        item = text.breakable if last else f"{text.breakable},"
        room = WIDTH - indent - (CLOSING if last else 0)
        if lines[-1] and len(lines[-1]) + 1 + len(item) > room:
            lines.append(item)
        else:
            lines[-1] = f"{lines[-1]} {item}".lstrip()
    return Literal(("\n" + " " * indent).join(lines), _shape(values, items))


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
def _comment(value: str, label: str | None, margin: int) -> Literal:
    text = value.replace("#>", "# >").replace("<#", "< #")
    text = _SIGNATURE.sub(r"\1 \2", text)
    plain = text.isascii() and text.isprintable()
    if label is None:
        shown = text if plain else "".join(map(_comment_character, text))
        return Literal(shown, WORDS)
    first, others = f"# {label:<{margin}}", "# " + " " * margin
    if plain:
        lines = _lines(text, first, others)
        shown = "\n".join(lines)
        seen = len(lines)
    else:
        shown = "\n".join(_escaped_lines(text, first, others))
        # A reader meets a letter where an escape stands: so many lines there are to be read.
        seen = len(_lines("".join(c if c.isprintable() else "?" for c in text), first, others))
    return Literal(shown, "\n".join([f"# {WORDS}"] * seen))


def _lines(text: str, first: str, others: str) -> list[str]:
    line = f"{first}{text}".rstrip(" ")
    if len(line) <= COMMENT_WIDTH:
        return [line]
    lines = textwrap.wrap(
        text,
        COMMENT_WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [first.rstrip()]


def _escaped_lines(text: str, first: str, others: str) -> list[str]:
    """The same for text with escapes; a word of them that fits no line is broken between two."""
    lines, empty = [first], True
    for word in text.split(" "):
        units = [_comment_character(character) for character in word]
        size = sum(map(len, units))
        if not empty and len(lines[-1]) + 1 + size > COMMENT_WIDTH:
            lines.append(others)
        elif not empty:
            lines[-1] += " "
        for unit in units:
            if size > len(word) and len(lines[-1]) + len(unit) > COMMENT_WIDTH:
                lines.append(others)
            lines[-1] += unit
        empty = False
    return [line.rstrip(" ") for line in lines]


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


def content_hash(data: bytes, own_hash: str = "") -> str:
    """SHA-256 of a script without signature block and with its own hash set to zeros.

    The same rule as the function Get-ContentHash of the engine.
    """
    script = signature_block.without(data)
    if own_hash:
        script = script.replace(own_hash.encode("ascii"), ZERO_HASH.encode("ascii"))
    return hashlib.sha256(script).hexdigest()
