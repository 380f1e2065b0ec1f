"""How much a change holds: scripts, and the distinct lines that a reviewer reads (product.md 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import pipeline
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[2]
TREE = TemplateTree.for_project()
LITWAREINC = ROOT / "inventories" / "litwareinc.yml"
DISTINCT_LINES = 1357


def change_of(exchange: int, skype: int) -> dict[str, Any]:
    """litwareinc with so many Mailbox servers behind a load balancer and one pool."""
    data: dict[str, Any] = yaml.load(LITWAREINC.read_text("utf-8"), yaml.BaseLoader)
    data["exchange"]["version"] = int(data["exchange"]["version"])
    data["skype"]["version"] = int(data["skype"]["version"])
    data["exchange"]["load_balanced"] = True
    data["exchange"]["servers"] = [
        {"fqdn": f"ex{index:02d}.litwareinc.com", "roles": ["mailbox"]} for index in range(exchange)
    ]
    ends = [{"fqdn": f"fe{index:02d}.litwareinc.com"} for index in range(skype)]
    data["skype"]["pools"] = [
        {"fqdn": "pool.litwareinc.com", "type": "enterprise", "front_ends": ends}
    ]
    return data


@pytest.mark.parametrize(
    ("exchange", "skype", "forward", "undo"), [(1, 1, 8, 4), (4, 4, 23, 10), (20, 10, 83, 32)]
)
def test_one_visit_a_server_and_phase(
    tmp_path: Path, exchange: int, skype: int, forward: int, undo: int
) -> None:
    path = tmp_path / "some.yml"
    path.write_text(yaml.safe_dump(change_of(exchange, skype)))
    made, _ = pipeline.order(path, TREE)
    assert (len(made.forward), len(made.undo)) == (forward, undo)
    visits = [(one.definition.phase, one.host.fqdn) for one in made.forward]
    assert len(set(visits)) == len(visits)


@pytest.mark.parametrize(("name", "forward", "undo"), [("litwareinc", 8, 4), ("contoso", 24, 11)])
def test_the_examples_have_so_many_scripts(name: str, forward: int, undo: int) -> None:
    made, _ = pipeline.order(ROOT / "inventories" / f"{name}.yml", TREE)
    assert (len(made.forward), len(made.undo)) == (forward, undo)


def test_the_distinct_text_of_the_example_stays_small() -> None:
    build = pipeline.build(LITWAREINC, TREE)
    lines = {
        line
        for script in build.rendered
        for piece in script.pieces
        if not piece.name.startswith("engine")
        for line in piece.marked.splitlines()
        if line.strip()
    }
    assert len(lines) <= DISTINCT_LINES
