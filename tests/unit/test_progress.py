"""How far a long stage is: told to whoever listens, shown on terminals only."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from generator import cli, progress
from generator.cli import screen

ROOT = Path(__file__).resolve().parents[2]
LITWAREINC = str(ROOT / "inventories" / "litwareinc.yml")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_listener_the_items_are_the_same_object() -> None:
    items = [1, 2]
    assert progress.over(items, "x") is items


def test_a_listener_hears_the_start_and_each_item_when_it_is_done() -> None:
    heard: list[tuple[str, int, int]] = []
    with progress.heard_by(lambda *what: heard.append(what)):
        for item in progress.over(["a", "b"], "Stage"):
            heard.append((item, -1, -1))
    assert heard == [
        ("Stage", 0, 2),
        ("a", -1, -1),
        ("Stage", 1, 2),
        ("b", -1, -1),
        ("Stage", 2, 2),
    ]
    assert list(progress.over([1], "x")) == [1]
    assert len(heard) == 5


class TestBar:
    def shown(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, patience: float, stream: io.StringIO
    ) -> str:
        monkeypatch.setattr(screen, "PATIENCE", patience)
        monkeypatch.setattr(sys, "stderr", stream)
        assert cli.run(["build", LITWAREINC, "--out", str(tmp_path)]) == 0
        return stream.getvalue()

    def test_long_work_shows_every_stage_to_its_end(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        text = self.shown(monkeypatch, tmp_path, 0, Terminal())
        for stage in ("Planning", "Rendering steps", "Making scripts"):
            (line,) = (line for line in text.split("\n") if stage in line)
            assert "100%" in line
        assert text.rstrip().split("\n")[-1].endswith("as before.") or "new" in text

    def test_short_work_shows_nothing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        assert "%" not in self.shown(monkeypatch, tmp_path, 1000, Terminal())

    def test_a_file_gets_no_bar(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        assert "%" not in self.shown(monkeypatch, tmp_path, 0, io.StringIO())

    def test_a_mistake_in_the_middle_ends_the_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(screen, "PATIENCE", 0)
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)

        def stops_in_the_middle() -> None:
            with screen.bar():
                for _ in progress.over([1, 2, 3], "Stage"):
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            stops_in_the_middle()
        assert stream.getvalue().endswith("\n")
