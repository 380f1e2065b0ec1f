"""The template tree: built-in templates, overlaid by path with those of the project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from generator.errors import UsageError
from generator.findings import Finding

SPINE = "_runbook"


def built_in() -> Path:
    """The folder shipped with the package, or the one beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "templates"
    return shipped if shipped.is_dir() else package.parent / "templates"


@dataclass(frozen=True, slots=True)
class TemplateTree:
    """Folders of templates, the first one wins."""

    roots: tuple[Path, ...]
    name: str = "templates"
    """How the user calls the first one."""

    @classmethod
    def for_project(cls, own: Path | None = None) -> TemplateTree:
        """The built-in tree, overlaid by the folder `own` when it is another one that exists."""
        base = built_in()
        if own is not None and not own.is_dir():
            raise UsageError(f"{own}: no such folder of templates")
        if own is None or own.resolve() == base:
            return cls((base,))
        return cls((own.resolve(), base), own.as_posix())

    def find(self, name: str) -> Path | None:
        """The file that serves this name (`product/schema.yml`), or None."""
        for root in self.roots:
            path = root / name
            if path.is_file():
                return path
        return None

    def display(self, path: Path) -> str:
        """How messages name a file of the tree: `templates/product/schema.yml`."""
        for root in self.roots:
            if path.is_relative_to(root):
                return f"templates/{path.relative_to(root).as_posix()}"
        return path.as_posix()

    def named(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings, with files of the first folder called as the user calls it."""

        def called(one: Finding) -> Finding:
            name = one.file.removeprefix("templates/")
            own = name != one.file and (self.roots[0] / name).is_file()
            return replace(one, file=f"{self.name}/{name}") if own else one

        return tuple(map(called, findings))

    def products(self) -> tuple[str, ...]:
        """Folders with a product.yml, by name."""
        found = {path.parent.name for root in self.roots for path in root.glob("*/product.yml")}
        return tuple(sorted(found))

    def roles(self, product: str) -> tuple[str, ...]:
        """Folders of a product with a role.yml, by name."""
        paths = (path for root in self.roots for path in (root / product).glob("*/role.yml"))
        return tuple(sorted({path.parent.name for path in paths}))

    def files(self, ending: str) -> tuple[str, ...]:
        """Names of all files with this ending (`.j2`), each once, sorted."""
        found = {
            path.relative_to(root).as_posix()
            for root in self.roots
            for path in root.rglob(f"*{ending}")
            if path.is_file()
        }
        return tuple(sorted(found))

    def shadowed(self) -> tuple[Path, ...]:
        """Files of the project that stand in for a built-in one."""
        own, base = self.roots[:-1], self.roots[-1]
        found = (p for root in own for p in sorted(root.rglob("*")) if p.is_file())
        return tuple(p for p in found if (base / p.relative_to(self._root(p))).is_file())

    def _root(self, path: Path) -> Path:
        return next(root for root in self.roots if path.is_relative_to(root))
