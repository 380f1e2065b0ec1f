"""What Read and Check answer with (U08): each change of a name in the templates is found."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from rule_cases import CATALOGUES

from generator import pipeline
from generator.rules.checker import problems
from generator.templating.templates import TemplateTree

INVENTORY = Path(__file__).resolve().parents[3] / "inventories" / "contoso.yml"
_WANTED = re.compile(r"^    Wanted = \[ordered\] @\{\n(.*?)^    \}\n", re.MULTILINE | re.DOTALL)
_READ = re.compile(r"^    Read = \{\n.*?^    \}\n", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"^        (\w+) = ", re.MULTILINE)
_SAW = re.compile(r"@\{ Saw = ")


@cache
def steps() -> dict[str, tuple[str, str]]:
    """Template -> product and text of one of its steps, of a runbook or of an undo."""
    found: dict[str, tuple[str, str]] = {}
    for script in pipeline.build(INVENTORY, TemplateTree.for_project()).rendered:
        for piece in script.pieces:
            if piece.name.startswith("step"):
                product = script.runbook.definition.product
                found.setdefault(piece.template, (product, piece.marked))
    return found


def codes(product: str, text: str) -> set[str]:
    return {one.code for one in problems(text, CATALOGUES[product], "2019")}


def names() -> list[tuple[str, str]]:
    """Template and name of each wanted value that is written out."""
    wanted = ((name, _WANTED.search(text)) for name, (_, text) in steps().items())
    return [(name, one) for name, found in wanted if found for one in _NAME.findall(found[1])]


def test_U08_there_are_enough_of_them() -> None:
    assert len(names()) > 20


@pytest.mark.parametrize(("template", "name"), names())
def test_U08_another_name_in_wanted_or_in_read_is_found(template: str, name: str) -> None:
    product, text = steps()[template]
    assert "R144" not in codes(product, text)
    part = _WANTED.search(text)
    assert part is not None
    for block in (part, _READ.search(text)):
        assert block is not None
        other = re.sub(rf"(?<![$\w-]){name}\b(?= = )", f"{name}x", block[0])
        assert other != block[0]
        assert "R144" in codes(product, text.replace(block[0], other, 1)), other


@pytest.mark.parametrize(
    "template", [name for name, (_, text) in steps().items() if _SAW.search(text)]
)
@pytest.mark.parametrize("other", ["[ordered] @{ Saw = ", "@{ Seen = ", "@{ Saw = ''; X = "])
def test_U08_another_form_of_a_check_is_found(template: str, other: str) -> None:
    product, text = steps()[template]
    assert "R146" not in codes(product, text)
    assert "R146" in codes(product, _SAW.sub(other, text))
