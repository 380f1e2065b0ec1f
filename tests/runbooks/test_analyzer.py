"""Every emitted script before PowerShell's own parser and PSScriptAnalyzer, in one process.

The analyzer judges with the profiles of Windows PowerShell 3.0 (Server 2012) and 5.1 (Server
2019), which know the commands, parameters, types and syntax of those versions. The engine is the
same text in all scripts and is analyzed once.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from package import samples
from programs import ROOT, pwsh

from generator import pipeline
from generator.package import contents
from generator.templating.templates import TemplateTree
from generator.untrusted import archive

INVENTORIES = ("litwareinc", "contoso")
VERIFIER = "verifier-of-a-package.ps1"
ALLOWED = {
    "PSAvoidUsingWriteHost": "the screen is for the operator, and the evidence has the same text",
}
ALLOWED_BEFORE_THE_ENGINE = {
    "PSReviewUnusedParameter": "the engine reads the script's parameters, and gives each block "
    "the same arguments whether it needs them or not",
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What both say of every script of both inventories, from one process."""
    program = pwsh()
    folder = tmp_path_factory.mktemp("analyzed")
    whole: list[Path] = []
    pieces: list[Path] = []
    for name in INVENTORIES:
        build = pipeline.build(ROOT / "inventories" / f"{name}.yml", TemplateTree.for_project())
        for script in build.rendered:
            engine = script.pieces[-1].marked.rstrip("\n").replace("\n", "\r\n").encode() + b"\r\n"
            assert script.data.endswith(engine)
            stem = f"{name}-{script.runbook.id}"
            whole.append(written(folder / f"{stem}.ps1", script.data))
            head = script.data[: -len(engine)]
            pieces.append(written(folder / f"{stem}-head.ps1", head))
    pieces.append(written(folder / "engine.ps1", engine))
    verifier = archive.read(samples.small())[contents.VERIFIER]
    whole.append(written(folder / VERIFIER, verifier))
    pieces.append(whole[-1])
    for kind, files in (("whole", whole), ("pieces", pieces)):
        written(folder / kind, "\n".join(map(str, files)).encode())
    command = [
        program, "-NoProfile", "-NonInteractive", "-File", str(ROOT / "tests/tools/analyze.ps1"),
        "-Whole", str(folder / "whole"), "-Pieces", str(folder / "pieces"),
    ]  # fmt: skip
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (answer.returncode, answer.stderr) == (0, "")
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    # The engine writes to the screen: an analyzer that is silent about it did not run.
    assert any(one["rule"] == "PSAvoidUsingWriteHost" for one in found)
    return found


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def shown(found: list[dict[str, Any]]) -> list[str]:
    return [
        f"{Path(one['file']).name}:{one['line']} {one['rule']} {one['message']}" for one in found
    ]


def test_every_script_parses(complaints: list[dict[str, Any]]) -> None:
    assert shown([one for one in complaints if one["rule"] == "parser"]) == []


def test_every_script_passes_the_analyzer(complaints: list[dict[str, Any]]) -> None:
    def allowed(one: dict[str, Any]) -> bool:
        if one["file"].endswith(VERIFIER):
            return False
        head = one["file"].endswith("-head.ps1")
        return one["rule"] in ALLOWED or (head and one["rule"] in ALLOWED_BEFORE_THE_ENGINE)

    rest = [one for one in complaints if one["rule"] != "parser" and not allowed(one)]
    assert shown(rest) == []
