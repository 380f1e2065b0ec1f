"""The command line: exit codes, what goes to which stream, nothing about the change itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generator import cli, pipeline
from generator.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
LITWAREINC = ROOT / "inventories" / "litwareinc.yml"
BROKEN = "change: {id: C-1, title: x, windw: {}}\n"


def runbook(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The real program."""
    return subprocess.run(
        [sys.executable, "-m", "generator", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inventory and nothing else, as the working directory."""
    shutil.copytree(ROOT / "inventories", tmp_path / "inventories")
    (tmp_path / "inventories" / "broken.yml").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestExitCodes:
    def test_0_nothing_to_report(self, project: Path) -> None:
        assert cli.run(["validate", "inventories/litwareinc.yml"]) == 0

    def test_1_findings(self, project: Path) -> None:
        assert cli.run(["validate", "inventories/broken.yml"]) == 1
        assert cli.run(["plan", "inventories/broken.yml"]) == 1
        assert cli.run(["build", "inventories/broken.yml"]) == 1

    def test_1_a_file_that_must_not_be_overwritten(self, project: Path) -> None:
        assert cli.run(["build", "inventories/litwareinc.yml"]) == 0
        (project / "out/litwareinc/RUNSHEET.md").write_text("mine")
        assert cli.run(["build", "inventories/litwareinc.yml"]) == 1
        assert cli.run(["build", "inventories/litwareinc.yml", "--dry-run"]) == 1
        assert cli.run(["build", "inventories/litwareinc.yml", "--force"]) == 0

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["biuld", "inventories/litwareinc.yml"],
            ["build"],
            ["build", "inventories/litwareinc.yml", "--nonsense"],
            ["validate", "inventories/nobody.yml"],
            ["validate", "inventories"],
            ["plan", "inventories/litwareinc.yml", "--format", "xml"],
            ["plan", "inventories/litwareinc.yml", "--templates", "nowhere"],
        ],
    )
    def test_2_usage(self, project: Path, arguments: list[str]) -> None:
        assert cli.run(arguments) == 2

    def test_2_an_unknown_command_names_the_one_that_was_meant(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["biuld"]) == 2
        assert "No such command 'biuld'. Did you mean 'build'?" in capsys.readouterr().err

    def test_2_a_project_that_is_not_usable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unusable(*_: object) -> None:
            raise UsageError("there is no such thing")

        monkeypatch.setattr(pipeline, "load", unusable)
        assert cli.run(["validate", str(LITWAREINC)]) == 2

    def test_70_a_bug_with_its_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError("a mistake of ours")

        monkeypatch.setattr(pipeline, "load", broken)
        assert cli.run(["validate", str(LITWAREINC)]) == 70
        shown = capsys.readouterr().err
        assert "Traceback" in shown
        assert "a mistake of ours" in shown
        assert "This is a bug in runbook" in shown

    def test_130_interrupted(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(pipeline, "load", interrupted)
        assert cli.run(["validate", str(LITWAREINC)]) == 130
        assert "Interrupted" in capsys.readouterr().err

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
    def test_130_by_a_real_signal(self, project: Path) -> None:
        program = (
            "import os, signal, time\n"
            # A suite that runs in the background hands on that the signal is ignored.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from generator import cli, pipeline\n"
            "def load(*_):\n"
            "    os.kill(os.getpid(), signal.SIGINT)\n"
            "    time.sleep(10)\n"
            "pipeline.load = load\n"
            "raise SystemExit(cli.run(['validate', 'inventories/litwareinc.yml']))\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 130
        assert "Interrupted." in run.stderr
        assert "Traceback" not in run.stderr

    def test_the_program_leaves_with_them(self, project: Path) -> None:
        assert runbook("--version", cwd=project).returncode == 0
        assert runbook("validate", "inventories/broken.yml", cwd=project).returncode == 1
        assert runbook("nonsense", cwd=project).returncode == 2

    def test_a_reader_that_leaves_early_is_no_bug(self, project: Path) -> None:
        command = f'"{sys.executable}" -m generator plan inventories/litwareinc.yml | head -n 1'
        run = subprocess.run(
            ["bash", "-c", command], cwd=project, capture_output=True, text=True, check=False
        )
        assert run.stdout.startswith("CHG0012345")
        assert run.stderr == ""


class TestStreams:
    def test_a_plan_is_data(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.run(["plan", "inventories/litwareinc.yml"]) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith("CHG0012345")
        assert shown.err == ""

    def test_what_a_build_did_is_a_message(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["build", "inventories/litwareinc.yml"]) == 0
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("out/litwareinc: written.")

    def test_a_missing_file_is_answered_with_a_close_match(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cli.run(["validate", "inventories/litwarinc.yml"])
        assert "Did you mean inventories/litwareinc.yml?" in capsys.readouterr().err

    def test_findings_tell_where_the_explanation_is(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cli.run(["build", "inventories/broken.yml"])
        assert "`runbook lint --explain E" in capsys.readouterr().err

    def test_characters_that_a_terminal_cannot_hold_are_shown_by_number(
        self, project: Path
    ) -> None:
        (project / "n.yml").write_text("\u010d\u00e9: 1\n", "utf-8")
        run = subprocess.run(
            [sys.executable, "-m", "generator", "validate", "n.yml"],
            cwd=project, capture_output=True, encoding="cp1252", check=False,
            env={"PYTHONIOENCODING": "cp1252", "PATH": ""},
        )  # fmt: skip
        assert run.returncode == 1
        assert "\\u010d\xe9" in run.stdout


class TestWithoutWriting:
    @pytest.fixture
    def built(self, project: Path, capsys: pytest.CaptureFixture[str]) -> Path:
        assert cli.run(["build", "inventories/litwareinc.yml"]) == 0
        capsys.readouterr()
        return project / "out" / "litwareinc"

    @staticmethod
    def state(folder: Path) -> dict[str, tuple[bytes, int]]:
        return {
            path.as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.rglob("*")
            if path.is_file()
        }

    def change(self) -> None:
        path = Path("inventories/litwareinc.yml")
        path.write_text(path.read_text().replace("CHG0012345", "CHG0099999"))

    @pytest.mark.parametrize("option", ["--check", "--diff", "--dry-run"])
    def test_an_equal_build_answers_0_and_no_data(
        self, built: Path, option: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["build", "inventories/litwareinc.yml", option]) == 0
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "out/litwareinc: unchanged" in shown.err

    @pytest.mark.parametrize(
        ("options", "code"),
        [(["--check"], 1), (["--diff"], 1), (["--check", "--diff"], 1), (["--dry-run"], 0)],
    )
    def test_a_different_build_is_told_and_nothing_is_written(
        self, built: Path, options: list[str], code: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.change()
        before = self.state(built.parent)
        assert cli.run(["build", "inventories/litwareinc.yml", *options]) == code
        assert self.state(built.parent) == before
        shown = capsys.readouterr()
        assert ("changed  RUNSHEET.md\n" in shown.out) == ("--check" in options)
        assert ("-    Change = 'CHG0012345'\n" in shown.out) == ("--diff" in options)
        assert ("+    Change = 'CHG0099999'\n" in shown.out) == ("--diff" in options)
        assert "would be written" in shown.err

    def test_check_of_a_first_build_lists_every_file(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["build", "inventories/litwareinc.yml", "--check"]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 8 + 4 + 4
        assert {line.split()[0] for line in lines} == {"new"}
        assert not (project / "out").exists()

    def test_check_tells_an_edited_file_from_a_changed_one(
        self, built: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (built / "RUNSHEET.md").write_text("mine")
        assert cli.run(["build", "inventories/litwareinc.yml", "--check"]) == 1
        assert capsys.readouterr().out == "edited   RUNSHEET.md\n"


class TestLimit:
    def test_a_part_has_the_bytes_of_the_whole(self, project: Path) -> None:
        assert cli.run(["build", "inventories/litwareinc.yml"]) == 0
        assert cli.run(["build", "inventories/litwareinc.yml", "--limit", "atl-cs-001"]) == 0
        part, whole = project / "out/litwareinc.part", project / "out/litwareinc"
        names = {path.relative_to(part) for path in part.rglob("*.ps1")}
        every = {path.relative_to(whole) for path in whole.rglob("*.ps1")}
        assert names == {
            name for name in every if name.stem.endswith(("_ATL-CS-001", "Start-Change"))
        }
        for name in names:
            assert (part / name).read_bytes() == (whole / name).read_bytes()

    def test_a_name_that_is_not_there_is_wrong_usage(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["build", "inventories/litwareinc.yml", "--limit", "atl-cs-002"]) == 2
        assert "did you mean ATL-CS-001?" in capsys.readouterr().err
        assert not (project / "out").exists()


class TestLint:
    def test_templates_alone(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (project / "templates" / "exchange").mkdir(parents=True)
        (project / "templates" / "exchange" / "product.yml").write_text("titel: x\n")
        assert cli.run(["lint"]) == 1
        shown = capsys.readouterr()
        assert "templates/exchange/product.yml:1:1: error[T101] titel: unknown key" in shown.out
        assert "finding" in shown.err

    def test_an_inventory_and_templates_in_one_run(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (project / "templates" / "exchange").mkdir(parents=True)
        (project / "templates" / "exchange" / "stray.ps1.j2").write_text("{{ x }}")
        assert cli.run(["lint", "inventories/broken.yml"]) == 1
        shown = capsys.readouterr().out
        assert "templates/exchange/stray.ps1.j2:1:4: error[T221]" in shown
        assert "inventories/broken.yml:1:29: error[E101]" in shown

    def test_a_build_is_judged_by_the_rules(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = ROOT / "templates" / "exchange" / "shell.ps1.j2"
        own = project / "templates" / "exchange" / "shell.ps1.j2"
        own.parent.mkdir(parents=True)
        text = source.read_text().replace("{% block shell %}\n", "{% block shell %}\n    gci\n", 1)
        own.write_text(text)
        assert cli.run(["lint", "inventories/litwareinc.yml"]) == 1
        line = text.split("\n").index("    gci") + 1
        expected = f"templates/exchange/shell.ps1.j2:{line}:5: error[R112] gci is an alias"
        assert expected in capsys.readouterr().out
        assert not (project / "out").exists()

    @pytest.mark.parametrize("form", ["json", "sarif", "github"])
    @pytest.mark.parametrize("command", ["lint", "validate"])
    def test_findings_for_programs(
        self, project: Path, command: str, form: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run([command, "inventories/broken.yml", "--format", form]) == 1
        shown = capsys.readouterr().out
        assert "inventories/broken.yml" in shown
        assert "E101" in shown
        if form != "github":
            json.loads(shown)

    def test_no_finding_is_an_empty_list(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.run(["validate", "inventories/litwareinc.yml", "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"findings": []}
