"""The emission rules: what every rendered script must be, checked on each build.

Each rule is a small function with a code that never changes meaning; see `explain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from generator.model.build import Build, Scripts
from generator.model.inventory import Values
from generator.model.plan import Product
from generator.rules import (
    answers,
    checker,
    commands,
    dotnet,
    files,
    language,
    lines,
    steps,
    values,
)
from generator.rules.rule import RULES, Rule
from generator.schema import validator, yaml_source
from generator.templating.templates import SPINE, TemplateTree

__all__ = [
    "RULES", "Rule", "answers", "base_commands", "check", "commands", "dotnet", "explain", "files",
    "judge", "language", "lines", "steps", "values",
]  # fmt: skip


def check(build: Build, products: Sequence[Product], tree: TemplateTree) -> Build:
    """The build with every rule on every script.

    A script is judged when one comes to it. After the last one FindingsError is raised when a
    rule is broken, with all findings, each where it is first met: write the scripts where that
    can be taken back.
    """
    base = base_commands(tree)
    made = partial(checker.check, build, products, base, tree)
    return replace(build, rendered=Scripts(len(build.rendered), made))


def base_commands(tree: TemplateTree) -> Values:
    """What runbooks may call apart from their product: the cmdlets.yml of the spine.

    Raises FindingsError with the mistakes in that file.
    """
    document = yaml_source.load_template(tree, f"{SPINE}/cmdlets.yml")
    form = yaml_source.load_template(tree, f"{SPINE}/cmdlets.schema.yml")
    if document is None:
        return {}
    data: Values = (validator.judged(document, form.data) if form else document).data
    return data


def explain(code: str) -> Rule | None:
    """A rule by its code, in any case; None when there is none."""
    return RULES.get(code.upper())
