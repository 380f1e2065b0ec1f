"""How the program meets a terminal: completion, colors, and a start that is felt as instant."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generator import cli
from generator.cli.group import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
BROKEN = "tests/data/inventories/no_window.yml"


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_every_shell_gets_its_script(
        self, shell: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["completion", shell]) == 0
        assert f"_RUNBOOK_COMPLETE={shell}_complete" in capsys.readouterr().out

    @staticmethod
    def completed(words: str) -> list[str]:
        run = subprocess.run(
            [sys.executable, "-m", "generator"],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={
                "_RUNBOOK_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split(" ")) - 1),
            },
        )  # fmt: skip
        return [line.partition(",")[2] for line in run.stdout.splitlines()]

    def test_commands(self) -> None:
        assert self.completed("runbook va") == ["validate"]
        assert self.completed("runbook ") == list(COMMANDS)

    def test_options_and_their_values(self) -> None:
        assert self.completed("runbook build --di") == ["--diff"]
        assert self.completed("runbook graph x --format m") == ["mermaid"]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of another kind")
class TestColors:
    @staticmethod
    def on_terminal(*arguments: str, **variables: str) -> str:
        """What the program shows on a terminal that is its output and its messages."""
        import pty  # noqa: PLC0415

        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "generator", *arguments],
            cwd=ROOT, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
            env={"TERM": "xterm", **variables},
        ) as program:  # fmt: skip
            os.close(theirs)
            shown = b""
            while True:
                try:
                    part = os.read(ours, 4096)
                except OSError:
                    break
                if not part:
                    break
                shown += part
            program.wait()
        os.close(ours)
        return shown.decode()

    def test_a_terminal_gets_them(self) -> None:
        shown = self.on_terminal("validate", BROKEN)
        assert "\x1b[31merror[E" in shown
        assert "\x1b[31m    ^" in shown or "^\x1b[0m" in shown

    def test_no_color_is_heard(self) -> None:
        shown = self.on_terminal("validate", BROKEN, NO_COLOR="1")
        assert "error[E" in shown
        assert "\x1b" not in shown
        explained = self.on_terminal("lint", "--explain", "E101", NO_COLOR="1")
        assert "\x1b" not in explained

    def test_an_empty_no_color_is_none(self) -> None:
        shown = self.on_terminal("lint", "--explain", "E101", NO_COLOR="")
        assert "\x1b[1mE101" in shown

    def test_a_file_gets_none(self) -> None:
        run = subprocess.run(
            [sys.executable, "-m", "generator", "validate", BROKEN],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 1
        assert "\x1b" not in run.stdout + run.stderr


class TestStart:
    """What is imported: heavy modules only where they are used."""

    HEAVY = ("jinja2", "jsonschema_rs", "tree_sitter", "yaml", "hypothesis")

    @staticmethod
    def imported(*arguments: str) -> set[str]:
        program = (
            "import sys; from generator.cli import run; code = run(sys.argv[1:]); "
            "print('\\n' + ' '.join(sys.modules), file=sys.stderr); sys.exit(code)"
        )
        run = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return set(run.stderr.splitlines()[-1].split())

    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["validate", "--help"]])
    def test_help_imports_nothing_heavy(self, arguments: list[str]) -> None:
        modules = self.imported(*arguments)
        assert not modules & set(self.HEAVY)
        own = {name for name in modules if name.startswith("generator.")}
        assert len(own) <= 16

    def test_validate_imports_no_parser_of_scripts_and_no_stage_after_it(self) -> None:
        modules = self.imported("validate", "inventories/litwareinc.yml")
        assert {"jinja2", "jsonschema_rs", "yaml"} <= modules
        assert not modules & {"tree_sitter", "tree_sitter_pwsh"}
        later = {"rules", "rendering", "documents", "output", "lint"}
        own = {name.split(".")[1] for name in modules if name.startswith("generator.")}
        assert "inventory" in own
        assert not own & later

    def test_completion_of_a_command_imports_nothing_heavy(self) -> None:
        modules = self.imported("completion", "bash")
        assert not modules & set(self.HEAVY)
