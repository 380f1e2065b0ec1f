"""Codes of findings: each explained, none with two meanings, the list in the README in step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from generator import cli
from generator.lint import codes
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[3]
EVERY = codes.every(TemplateTree.for_project())
KNOWN = yaml.safe_load((ROOT / "tests/data/known_codes.yml").read_text("utf-8"))
_LITERAL = re.compile(r"\"([ETR]\d{3})\"")


def test_no_code_has_lost_or_changed_its_meaning() -> None:
    """known_codes.yml only grows: a code stands in tickets and suppressions for ever."""
    assert {code: EVERY[code].title for code in KNOWN if code in EVERY} == KNOWN


def test_a_new_code_is_entered_into_the_list_of_known_ones() -> None:
    assert sorted(EVERY.keys() - KNOWN.keys()) == []


def test_every_code_that_the_program_uses_is_explained() -> None:
    used: set[str] = set()
    for path in (ROOT / "generator").rglob("*.py"):
        used |= set(_LITERAL.findall(path.read_text("utf-8")))
    # Of these two the program knows the beginning; the end is the kind of mistake.
    used |= {f"{start}{end:02d}" for start in ("E1", "T1") for end in range(1, 10)}
    assert sorted(used - EVERY.keys()) == []


def test_every_explanation_belongs_to_a_code_that_is_used() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "generator").rglob("*.py"))
    own = yaml.safe_load(codes.FILE.read_text("utf-8"))
    unused = [
        code for code in own if f'"{code}"' not in source and not re.match("[ET]10[1-9]", code)
    ]
    assert unused == []


@pytest.mark.parametrize("one", EVERY.values(), ids=lambda one: one.code)
def test_a_code_has_a_title_and_says_what_to_do(one: codes.Code) -> None:
    assert 5 <= len(one.title) <= 90
    assert one.title.lstrip("'")[0] in ".ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert one.title.endswith("...") or not one.title.endswith(".")
    assert len(one.text) > 5


@pytest.mark.parametrize("code", ["E101", "T226", "R105", "r105", "E210"])
def test_it_is_explained_on_the_command_line(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["lint", "--explain", code]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{code.upper()}  {EVERY[code.upper()].title}\n\n")
    assert max(map(len, shown.splitlines())) <= 100


def test_all_of_them_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["lint", "--explain", "all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(EVERY)


def test_a_code_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["lint", "--explain", "R999"]) == 2
    assert "there is no code R999" in capsys.readouterr().err
