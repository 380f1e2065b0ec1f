"""Literals, comments and hashes: text that PowerShell reads back as the same value."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.templating.marks import WIDTH
from generator.templating.powershell import (
    ZERO_HASH,
    content_hash,
    encode,
    ps,
    ps_comment,
    ps_list,
)

LITERAL = re.compile(r"'(?:[^']|'')*'|\[char\]0x[0-9A-F]{4}| \+ |\(|\)")


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("EX01", "'EX01'"),
        ("it's", "'it''s'"),
        ("", "''"),
        ("$(calc)`n", "'$(calc)`n'"),
        ("\u2019", "('' + [char]0x2019)"),
        ("a\nb", "('a' + [char]0x000A + 'b')"),
        ("\U0001f600", "('' + [char]0xD83D + [char]0xDE00)"),
        (True, "$true"),
        (None, "$null"),
        (42, "42"),
        (["a", 1], "@('a', 1)"),
        ({"a": "b", "c": []}, "@{ 'a' = 'b'; 'c' = @() }"),
        ({}, "@{}"),
    ],
)
def test_literal(value: object, literal: str) -> None:
    assert ps(value) == literal


def test_numbers_with_a_fraction_have_no_literal() -> None:
    with pytest.raises(TypeError, match="float"):
        ps(1.5)


@given(st.text())
def test_a_string_literal_is_made_of_strings_casts_plus_and_parentheses(text: str) -> None:
    literal = ps(text)
    assert LITERAL.sub("", literal) == ""
    assert literal.isascii()
    assert literal.isprintable()


@given(st.text(st.characters(), max_size=400))
def test_no_value_leaves_its_comment(text: str) -> None:
    for comment in (ps_comment(text), ps_comment(text, "Why")):
        assert comment.isascii()
        assert "#>" not in comment.replace("# >", "")
        lines = comment.split("\n")
        assert all(line.isprintable() for line in lines)
    assert all(line.startswith("#") for line in ps_comment(text, "Why").split("\n"))


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=30), max_size=40))
def test_a_list_is_wrapped_between_its_items(items: list[str]) -> None:
    text = ps_list(items)
    assert text.replace("\n", "").replace(" ", "") == ",".join(ps(i) for i in items).replace(
        " ", ""
    )
    lines = text.split("\n")
    assert all(len(line) <= WIDTH or line.count("', '") == 0 for line in lines)


def test_a_script_has_crlf_and_one_line_end_at_its_end() -> None:
    assert encode("a\nb\n\n\n") == b"a\r\nb\r\n"


def test_the_content_hash_leaves_out_signature_and_own_hash() -> None:
    own = "ab" * 32
    body = f"Hash = '{own}'\r\nrest\r\n".encode()
    signed = (
        body + b"\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n"
    )
    plain = hashlib.sha256(body.replace(own.encode(), ZERO_HASH.encode())).hexdigest()
    assert content_hash(body, own) == plain
    # The mark begins with the line end that signing adds.
    assert content_hash(signed, own) == plain
