"""The golden files: what two inventories give, as a user would lay it out.

The engine is the same in every script and stands in engine.ps1 once. `differences/` shows what the
scripts of one runbook on two servers do not share. Lists of hashes are left out: they follow.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from generator import pipeline
from generator.model.build import Build
from generator.output import bundle, manifest
from generator.templating.powershell import encode
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "golden"
ENGINE = "engine.ps1"
INSTEAD = b"# Here stands engine.ps1, the same in every script.\r\n"


def files() -> dict[str, bytes]:
    """Path below tests/golden -> what must stand there."""
    tree = TemplateTree.for_project()
    small, large = (
        pipeline.build(ROOT / "inventories" / f"{name}.yml", tree)
        for name in ("litwareinc", "contoso")
    )
    engine = encode(next(iter(small.rendered)).pieces[-1].marked)
    found = {ENGINE: engine, **dict(_listing(small, tree, engine))}
    large_files = dict(_listing(large, tree, engine))
    return found | large_files | dict(_differences(large, large_files))


def _listing(build: Build, tree: TemplateTree, engine: bytes) -> Iterator[tuple[str, bytes]]:
    for path, data in bundle.contents(build, tree).items():
        if path not in (manifest.NAME, manifest.SUMS):
            shown = data.removesuffix(engine)
            name = f"{build.plan.inventory.name}/{path}"
            yield name, shown if shown == data else shown + INSTEAD


def _differences(build: Build, shown: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """For each runbook that runs on several servers: the first server's against the second's."""
    firsts: dict[str, str] = {}
    for script in build.rendered:
        runbook = script.runbook
        kind = f"{'undo-' if runbook.file.startswith('undo/') else ''}{runbook.definition.name}"
        if kind not in firsts:
            firsts[kind] = runbook.file
            continue
        path = f"differences/{kind}.diff"
        if firsts[kind]:
            one, other = firsts[kind], runbook.file
            old, new = (
                shown[f"{build.plan.inventory.name}/{name}"].decode().splitlines(keepends=True)
                for name in (one, other)
            )
            yield path, "".join(difflib.unified_diff(old, new, one, other, n=0)).encode()
            firsts[kind] = ""
