"""The tables of good and bad cases in tests/data/rules/, each case as a piece of a script."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from generator.rules.checker import problems
from generator.rules.rule import Problem
from generator.syntax.catalogue import load
from generator.templating.powershell import ps, ps_comment
from generator.templating.templates import built_in

TABLES = Path(__file__).resolve().parents[1] / "data" / "rules"
TEMPLATES = built_in()
STEP_BLOCKS = {"read", "require", "apply", "check"}
RUNBOOK_BLOCKS = {"product", "shell", "probe", "save"}
MADE_UP = {
    "versions": [2013, 2016],
    "commands": {"Get-Thing": {"parameters": {"Later": {"versions": [2016]}}}},
}


def data(name: str) -> Any:
    return yaml.safe_load((TEMPLATES / name / "cmdlets.yml").read_text())


BASE = data("_runbook")
CATALOGUES = {
    "exchange": load(BASE, "exchange", data("exchange")),
    "skype": load(BASE, "skype", data("skype")),
    "made-up": load(BASE, "made-up", MADE_UP),
}


_FILTERED = re.compile(r"<(ps|ps_comment):(.*?)>")


@dataclass(frozen=True)
class Case:
    """A case of the table of a rule; `text` is marked text, in the place where it would stand."""

    name: str
    code: str
    good: bool
    product: str
    version: str
    engine: bool
    text: str
    says: str
    hint: str

    @property
    def found(self) -> tuple[Problem, ...]:
        """What the rules say of it."""
        return problems(self.text, CATALOGUES[self.product], self.version, self.engine)


def cases() -> Iterator[Case]:
    """Every case of every table."""
    for table in sorted(TABLES.glob("*.yml")):
        content = yaml.safe_load(table.read_text("utf-8"))
        for kind in ("bad", "good"):
            for number, case in enumerate(content[kind], 1):
                place = case.get("in", "apply")
                yield Case(
                    name=f"{table.stem}-{kind}-{number}",
                    code=table.stem,
                    good=kind == "good",
                    product=case.get("product", "exchange"),
                    version=str(case.get("version", "2019")),
                    engine=place == "engine",
                    text=filtered(wrapped(case["text"], place)),
                    says=case.get("says", ""),
                    hint=case.get("hint", ""),
                )


def filtered(text: str) -> str:
    """`<ps:value>` as what the filter writes of the value, marked."""
    filters = {"ps": ps, "ps_comment": ps_comment}
    return _FILTERED.sub(lambda found: filters[found[1]](found[2]).marked, text)


def wrapped(text: str, place: str) -> str:
    """A case in the place where it would stand in a script."""
    text = text.rstrip("\n")
    if place in ("piece", "engine"):
        return text + "\n"
    deep = textwrap.indent(text, " " * 8)
    if place in RUNBOOK_BLOCKS:
        return f"$Runbook.{place.title()} = {{\n{deep}\n}}\n"
    if place == "wanted":
        entry = f"    Wanted = [ordered] @{{\n{deep}\n    }}"
    elif place == "diagnosis":
        entry = (
            f"    Diagnosis = @(\n        @{{ Id = 'a'; Check = {{\n{deep}\n        }} }}\n    )"
        )
    elif place == "step":
        entry = textwrap.indent(text, " " * 4)
    else:
        entry = f"    {place.title()} = {{\n{deep}\n    }}"
    return f"$Runbook.Steps += , @{{\n    Number = 1\n{entry}\n}}\n"
