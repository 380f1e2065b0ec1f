"""A window that has passed or is too short: a warning, or an error with --strict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from programs import ROOT

from generator import cli

LITWAREINC = (ROOT / "inventories" / "litwareinc.yml").read_text("utf-8")
COMMANDS = ("validate", "plan", "build")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command over litwareinc with another window."""
    monkeypatch.chdir(tmp_path)

    def command(name: str, until: str, *options: str) -> tuple[int, str, str]:
        text = re.sub(r"until: \S+?(?=\}|\n)", f"until: {until}", LITWAREINC)
        Path("short.yml").write_text(text, "utf-8")
        code = cli.run([name, "short.yml", *options])
        return code, *capsys.readouterr()

    return command


@pytest.mark.parametrize("command", COMMANDS)
def test_U09_a_window_too_short_for_the_work_is_a_warning_with_its_minutes(
    run: Run, command: str
) -> None:
    code, out, err = run(command, "2027-03-06T22:30:00+01:00")
    assert code == 0
    assert re.search(
        r"^short\.yml: warning\[W002\] change\.window: it has 30 minutes; the change takes about "
        r"\d+ and its way back about \d+ \(ask for a longer window, or agree ",
        out + err,
        re.MULTILINE,
    )
    # What a command prints as its data stays alone on standard output.
    assert ("W002" in out) is (command == "validate")


@pytest.mark.parametrize("command", COMMANDS)
def test_U09_with_strict_it_is_an_error_and_nothing_is_written(run: Run, command: str) -> None:
    code, out, err = run(command, "2027-03-06T22:30:00+01:00", "--strict")
    assert code == 1
    assert "short.yml: error[W002] change.window: " in out + err
    assert not Path("out").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_U09_a_window_that_has_passed_is_a_warning(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("validate", "read", "build"):
        late = datetime(2027, 3, 7, 1, tzinfo=UTC)
        monkeypatch.setattr(f"generator.cli.{module}.now", lambda late=late: late)
    code, out, err = run(command, "2027-03-07T02:00:00+01:00")
    assert code == 0
    assert "warning[W001] change.window: it ended 2027-03-07T02:00:00+01:00 (write the" in out + err


def test_U09_a_window_that_fits_says_nothing(run: Run) -> None:
    code, out, err = run("validate", "2027-03-07T02:00:00+01:00")
    assert (code, out, err) == (0, "", "short.yml: no mistakes found\n")


def test_U09_a_program_reads_the_severity(run: Run) -> None:
    code, out, _ = run("validate", "2027-03-06T22:30:00+01:00", "--format", "json")
    assert code == 0
    [finding] = json.loads(out)["findings"]
    assert (finding["code"], finding["severity"]) == ("W002", "warning")
    assert run("validate", "2027-03-06T22:30:00+01:00", "--format", "github")[1].startswith(
        "::warning file=short.yml,title=W002::"
    )
    sarif = json.loads(run("validate", "2027-03-06T22:30:00+01:00", "--format", "sarif")[1])
    assert [one["level"] for one in sarif["runs"][0]["results"]] == ["warning"]
