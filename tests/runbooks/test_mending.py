"""Mending one step changes the scripts that hold it and the table of the change, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from generator import pipeline
from generator.model.build import Build
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parent.parent.parent
INVENTORY = ROOT / "inventories" / "contoso.yml"
SAMPLE = 8
"""Of so many steps one is mended in the everyday tests."""


@cache
def built() -> Build:
    return pipeline.build(INVENTORY, TemplateTree.for_project())


def steps() -> Iterator[Any]:
    """The file of every step of contoso; a hold point and a wait have none."""
    plan, _ = pipeline.order(INVENTORY, TemplateTree.for_project())
    found = {step.definition.template for one in plan.runbooks for step in one.steps}
    files = sorted(name for name in found if (ROOT / "templates" / name).is_file())
    for number, name in enumerate(files):
        yield pytest.param(name, marks=[pytest.mark.soak] if number % SAMPLE else [])


@pytest.mark.parametrize("name", list(steps()))
def test_a_mended_step_changes_its_own_scripts_and_the_table(name: str, tmp_path: Path) -> None:
    text = (ROOT / "templates" / name).read_text("utf-8")
    mended = re.sub(r"(\{% block (?:read|check) %\}\n)", r"\1        # Word.\n", text, count=1)
    own = tmp_path / "templates"
    (own / name).parent.mkdir(parents=True)
    (own / name).write_text(mended, "utf-8")
    changed = pipeline.build(INVENTORY, TemplateTree.for_project(own))
    old = {script.runbook.id: script for script in built().rendered}
    differ = {one.runbook.id for one in changed.rendered if one.data != old[one.runbook.id].data}
    assert differ == {
        one.id
        for one in built().plan.runbooks
        if any(step.definition.template == name for step in one.steps)
    }
    assert differ
    assert changed.launcher.data != built().launcher.data
    for one in changed.rendered:
        before = set(old[one.runbook.id].data.splitlines())
        added = {line for line in one.data.splitlines() if line not in before}
        words = {line for line in added if not re.search(rb"(Hash|Text) = '[0-9a-f]{64}'", line)}
        assert words <= {b"        # Word."}
