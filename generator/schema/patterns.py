"""Regular expressions of schemas, matched in linear time by the engine of the validator.

That engine has no lookaround and no backreferences: with them a pattern of a few characters can
keep a search going for years.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def options() -> Any:
    """What a validator of jsonschema-rs is told, so that every pattern is linear."""
    import jsonschema_rs  # noqa: PLC0415 - 43 ms, and `--help` does without

    return jsonschema_rs.RegexOptions()


def found(pattern: str, text: str) -> bool:
    """Whether a pattern is somewhere in a text; never for a pattern that has a fault."""
    searcher = _searcher(pattern)
    try:
        return searcher is not None and bool(searcher.is_valid(text))
    except UnicodeEncodeError:
        # A file name that is not UTF-8 holds bytes that no pattern speaks of.
        return False


def fault(pattern: str) -> tuple[str, str, str] | None:
    """Code, message and hint for a pattern that cannot be used, or None."""
    import jsonschema_rs  # noqa: PLC0415

    if _searcher(pattern) is not None:
        return None
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True)
    except jsonschema_rs.ValidationError:
        return "T126", "is not a regular expression", ""
    hint = "write several patterns; `not` and `allOf` join them"
    return "T129", "has lookaround or a backreference", hint


@lru_cache(maxsize=1024)
def _searcher(pattern: str) -> Any:
    import jsonschema_rs  # noqa: PLC0415

    try:
        return jsonschema_rs.Draft202012Validator(
            {"pattern": pattern}, offline=True, pattern_options=options()
        )
    except jsonschema_rs.ValidationError:
        return None
