"""A runbook does the same in the serving PowerShell as in a process of its own, each of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine.test_matrix import FORWARD, UNDO
from lab.fixtures import PROJECT
from lab.lab import YES, Lab, Script, Scripts

from generator.output.bundle import write
from generator.pipeline import build
from generator.templating.templates import TemplateTree

CONTOSO = PROJECT / "inventories" / "contoso.yml"
MADE_UP = re.compile(
    r"\b[0-9a-f]{64}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"
)
"""Hashes of what was made up, Guids, and names that contain one."""


@dataclass
class Seen:
    """What a run showed, called and left behind."""

    code: int
    shown: str
    calls: list[str]
    files: dict[str, str]


def seen(lab: Lab, key: str | Script, *words: str, process: bool, **more: Any) -> Seen:
    """A run, without the place of its lab and without what every run makes up anew."""
    known = "".join(data.decode("latin-1") for data in lab.snapshot().values())
    known += lab.scripts.find(key).text
    code = lab.run(key, *words, process=process, **more)

    def plain(text: str) -> str:
        text = text.replace(str(lab.dir), "LAB")
        return MADE_UP.sub(lambda found: found[0] if found[0] in known else "made up", text)

    files = {name: plain(data.decode("latin-1")) for name, data in lab.snapshot().items()}
    return Seen(code, plain(lab.out), lab.calls, files)


@pytest.fixture
def same(tmp_path: Path) -> Callable[..., Seen]:
    """Run a runbook both ways from one state, and compare."""

    def compare(lab: Lab, key: str | Script, *words: str, **more: str) -> Seen:
        shutil.rmtree(tmp_path / "twins", ignore_errors=True)
        both = []
        for process in (False, True):
            twin = Lab(tmp_path / "twins" / str(process), lab.scripts, copy_of=lab)
            both.append(seen(twin, key, *words, process=process, **more))
        served, alone = both
        assert served.shown == alone.shown
        assert served == alone
        return served

    return compare


@pytest.mark.parametrize("key", FORWARD + UNDO)
def test_every_runbook_of_litwareinc_does_the_same(
    lab_before: Callable[[str], Lab], same: Callable[..., Seen], key: str
) -> None:
    assert same(lab_before(key), key, *YES).code == 0


KINDS: dict[str, tuple[int, tuple[str, ...], dict[str, str]]] = {
    "preview": (0, ("-WhatIf",), {}),
    "wrong word": (70, ("-Nonsense",), {}),
    "nobody": (3, (), {}),
    "yes": (0, (), {"stdin": "y\n"}),
    "enter": (3, (), {"stdin": "what\n\n"}),
    "dead shell": (2, YES, {"LAB_FLAGS": "dead-shell"}),
    "vendor": (1, YES, {"LAB_FLAGS": "vendor-fails"}),
    "fault": (1, YES, {"LAB_FAIL": "12:before"}),
    "zone": (0, YES, {"TZ": "America/St_Johns"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_every_kind_do_the_same(
    lab_before: Callable[[str], Lab], same: Callable[..., Seen], kind: str
) -> None:
    code, words, more = KINDS[kind]
    key = "exchange-partner-application"
    assert same(lab_before(key), key, *words, **more).code == code


@pytest.mark.soak
def test_every_runbook_of_contoso_does_the_same(same: Callable[..., Seen], tmp_path: Path) -> None:
    source = tmp_path / "contoso.yml"
    # Nobody signs here: every runbook would be refused for that alone.
    source.write_text(re.sub(r"\n  signers: .*", "", CONTOSO.read_text()))
    tree = TemplateTree.for_project()
    scripts = Scripts(write(build(source, tree), tmp_path / "out", tree).folder)
    lab = Lab(tmp_path / "lab", scripts)
    for script in scripts.all:
        assert "Result: preview" in same(lab, script, "-WhatIf").shown
