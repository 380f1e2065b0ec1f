"""Every code that a finding can have, with its title and what it means and asks for.

Three places hold them: codes.yml beside this module, the docstrings of the emission rules, and
the checks.yml of the template tree (a project's own, too).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from generator import rules
from generator.findings import FindingsError
from generator.inventory import checks
from generator.schema import yaml_source
from generator.templating.templates import SPINE, RefusedNameError, TemplateTree

FILE = Path(__file__).with_name("codes.yml")

_HOLE = re.compile(r"\{\{.*?\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for; `text` says why it is a mistake and what to do."""

    code: str
    title: str
    text: str


def every(tree: TemplateTree) -> dict[str, Code]:
    """All codes of this tree of templates, sorted."""
    found = {one.code: one for one in (*_own(), *_rules(), *_checks(tree))}
    return dict(sorted(found.items()))


def _own() -> Iterator[Code]:
    data: Mapping[str, Mapping[str, str]] = yaml_source.load(FILE).data
    for code, entry in data.items():
        yield Code(code, entry["title"], entry["text"])


def _rules() -> Iterator[Code]:
    for rule in rules.RULES.values():
        yield Code(rule.code, rule.title, rule.explanation)


def _checks(tree: TemplateTree) -> Iterator[Code]:
    """The message is the title, what it fills in is left open.

    A file that cannot be used has findings of its own, and these want to be explained, too.
    """
    for product in (SPINE, *tree.products()):
        document = None
        with suppress(FindingsError, RefusedNameError):
            document = checks.load_checks(tree, f"{product}/checks.yml")
        for item in document.data if document is not None else ():
            yield Code(item["code"], _open(item["message"]), _open(item.get("hint", "")))


def _open(text: str) -> str:
    """`the site {{ item.site }} is wrong` -> `The site ... is wrong`."""
    text = re.sub(r"\.{4,}", "...", " ".join(_HOLE.sub("...", text).split()))
    return text[:1].upper() + text[1:]
