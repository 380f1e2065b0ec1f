"""Hostile values through the filters: PowerShell's own parser reads each back as what it was."""

from __future__ import annotations

from typing import Any

import pytest
from hostile.judge import Judge, canonical
from hostile.strings import DOUBLE_QUOTES, HOSTILE, SINGLE_QUOTES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.templating.powershell import ps, ps_comment, ps_list

SAMPLE, WHOLE = 60, 3_000

TRICKS = (
    *SINGLE_QUOTES, *DOUBLE_QUOTES, "'", '"', "`", "$(", "${", "@(", "@{", "#>", "<#", "#requires",
    "\0", "\r\n", "\n", "\r", "\t", "\v", "\f", "\x1b", "\x7f", "\u0085", "\u00a0", "\u00ad",
    "\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\ufeff", "\ufffe", "\ud800", "\udc00",
    "\U0001f600", "\u0130", "--%", ";", "|", "&", "{{", "}}", "calc.exe", " ", "]", ")", "[char]",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(st.characters(), max_size=60),
    st.lists(st.sampled_from(TRICKS), max_size=40).map("".join),
    st.sampled_from(HOSTILE),
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS, st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(TEXTS.map(str.casefold), inner, max_size=3),
    ),
    max_leaves=6,
)


def examples(count: int) -> Any:
    """The same cases on every run; a case that fails is made small before it is shown."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def reads_back(judge: Judge, value: Any) -> None:
    assert judge.ask("value", text=ps(value)) == canonical(value)


def list_reads_back(judge: Judge, values: list[Any]) -> None:
    text = "@(" + ps_list(values).replace("\n", "\r\n") + ")"
    assert judge.ask("value", text=text) == canonical(values)


def stays_a_comment(judge: Judge, text: str) -> None:
    comments = f"{ps_comment(text, 'Why')}\n# {ps_comment(text)}\n".replace("\n", "\r\n")
    assert judge.ask("comment", text=comments) == "comment"


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_each_of_the_forty(judge: Judge, number: int) -> None:
    text = HOSTILE[number]
    reads_back(judge, text)
    stays_a_comment(judge, text)
    if len(text) < 1_000:
        list_reads_back(judge, [text, [text], {"key": text}])


@pytest.mark.parametrize(
    "character",
    ["\u2019", *(pytest.param(c, marks=pytest.mark.soak) for c in ("'", "\n", "\U0001f600", "#>"))],
)
def test_a_value_of_ten_thousand_characters(judge: Judge, character: str) -> None:
    text = character * (10_000 // len(character))
    reads_back(judge, text)
    stays_a_comment(judge, text)


@examples(SAMPLE)
@given(VALUES)
def test_a_value_reads_back(judge: Judge, value: Any) -> None:
    reads_back(judge, value)


@examples(SAMPLE // 3)
@given(st.lists(VALUES, max_size=30))
def test_a_list_over_several_lines_reads_back(judge: Judge, values: list[Any]) -> None:
    list_reads_back(judge, values)


@examples(SAMPLE)
@given(TEXTS)
def test_a_comment_stays_a_comment(judge: Judge, text: str) -> None:
    stays_a_comment(judge, text)


@pytest.mark.soak
@examples(WHOLE)
@given(VALUES)
def test_many_values_read_back(judge: Judge, value: Any) -> None:
    reads_back(judge, value)


@pytest.mark.soak
@examples(WHOLE)
@given(TEXTS)
def test_many_comments_stay_comments(judge: Judge, text: str) -> None:
    stays_a_comment(judge, text)


@pytest.mark.soak
@examples(WHOLE // 3)
@given(st.lists(VALUES, max_size=30))
def test_many_lists_over_several_lines_read_back(judge: Judge, values: list[Any]) -> None:
    list_reads_back(judge, values)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, {"a": 1, "A": 2}])
def test_what_powershell_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"64 bits|differ only by case"):
        ps(value)
