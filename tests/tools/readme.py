"""The parts of README and CONTRIBUTING that are made: run as a program, it writes them anew."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import house

from generator import pipeline
from generator.cli import EXIT_CODES, cli
from generator.cli.group import COMMANDS
from generator.lint import codes
from generator.output import bundle
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
LITWAREINC = ROOT / "inventories" / "litwareinc.yml"


def listing() -> str:
    """The files of out/litwareinc, as a file manager sorts them."""
    tree = TemplateTree.for_project()
    with tempfile.TemporaryDirectory() as folder:
        made = bundle.write(pipeline.build(LITWAREINC, tree), Path(folder)).folder
        names = sorted(p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file())
    return fenced("text", "\n".join(["out/litwareinc/", *(f"  {name}" for name in names)]))


def litwareinc() -> str:
    """The smallest inventory, as it is."""
    return fenced("yaml", LITWAREINC.read_text("utf-8").rstrip("\n"))


def exit_codes() -> str:
    """The table of exit codes."""
    rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows])


def commands() -> str:
    """Every command with what it is for and its options."""
    return "\n\n".join(_command(name) for name in COMMANDS)


def code_table() -> str:
    """Every code with its title."""
    every = codes.every(TemplateTree.for_project()).values()
    rows = [f"| {one.code} | {cell(one.title)} |" for one in every]
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows])


SECTIONS: dict[str, Callable[[], str]] = {
    "listing": listing,
    "litwareinc": litwareinc,
    "exit-codes": exit_codes,
    "commands": commands,
    "codes": code_table,
    "folders": house.table,
    "imports": house.picture,
}


def section(text: str, name: str) -> str:
    """What stands between the markers of a section."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"no document has a section {name}")
    return found.group(1).rstrip("\n")


def updated(text: str) -> str:
    """A document with every made section as it should be."""
    for name, make in SECTIONS.items():
        before, marker, rest = text.partition(f"<!-- {name} -->\n")
        if marker:
            _, end, after = rest.partition(f"<!-- /{name} -->")
            text = f"{before}{marker}{make()}\n{end}{after}"
    return text


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def cell(text: str) -> str:
    """Text in a table of Markdown."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def _command(name: str) -> str:
    context = click.Context(cli, info_name="runbook")
    command = cli.get_command(context, name)
    assert command is not None
    arguments = (one for one in command.params if isinstance(one, click.Argument))
    usage = " ".join(["runbook", name, *(one.make_metavar(context) for one in arguments)])
    lines = [f"### `{usage}`", "", cell((command.help or "").partition("\n\n")[0])]
    options = [
        f"| `{option.opts[-1]}{_value(option)}` | {cell(option.help or '')}{_default(option)} |"
        for option in command.params
        if isinstance(option, click.Option)
    ]
    if options:
        lines += ["", "| option | meaning |", "| --- | --- |", *options]
    return "\n".join(lines)


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + "\\|".join(option.type.choices)
    return f" {option.metavar}"


def _default(option: click.Option) -> str:
    return f" Default: `{option.default}`." if option.show_default else ""


if __name__ == "__main__":
    for document in (README, CONTRIBUTING):
        document.write_text(updated(document.read_text("utf-8")), "utf-8")
