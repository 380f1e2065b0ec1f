"""A verdict is one of what stands there: never of what else is built, nor of what values say."""

from __future__ import annotations

import cProfile
import pstats
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import ROOT
from rule_cases import BASE, CATALOGUES, MADE_UP, Case, cases, data, filtered, wrapped

from generator import cli
from generator.model.build import Piece
from generator.model.plan import Product
from generator.rules.checker import Judge, problems
from generator.rules.rule import Problem
from generator.syntax.tree import parse
from generator.templating import marks
from generator.templating.powershell import RESERVED, ps, ps_comment, ps_list
from generator.templating.templates import TemplateTree

CASES = tuple(cases())
UNMARKED = tuple(case for case in CASES if marks.MARK not in case.text)
OF_LINES = {"R101", "R105"}
"""Rules for single lines see the text."""

OF_FORMS = {"R144", "R146"}
"""They compare names and forms that a template says with one another. Those of a value are compared
on the server: the engine refuses other names than those of `Wanted`, and another form of an answer.
"""

PRODUCTS = tuple(
    Product(name, name, 1, "", {}, (), commands)
    for name, commands in (
        ("exchange", data("exchange")),
        ("skype", data("skype")),
        ("made-up", MADE_UP),
    )
)
TREE = TemplateTree.for_project()
EXCHANGE = CATALOGUES["exchange"], "2019"


def judge() -> Judge:
    return Judge(PRODUCTS, BASE, TREE)


def told(judge: Judge, case: Case) -> tuple[Problem, ...]:
    """What a judge says who may have judged other pieces before."""
    template = "_runbook/engine.ps1" if case.engine else f"{case.product}/step.ps1.j2"
    return judge.judged(Piece("step", template, case.text), case.product, case.version).problems


def literals(text: str) -> Iterator[tuple[int, int]]:
    """Where strings stand in a text without marks."""
    for node in parse(text).all("string_literal"):
        first, last = node.span
        if text.isascii() and text[first] in "'\"" and "\n" not in text[first:last]:
            yield first, last


def contents() -> list[str]:
    """What the strings of all tables say, and what rules look for."""
    found = {case.text[a + 1 : b - 1] for case in UNMARKED for a, b in literals(case.text)}
    return sorted(found | set(RESERVED) | {"stop", "continue", "a,b", "System.Net.WebClient"})


CONTENTS = contents()


def exchanged(case: Case, words: Sequence[str]) -> Iterator[Case]:
    """The case with each of its strings in turn exchanged: for another one, and for a value."""
    for number, (first, last) in enumerate(literals(case.text)):
        own = case.text[first + 1 : last - 1]
        for word in (own, *words):
            for literal in ("'" + word.replace("'", "''") + "'", ps(word).marked):
                text = case.text[:first] + literal + case.text[last:]
                yield replace(case, name=f"{case.name}, string {number} {word!r}", text=text)


# --- a verdict never depends on what was judged before ------------------------------------

TWIN = "$type = '{}'\n$client = New-Object -TypeName $type"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_G17_a_twin_with_another_type_is_judged_by_its_own(order: tuple[int, int]) -> None:
    texts = [wrapped(TWIN.format(name), "read") for name in ("string", "Net.WebClient")]
    alone = [problems(text, CATALOGUES["exchange"], "2019") for text in texts]
    assert alone[0] == ()
    assert [one.code for one in alone[1]] == ["R121"]
    one = judge()
    for at in order:
        piece = Piece("step", "exchange/step.ps1.j2", texts[at])
        assert one.judged(piece, "exchange", "2019").problems == alone[at]


STEP = """\
{% block check %}
        $type = '...'
        $client = New-Object -TypeName $type
        @{ Saw = "$client"; Problems = @() }
{% endblock %}
"""


@pytest.mark.parametrize("order", [("string", "Net.WebClient"), ("Net.WebClient", "string")])
def test_G17_a_build_accuses_the_step_that_does_it(
    order: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "templates/exchange/server"
    own.mkdir(parents=True)
    for name, kind in zip(("vendor_script", "trusted_issuer"), order, strict=True):
        (own / f"{name}.ps1.j2").write_text(STEP.replace("...", kind))
    inventory = str(ROOT / "inventories/litwareinc.yml")
    told = ["--templates", str(tmp_path / "templates")]
    for command in (["build", "--out", str(tmp_path / "out")], ["lint"]):
        assert cli.run([*command, inventory, *told]) == 1
        said = "".join(capsys.readouterr())
        accused = re.findall(r"(\w+)\.ps1\.j2:\d+:\d+: error\[(R\d+)\]", said)
        assert accused == [
            (("vendor_script", "trusted_issuer")[order.index("Net.WebClient")], "R121")
        ], said


@settings(max_examples=6, derandomize=True, database=None, deadline=None)
@given(st.randoms(use_true_random=False))
def test_G17_every_case_of_every_table_in_any_order(chance: random.Random) -> None:
    mixed = [*CASES]
    chance.shuffle(mixed)
    one = judge()
    for case in mixed:
        assert told(one, case) == case.found, case.name


def check_exchanged(words: int) -> None:
    chance = random.Random(17)
    mixed = [
        other for case in UNMARKED for other in exchanged(case, chance.sample(CONTENTS, words))
    ]
    chance.shuffle(mixed)
    one = judge()
    by_shape: dict[tuple[str, str, str, bool], tuple[str, ...]] = {}
    for case in mixed:
        found = case.found
        assert told(one, case) == found, case.name
        # Equal shape, equal verdict; what single lines are is told of the text.
        key = marks.shape_of(case.text), case.product, case.version, case.engine
        said = tuple(f"{one.code} {one.message}" for one in found if one.code not in OF_LINES)
        assert by_shape.setdefault(key, said) == said, case.name
    assert len(by_shape) > 500


def test_G17_every_string_of_every_case_exchanged() -> None:
    check_exchanged(1)


@pytest.mark.soak
def test_G17_every_string_of_every_case_exchanged_for_many() -> None:
    check_exchanged(40)


# --- a value hides nothing ----------------------------------------------------------------


def check_values_hide_nothing(words: int) -> int:
    """What is refused when a template says it is refused when a value says it, too."""
    chance = random.Random(18)
    refused = 0
    for case in UNMARKED:
        for first, last in literals(case.text):
            for word in chance.sample(CONTENTS, words):
                literal = "'" + word.replace("'", "''") + "'"
                before, after = case.text[:first], case.text[last:]
                said = replace(case, text=before + literal + after).found
                hidden = replace(case, text=before + ps(word).marked + after).found
                if {one.code for one in said} - OF_LINES - OF_FORMS:
                    refused += 1
                    assert hidden, (case.name, word)
    return refused


def test_G17_what_a_template_may_not_say_no_value_says() -> None:
    assert check_values_hide_nothing(2) > 200


@pytest.mark.soak
def test_G17_what_a_template_may_not_say_none_of_many_values_says() -> None:
    assert check_values_hide_nothing(60) > 6_000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("$a = New-Object -TypeName <System.Uri>", "R121"),
        ("$type = <System.Uri>\n$a = New-Object -TypeName $type", "R121"),
        ("$at = @{ TypeName = <System.Uri> }\n$a = New-Object @at", "R121"),
        ("$a = $b -as <System.Uri>", "R121"),
        (
            "$script = <Scripts\\Configure-EnterprisePartnerApplication.ps1>\n"
            "& $script -AuthMetadataUrl 'https://a' -ApplicationType 'Lync'",
            "R125",
        ),
        ("Get-AuthConfig -ErrorAction <Stop>", "R136"),
        ("$at = @{ ErrorAction = <Stop> }\nGet-AuthConfig @at", "R136"),
        ("$at = @{ <ErrorAction> = 'Stop' }\nGet-AuthConfig @at", "R131"),
    ],
)
def test_G17_where_a_rule_must_read_a_string_no_value_may_stand(text: str, code: str) -> None:
    """A template may say it there. Of the value no rule has looked at what it says."""

    def codes(filled: str) -> set[str]:
        found = problems(wrapped(filled, "apply"), CATALOGUES["exchange"], "2019")
        return {one.code for one in found}

    assert codes(text.replace("<", "'").replace(">", "'")) == set()
    assert code in codes(filtered(text.replace("<", "<ps:")))


@pytest.mark.parametrize("name", RESERVED)
def test_G17_a_reserved_name_is_seen_in_a_value(name: str) -> None:
    for word in (name, name.upper()):
        text = wrapped(f"{ps(word).marked} = 'a'", "wanted")
        assert [one.code for one in problems(text, CATALOGUES["exchange"], "2019")] == ["R142"]


@pytest.mark.parametrize("word", ["a,b", "\u0416,\u0416", ","])
def test_G17_a_comma_is_seen_in_a_value(word: str) -> None:
    for place, text in (
        ("wanted", f"{ps(word).marked} = 'a'"),
        ("step", f"Id = {ps(word).marked}"),
    ):
        found = problems(wrapped(text, place), CATALOGUES["exchange"], "2019")
        assert [one.code for one in found] == ["R143"]


# --- the marks ------------------------------------------------------------------------------

TEXTS = st.text(st.characters(), max_size=150) | st.sampled_from(CONTENTS)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_G17_text_and_shape_come_apart(texts: list[str]) -> None:
    """The text is what filters write, but for line ends; the shape knows no content."""
    marked = "".join(f"$a = {ps(text).marked}\n# {ps_comment(text).marked}\n" for text in texts)
    plain = "".join(f"$a = {ps(text)}\n# {ps_comment(text)}\n" for text in texts)
    assert " ".join(marks.text_of(marked).split()) == " ".join(plain.split())
    others = [text.replace("a", "b") + "x" for text in texts]
    same_class = [
        ("," in a, a.isascii() and a.isprintable()) == ("," in b, b.isascii() and b.isprintable())
        and not {a.lower(), b.lower()} & {name.lower() for name in RESERVED}
        for a, b in zip(texts, others, strict=True)
    ]
    if all(same_class):
        other = "".join(f"$a = {ps(text).marked}\n# {ps_comment(text).marked}\n" for text in others)
        assert marks.shape_of(marked) == marks.shape_of(other)


@given(st.lists(TEXTS, max_size=30), TEXTS)
def test_G17_a_line_of_the_shape_is_found_in_the_text(items: list[str], why: str) -> None:
    marked = (
        f"# first\n{ps_comment(why, 'Why').marked}\n$a = @(\n        {ps_list(items).marked})\n"
        f"$b = {ps(why).marked} +\n'x'\n# last"
    )
    shape, text = marks.shape_of(marked).split("\n"), marks.text_of(marked).split("\n")
    lines = marks.lines_of(marked)
    assert len(lines) == len(shape)
    for line in ("# first", "$a = @(", "'x'", "# last"):
        assert text[lines[shape.index(line)] - 1] == line
    # The list begins where its shape does, whatever lines it has.
    assert lines[shape.index("$a = @(") + 1] == lines[shape.index("$a = @(")] + 1


def test_G17_a_list_of_thousands_is_one_value() -> None:
    few, many = ["a", "b"], [f"server{number}" for number in range(2_000)]
    assert ps_list(few).shape == ps_list(many).shape
    assert ps(few).shape == ps(many).shape


ENTRY = ps("x").marked


@pytest.mark.parametrize(
    "entry",
    [
        f"{ENTRY}",
        f"{ENTRY},",
        f"@{{ Hash = {ENTRY}\n    Id = {ENTRY}; Hours = 72 }}",
        f"{ENTRY} = {ps('y,').marked}",
        f"Name = {ps(chr(0x416)).marked}",
        # What is left open, or closed, by one is closed, or opened, by no other.
        f"@{{ a = {ENTRY}",
        f"{ENTRY} }}",
        f"@( {ENTRY}",
        f"{ENTRY} )\n@( {ENTRY}",
        f"'a {ENTRY}",
        f"{ENTRY} '",
        f'"{ENTRY}',
        f"{ENTRY} # {ENTRY}",
        f"<# {ENTRY}",
        # Code is judged, however often it stands there.
        f"Get-Nothing {ENTRY}",
        f"iex {ENTRY}",
        f"& {ENTRY}",
        f"exit {ENTRY}",
        f"{ENTRY} | iex",
        f"$a = {ENTRY}; $b = {ENTRY}",
        f"$global:a = {ENTRY}",
        f"New-Object -TypeName {ENTRY}",
    ],
)
@pytest.mark.parametrize("place", ["wanted", "read", "list"])
def test_G17_many_entries_tell_what_few_tell(
    entry: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(count: int, longest: int) -> set[tuple[str, str]]:
        monkeypatch.setattr(marks, "_LONG", longest)
        text = f"{entry}\n" * count
        inner = f"$a = @(\n{text})" if place == "list" else text
        found = problems(wrapped(inner, "wanted" if place == "wanted" else "read"), *EXCHANGE)
        assert all(0 < one.line <= count * 2 + 8 for one in found)
        return {(one.code, one.message) for one in found if one.code not in ("R105", "R150")}

    assert told(150, 20) == told(150, 10**9)


# --- as many lines, as much work ------------------------------------------------------------

LINES = {
    "comments": "        # text\n",
    "comments with a backtick": "        # text `\n",
    "commands": "        Get-Thing -ErrorAction Stop\n",
    "unknown commands": "        & $s\n",
    "splatted tables": "        $at = @{ ErrorAction = 'Stop' }\n        Get-Thing @at\n",
    "types in variables": "        $b = 'System.Uri'\n        $a = New-Object -TypeName $b\n",
    "methods": "        Join-Path -Path $a.Trim() -ChildPath $b.Trim()\n",
    "tables": "        $a = @{ b = 1; c = 2 }\n",
    "values": f"        $a = {ps('x').marked}\n        # {ps_comment('x').marked}\n",
    "faulty lines": "        $a = )\n",
}


@pytest.mark.parametrize("kind", LINES)
def test_G14_twice_the_lines_are_twice_the_work(kind: str) -> None:
    def calls(lines: int) -> int:
        step = wrapped("x", "read").replace("        x\n", LINES[kind] * lines)
        profile = cProfile.Profile()
        profile.enable()
        problems(step, CATALOGUES["made-up"], "2016")
        profile.disable()
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    calls(10)
    assert calls(800) < 2.1 * calls(400)
