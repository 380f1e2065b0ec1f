"""What README and CONTRIBUTING say is so: commands run, lists and tables are those of the code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import readme
from signing import makers

from generator import cli, errors
from generator.cli.group import COMMANDS
from generator.cli.group import cli as group
from generator.package.reproduce import NotReproducibleError
from generator.signing import errors as signing_errors

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def shown_commands() -> list[str]:
    """Every line `$ command` of the documents, but for make."""
    found: list[str] = []
    for name in DOCUMENTS:
        text = (ROOT / name).read_text("utf-8")
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
            found += [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in dict.fromkeys(found) if not line.startswith("make ")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project like the one that the documents are about, in which commands may write."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "inventories", folder / "inventories")
    certificate, own = makers.code_certificate("rsa-3072"), "inventories/litwareinc.yml"
    (folder / "signer.pem").write_bytes(makers.key_pem("rsa-3072") + makers.pem(certificate))
    (folder / "root.pem").write_bytes(makers.pem(makers.root().certificate))
    out, key = "out/litwareinc", ["--key", "signer.pem"]
    # What commands further down in a document find there, whichever of them run in this process.
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in (
            ["build", own],
            ["sign", out, *key],
            ["package", out, "--inventory", own, *key],
            ["digest", out, "--cert", "signer.pem", "--output", "request.json"],
            ["sign", "request.json", *key],
        ):
            assert cli.run(command) == 0
    return folder


def test_the_documents_show_commands() -> None:
    assert {line.split()[1] for line in shown_commands()} >= COMMANDS.keys() - {"completion"}


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_that_is_shown_runs(line: str, project: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run = subprocess.run(
        shlex.split(line), cwd=project, env={**os.environ, "PATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # A check of a project that is not built yet tells so.
    fine = (0, 1) if {"--check", "--diff"} & set(shlex.split(line)) else (0,)
    assert run.returncode in fine, run.stdout + run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("name", list(readme.SECTIONS))
def test_a_made_section_is_in_step(name: str) -> None:
    assert readme.section(README + CONTRIBUTING, name) == readme.SECTIONS[name](), (
        "make snapshots writes it anew"
    )


def test_the_table_of_exit_codes_is_complete() -> None:
    known = [*vars(errors).values(), *vars(signing_errors).values(), NotReproducibleError]
    kinds = [kind for kind in known if isinstance(kind, type)]
    own = [kind.exit_code for kind in kinds if issubclass(kind, errors.GeneratorError)]
    assert {*own, 0, 70, 130} == set(cli.EXIT_CODES)


def test_files_that_the_documents_name_are_there() -> None:
    for name in (*DOCUMENTS, "SECURITY.md", "SIGNING.md"):
        text = (ROOT / name).read_text("utf-8")
        for path in re.findall(r"`((?:generator|templates|tests|inventories)/[\w./-]+)`", text):
            made = path.endswith("schema.json")
            if "NAME" not in path and not made:
                assert (ROOT / path).exists(), f"{name}: {path}"


def test_every_guarantee_of_the_security_page_has_its_tests() -> None:
    rows = re.findall(r"^\| (G\d\d) \| .+ \| (.+) \|$", SECURITY, re.MULTILINE)
    assert [number for number, _ in rows] == [f"G{number:02}" for number in range(1, 18)]
    for number, files in rows:
        for path in re.findall(r"`(tests/[\w/]+\.py)`", files):
            assert f"def test_{number}_" in (ROOT / path).read_text("utf-8"), f"{number}: {path}"
    for path in (ROOT / "tests").rglob("test_*.py"):
        name = path.relative_to(ROOT).as_posix()
        for number in set(re.findall(r"def test_(G\d\d)_", path.read_text("utf-8"))):
            assert f"`{name}`" in dict(rows)[number], f"{number}: {name} is missing"


class TestHelp:
    @staticmethod
    def command(name: str) -> click.Command:
        found = group.get_command(click.Context(group), name)
        assert found is not None
        return found

    @pytest.mark.parametrize("name", list(COMMANDS))
    def test_every_command_says_what_it_is_for_in_sentences(self, name: str) -> None:
        text = self.command(name).help or ""
        assert len(text) > 100
        assert text.partition("\n\n")[0].endswith((".", ":"))

    @pytest.mark.parametrize("name", list(COMMANDS))
    def test_every_option_has_help_that_ends_like_a_sentence(self, name: str) -> None:
        for option in self.command(name).params:
            if isinstance(option, click.Option):
                assert (option.help or "").endswith("."), option.name
                assert option.is_flag or option.metavar or isinstance(option.type, click.Choice)

    @pytest.mark.parametrize("name", ["build", "schema"])
    def test_a_command_that_writes_can_be_tried(self, name: str) -> None:
        assert any("--dry-run" in option.opts for option in self.command(name).params)

    @pytest.mark.parametrize("name", list(COMMANDS))
    def test_the_list_of_commands_fits_a_line(self, name: str) -> None:
        summary = COMMANDS[name][1]
        assert len(summary) <= 60
        assert summary.endswith(".")

    @pytest.mark.parametrize("name", list(COMMANDS))
    def test_command_and_options_stand_in_the_readme(self, name: str) -> None:
        part = README.partition(f"### `runbook {name}")[2].partition("\n### ")[0]
        assert part
        for option in self.command(name).params:
            if isinstance(option, click.Option):
                assert f"`{option.opts[-1]}" in part

    @pytest.mark.parametrize("name", list(COMMANDS))
    def test_the_heading_in_the_readme_is_the_usage_of_the_help(
        self, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run([name, "--help"]) == 0
        usage = capsys.readouterr().out.partition("\n\n")[0].removeprefix("Usage: ")
        shown = " ".join(usage.replace("[OPTIONS]", "").split())
        assert f"\n### `{shown}`\n" in README

    def test_the_list_is_in_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.run(["--help"]) == 0
        shown = capsys.readouterr().out
        for name, (_, summary) in COMMANDS.items():
            assert re.search(rf"^  {name} +{re.escape(summary)}$", shown, re.MULTILINE)
