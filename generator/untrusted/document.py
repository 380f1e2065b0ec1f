"""JSON that comes from others: read with limits and held against a schema before it is used."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from generator.errors import IntegrityError
from generator.untrusted import limits
from generator.visible import visible

_LONGEST_NUMBER = 18
"""Digits. What a program of any kind reads as a whole number of 64 bits."""

_QUOTED = 120


def read(data: bytes, schema: Path, display: str) -> Any:
    """The value of a JSON document that fits the schema in a file; raises IntegrityError.

    Refused are more bytes or levels than any document of the program has, names that stand twice
    in one object, numbers that are no whole numbers of 64 bits, and text that is not UTF-8.
    `display` names the document in messages.
    """
    if len(data) > limits.DOCUMENT:
        raise IntegrityError(f"{display}: more than {limits.DOCUMENT} bytes")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_refused,
            parse_constant=_refused,
        )
        _check_depth(value)
        problem = next(_validator(schema).iter_errors(value), None)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deep"
        raise IntegrityError(f"{display}: cannot be read ({_short(reason)})") from error
    if problem is not None:
        place = "/".join(map(str, problem.instance_path)) or "the document"
        raise IntegrityError(f"{display}: {_short(place)}: {_short(problem.message)}")
    return value


@cache
def _validator(schema: Path) -> Any:
    import jsonschema_rs  # noqa: PLC0415 - 43 ms, and `--help` does without

    return jsonschema_rs.Draft202012Validator(
        json.loads(schema.read_text("utf-8")), offline=True, validate_formats=True
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name!a} stands twice in one object")
        found[name] = value
    return found


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("a number of more than 64 bits")
    return int(digits)


def _refused(text: str) -> Any:
    raise ValueError(f"{text[:_QUOTED]} is no whole number")


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


def _short(text: str) -> str:
    return visible(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}...")
