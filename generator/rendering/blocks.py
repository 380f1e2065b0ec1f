"""Renders single blocks of templates; whatever a template does wrong becomes a finding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jinja2
from jinja2.runtime import Context

from generator.findings import Finding, FindingsError
from generator.model.build import Piece
from generator.templating import environment, errors, refusals
from generator.templating.marks import Marked
from generator.templating.templates import SPINE, TemplateTree

NEEDED = {
    f"{SPINE}/runbook.ps1.j2": ("header", "facts", "product", "step"),
    f"{SPINE}/start_change.ps1.j2": ("program",),
}
"""Files of the spine -> blocks that no script can do without; those of others may be absent."""


class Blocks:
    """The templates of a tree; `findings` are the mistakes met so far."""

    def __init__(self, tree: TemplateTree) -> None:
        self.findings: list[Finding] = []
        self._tree = tree
        self._environment = environment.make(tree)

    def render(
        self, source: str, wanted: Iterable[str], names: dict[str, Any]
    ) -> dict[str, Marked]:
        """Those of the wanted blocks that the template has; a faulty one is empty.

        Raises FindingsError where a file of the spine lacks one.
        """
        template = self.template(source)
        known = environment.context(template, names)
        blocks = template.blocks
        missing = [name for name in NEEDED.get(source, ()) if name not in blocks]
        if missing:
            raise FindingsError(
                Finding("T239", f"the block '{name}' is missing", f"templates/{source}", 1, 1)
                for name in missing
            )
        return {name: self._block(template, name, known) for name in wanted if name in blocks}

    def plain(self, name: str) -> Piece:
        """A file of the spine that is no template; raises FindingsError when it is not there."""
        path = self._tree.find(f"{SPINE}/{name}")
        if path is None:
            message = f"there is no file templates/{SPINE}/{name}"
            raise FindingsError([Finding("T201", message, f"templates/{SPINE}/{name}", 1, 1)])
        text = self._tree.text(path)
        return Piece(name.removesuffix(".ps1"), f"{SPINE}/{name}", text)

    def template(self, name: str) -> jinja2.Template:
        """A template by its name in the tree; raises FindingsError when it cannot be loaded."""
        try:
            return self._environment.get_template(name)
        except jinja2.TemplateError as error:
            raise FindingsError(errors.loading(error, name)) from None

    def raise_findings(self) -> None:
        """Raises FindingsError when there were mistakes; each counts once."""
        if self.findings:
            raise FindingsError(list(dict.fromkeys(self.findings)))

    def _block(self, template: jinja2.Template, name: str, known: Context) -> Marked:
        try:
            return environment.render_block(template, name, known)
        except Exception as error:
            # Whatever a template does wrong is a mistake with a line, no bug of this program.
            found = errors.rendering(error, template, self._tree)
            if refusals.code_of(error) in refusals.LIMITS:
                # The same step of every other server would take as long.
                raise FindingsError([*self.findings, *found]) from None
            self.findings += found
            return Marked("")
