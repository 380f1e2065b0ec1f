"""The parts of CONTRIBUTING.md that are made from the code: a table of folders, a picture."""

from __future__ import annotations

import ast
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "generator"
GROUND = ("errors", "visible", "findings", "progress", "__main__")
"""Everybody has them, or nobody: without them the picture shows the way of the data."""


def folders() -> list[str]:
    """Folders and modules of the package, in the order of the layers in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [name.strip() for layer in layers for name in layer.split("|")]


def purpose(name: str) -> str:
    """The first sentence of what a folder or a module says about itself."""
    folder = PACKAGE / name
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def imports() -> dict[str, set[str]]:
    """Folder or module -> those that it imports from, wherever in a module."""
    names = folders()
    found: dict[str, set[str]] = {name: set() for name in names}
    for path in PACKAGE.rglob("*.py"):
        relative = path.relative_to(PACKAGE)
        own = relative.parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("generator"):
                inner = (node.module or "").split(".")[1:2] or [one.name for one in node.names]
                found[own] |= {name for name in inner if name in found} - {own}
    return found


def table() -> str:
    """The folders from the command line down to the ground."""
    rows = []
    for name in folders():
        shown = f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py"
        rows.append(f"| `{shown}` | {purpose(name)} |".replace("<name>", "NAME"))
    return "\n".join(["| folder | what it is for |", "| --- | --- |", *rows])


def picture() -> str:
    """The imports as Mermaid; an arrow that others imply is left out."""
    graph = {name: others - set(GROUND) for name, others in imports().items() if name not in GROUND}
    below: dict[str, set[str]] = {}
    for name in TopologicalSorter(graph).static_order():
        below[name] = graph[name].union(*(below[other] for other in graph[name]))
    arrows = [
        f"    {name} --> {other}"
        for name, others in graph.items()
        for other in sorted(others, key=list(graph).index)
        if not any(other in below[between] for between in others)
    ]
    return "\n".join(["```mermaid", "flowchart TD", *arrows, "```"])
