"""Values in a document: shown as they are, never as markup, never out of their line."""

from __future__ import annotations

import re

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.templating import markdown
from generator.templating.templates import TemplateTree

HOSTILE = st.text(st.sampled_from("`*_[]<>|~\\&#+-=!().:; \n\r\tab1é;\u202e\u2028\x00")) | st.text()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ATL-EXCHANGE-00", "ATL-EXCHANGE-00"),
        ("10-001-a_b__c", "10-001-a_b__c"),
        ("_a_ __b__", r"\_a\_ \_\_b\_\_"),
        ("a|b", r"a\|b"),
        ("**bold** `code` ~~gone~~", r"\*\*bold\*\* \`code\` \~\~gone\~\~"),
        ("[link](https://x)", r"\[link\](https\://x)"),
        ("www.x.y or ftp://x", r"www\.x.y or ftp\://x"),
        ("to sip:a_b@x.y, c", "to `sip:a_b@x.y`, c"),
        ("at :once: 22:00:00", r"at \:once: 22:00:00"),
        ("<b>&amp;&</b>", r"\<b>\&amp;&\</b>"),
        ("# no heading", r"\# no heading"),
        ("no end of one #", r"no end of one \#"),
        ("- no list", r"\- no list"),
        ("1. no list", r"1\. no list"),
        ("10-001", "10-001"),
        ("C:\\a_b\\*.ps1", r"C:\a_b\\\*.ps1"),
        ("two\nlines\r\n\tof text", "two lines of text"),
        ("Größe ✓", "Größe ✓"),
        ("a\u202eb\u0000c\ud800", r"a\u202Eb\u0000c\uD800"),
        (7, "7"),
    ],
)
def test_text_is_shown_as_it_is(value: object, shown: str) -> None:
    assert markdown.text(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (".\\undo\\01_a.ps1", "`.\\undo\\01_a.ps1`"),
        ("a`b", "``a`b``"),
        ("`a``", "``` `a`` ```"),
        ("", "`  `"),
    ],
)
def test_code_is_shown_letter_by_letter(value: str, shown: str) -> None:
    assert markdown.code(value) == shown


@given(HOSTILE)
def test_no_value_leaves_its_line_or_its_table_cell(value: str) -> None:
    assert not re.search(r"(?<!\\)(\\\\)*\|", markdown.text(value))
    for shown in (markdown.text(value), markdown.code(value), markdown.verbatim(value)):
        assert len(shown.splitlines()) <= 1
        shown.encode("utf-8")
    assert markdown.verbatim(value).isprintable() or not value


@given(HOSTILE.filter(lambda value: "@" not in value))
def test_without_its_escapes_text_is_the_value_again(value: str) -> None:
    visible = str(markdown.verbatim(" ".join(value.split())))
    assert re.sub(r"\\([!-/:-@[-`{-~])", r"\1", markdown.text(value)) == visible


def render(source: str, **values: object) -> str:
    environment = markdown.environment(TemplateTree.for_project())
    return environment.from_string(source).render(values)


def test_a_template_escapes_without_being_asked() -> None:
    assert render("{{ a }} {{ a | code }} *x*", a="*b*") == r"\*b\* `*b*` *x*"
    assert (
        render("{% for x in a %}{{ x }} {% endfor %}{{ a | length }}", a=["*", "`"]) == r"\* \` 2"
    )


@pytest.mark.parametrize("source", ["{{ nothing }}", "{{ nothing | code }}", "{{ a.nothing }}"])
def test_what_is_missing_is_an_error_that_names_it(source: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        render(source, a={})


def test_templates_cannot_reach_python() -> None:
    with pytest.raises(jinja2.TemplateError):
        render("{{ a.__class__.__mro__ }}", a="x")
