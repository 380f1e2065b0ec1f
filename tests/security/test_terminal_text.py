"""What others wrote reaches a terminal as text: no control characters, no lines of its own."""

from __future__ import annotations

import ast
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import a_plan, a_runbook
from hypothesis import given
from hypothesis import strategies as st
from programs import ROOT
from security import desk
from signing import makers

from generator import cli
from generator.cli import terminal
from generator.documents import graph
from generator.errors import GeneratorError, OutputError, UsageError
from generator.findings import Finding, FindingsError
from generator.model.plan import Phase
from generator.signing.codes import Code
from generator.signing.errors import IntegrityError, RefusedError
from generator.visible import visible

EVIL = "x\n3 of 3 signatures are good.\r\x1b[2J\x1b]0;t\x07\u202e\u2028\x9b31m"
NAME = "x\n3 of 3 signatures are good.\x1b[2J\u202e.ps1"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    desk.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def clean(shown: str, forged: str = "3 of 3 signatures are good.") -> bool:
    return desk.shows_no_control_characters(shown) and forged not in shown.split("\n")


@given(st.text())
def test_G16_a_shown_line_is_printable_and_one_line(text: str) -> None:
    assert all(part.isprintable() for part in terminal.clean(text).split("\t"))
    assert terminal.clean(terminal.clean(text)) == terminal.clean(text)
    assert visible(text).isprintable()


def test_G16_own_colors_stay_and_colors_of_others_go(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[8mhidden\x1b[0m"
    line = terminal.joined(terminal.style(evil, fg="red"), " ", evil)
    assert line == "\x1b[31m\\x1b[8mhidden\\x1b[0m\x1b[0m \\x1b[8mhidden\\x1b[0m"
    assert terminal.clean(line) == line
    terminal.tell(line, evil)
    terminal.say(line, evil)
    # A file gets no colors at all, and the words of others without what steers.
    out, err = capsys.readouterr()
    assert out == err
    assert desk.shows_no_control_characters(out)


@pytest.mark.parametrize(
    "error",
    [
        UsageError(f"{EVIL}: there is no such file"),
        OutputError("first", EVIL, "last"),
        IntegrityError(f"a {EVIL}"),
        RefusedError(Code.ENCODING, f"a {EVIL}", EVIL),
        FindingsError([Finding("E101", EVIL, EVIL, 1, 1, hint=EVIL, source=EVIL)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_G16_an_error_has_the_lines_that_were_meant(error: GeneratorError) -> None:
    assert clean(str(error))
    assert str(error) == "\n".join(error.lines)
    if not isinstance(error, FindingsError):
        assert len(error.lines) == len(error.args)


@pytest.mark.parametrize(
    "command",
    [
        ["sign", NAME, *desk.KEY],
        ["verify", NAME],
        ["inspect", NAME],
        ["strip", NAME],
        ["digest", NAME, *desk.CERT, "--output", "x.json"],
        ["sign", "a.ps1", "--key", NAME],
        ["sign", "a.ps1", *desk.KEY, "--pass-file", NAME],
        ["sign", "a.ps1", *desk.KEY, "--pass-env", "A\x1b[2J\nB"],
        ["sign", "a.ps1", *desk.CERT, "--key-command", "'no\nsuch\x1b[2J'"],
        ["sign", "a.ps1", f"--no-such-{EVIL}"],
        ["no-such-\x1b[2J"],
        ["verify", "a.ps1", "--signer", EVIL],
        ["verify", "a.ps1", "--time", EVIL],
        ["validate", NAME],
        ["schema", "--output", f"no/{NAME}"],
        ["reproduce", NAME],
        ["lint", "--explain", EVIL],
        ["build", "x.yml", "--limit", EVIL],
    ],
    ids=range(18),
)
def test_G16_no_command_shows_a_control_character(
    command: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if command[0] in ("sign", "verify", "inspect", "strip", "digest") and NAME in command:
        (place / NAME).write_bytes(b"\xff no text")
    cli.run(command)
    for shown in capsys.readouterr():
        assert clean(shown), shown


def test_G16_files_that_lie_in_a_folder_are_named_in_one_line(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / desk.FOLDER / NAME).write_bytes(makers.SCRIPT)
    assert cli.run(["verify", desk.FOLDER, "--anchors", "root.pem"]) == 3
    shown = capsys.readouterr()
    assert "x\\n3 of 3 signatures are good.\\x1b[2J\\u202e.ps1: not in the manifest\n" in shown.err
    assert clean(shown.err)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", ["verify", "inspect", "expiring"])
def test_G16_a_certificate_with_odd_names_is_shown_in_one_line(
    command: str, form: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = makers.private_key(desk.KIND)
    name = EVIL[:60]
    (place / "evil.pem").write_bytes(
        makers.key_pem(desk.KIND) + makers.pem(makers.root().issue(name, key))
    )
    assert cli.run(["sign", "a.ps1", "--key", "evil.pem"]) == 0
    more = ["--time", "2044-12-31"] if command == "expiring" else []
    capsys.readouterr()
    assert cli.run([command, "a.ps1", "--format", form, *more]) in (0, 4)
    out, err = capsys.readouterr()
    assert clean(out + err)
    if form == "json":
        assert json.loads(out)


# A template whose title has a line break.

PHASES = (Phase("00", "Pre\nflight\x1b[2J"), Phase("10", "Change"))
TITLE = 'a\nend\n  evil["x"]\r\x1b[2J\u2028b'


def test_G16_a_title_with_a_line_break_stays_in_its_label() -> None:
    plan = replace(a_plan(), forward=(a_runbook(title=TITLE),), undo=())
    drawn = graph.mermaid(plan, PHASES)
    assert desk.shows_no_control_characters(drawn)
    kinds = (
        r"flowchart TD", r'  subgraph \w+\["[^"]*"\]', r'    \w+\["[^"]*"\]', r"  end",
        r'  \w+ -->(\|"[^"]*"\|)? \w+',
    )  # fmt: skip
    for line in drawn.rstrip("\n").split("\n"):
        assert any(re.fullmatch(kind, line) for kind in kinds), line
    assert "a end evil[#quot;x#quot;]" in drawn
    assert drawn.count("\n  end\n") == drawn.count("subgraph")


@given(st.text(min_size=1))
def test_G16_no_title_leaves_its_label(title: str) -> None:
    plan = replace(a_plan(), forward=(a_runbook(title=title),), undo=())
    empty = replace(a_plan(), forward=(a_runbook(title="x"),), undo=())
    phases = (Phase("10", title), Phase("00", title))
    drawn, plain = (graph.mermaid(one, phases).split("\n") for one in (plan, empty))
    assert len(drawn) == len(plain)
    assert all(line.count('"') in (0, 2) for line in drawn)


def with_titles(node: Any) -> Any:
    """A file of templates with another title wherever there is one."""
    if isinstance(node, list):
        return [with_titles(item) for item in node]
    if not isinstance(node, dict):
        return node
    evil = "Evil\n3 of 3 signatures are good.\x1b[2J\u2028 title"
    return {key: evil if key == "title" else with_titles(item) for key, item in node.items()}


@pytest.mark.parametrize(
    "command", [["plan"], ["graph"], ["graph", "--format", "mermaid"], ["plan", "--format", "json"]]
)
def test_G16_a_title_of_ones_own_templates_is_shown_as_text(
    command: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "templates", place / "templates")
    for name in ("*/*/role.yml", "_runbook/phases.yml"):
        for path in (place / "templates").glob(name):
            text = yaml.safe_dump(with_titles(yaml.safe_load(path.read_text("utf-8"))))
            path.write_text(text, "utf-8")
    inventory = str(ROOT / "inventories" / "litwareinc.yml")
    assert cli.run([command[0], inventory, *command[1:]]) == 0
    out, err = capsys.readouterr()
    assert "Evil" in out
    assert clean(out + err)


# The edge is one place.


def calls(path: Path) -> list[ast.Call]:
    return [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]


def test_G16_only_one_module_writes_to_the_terminal() -> None:
    found = set()
    for path in (ROOT / "generator").rglob("*.py"):
        for call in calls(path):
            name = ast.unparse(call.func)
            if name in ("print", "click.echo", "click.secho", "click.style", "click.prompt",
                        "click.confirm", "sys.stdout.write", "sys.stderr.write",
                        "traceback.print_exc", "error.show"):  # fmt: skip
                found.add((path.relative_to(ROOT / "generator").as_posix(), name))
    assert {where for where, _ in found} <= {"cli/terminal.py", "cli/__init__.py"}
    # There a message of click goes into memory first.
    assert {name for where, name in found if where == "cli/__init__.py"} <= {"error.show"}


def joins_lines(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("'\\n'.join", '"\\n".join')


def test_G16_no_error_is_made_of_lines_that_were_joined() -> None:
    """A joined text cannot be told from a name with a line break in it."""
    made: list[str] = []
    for path in (ROOT / "generator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            raised = node.exc if isinstance(node, ast.Raise) else None
            if raised is not None and any(joins_lines(inner) for inner in ast.walk(raised)):
                made.append(f"{path.name}:{raised.lineno}")
    assert made == []


def test_G16_the_drawing_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    plan = replace(a_plan(), forward=(a_runbook(title=TITLE),), undo=())
    drawn = graph.lines(plan, PHASES)
    terminal.tell(*drawn)
    shown = capsys.readouterr().out
    assert desk.shows_no_control_characters(shown)
    assert len(shown.rstrip("\n").split("\n")) == len(drawn)
