"""Sizes, and what the package must not know; `make check` holds the layers (pyproject.toml)."""

from __future__ import annotations

import re
from pathlib import Path

import house
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "generator"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_a_module_is_small_enough_to_read() -> None:
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 300} == {}


def product_words() -> set[str]:
    """What names a product: the products themselves and every cmdlet in their lists."""
    words = {"exchange", "skype", "lync"}
    for path in (ROOT / "templates").glob("*/cmdlets.yml"):
        if path.parent.name != "_runbook":
            words |= {name.lower() for name in yaml.safe_load(path.read_text())["commands"]}
    return words


def test_the_package_names_no_product() -> None:
    word = re.compile(rf"(?<![a-z])(?:{'|'.join(map(re.escape, product_words()))})(?![a-z])")
    for path in PACKAGE.rglob("*.*"):
        if path.suffix in {".py", ".json", ".typed"}:
            assert not word.findall(path.read_text("utf-8").lower()), path


def test_every_folder_says_what_it_is_for() -> None:
    assert not [one for one in house.folders() if not house.purpose(one)]


def test_no_arrow_of_the_picture_leads_up() -> None:
    at = {name: depth for depth, name in enumerate(house.folders())}
    arrows = [(one, other) for one, others in house.imports().items() for other in others]
    assert len(arrows) > 30
    assert [(one, other) for one, other in arrows if at[one] >= at[other]] == []
