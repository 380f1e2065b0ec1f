"""Folders that somebody else filled: links, depths, sizes and names in them end in a sentence."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import ROOT
from security import desk
from security.projects import LITWAREINC

from generator import cli
from generator.errors import IntegrityError
from generator.files import below
from generator.output import comparison, manifest
from generator.untrusted import archive, limits

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links and depths of POSIX"),
    pytest.mark.usefixtures("watchdog"),
]

UNDO = "undo"
INVENTORY = ["--inventory", str(LITWAREINC)]
DEEP = 1_200
"""Deeper than Python calls itself."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    desk.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["sign", desk.FOLDER, *desk.KEY]) == 0
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.run(list(arguments))
        text = "".join(capsys.readouterr())
        assert "Traceback" not in text, text[-2000:]
        assert code < 70
        return code, text

    return run


def change(folder: str) -> dict[str, list[str]]:
    return {
        "sign": ["sign", folder, "--hash", "sha384", *desk.KEY],
        "strip": ["strip", folder],
        "package": ["package", folder, *INVENTORY, *desk.KEY, "--dry-run"],
        "verify": ["verify", folder, "--anchors", "root.pem"],
    }


@pytest.mark.parametrize("command", change(""))
def test_G01_a_link_in_the_place_of_a_folder_is_not_written_through(
    place: Path, said: Callable[..., tuple[int, str]], command: str
) -> None:
    outside = place / "outside"
    (place / desk.FOLDER / UNDO).rename(outside)
    (place / desk.FOLDER / UNDO).symlink_to(outside)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    assert before
    code, text = said(*change(desk.FOLDER)[command])
    assert code == 3
    assert f"{desk.FOLDER}/{UNDO}: this is a link, not a folder that a build made" in text
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


def test_G11_a_build_does_not_move_a_link_that_stands_where_a_folder_belongs(
    place: Path, said: Callable[..., tuple[int, str]]
) -> None:
    built = place / "built" / "litwareinc"
    (place / "outside").mkdir()
    built.mkdir(parents=True)
    (built / UNDO).symlink_to(place / "outside")
    code, text = said("build", str(LITWAREINC), "--out", "built")
    assert code == 1
    assert "undo: stands where the build needs the name" in text
    assert (built / UNDO).is_symlink()
    assert list((place / "outside").iterdir()) == []


def nested(root: Path) -> None:
    """Folders in one another, of which no single path can name the last."""
    handle = os.open(root, os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("a" * 9, dir_fd=handle)
        inner = os.open("a" * 9, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


@pytest.fixture
def deep(place: Path) -> object:
    """A built folder that holds such folders; pytest cannot delete these."""
    nested(place / desk.FOLDER)
    yield place / desk.FOLDER
    os.system(f"rm -rf '{place}'")


@pytest.mark.parametrize("command", change(""))
def test_G08_folders_in_folders_end(
    deep: Path, said: Callable[..., tuple[int, str]], command: str
) -> None:
    code, text = said(*change(desk.FOLDER)[command])
    assert code in (2, 3)
    assert f"more than {below.DEEPEST} folders in one another; move it away" in text


@pytest.mark.parametrize("more", [[], ["--check"]])
def test_G08_a_build_carries_no_endless_folders_over(
    deep: Path, said: Callable[..., tuple[int, str]], more: list[str]
) -> None:
    shutil.move(deep, deep.with_name("litwareinc"))
    code, text = said("build", str(LITWAREINC), "--out", str(deep.parent), "--force", *more)
    assert code == 2
    assert "more than 64 folders in one another" in text


def test_G08_templates_in_endless_folders_are_not_looked_for(
    place: Path, said: Callable[..., tuple[int, str]]
) -> None:
    (place / "templates").mkdir()
    nested(place / "templates")
    code, text = said("lint")
    assert code == 2
    assert "more than 64 folders in one another" in text
    os.system(f"rm -rf '{place}/templates'")


@pytest.mark.parametrize("name", [manifest.NAME, manifest.SUMS, "RUNSHEET.md"])
def test_G08_a_huge_file_in_a_built_folder_is_not_read(
    place: Path, said: Callable[..., tuple[int, str]], name: str
) -> None:
    assert said("build", str(LITWAREINC))[0] == 0
    with (place / "out/litwareinc" / name).open("r+b") as file:
        file.truncate(5 << 30)
    code, text = said("build", str(LITWAREINC), "--check")
    assert code == 1
    assert f"edited   {name}" in text
    assert comparison.plain_bytes(place / "out/litwareinc" / name) is None
    assert said("build", str(LITWAREINC))[0] == 1
    assert said("build", str(LITWAREINC), "--force")[0] == 0
    assert (place / "out/litwareinc" / name).stat().st_size < 1 << 20


def test_G08_a_huge_file_in_a_package_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive.write({"a": b"x" * 100, "b": b"x" * 101})
    monkeypatch.setattr(limits, "FILE", 101)
    assert len(archive.read(data)) == 2
    monkeypatch.setattr(limits, "FILE", 100)
    with pytest.raises(IntegrityError, match="'b': 101 bytes; a file of a package has at most 100"):
        archive.read(data)


LONG = ("x" * 300, "x/" * 3_000, f"{'x' * 300}/y.ps1", f"{'x' * 300}.zip")
NAMED = {
    "verify": ["--anchors", "root.pem"], "reproduce": [], "inspect": [], "strip": [],
    "expiring": [], "sign": desk.KEY, "package": [*INVENTORY, *desk.KEY],
}  # fmt: skip


@pytest.mark.parametrize("name", LONG, ids=range(len(LONG)))
@pytest.mark.parametrize("command", NAMED)
def test_G08_a_name_that_no_system_has(
    said: Callable[..., tuple[int, str]], command: str, name: str
) -> None:
    assert said(command, name, *NAMED[command])[0] == 2


@pytest.mark.parametrize("command", ["verify", "inspect", "package"])
def test_G08_a_built_folder_may_be_the_working_folder_or_the_one_above(
    place: Path, said: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    more = {
        "verify": ["--anchors", f"{place}/root.pem"],
        "inspect": [],
        "package": ["--inventory", str(LITWAREINC), "--key", f"{place}/key.pem",
                    "--cert", f"{place}/{desk.CERT[1]}", "--dry-run"],
    }  # fmt: skip
    for folder, name in ((place / desk.FOLDER, "."), (place / desk.FOLDER / UNDO, "..")):
        monkeypatch.chdir(folder)
        code, text = said(command, name, *more[command])
        # What the folder was built from is another inventory.
        assert code == (2 if command == "package" else 0), text
        assert str(place / desk.FOLDER) in text
        (place / desk.FOLDER / "x.bat").write_text("x")
        if command != "inspect":
            code, text = said(command, name, *more[command])
            assert code == 3
            assert "x.bat: not in the manifest" in text
        (place / desk.FOLDER / "x.bat").unlink()


@pytest.mark.parametrize("name", [".", "..", "the path"])
def test_G08_the_working_folder_is_not_replaced(
    place: Path, said: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = place / desk.FOLDER
    monkeypatch.chdir(folder / UNDO if name == ".." else folder)
    before = desk.everything(place)
    code, text = said("strip", str(folder) if name == "the path" else name)
    assert code == 2
    assert "cannot be replaced while the working folder lies in it" in text
    assert desk.everything(place) == before


def test_G08_a_working_folder_that_is_gone(
    place: Path, said: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "gone").mkdir()
    monkeypatch.chdir(place / "gone")
    (place / "gone").rmdir()
    code, text = said("verify", ".", "--anchors", f"{place}/root.pem")
    assert code == 2
    assert "the working folder is not there any more" in text
    os.chdir(ROOT)


@pytest.mark.parametrize("kind", ["a link to nothing", "a ring", "a file", "a pipe"])
@pytest.mark.parametrize("command", [["build", str(LITWAREINC)], ["schema"]])
def test_G11_what_is_called_templates_and_is_no_folder_is_an_error(
    place: Path, said: Callable[..., tuple[int, str]], kind: str, command: list[str]
) -> None:
    own = place / "templates"
    if kind == "a pipe":
        os.mkfifo(own)
    elif kind == "a file":
        own.write_text("x")
    else:
        own.symlink_to("templates" if kind == "a ring" else "nowhere")
    code, text = said(*command)
    assert code == 2
    assert "templates: there is no folder of templates here" in text
    assert not (place / "out").exists() or not (place / "out/litwareinc").exists()
