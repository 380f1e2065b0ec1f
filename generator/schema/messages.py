"""Sentences for the verdicts of the schema validator, each at its place in the YAML file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from generator.findings import Finding, path_text, show
from generator.schema import patterns
from generator.schema.yaml_errors import MAX_FINDINGS
from generator.schema.yaml_source import Document

Schema: TypeAlias = dict[str, Any]
Path_: TypeAlias = tuple[str | int, ...]

_NAMED = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}


MOST_NAMES = 500
"""Comparing a word with more names would take longer than it helps."""

MOST_MEANT = 1_000
"""Misspelt keys and choices of one document that are compared with the known ones."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The name that was probably meant, or nothing."""
    import difflib  # noqa: PLC0415  - only where there is a mistake

    names = {name.lower().replace("-", "_"): name for name in known}
    if len(names) > MOST_NAMES or len(word) > MOST_NAMES:
        return ""
    plain = word.lower().replace("-", "_")
    close = difflib.get_close_matches(plain, list(names), n=1, cutoff=0.6)
    return names[close[0]] if close else ""


class Sentences:
    """Collects the findings of one document, one for each place and kind of mistake."""

    def __init__(self, document: Document, codes: str) -> None:
        self._document = document
        self._codes = codes
        self._findings: dict[tuple[Path_, str], Finding] = {}
        self._misspelt: set[Path_] = set()
        self._compared = 0

    def findings(self) -> list[Finding]:
        """All of them, without the missing keys whose misspelt form is a finding already."""
        return [
            finding
            for (path, code), finding in self._findings.items()
            if code != "02" or path not in self._misspelt
        ]

    @property
    def full(self) -> bool:
        """Whether there are so many mistakes that looking for more is of no use."""
        return len(self._findings) >= MAX_FINDINGS

    def add(self, error: Any, schema: Schema) -> None:
        """Take an error of the validator; `schema` is the part whose keyword it is about."""
        path: Path_ = tuple(error.instance_path)
        facts: Schema = error.kind.as_dict()
        value = error.instance
        name = error.kind.name
        match name:
            case "additionalProperties" | "unevaluatedProperties":
                for key in facts["unexpected"][: MAX_FINDINGS - len(self._findings)]:
                    self._unknown(path, key, schema)
            case "required":
                self._missing(path, facts["property"], schema)
            case "type":
                self._type(path, value, facts["types"], schema)
            case "enum" | "const":
                self._choice(path, value, facts, schema)
            case "uniqueItems":
                self._repeated(path, value)
            case "pattern" | "format" | "minLength" | "maxLength":
                self._form(path, value, facts, schema)
            case "not" if "x-expects" in schema:
                self._form(path, value, facts, schema)
            case "minItems" | "maxItems" | "minProperties" | "maxProperties":
                bound = f"at {'least' if name.startswith('min') else 'most'} {facts['limit']}"
                what = "item" if isinstance(value, list) else "key"
                plural = "" if facts["limit"] == 1 else "s"
                self._put("06", path, f"{bound} {what}{plural} wanted here", schema)
            case "minimum" | "maximum":
                bound = f"at {'least' if name == 'minimum' else 'most'} {facts['limit']}"
                self._put("08", path, f"{show(value)} is out of range, {bound} is wanted", schema)
            case _:
                message = f"{show(value)} breaks the rule '{name}' of the schema"
                self._put("09", path, message, schema)

    def _unknown(self, path: Path_, key: str, schema: Schema) -> None:
        known = schema.get("properties", {})
        meant = self._meant(key, known)
        if meant:
            self._misspelt.add((*path, meant))
        listed = f"known here: {', '.join(known)}" if known else ""
        hint = f"did you mean {show(meant)}?" if meant else listed
        about = (*path, meant or key)
        self._put("01", (*path, key), "unknown key", {}, hint, key=True, about=about)

    def _meant(self, word: str, known: Iterable[str]) -> str:
        self._compared += 1
        return did_you_mean(word, known) if self._compared <= MOST_MEANT else ""

    def _missing(self, path: Path_, key: str, schema: Schema) -> None:
        about = schema.get("properties", {}).get(key, {})
        sentence = about.get("description", "") if isinstance(about, dict) else ""
        hint = re.split(r"[.;]\s", " ".join(sentence.split()))[0].rstrip(".")
        self._put("02", (*path, key), "missing key", {}, hint, key=True)

    def _type(self, path: Path_, value: Any, types: list[str], schema: Schema) -> None:
        if value is None:
            self._put("03", path, "a value is missing", schema, key=True)
            return
        wanted = " or ".join(_NAMED.get(name, name) for name in types)
        hint = _written(value, schema)
        if isinstance(value, str) and "boolean" in types:
            hint = "write true or false, in small letters and without quotes"
        elif isinstance(value, str) and "integer" in types and value.strip().isdecimal():
            hint = "write it without quotes and without zeros in front"
        elif isinstance(value, bool) and "string" in types:
            hint = f"if the text '{show(value)}' is meant, put it in quotes"
        elif types == ["array"] and isinstance(value, str):
            hint = f"write [{value}]" if len(value) < 60 else ""
        kind = {str: "the text ", int: "the number "}.get(type(value), "")
        found = kind + show(value)
        self._put("03", path, f"{wanted} is wanted here, not {found}", schema, hint)

    def _choice(self, path: Path_, value: Any, facts: Schema, schema: Schema) -> None:
        options = facts.get("options", [facts.get("expected_value")])
        names = list(dict.fromkeys(str(option) for option in options))
        # Of two numbers that differ in a digit none is more likely.
        word = isinstance(value, str) and not value.isdecimal()
        meant = self._meant(value, names) if word else ""
        hint = _written(value, schema) or (f"did you mean {show(meant)}?" if meant else "")
        match names:
            case []:
                verdict = "stands where the schema allows no value"
            case [only]:
                verdict = f"is not {only}"
            case _:
                verdict = f"is none of {', '.join(names)}"
        self._put("04", path, f"{show(value)} {verdict}", {}, hint)

    def _repeated(self, path: Path_, value: list[Any]) -> None:
        seen: dict[str, int] = {}
        for second, item in enumerate(value):
            first = seen.setdefault(json.dumps(item, sort_keys=True), second)
            if first != second:
                message = f"{show(item)} is in the list twice"
                hint = f"first at {path_text((*path, first))}"
                self._put("07", (*path, second), message, {}, hint)
                return

    def _form(self, path: Path_, value: str, facts: Schema, schema: Schema) -> None:
        expects = schema.get("x-expects", "")
        if expects or "limit" not in facts:
            wanted = expects or f"of the form {facts.get('pattern', facts.get('format'))}"
            hint = _written(value, schema)
            self._put("05", path, f"{show(value)} is not {wanted}", {}, hint)
        else:
            message = f"{show(value)} has {len(value)} characters, the limit is {facts['limit']}"
            self._put("08", path, message, schema)

    def _put(
        self, code: str, path: Path_, message: str, schema: Schema, hint: str = "", *,
        key: bool = False, about: Path_ | None = None,
    ) -> None:  # fmt: skip
        """Take a finding, unless its place has one of this code; `about`: the key that is meant."""
        expects = schema.get("x-expects", "")
        hint = hint or (f"wanted is {expects}" if expects else "")
        name = path_text(path)
        text = f"{name}: {message}" if name else message
        finding = self._document.finding(self._codes + code, path, text, hint, key)
        if about is not None:
            finding = dataclasses.replace(finding, path=about)
        self._findings.setdefault((path, code), finding)


def _written(value: Any, schema: Schema) -> str:
    """The hint of the first entry of `x-hints` whose pattern is in the text."""
    if isinstance(value, str):
        for entry in schema.get("x-hints", ()):
            if patterns.found(entry["pattern"], value):
                return str(entry["hint"])
    return ""
