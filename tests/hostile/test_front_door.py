"""Hostile values through the front door: findings and nothing written, or the scripts as ever.

Each text of an inventory is replaced in turn by each hostile value. What is built must have the
syntax of the harmless build, as PowerShell's own parser sees it: a value stays a value.
"""

from __future__ import annotations

import copy
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile.judge import Judge
from hostile.strings import HOSTILE
from programs import ROOT

from generator import cli

ENGINE = (ROOT / "templates/_runbook/engine.ps1").read_bytes().replace(b"\n", b"\r\n")
SAMPLE = 25
FINDING = re.compile(r"^\S.*?:\d+:\d+: error\[[ETR]\d+\] |: error\[E\d+\] ", re.MULTILINE)


def data_of(name: str) -> dict[str, Any]:
    """An inventory as YAML says it, with the groups that litwareinc leaves to their defaults."""
    text = (ROOT / "inventories" / f"{name}.yml").read_text("utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)
    data["skype"].setdefault("groups", {"server_admins": "Admins", "user_admins": "Helpers"})
    return data


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from leaves(item, (*path, key))
    else:
        yield path


def with_value(data: dict[str, Any], path: tuple[Any, ...], value: str) -> dict[str, Any]:
    copied = copy.deepcopy(data)
    holder: Any = copied
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return copied


def plain(value: Any) -> Any:
    """`true`, `false` and short numbers as what YAML means by them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value in ("true", "false"):
        return value == "true"
    return int(value) if re.fullmatch(r"[0-9]{1,4}", value) else value


@dataclass
class Door:
    """Builds inventories of one name, one after the other, and has their scripts judged."""

    judge: Judge
    folder: Path
    name: str
    capsys: pytest.CaptureFixture[str]
    shapes: dict[bytes, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def build(self, data: dict[str, Any]) -> list[str] | None:
        """The shapes of the scripts in the order of work; None when there were findings."""
        path, out = self.folder / f"{self.name}.yml", self.folder / "out"
        text = yaml.safe_dump(plain(data), sort_keys=False, width=1_000_000)
        path.write_text(text, "utf-8")
        code = cli.run(["build", str(path), "--out", str(out), "--force"])
        said = self.capsys.readouterr().err
        assert "Traceback" not in said
        if code != 0:
            assert code == 1, said
            assert FINDING.search(said), said
            assert not out.exists()
            return None
        built = out / self.name
        found = [self.shape(file) for file in sorted(built.rglob("*.ps1"))]
        out.rename(self.folder / f"built-{len(list(self.folder.iterdir()))}")
        return found

    def shape(self, script: Path) -> str:
        """The shape of a script before the engine, which is the same in all."""
        data = script.read_bytes()
        # The table of the change is no runbook and has no engine.
        assert data.endswith(ENGINE) or script.name == "Start-Change.ps1"
        head = data.removesuffix(ENGINE)
        # A content hash is a value like any other and differs with the rest.
        key = re.sub(rb"'[0-9a-f]{64}'", b"''", head)
        if key not in self.shapes:
            self.counts["scripts judged"] += 1
            path = self.folder / "head.ps1"
            path.write_bytes(head)
            self.shapes[key] = self.judge.ask("shape", path=str(path))
            assert re.fullmatch("[0-9A-F]{64}", self.shapes[key]), self.shapes[key]
        return self.shapes[key]

    def replace(self, cases: list[tuple[tuple[Any, ...], str]]) -> None:
        """Each case is the path of a leaf and what stands there instead."""
        data = data_of(self.name)
        harmless = self.build(data)
        assert harmless
        assert len(set(harmless)) > 10
        for path, value in cases:
            found = self.build(with_value(data, path, value))
            self.counts["refused" if found is None else "built"] += 1
            assert found in (None, harmless), (path, value[:80])


def cases(name: str) -> list[tuple[tuple[Any, ...], str]]:
    return [(path, value) for path in leaves(data_of(name)) for value in HOSTILE]


@pytest.fixture
def door(judge: Judge, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Door:
    return Door(judge, tmp_path, "litwareinc", capsys)


def shown(door: Door) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(door.counts.items()))


def test_hostile_texts_of_an_inventory(door: Door) -> None:
    chance = random.Random(1)
    # These two take nearly any text.
    open_text = [case for case in cases("litwareinc") if case[0][-1] in ("title", "user_admins")]
    door.replace([*chance.sample(cases("litwareinc"), SAMPLE), *chance.sample(open_text, 6)])
    assert door.counts["refused"] > 10
    assert door.counts["built"] > 2


@pytest.mark.soak
@pytest.mark.parametrize("name", ["litwareinc", "contoso"])
def test_every_hostile_text_at_every_place(door: Door, name: str) -> None:
    door.name = name
    every = cases(name)
    door.replace(every)
    with door.capsys.disabled():
        sys.stdout.write(f"\n{name}: {len(every)} hostile inventories, {shown(door)}\n")
    assert door.counts["built"] > 20
