"""JSON that came from elsewhere: read with limits, judged by a schema before anything uses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from generator.findings import path_text
from generator.signing.errors import MalformedError

_MOST_CONTAINERS = 1_000_000
_MOST_VALUES = 4_000_000
"""By commas: a small file of nothing but these would fill the memory."""

_SHOWN = 5
_LONGEST = 200


def json_document(data: bytes, schema: Path, display: str) -> Any:
    """The data of a JSON file in UTF-8 that its schema accepts.

    Raises MalformedError, with the `display` of the file and the title of the schema, for what is
    no JSON, gives a key twice, is nested deeply, holds too much, or is not what the schema says.
    """
    title, validator = _judge(schema)
    if data.count(b"{") + data.count(b"[") > _MOST_CONTAINERS or data.count(b",") > _MOST_VALUES:
        raise MalformedError(f"{display}: this is no {title} (too many values)")
    try:
        found = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
        )
        if b"\\u" in data:
            # Half a character cannot be written, nor shown.
            json.dumps(found, ensure_ascii=False).encode("utf-8")
        errors = list(islice(validator.iter_errors(found), _SHOWN))
    except RecursionError as error:
        raise MalformedError(f"{display}: this is no {title} (nested too deep)") from error
    except ValueError as error:
        raise MalformedError(f"{display}: this is no {title} ({error})") from error
    if errors:
        places = ((path_text(one.instance_path) or "all of it", one) for one in errors)
        raise MalformedError(
            f"{display}: this is no {title}:",
            *(f"  {place}: {one.message[:_LONGEST]}" for place, one in places),
        )
    return found


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


@lru_cache(maxsize=16)
def _judge(schema: Path) -> tuple[str, Any]:
    """The title of a schema, and what judges by it."""
    import jsonschema_rs  # noqa: PLC0415 - 43 ms, and most commands do without

    rules = json.loads(schema.read_bytes())
    # Without the mask a message would quote the value, of whatever size.
    validator = jsonschema_rs.Draft202012Validator(rules, offline=True, mask="the value")
    return rules["title"], validator
