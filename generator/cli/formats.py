"""Findings for programs: JSON, SARIF 2.1.0, and the workflow commands of GitHub Actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from generator import __version__
from generator.findings import Finding
from generator.lint.codes import Code

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
"""The name of the format's schema; nothing is read from there."""


def as_json(findings: Sequence[Finding], _: Mapping[str, Code] | None = None) -> str:
    """An object with the list `findings`; `line` and `column` count from 1, 0 is the whole file."""
    data = {
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity,
                "message": finding.message,
                "hint": finding.hint,
                "file": finding.file,
                "line": finding.line,
                "column": finding.column,
                "key": list(finding.path),
            }
            for finding in findings
        ]
    }
    return json.dumps(data, indent=2) + "\n"


def as_github(findings: Sequence[Finding], _: Mapping[str, Code] | None = None) -> str:
    """One workflow command each, which GitHub Actions shows at the line of the change."""
    return "".join(
        f"::{finding.severity} {_properties(finding)}::{_data(_sentence(finding))}\n"
        for finding in findings
    )


def as_sarif(findings: Sequence[Finding], codes: Mapping[str, Code]) -> str:
    """A log of the Static Analysis Results Interchange Format (OASIS, version 2.1.0).

    Its rules are the codes that were found. Columns count characters, not UTF-16 units.
    """
    used = sorted({finding.code for finding in findings})
    run = {
        "tool": {
            "driver": {
                "name": "runbook",
                "semanticVersion": __version__,
                "rules": [_rule(code, codes.get(code)) for code in used],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, used.index(finding.code)) for finding in findings],
    }
    data = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(data, indent=2) + "\n"


FORMATS: dict[str, Callable[[Sequence[Finding], Mapping[str, Code]], str]] = {
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}


def _sentence(finding: Finding) -> str:
    return f"{finding.message} ({finding.hint})" if finding.hint else finding.message


def _rule(code: str, about: Code | None) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": code, "defaultConfiguration": {"level": "error"}}
    if about is not None:
        rule["shortDescription"] = {"text": about.title}
        rule["fullDescription"] = {"text": about.text or about.title}
    return rule


def _result(finding: Finding, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {
        "artifactLocation": {"uri": quote(finding.file, errors="backslashreplace")}
    }
    if finding.line:
        place["region"] = {"startLine": finding.line, "startColumn": max(finding.column, 1)}
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": _sentence(finding)},
        "locations": [{"physicalLocation": place}],
    }


def _place(finding: Finding) -> list[tuple[str, str]]:
    place = [("file", finding.file)]
    if finding.line:
        place += [("line", str(finding.line)), ("col", str(max(finding.column, 1)))]
    return [*place, ("title", finding.code)]


def _properties(finding: Finding) -> str:
    return ",".join(f"{name}={_property(value)}" for name, value in _place(finding))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
