"""Each cure is taken out of a copy of the templates: the test that names its row must fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab.cures import CURES, ENGINE, SIGNER, UNDO, Cure
from lab.fixtures import PROJECT
from lab.toy import TEMPLATES
from programs import pwsh

from generator.pipeline import build
from generator.templating.templates import TemplateTree

QUICK = [cure for cure in CURES if cure.tests in ("r07_a_recreated_object", "r34")]


def taken_out(cure: Cure, folder: Path) -> Path:
    """A copy of the templates without the cure; they must build."""
    templates = folder / "templates"
    shutil.copytree(TEMPLATES, templates)
    path = templates / cure.file
    text = path.read_text()
    assert text.count(cure.old) == 1, f"{cure.file} has {text.count(cure.old)} of {cure.old!r}"
    path.write_text(text.replace(cure.old, cure.new))
    build(PROJECT / "inventories" / "litwareinc.yml", TemplateTree((templates,)))
    return templates


def outcome(cure: Cure, folder: Path) -> dict[str, int]:
    """How many of the named tests failed, passed, or could not even begin."""
    # What the engine does is shown on the toy product, which needs no runs before it.
    pattern = "test_engine_*.py" if cure.file in (ENGINE, UNDO, SIGNER) else "test_engine.py"
    files = sorted(str(path) for path in (PROJECT / "tests/engine").glob(pattern))
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder / 'runs'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-k", f"test_{cure.tests}", *files],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env={**os.environ, "LAB_TEMPLATES": str(taken_out(cure, folder)), "PYTEST_ADDOPTS": ""},
    )
    last = done.stdout.strip().split("\n")[-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (failed|passed|error)", last)}


@pytest.mark.parametrize("cure", QUICK, ids=str)
def test_a_cure_is_held_by_the_test_of_its_row(cure, tmp_path):
    pwsh()
    found = outcome(cure, tmp_path)
    assert found.get("failed")
    assert "error" not in found


@pytest.mark.soak
@pytest.mark.parametrize("cure", CURES, ids=str)
def test_every_cure_is_held_by_the_test_of_its_row(cure, tmp_path):
    test_a_cure_is_held_by_the_test_of_its_row(cure, tmp_path)


def test_every_row_has_a_cure_that_is_taken_out():
    named = {int(row) for cure in CURES for row in re.findall(r"r(\d\d)", cure.tests)}
    # R44 needs a real Windows PowerShell 5.1.
    assert set(range(1, 47)) - named == {44}


def test_what_is_taken_out_is_found_once():
    wrong = {str(cure): (TEMPLATES / cure.file).read_text().count(cure.old) for cure in CURES}
    assert {name: count for name, count in wrong.items() if count != 1} == {}
