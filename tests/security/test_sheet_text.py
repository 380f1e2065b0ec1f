"""A text of an inventory is a text in the run sheet, for every reader of Markdown.

Each text is put into each place that a sheet has. The readers must find the elements that they find
around a harmless word, and the text itself, letter by letter.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_readers import READERS, Part, parts
from programs import NOW, ROOT

from generator import pipeline
from generator.documents import runsheet
from generator.templating import markdown
from generator.templating.templates import TemplateTree

TREE = TemplateTree.for_project()
WORD = "harmless"

PLACES = {
    "title": "# Run sheet C1: {{ v }}\n\ntext\n",
    "heading": "text\n\n### {{ v }}\n\ntext\n",
    "heading after another": "### 1 on {{ v }}: {{ v }}\n\ntext\n",
    "paragraph": "{{ v }}\n",
    "line of a paragraph": "text\n{{ v }}\ntext\n",
    "last line of a paragraph": "text\n{{ v }}\n\ntext\n",
    "end of a sentence": "text {{ v }}. Text, {{ v }}, ({{ v }}) and {{ v }}\n",
    "item": "- {{ v }}\n- text\n",
    "item with a label": "- **Server:** {{ v }}\n- **Team:** {{ v }}\n  and {{ v }}\n",
    "numbered item": "1. {{ v }}\n2. {{ v }}\n",
    "strong": "1. **{{ v }}**\n   - Why: {{ v }}\n   - {{ v }}\n",
    "table": "| a | b |\n| --- | --- |\n| {{ v }} | {{ v }} |\n| c | {{ v }} |\n",
    "table with its head": "| {{ v }} | b |\n| --- | --- |\n| c | d |\n",
    "below a table": "| a | b |\n| --- | --- |\n| c | d |\n\n{{ v }}\n",
    "quote": "> {{ v }}\n> {{ v }}\n",
    "before a link": "{{ v }}[text](https://a.example)\n",
    "inside of a link": "[{{ v }}](https://a.example)\n",
}
CODE_PLACES = {
    "code": "text {{ v | code }} text\n",
    "code alone": "{{ v | code }}\n",
    "code in an item": "- **Have at hand:** {{ v | code }}\n  of {{ v | code }}, text\n",
}
VERBATIM = (
    "1. **text**\n   - Sets:\n\n         {{ v | verbatim }}\n         x = {{ v | verbatim }}\n\n"
)

TRICKS = (
    # Headings, and the signs at their end.
    "#", "# a", "## a", "###### a", "####### a", "a #", "a ##", "a # #", "# #", "a#", "C#", "#a",
    "a \\#", "a #\\", "a #!", "a\n===", "===", "---", "- - -", "***", "* * *", "___", "_ _ _", "=",
    # Lists, tasks, quotes, code, rules.
    "- a", "+ a", "* a", "-", "+", "*", "1. a", "1) a", "1.", "999999999. a", "1234567890. a",
    "10-001", "-WhatIf", "- [ ] a", "[ ] a", "[x] a", "> a", ">a", "    a", "```", "~~~", "```a",
    "~~~ a", "-- a", "--a", "+1", "a\n- b",
    # Tables.
    "|", "a|b", "\\|", "\\\\|", "\\", "a\\", "|---|", "---|---", ":-", "-:", ":-:", ":---", "a | b",
    # Emphasis, code, strike.
    "*a*", "**a**", "_a_", "__a__", "a_b_c", "a__b__c", "_a_b", "a_b_", "*", "**", "_", "a*b*c",
    "~a~", "~~a~~", "`a`", "``", "`", "a`b``c```", "\\`a`", "*a**", "_*a*_", "\u00e9_a_\u00e9",
    "(_a_)", "\u2019_a_",
    # Links and images.
    "[a](b)", "[a]", "[a][b]", "[a]: b", "[a]: <b> 'c'", "![a](b)", "!", "a!", "![", "!\\[a](b)",
    "[^1]", "[^1]: a", "a[^1]", "^[a]", "<http://a.example>", "<a@b.example>", "<a>", "</a>",
    "<a b='c'>", "<!-- a -->", "<?a?>", "<!A>", "<![CDATA[a]]>", "<script>a", "<div>", "a < b > c",
    "-> a <-", "http://a.example", "https://a.example/b_c?d=e&f", "HTTP://A.EXAMPLE",
    "ftp://a.example", "xhttp://a.example", "1http://a.example", "\u00e9http://a.example",
    "_http://a.example_", "(http://a.example)", "http:\\\\a.example", "http\\://a.example",
    "www.a.example", "WWW.a.example", "_www.a.example_", "(www.a.example)", "xwww.a.example",
    "www..", "//a.example", "a.example", "mailto:a@b.example", "a@b.example", "sip:a@b.example",
    "xmpp:a@b.example/c", "a@b", "@", "@a", "a@", "a.b+c-d_e@b.example", "a@b.example.",
    "a@b.example_", "a@@b.example", "0@.A", "a@b.", "a@b.c.", "a@-.b", "\\x@y.z", "\x1b@.",
    "mailto:a@b.examplemailto:a@.e",
    "$a;b@b.example", "\u00e9@b.example", "a@\u00e9.example",
    "`a@b.example`", "_a@b.example_", "*a@b.example*", "|a@b.example|", "x,a@b.example,y",
    "a@b.example a@c.example", "a\\@b.example", "[a@b.example](c)", "<a@b.example", "a@b.example>",
    # Entities, escapes.
    "&amp;", "&#35;", "&#x23;", "&copy;", "&copy", "&", "&;", "&#;", "&amp;amp;", "\\&amp;", "\\\\",
    "\\*", "\\a", "C:\\temp\\*.ps1", "\\\\server\\share", "a\\\\", "\\\\\\", "\\_a_",
    # What viewers add.
    ":smile:", ":+1:", "a:b:c", "22:00:00", "a :smile: b", "::", ":a", "$a$", "$$a$$", "==a==",
    "H~2~O", "a^2^", "{#a}", "{: .a}", "[[a]]", "@mention", "#123", "GH-1", "--", "...", "(c)",
    "\"a\"", "'a'",
    # Characters.
    "\u00a0a", "a\u2028b", "a\u202eb", "a\u0000b", "a\tb", "\u3000a", "\ufeffa", "\u200ba",
    "\U0001f600", "a\r\nb", "\ud800", "<\u202e>", "\u0301a", "{{ 7 * 7 }}", "{% raw %}",
)  # fmt: skip


def render(source: str, value: str) -> str:
    return markdown.environment(TREE).from_string(source).render(v=value)


def shown(value: str) -> str:
    """A text as print shows it: blanks in a row are one, what is invisible has its number."""
    return " ".join(str(markdown.verbatim(" ".join(value.split()))).split())


def check(reader: str, value: str, source: str) -> None:
    """The document with the text is that with a word in which the text stands for the word."""
    document = render(source, value)
    # GFM links an address whatever is escaped in it, so it stands in a code span.
    without = "code" if "@" in value else ""
    told = str(markdown.verbatim(value)) if source == VERBATIM else shown(value)
    told = "".join(told.split())
    expected = []
    for part in parts(reader, render(source, WORD), without):
        text = part.text.replace(WORD, told)
        if part.element or text:
            expected.append(Part(part.element, text))
    assert parts(reader, document, without) == expected, document


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("place", PLACES)
def test_G13_a_trick_is_a_text_in_every_place(reader: str, place: str) -> None:
    for value in TRICKS:
        check(reader, value, PLACES[place])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("place", CODE_PLACES)
def test_G13_a_trick_is_code_letter_by_letter(reader: str, place: str) -> None:
    for value in TRICKS:
        check(reader, value, CODE_PLACES[place])


@pytest.mark.parametrize("reader", READERS)
def test_G13_a_line_of_a_block_of_code_is_that_line(reader: str) -> None:
    for value in TRICKS:
        check(reader, value, VERBATIM)


SIGNS = "`*_[]<>|~\\&#+=-!().:;@/$^\"' \tab1\u00e9"
TEXTS = st.one_of(
    st.text(st.sampled_from(SIGNS), min_size=1, max_size=30),
    st.lists(st.sampled_from(TRICKS), min_size=2, max_size=4).map("".join),
    st.lists(st.sampled_from(TRICKS), min_size=2, max_size=4).map(" ".join),
    st.text(st.characters(), min_size=1, max_size=40),
).filter(lambda text: bool(text.split()))


def examples(count: int) -> Any:
    return settings(max_examples=count, derandomize=True, database=None, deadline=None)


def check_everywhere(value: str) -> None:
    for reader in READERS:
        for source in (*PLACES.values(), *CODE_PLACES.values(), VERBATIM):
            check(reader, value, source)


@examples(60)
@given(TEXTS)
def test_G13_any_text_is_a_text_in_every_place(value: str) -> None:
    check_everywhere(value)


@pytest.mark.soak
@examples(1_000)
@given(TEXTS)
def test_G13_many_texts_are_texts_in_every_place(value: str) -> None:
    check_everywhere(value)


# --- the sheet itself -----------------------------------------------------------------------


def sheet(title: str, folder: Path) -> str:
    """The run sheet of litwareinc with this title and with a group of this name."""
    data = yaml.load((ROOT / "inventories/litwareinc.yml").read_text("utf-8"), yaml.BaseLoader)
    data["change"]["title"] = title
    data["skype"]["groups"] = {"server_admins": re.sub(r'["/\\\[\]:;|=,+*?<>@]', "", title) or "a"}
    path = folder / "sheet.yml"
    path.write_text(yaml.safe_dump(data, width=10**6).replace("'2016'", "2016"), "utf-8")
    assert pipeline.validate(path, TREE, NOW) == ()
    made = runsheet.render(pipeline.build(path, TREE), TREE)
    return re.sub("[0-9a-f]{64}", "hash", made)


def test_G13_a_title_changes_no_element_of_the_sheet(tmp_path: Path) -> None:
    model = sheet(WORD, tmp_path)
    for title in ("a #", "![a](b) http://a.example www.b.example", "a | b", "<b>&amp;</b> `c` _d_"):
        document = sheet(title, tmp_path)
        for reader in READERS:
            found, expected = parts(reader, document), parts(reader, model)
            assert [part.element for part in found] == [part.element for part in expected], title
            heading = next(part.text for part in found if not part.element)
            assert heading == "".join(f"Run sheet CHG0012345: {title}".split())


def test_G13_what_needs_no_escape_has_none() -> None:
    """The source of a sheet is read, too."""
    for plain in (
        "ATL-EXCHANGE-00", "atl-exchange-001.litwareinc.com", "10-001-a_b", "C:\\Runbooks\\C1",
        "-WhatIf shows it", "It is done. (Or not!) Really", "2027-03-06 22:00:00+01:00", "a@b",
        "#123", "C#", "-Identity 'a' -> b", "A & B; \"c\", 50 %, $env:X, {d}", "a = b", "1.5 of 2",
    ):  # fmt: skip
        assert markdown.text(plain) == plain
