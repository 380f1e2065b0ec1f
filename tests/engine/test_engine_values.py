"""Words of the engine alone: values, comparison, web answers, hashes."""

from __future__ import annotations

import json
import os

import pytest
from lab import running, toy
from lab.lab import ROOT

from generator.templating.powershell import content_hash

URL = "https://toy.litwareinc.com/x"
START = """Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$Runbook = @{ Help = 'x'; Culture = [System.Globalization.CultureInfo]::InvariantCulture }
$Runbook.Latin = [System.Text.Encoding]::GetEncoding(28591)
$Runbook.Utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false
"""


@pytest.fixture
def engine(tmp_path):
    """Run words of the engine without a runbook; answers with what they print."""

    def run(code: str, **more: str) -> str:
        text = "\n".join((toy.SPINE / name).read_text() for name in toy.ENGINE)
        path = tmp_path / "unit.ps1"
        path.write_text(START + text[: text.index("$facts = @{")] + code)
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1", **more}
        alone = running.needs_process(None, more)
        how = running.process if alone else running.served
        done = how(path, (), environment, None)
        assert done.code == 0, done.output + done.error
        return done.output.strip()

    return run


@pytest.fixture
def web(engine, tmp_path):
    """What Get-WebAnswer makes of an answer of the lab, as JSON."""

    def ask(answer: dict[str, object], words: str = "", **more: str) -> dict[str, object]:
        state = {"hosts": {}, "web": {URL: answer}}
        (tmp_path / "state.json").write_text(json.dumps(state))
        lab = {"LAB_ROOT": str(ROOT), "LAB_DIR": str(tmp_path), "COMPUTERNAME": "TOY-01"}
        code = f"""
Import-Module -Name "$env:LAB_ROOT/stand-ins/Lab.psm1" -Global
Import-Module -Name "$env:LAB_ROOT/stand-ins/Windows.psm1" -Global
$answer = Get-WebAnswer -Url '{URL}' {words}
if ($answer.Date) {{ $answer.Date = $answer.Date.Kind.ToString() + ' ' + $answer.Date.Hour }}
ConvertTo-Json -InputObject $answer -Depth 4 -Compress
"""
        found = engine(code, LAB_NOW="2027-03-06T21:30:00+00:00", **lab, **more)
        parsed: dict[str, object] = json.loads(found)
        return parsed

    return ask


def test_web_answer_is_plain_values(web):
    found = web({"status": 200, "headers": {"X-One": ["a", "b"]}, "body": "hello"})
    assert found["Status"] == 200
    assert found["Body"] == "hello"
    assert found["Problem"] == found["Proxy"] == ""
    assert found["Headers"]["x-one"] == ["a", "b"]
    assert found["Date"] == "Utc 21"
    assert found["Url"] == URL


def test_a_refusal_is_an_answer_with_its_challenge(web):
    bearer = 'Bearer client_id="x", trusted_issuers="y@z"'
    challenge = {"WWW-Authenticate": [bearer, "Negotiate"]}
    found = web({"status": 401, "headers": challenge, "body": "no"}, "-Token 'none'")
    assert (found["Status"], found["Problem"]) == (401, "")
    assert bearer in ", ".join(found["Headers"]["www-authenticate"])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("NameResolutionFailure", "The remote name could not be resolved"),
        ("TrustFailure", "The remote certificate is invalid according to"),
        ("Timeout", "The request failed: Timeout"),
    ],
)
def test_nobody_answered_and_the_kind_is_named(web, failure, words):
    found = web({"failure": failure})
    assert found["Status"] == 0
    assert found["Problem"].startswith(f"{failure}: {words}")
    assert found["Date"] is None


def test_the_proxy_that_answers_is_named(web):
    found = web({"status": 200, "body": ""}, https_proxy="http://proxy.litwareinc.com:8080")
    assert found["Proxy"] == "http://proxy.litwareinc.com:8080/"


def test_an_address_that_is_none_is_a_problem_and_no_error(engine):
    assert engine("(Get-WebAnswer -Url 'no address').Problem") != ""


def test_r34_any_collection_is_a_list(engine):
    code = (
        "$l = [System.Collections.ArrayList] @('b', 'a')\n"
        "$t = ConvertTo-StepValue -Value ([ordered] @{ x = $l; y = @(); z = 1 })\n"
        "ConvertTo-RunbookJson -Value $t"
    )
    assert engine(code) == '{"x":["a","b"],"y":[],"z":"1"}'


def test_r35_a_comma_in_a_name_splits_nothing(engine):
    code = (
        "$t = ConvertTo-StepValue -Value ([ordered] @{ x = @('Myer, Ken'); y = @() })\n"
        "$j = ConvertTo-RunbookJson -Value $t\n"
        "$b = ConvertTo-StepValue -Value (ConvertFrom-Json -InputObject $j)\n"
        "$same = Test-StepValue -Wanted @('Myer', 'Ken') -Present $b.x\n"
        "'{0} {1} {2}' -f $b.x.Count, $b.y.Count, $same"
    )
    assert engine(code) == "1 0 False"


@pytest.mark.parametrize(
    ("wanted", "present", "same"),
    [
        ("'a'", "@('A')", True),
        ("@('a', 'b')", "@('b', 'a')", True),
        ("@('a', 'b')", "@('a')", False),
        ("@()", "''", True),
        ("'True'", "'False'", False),
        ("@{ Pattern = '^a[0-9]$'; Text = 'a<n>' }", "@('a1')", True),
        ("@{ Pattern = '^a[0-9]$'; Text = 'a<n>' }", "@('A1')", False),
        ("@{ Pattern = '^a[0-9]$'; Text = 'a<n>' }", "@('a1', 'a2')", False),
    ],
)
def test_values_are_compared_as_sets_of_text(engine, wanted, present, same):
    assert engine(f"Test-StepValue -Wanted {wanted} -Present {present}") == str(same)


@pytest.mark.parametrize(
    ("before", "left", "present", "ours"),
    [
        ("''", "'new'", "'new'", True),
        ("''", "'new'", "''", True),
        ("'old'", "'new'", "''", False),
        ("@('a', 'b')", "@('a', 'c')", "@('a')", True),
        ("@('a', 'b')", "@('a', 'c')", "@('b')", False),
        ("@('a', 'b')", "@('a', 'c')", "@('a', 'x')", False),
    ],
)
def test_undo_takes_back_what_lies_between(engine, before, left, present, ours):
    words = f"-Before {before} -Left {left} -Present {present}"
    assert engine(f"Test-StepValueBetween {words}") == str(ours)


def test_a_wanted_boolean_is_not_true_for_every_text(toys):
    step = toy.TEXT.replace("text = 'new'", "text = $true") + "    Apply = {\n    }\n"
    lab = toys(forward={"text": step})
    lab.alter(lambda state: state["toy"].update(text="False"))
    assert lab.run(toy.CHANGE, "-WhatIf") == 0
    assert "text is 'False', wanted is 'True'." in lab.out


def test_content_hash_is_that_of_the_generator(engine, tmp_path):
    path = tmp_path / "x.ps1"
    block = b"\r\n# SIG # Begin signature block\r\n# AAAA\r\n# SIG # End signature block\r\n"
    own = "ab" * 32
    path.write_bytes(f"$hash = '{own}'\r\n".encode() + block)
    found = engine(f"Get-ContentHash -Path '{path}' -OwnHash '{own}'")
    assert found == content_hash(path.read_bytes(), own)


def test_the_engine_keeps_its_form():
    data = (toy.SPINE / "engine.ps1").read_bytes()
    lines = data.decode("ascii").split("\n")
    assert len(lines) - 1 <= 1400
    assert max(map(len, lines)) <= 100
    assert b"\r" not in data
    assert b"\t" not in data
