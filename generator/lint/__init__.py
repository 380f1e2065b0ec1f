"""Mistakes in templates, found without an inventory: all of them, each with file and line.

A build finds the same ones, but only in what its inventory uses, and one after the other.
"""

from __future__ import annotations

from generator.findings import Finding, ordered
from generator.lint import expressions, jinja_files, yaml_files
from generator.templating.templates import TemplateTree

__all__ = ["templates"]


def templates(tree: TemplateTree) -> tuple[Finding, ...]:
    """Every mistake in a tree of templates, each once, in the order of files and lines."""
    if faults := tree.faults():
        # What else is said would be of other files than the ones that are meant.
        return ordered(faults)
    findings = yaml_files.check(tree)
    # Where a role cannot be read, that a file is used or a runbook is named says nothing.
    sound = not any(one.file.endswith("role.yml") and one.code[:2] != "T2" for one in findings)
    findings += jinja_files.check(tree, sound)
    findings += expressions.check(tree, sound)
    # Two stages may find the same; the one that knows column and line of text says it better.
    findings.sort(key=lambda finding: (finding.column <= 1, not finding.source))
    kept: list[Finding] = []
    places: set[tuple[str, str, int]] = set()
    for finding in findings:
        place = (finding.code, finding.file, finding.line)
        if finding.column > 1 or place not in places:
            kept.append(finding)
        places.add(place)
    return ordered(kept)
