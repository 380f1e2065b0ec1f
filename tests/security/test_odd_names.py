"""Names and files that are not what they should be: sentences, and nothing is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs import ROOT
from security.projects import LITWAREINC

from generator import cli
from generator.files import named
from generator.files.named import UnreadableError
from generator.schema import validator, yaml_errors, yaml_source
from generator.schema.yaml_errors import MAX_FINDINGS

pytestmark = pytest.mark.usefixtures("watchdog")

LONG = "a" * 300


def run(*arguments: str | bytes, **more: object) -> subprocess.CompletedProcess[bytes]:
    """The program in a process of its own: what it is told and says are bytes."""
    command = [sys.executable, "-m", "generator", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, **more)  # type: ignore[call-overload]
    assert b"Traceback" not in done.stderr, done.stderr.decode()[-2000:]
    assert done.returncode < 70
    return done


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = cli.run(list(arguments))
    answer = capsys.readouterr()
    assert "Traceback" not in answer.err, answer.err[-2000:]
    assert code < 70
    return code, answer.out + answer.err


@pytest.mark.parametrize(
    "name", [f"{LONG}.yml", f"{LONG}/x.yml", "a\0b.yml", "x/" * 3_000, "ü" * 200]
)
@pytest.mark.parametrize("command", ["validate", "plan", "graph", "build", "lint"])
def test_G08_an_inventory_that_no_system_can_name(
    capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    code, text = said(capsys, command, name)
    assert code == 2
    assert "Error: Invalid value for" in text
    assert len(text) < 1_000


@pytest.mark.parametrize("option", ["--out", "--templates"])
@pytest.mark.parametrize("value", [LONG, "a\0b", f"{LITWAREINC}/x", str(LITWAREINC), "/dev/null"])
def test_G08_a_folder_that_is_none(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    code, text = said(capsys, "build", str(LITWAREINC), option, value)
    assert code == 2
    assert f"Invalid value for '{option}'" in text
    assert "\0" not in text


@pytest.mark.parametrize("command", ["schema", "doctor"])
def test_G08_the_other_paths_too(capsys: pytest.CaptureFixture[str], command: str) -> None:
    option = "--output" if command == "schema" else "--out"
    for value in (LONG, "a\0b"):
        code, text = said(capsys, command, option, value)
        assert code == 2
        assert f"Invalid value for '{option}'" in text


@pytest.mark.parametrize("limit", ["", "[", "[!", "*" * 5_000, "\0", "\x1b[2J", "ü", "a" * 50_000])
def test_G08_a_limit_of_odd_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, limit: str
) -> None:
    code, text = said(
        capsys, "build", str(LITWAREINC), "--limit", limit, "--out", str(tmp_path / "out")
    )
    assert code in (0, 2)
    assert "\x1b[2J" not in text
    assert "\0" not in text


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_G08_a_name_that_is_not_utf_8(tmp_path: Path, form: str) -> None:
    path = bytes(tmp_path) + b"/caf\xe9.yml"
    Path(os.fsdecode(path)).write_bytes(LITWAREINC.read_bytes())
    done = run("validate", path, "--format", form)
    assert done.returncode == 1
    assert b"E205" in done.stdout
    done = run("build", path, "--out", bytes(tmp_path) + b"/out\xe9")
    assert done.returncode == 1
    assert not Path(os.fsdecode(bytes(tmp_path) + b"/out\xe9")).exists()


def test_G08_folders_whose_names_are_not_utf_8(tmp_path: Path) -> None:
    templates, out = bytes(tmp_path) + b"/t\xe9", bytes(tmp_path) + b"/out\xe9"
    Path(os.fsdecode(templates)).mkdir()
    step = Path(os.fsdecode(templates + b"/skype/front_end"))
    step.mkdir(parents=True)
    (step / "test_user.ps1.j2").write_text("{{")
    done = run("build", str(LITWAREINC), "--templates", templates, "--out", out)
    assert done.returncode == 1
    assert b"T202" in done.stderr
    (step / "test_user.ps1.j2").unlink()
    Path(os.fsdecode(templates + b"/mine\xe9")).mkdir()
    Path(os.fsdecode(templates + b"/mine\xe9/product.yml")).write_text("title: x")
    done = run("build", str(LITWAREINC), "--templates", templates, "--out", out)
    assert done.returncode == 1
    assert b"T217" in done.stderr
    done = run("build", str(LITWAREINC), "--limit", b"\xe9", "--out", out)
    assert done.returncode == 2


@pytest.mark.parametrize("command", ["validate", "build", "lint"])
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device"])
def test_G08_an_inventory_that_is_no_file_is_not_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str
) -> None:
    path = tmp_path / "x.yml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    code, text = said(capsys, command, str(path))
    assert code == 1
    assert "error[E003] this is not an ordinary file" in text


def test_G08_standard_input_is_no_file() -> None:
    with open("/dev/zero", "rb") as zeros:  # noqa: PTH123 - for the process
        assert run("validate", "/dev/stdin", stdin=zeros).returncode == 1


def test_G08_a_file_is_read_up_to_its_limit_only(tmp_path: Path) -> None:
    """The size that the system names may be none: files of /proc have 0, others grow."""
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    assert named.read(path, 100) == b"x" * 100
    with pytest.raises(UnreadableError, match="too large"):
        named.read(path, 99)
    assert Path("/proc/self/environ").stat().st_size == 0
    with pytest.raises(UnreadableError, match="too large"):
        named.read(Path("/proc/self/maps"), 100)


def test_G08_a_file_that_grows_without_end_is_given_up_at_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(named, "_judge", lambda *_: None)
    with pytest.raises(UnreadableError, match="too large"):
        named.read(Path("/dev/zero"), 3 << 20)


def test_G08_a_file_that_is_too_large_is_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"x" * 100)
    monkeypatch.setattr(os, "open", None)
    with pytest.raises(UnreadableError, match="too large"):
        named.read(tmp_path / "x", 99)


def test_G08_what_becomes_a_pipe_after_it_was_judged_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.write_text("x")
    plain = file.stat()
    monkeypatch.setattr(Path, "stat", lambda _self, **_: plain)
    with pytest.raises(UnreadableError, match="a pipe or a device"):
        named.read(pipe, 100)


def test_G08_a_file_of_bad_lines_is_given_up_after_thousands(tmp_path: Path) -> None:
    text = "\x07\n" * (MAX_FINDINGS + 500)
    found = yaml_errors.check_characters(text, text.split("\n"), "x.yml")
    assert len(found) == MAX_FINDINGS
    keys = "a: 1\n" * (MAX_FINDINGS + 500)
    document = yaml_source.parse(keys, "x.yml")
    assert len(document.findings) == MAX_FINDINGS


def test_G08_thousands_of_misspelt_keys_are_not_compared_with_thousands_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[int] = []

    def count(_word: str, names: list[str], **_: object) -> list[str]:
        compared.append(len(names))
        return []

    monkeypatch.setattr("difflib.get_close_matches", count)
    rules = {"additionalProperties": False, "properties": {f"key{n}": {} for n in range(400)}}
    text = "".join(f"kez{n}: 1\n" for n in range(5_000))
    assert len(validator.validate(yaml_source.parse(text, "x.yml"), rules, {})) == 5_000
    assert len(compared) == 1_000
    rules["properties"] = {f"key{n}": {} for n in range(1_000)}
    validator.validate(yaml_source.parse("kez: 1\n", "x.yml"), rules, {})
    assert len(compared) == 1_000


def test_G08_a_long_list_with_an_item_twice_is_looked_through_once() -> None:
    items = ", ".join(f"i{number}" for number in range(100_000))
    document = yaml_source.parse(f"[{items}, i99999]\n", "x.yml")
    (found,) = validator.validate(document, {"type": "array", "uniqueItems": True}, {})
    assert "'i99999' is in the list twice (first at [99999])" in found.format()
