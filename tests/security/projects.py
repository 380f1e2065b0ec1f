"""Projects with templates of their own, made for one test, and the command line over them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from programs import ROOT

from generator import cli

LITWAREINC = ROOT / "inventories" / "litwareinc.yml"
STEP = "skype/front_end/test_user.ps1.j2"
"""A check that litwareinc has."""

ENTRY = "_runbook/runsheet_entry.md.j2"
"""A part of the run sheet."""

STEP_TEXT = (ROOT / "templates" / STEP).read_text("utf-8")
READ = "{% block read %}\n"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def found(self, code: str) -> list[str]:
        """The places of the findings of a code."""
        return re.findall(rf"^(\S.*?): error\[{code}\]", self.text, re.MULTILINE)


class Project:
    """A folder with templates of its own, and an inventory."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.templates = folder / "templates"
        self.templates.mkdir()
        self.inventory = folder / "litwareinc.yml"
        self.inventory.write_bytes(LITWAREINC.read_bytes())
        self._capsys = capsys

    def place(self, name: str) -> Path:
        """Where a template of this name lies, in a folder that is there."""
        path = self.templates / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str) -> Path:
        path = self.place(name)
        path.write_text(text, "utf-8")
        return path

    def change(self, name: str, *pairs: tuple[str, str]) -> Path:
        """A built-in template with other words."""
        text = (ROOT / "templates" / name).read_text("utf-8")
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        return self.write(name, text)

    def step(self, line: str) -> Path:
        """A step whose `read` has one more line, its second; the file's line is 5."""
        assert STEP_TEXT.split(READ)[0].count("\n") == 3
        return self.write(STEP, STEP_TEXT.replace(READ, f"{READ}{line}\n"))

    def run(self, *arguments: str) -> Said:
        """A command with the templates of this project."""
        code = cli.run([*arguments, "--templates", str(self.templates)])
        said = self._capsys.readouterr()
        answer = Said(code, said.out, said.err)
        assert code < 70, answer.text[-3000:]
        assert "Traceback" not in answer.text, answer.text[-3000:]
        return answer

    def build(self) -> Said:
        out = self.folder / "out"
        answer = self.run("build", str(self.inventory), "--out", str(out))
        assert answer.code == 0 or not out.exists(), answer.text
        return answer

    def validate(self) -> Said:
        return self.run("validate", str(self.inventory))

    def every(self) -> dict[str, Said]:
        """Every command that reads templates, with what it answers."""
        inventory = str(self.inventory)
        return {
            "validate": self.validate(),
            "lint": self.run("lint"),
            "lint with an inventory": self.run("lint", inventory),
            "plan": self.run("plan", inventory),
            "graph": self.run("graph", inventory),
            "schema": self.run("schema"),
            "build": self.build(),
        }


def shown(answers: Mapping[str, Said]) -> str:
    return "\n".join(f"{name}: {said.code} {said.text[:500]}" for name, said in answers.items())
