"""Renders the inputs of a package, in a process that limits itself; started by `reproduce`.

Its arguments are the inventory and the folder of templates, both below its working folder. It
answers with the SHA-256 of each file that they give, scripts unsigned.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

from generator import pipeline
from generator.output import bundle
from generator.templating.templates import TemplateTree
from generator.untrusted import process


def digests(arguments: list[str]) -> dict[str, str]:
    """Path -> SHA-256 of what an inventory and a folder of templates give."""
    inventory, templates = map(Path, arguments)
    tree = TemplateTree((templates.resolve(),))
    made = bundle.Contents(pipeline.stream(inventory, tree), tree)
    for _, parts in made:
        deque(parts, maxlen=0)
    return made.digests


if __name__ == "__main__":
    process.answer(digests)
