"""The house as CONTRIBUTING draws it: imports point one way, and the package knows no product."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "generator"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Top down. A module imports only from layers below its own, and within its own package.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"package"},
    {"pipeline"},
    {"signing"},
    {"doctor"},
    {"output"},
    {"documents"},
    {"lint"},
    {"rules"},
    {"rendering"},
    {"planning"},
    {"inventory"},
    {"schema"},
    {"templating", "syntax"},
    {"model"},
    {"untrusted"},
    {"findings", "progress"},
    {"files"},
    {"errors"},
    {"visible"},
]
LAYER_OF = {name: at for at, names in enumerate(LAYERS) for name in names}


def stage(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else path.stem


def imported(path: Path) -> set[str]:
    """Stages of the package that a module imports, wherever in the module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("generator"):
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return {name for name in found if name != "__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    own = stage(path)
    if own == "__init__":
        assert imported(path) == set()
        return
    for name in imported(path) - {own}:
        assert LAYER_OF[name] > LAYER_OF[own], f"{own} must not import {name}"


def siblings(path: Path, package: Path) -> set[str]:
    """Modules of its own package that a module imports."""
    name = f"generator.{package.name}"
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == name:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{name}."):
            found.add((node.module or "").split(".")[2])
    return found


@pytest.mark.parametrize("package", sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py")))
def test_modules_of_a_package_form_no_ring(package: str) -> None:
    folder = PACKAGE / package
    # What a package offers is gathered in its __init__, from which its modules take nothing.
    graph = {p.stem: siblings(p, folder) for p in folder.glob("*.py") if p.stem != "__init__"}
    assert "__init__" not in set().union(*graph.values())
    assert len(tuple(TopologicalSorter(graph).static_order())) >= len(graph)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_module_is_small_enough_to_read(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300


def product_words() -> set[str]:
    """What names a product: the products themselves and every cmdlet in their lists."""
    words = {"exchange", "skype", "lync"}
    for path in (ROOT / "templates").glob("*/cmdlets.yml"):
        if path.parent.name != "_runbook":
            words |= {name.lower() for name in yaml.safe_load(path.read_text())["commands"]}
    return words


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.*")), ids=lambda p: p.name)
def test_the_package_names_no_product(path: Path) -> None:
    if path.suffix not in {".py", ".json", ".typed"}:
        return
    text = path.read_text("utf-8").lower()
    found = {word for word in product_words() if re.search(rf"(?<![a-z]){word}(?![a-z])", text)}
    assert not found


def test_every_module_has_its_place_in_the_drawing() -> None:
    assert {stage(path) for path in MODULES} - {"__init__"} <= LAYER_OF.keys()
