"""JSON that comes from others: read with limits, judged by a schema before anything uses it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from generator.errors import IntegrityError
from generator.findings import path_text
from generator.untrusted import limits

_LONGEST_NUMBER = 18
"""Digits. What a program of any kind reads as a whole number of 64 bits."""

_LONGEST = 200
_SHOWN = 5
_FEW = 1_000
"""Values of a document of which every mistake is looked for."""


def read(data: bytes, schema: Path, display: str) -> Any:
    """The value of a JSON document that the schema in a file accepts.

    Raises IntegrityError, with the `display` of the document and the title of the schema, for what
    is no JSON in UTF-8, is larger or nested deeper than any document of the program, gives a key
    twice, holds a number that is no whole number of 64 bits, or is not what the schema says.
    """
    title, validator = _judge(schema)
    if len(data) > limits.DOCUMENT:
        raise IntegrityError(f"{display}: this is no {title} (more than {limits.DOCUMENT} bytes)")
    containers = data.count(b"{") + data.count(b"[")
    commas = data.count(b",")
    if containers > limits.CONTAINERS or commas > limits.VALUES:
        raise IntegrityError(f"{display}: this is no {title} (too many values)")
    try:
        found = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_int=_whole,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
        _check_depth(found)
        # Half a character, which JSON can name, is a ValueError here, in keys and values.
        json.dumps(found, ensure_ascii=False).encode()
        errors = _errors(validator, found, few=containers + commas <= _FEW)
    except RecursionError as error:
        raise IntegrityError(f"{display}: this is no {title} (nested too deep)") from error
    except ValueError as error:
        raise IntegrityError(f"{display}: this is no {title} ({str(error)[:_LONGEST]})") from error
    if errors:
        places = ((path_text(one.instance_path) or "all of it", one) for one in errors)
        raise IntegrityError(
            f"{display}: this is no {title}:",
            *(f"  {place[:_LONGEST]}: {one.message[:_LONGEST]}" for place, one in places),
        )
    return found


def _errors(validator: Any, found: Any, *, few: bool) -> list[Any]:
    """The first mistakes of a document; of a large one the first alone.

    The validator finds all of them before it gives one, and each takes some 2 KiB.
    """
    import jsonschema_rs  # noqa: PLC0415

    if few:
        return list(validator.iter_errors(found))[:_SHOWN]
    try:
        validator.validate(found)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


@cache
def _judge(schema: Path) -> tuple[str, Any]:
    """The title of a schema, and what judges by it."""
    import jsonschema_rs  # noqa: PLC0415 - 43 ms, and most commands do without

    rules = json.loads(schema.read_bytes())
    # Without the mask a message would quote the value, of whatever size.
    validator = jsonschema_rs.Draft202012Validator(rules, offline=True, mask="the value")
    return rules["title"], validator


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("a number of more than 64 bits")
    return int(digits)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:_LONGEST]} is no whole number")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(limits.DEPTH):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        if not inner:
            return
        level = inner
    raise ValueError(f"more than {limits.DEPTH} levels")
