"""Findings for programs: each format by its own rules, and none of them loses anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.cli import formats
from generator.findings import Finding
from generator.lint import codes
from generator.lint.codes import Code
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "tests/data/schemas/sarif.json").read_text("utf-8"))
SARIF = jsonschema_rs.validator_for(SCHEMA, offline=True, validate_formats=True)
CODES = {"E101": Code("E101", "An unknown key", "It is not known.")}

UNKNOWN = Finding(
    "E101", "a.b: unknown key", "my inventories/n\u00f6.yml", 3, 5, "did you mean 'c'?", "    b: 1",
    ("a", "b"),
)  # fmt: skip
WHOLE = Finding("E006", "the file is empty", "x.yml")


def sarif(*findings: Finding) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(formats.as_sarif(findings, CODES))
    SARIF.validate(log)
    return log


class TestJson:
    def test_every_field_is_there(self) -> None:
        (found,) = json.loads(formats.as_json([UNKNOWN]))["findings"]
        assert found == {
            "code": "E101", "severity": "error",
            "message": "a.b: unknown key", "hint": "did you mean 'c'?",
            "file": "my inventories/n\u00f6.yml", "line": 3, "column": 5, "key": ["a", "b"],
        }  # fmt: skip

    def test_no_findings_are_an_empty_list(self) -> None:
        assert json.loads(formats.as_json([])) == {"findings": []}

    def test_it_is_ascii(self) -> None:
        assert formats.as_json([UNKNOWN]).isascii()


class TestSarif:
    def test_it_follows_the_standard(self) -> None:
        log = sarif(UNKNOWN, WHOLE)
        (run,) = log["runs"]
        first, second = run["results"]
        assert first["locations"][0]["physicalLocation"] == {
            "artifactLocation": {"uri": "my%20inventories/n%C3%B6.yml"},
            "region": {"startLine": 3, "startColumn": 5},
        }
        assert first["message"]["text"] == "a.b: unknown key (did you mean 'c'?)"
        assert "region" not in second["locations"][0]["physicalLocation"]

    def test_each_result_points_at_its_rule(self) -> None:
        (run,) = sarif(UNKNOWN, WHOLE, UNKNOWN)["runs"]
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == ["E006", "E101"]
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[1]["shortDescription"] == {"text": "An unknown key"}

    def test_no_findings_are_a_run_without_results(self) -> None:
        assert sarif()["runs"][0]["results"] == []

    def test_the_schema_refuses_a_misspelt_property(self) -> None:
        log = sarif(UNKNOWN)
        log["runs"][0]["results"][0]["levl"] = "error"
        assert not SARIF.is_valid(log)

    def test_every_code_has_a_text_that_fits(self) -> None:
        known = codes.every(TemplateTree.for_project())
        every = [Finding(code, "m", "f.yml", 1, 1) for code in known]
        SARIF.validate(json.loads(formats.as_sarif(every, known)))


class TestGithub:
    def test_file_line_column_and_code(self) -> None:
        assert formats.as_github([UNKNOWN, WHOLE]) == (
            "::error file=my inventories/n\u00f6.yml,line=3,col=5,title=E101::"
            "a.b: unknown key (did you mean 'c'?)\n"
            "::error file=x.yml,title=E006::the file is empty\n"
        )

    def test_what_would_end_a_command_or_a_property_is_escaped(self) -> None:
        found = Finding("E001", "50%\nx", "a:b,c.yml", 1, 1)
        assert formats.as_github([found]) == (
            "::error file=a%3Ab%2Cc.yml,line=1,col=1,title=E001::50%25%0Ax\n"
        )


TEXT = st.text(max_size=30)


@pytest.mark.parametrize("form", list(formats.FORMATS))
@given(message=TEXT.filter(bool), file=TEXT, line=st.integers(0, 9), column=st.integers(0, 9))
def test_no_text_breaks_a_format(
    form: str, message: str, file: str, line: int, column: int
) -> None:
    found = [Finding("E101", message, file, line, column)]
    text = formats.FORMATS[form](found, CODES)
    if form == "github":
        assert text.count("\n") == 1
    else:
        data = json.loads(text)
        if form == "sarif":
            SARIF.validate(data)
