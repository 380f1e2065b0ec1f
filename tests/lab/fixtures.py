"""Fixtures around the lab: the built runbooks of litwareinc, and labs at any stage of the work."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import running, toy
from lab.lab import Lab, Script, Scripts, Stages

from generator.output.bundle import write
from generator.pipeline import build
from generator.templating.templates import TemplateTree

PROJECT = Path(__file__).resolve().parent.parent.parent


def pytest_sessionfinish() -> None:
    """The serving PowerShell of this worker ends with it."""
    running.stop()


def shared(factory: pytest.TempPathFactory) -> Path:
    """One temporary folder for all workers of a session."""
    base = factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built runbooks of inventories/litwareinc.yml, one for all workers."""
    folder = shared(tmp_path_factory) / "built"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "litwareinc").is_dir():
            return build_into(folder, TemplateTree((toy.TEMPLATES,)))
    return folder / "litwareinc"


def build_into(folder: Path, tree: TemplateTree) -> Path:
    """Build litwareinc with these templates below a folder; answers with its output folder."""
    return write(build(PROJECT / "inventories" / "litwareinc.yml", tree), folder, tree).folder


@pytest.fixture(scope="session")
def scripts(built: Path) -> Scripts:
    """The built runbooks in order of work."""
    return Scripts(built)


@pytest.fixture(scope="session")
def stages(scripts: Scripts, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Labs after each runbook, made when first asked for, shared by all workers."""
    return Stages(shared(tmp_path_factory) / "stages", scripts)


@pytest.fixture
def lab_after(stages: Stages, tmp_path: Path) -> Iterator[Callable[[str | Script | None], Lab]]:
    """Make a lab in which everything up to and including a runbook was run; None: nothing."""
    made: list[Lab] = []

    def make(key: str | Script | None = None) -> Lab:
        folder = tmp_path / f"a folder {len(made)}"
        made.append(Lab(folder, stages.scripts, copy_of=stages.after(key)))
        return made[-1]

    yield make
    for lab in made:
        shutil.rmtree(lab.dir, ignore_errors=True)


@pytest.fixture
def lab_before(
    stages: Stages, lab_after: Callable[[str | Script | None], Lab]
) -> Callable[[str | Script], Lab]:
    """Make a lab in which everything in front of a runbook was run, receipts carried for it."""

    def make(key: str | Script) -> Lab:
        earlier = stages.scripts.before(key)
        lab = lab_after(earlier[-1] if earlier else None)
        lab.carry(key)
        return lab

    return make


@pytest.fixture
def toys(tmp_path: Path) -> Callable[..., Lab]:
    """Make a lab with the three toy runbooks; words as of `toy.write`."""
    count = 0

    def make(**parts: Any) -> Lab:
        nonlocal count
        count += 1
        scripts = toy.write(tmp_path / f"toys {count}", **parts)
        lab = Lab(tmp_path / f"lab {count}", scripts)
        lab.alter(lambda state: state.update(toy=toy.STATE))
        return lab

    return make
