"""Arguments and options that several commands have."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from generator.findings import show
from generator.templating.templates import TemplateTree
from generator.visible import visible

FINDING_FORMATS = ("text", "json", "sarif", "github")

_Command = TypeVar("_Command", bound=Callable[..., Any])


class AnyPath(click.Path):
    """A path as somebody types it; one that the system cannot look at is a sentence."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; fails with a sentence for one that cannot be what the option wants."""
        shown = show(str(value))
        path = Path(str(value))
        try:
            path.lstat()
            other = not self.file_okay and path.exists() and not path.is_dir()
        except FileNotFoundError:
            other = False
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self.fail(f"{shown} cannot be used: {reason}.", param, ctx)
        if other:
            self.fail(f"{shown} is not a folder.", param, ctx)
        super().convert(value, param, ctx)
        return path


class InventoryFile(AnyPath):
    """The path of an inventory; one that is not there is answered with a close match."""

    name = "inventory"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; fails with a sentence for what is missing or a folder."""
        path = super().convert(value, param, ctx)
        if path.is_dir():
            self.fail(f"{show(str(value))} is a folder; name the YAML file in it.", param, ctx)
        if not path.exists():
            import difflib  # noqa: PLC0415 - only where there is a mistake

            near = difflib.get_close_matches(path.name, _names(path.parent), n=1)
            hint = f" Did you mean {(path.parent / near[0]).as_posix()}?" if near else ""
            self.fail(f"there is no file {visible(str(value))}.{hint}", param, ctx)
        return path


def inventory_argument(function: _Command) -> _Command:
    """The argument INVENTORY."""
    return click.argument("inventory", metavar="INVENTORY", type=InventoryFile())(function)


def templates_option(function: _Command) -> _Command:
    """The option --templates."""
    return click.option(
        "--templates",
        metavar="FOLDER",
        type=AnyPath(path_type=Path, file_okay=False),
        help="Folder of your own templates; by default ./templates when it exists. Its files "
        "stand in for the built-in ones of the same path.",
    )(function)


def strict_option(function: _Command) -> _Command:
    """The option --strict."""
    help_ = "A warning, such as that of a window too short for the work, is an error."
    return click.option("--strict", is_flag=True, help=help_)(function)


def now() -> datetime:
    """The moment of the call, for what is only said and never written."""
    return datetime.now(UTC)


def format_option(*names: str, what: str) -> Callable[[_Command], _Command]:
    """The option --format with these choices, the first by default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help=what,
    )


def out_option(what: str) -> Callable[[_Command], _Command]:
    """The option --out."""
    return click.option(
        "--out",
        metavar="FOLDER",
        type=AnyPath(path_type=Path, file_okay=False),
        default=Path("out"),
        show_default=True,
        help=what,
    )


def template_tree(templates: Path | None) -> TemplateTree:
    """The templates of this project: those of the option, else ./templates, else built-in.

    Whatever is called ./templates counts: a link to nowhere is an error, not passed over.
    """
    own = Path("templates")
    return TemplateTree.for_project(templates or (own if os.path.lexists(own) else None))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix in (".yml", ".yaml"))
    except OSError:
        return []
