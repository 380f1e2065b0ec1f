"""The whole change of contoso in the lab: 4 Exchange servers, 4 Front Ends, two domains."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.lab import YES, Lab, Script, Scripts
from lab.organization import lab_of
from programs import ROOT, pwsh

from generator import pipeline
from generator.output.bundle import write
from generator.templating.templates import TemplateTree

TREE = TemplateTree.for_project()
DOMAIN = "S-1-5-21-2127521184-1604012920-1887927527"
GROUPS = f"RTCUniversalServerAdmins={DOMAIN}-74210 RTCUniversalUserAdmins={DOMAIN}-74211"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    pwsh()
    built = pipeline.build(ROOT / "inventories" / "contoso.yml", TREE)
    folder = write(built, tmp_path / "out", TREE).folder
    return lab_of(tmp_path / "lab", Scripts(folder), built.plan)


def work(lab: Lab, runbooks: tuple[Script, ...]) -> None:
    """Each with a preview first and a second run behind, which changes nothing."""
    for one in runbooks:
        lab.carry(one)
        before = lab.state()
        assert lab.run(one, "-WhatIf", LAB_GROUPS=GROUPS) == 0, lab.out
        assert lab.state() == before, lab.out
        assert lab.run(one, *YES, LAB_GROUPS=GROUPS) == 0, lab.out
        after = lab.state()
        assert lab.run(one, *YES, LAB_GROUPS=GROUPS) == 0, lab.out
        assert "Nothing was changed." in lab.out, lab.out
        assert lab.state() == after, lab.out
        assert lab.receipt(one)["outcome"] == "completed"


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_forward_and_back(lab: Lab, times: int) -> None:
    first = lab.state()
    for _ in range(times):
        work(lab, lab.scripts.forward)
        assert lab.state() != first
        work(lab, lab.scripts.undo)
        assert lab.state() == first
