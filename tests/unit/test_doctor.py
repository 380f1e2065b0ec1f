"""What doctor finds on machines and in projects of many kinds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from generator import cli, doctor
from generator.templating.templates import TemplateTree, built_in


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git repository that no setting of this machine reaches."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(project / "none"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(project / "none"))
    subprocess.run(["git", "init", "--quiet"], check=True)
    return project


def program(folder: Path, name: str, text: str) -> None:
    """A program of that name, in front of all others."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_python_and_packages_of_this_machine_are_fine() -> None:
    assert doctor.python().state == "ok"
    assert doctor.packages().state == "ok"


def test_every_package_that_is_needed_is_loaded() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    names = {re.split(r"[<>=]", line)[0] for line in project["project"]["dependencies"]}
    modules = {"pyyaml": "yaml"}
    assert {modules.get(name, name.replace("-", "_")) for name in names} == set(doctor.PACKAGES)


def test_an_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (4, 0))
    result = doctor.python()
    assert (result.state, result.fix) == ("fail", "Install Python 3.11 or later.")


def test_a_package_that_cannot_be_loaded_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = doctor.packages()
    assert result.state == "fail"
    assert result.found.startswith("jinja2 cannot be loaded")
    assert "requirements.lock" in result.fix


def test_yaml_without_its_fast_parser_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yaml.__with_libyaml__", False)
    assert doctor.packages().found == "PyYAML was installed without libyaml"


class TestTemplates:
    def test_none_of_yours_is_fine(self, tmp_path: Path) -> None:
        (tmp_path / "own.yml").write_text("")
        assert doctor.templates(TemplateTree((tmp_path, built_in()))).state == "ok"

    def test_those_that_stand_in_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "_runbook").mkdir()
        (tmp_path / "_runbook" / "phases.yml").write_text("")
        result = doctor.templates(TemplateTree((tmp_path, built_in())))
        assert result.state == "warn"
        assert result.found == "yours stand in for 1 built-in ones: templates/_runbook/phases.yml"


class TestPowershell:
    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    def found(self) -> list[tuple[str, str, str]]:
        return [(one.check, one.state, one.found) for one in doctor.powershell()]

    def test_none_is_no_failure(self, path: Path) -> None:
        assert self.found() == [("PowerShell", "warn", "there is no pwsh on the PATH")]

    def test_both_versions_are_told(self, path: Path) -> None:
        program(path, "pwsh", "echo 7.4.6; echo 1.23.0")
        assert self.found() == [
            ("PowerShell", "ok", f"7.4.6 at {path}/pwsh"),
            ("PSScriptAnalyzer", "ok", "1.23.0"),
        ]

    def test_a_missing_analyzer_is_no_failure(self, path: Path) -> None:
        program(path, "pwsh", "echo 7.4.6")
        assert self.found()[1] == ("PSScriptAnalyzer", "warn", "pwsh has no such module")

    def test_one_that_does_not_start_fails(self, path: Path) -> None:
        program(path, "pwsh", "echo no libicu >&2; exit 3")
        found = f"{path}/pwsh does not answer: no libicu"
        assert self.found() == [("PowerShell", "fail", found)]

    def test_one_that_hangs_fails(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "PATIENCE_SECONDS", 0.2)
        program(path, "pwsh", "while :; do :; done")
        assert [state for _, state, _ in self.found()] == ["fail"]


class TestGit:
    OUT = Path("out")

    def test_no_repository_is_fine(self, project: Path) -> None:
        assert doctor.git(self.OUT).state == "ok"

    def test_no_git_is_fine(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(project))
        assert doctor.git(self.OUT).state == "ok"

    def test_an_ignored_folder_is_fine(self, repository: Path) -> None:
        (repository / ".gitignore").write_text("/out/*\n")
        assert doctor.git(self.OUT).state == "ok"

    def test_without_any_setting_it_is_doubtful(self, repository: Path) -> None:
        result = doctor.git(self.OUT)
        assert result.state == "warn"
        assert result.fix == "Add this line to .gitattributes: /out/** -text"

    @pytest.mark.parametrize("value", ["true", "input"])
    def test_autocrlf_fails(self, repository: Path, value: str) -> None:
        subprocess.run(["git", "config", "core.autocrlf", value], check=True)
        result = doctor.git(self.OUT)
        assert result.state == "fail"
        assert result.found.startswith(f"core.autocrlf is {value}; Git may change the line ends")

    def test_a_rule_for_all_text_fails(self, repository: Path) -> None:
        (repository / ".gitattributes").write_text("* text=auto eol=lf\n")
        assert doctor.git(self.OUT).state == "fail"

    def test_the_cure_works(self, repository: Path) -> None:
        subprocess.run(["git", "config", "core.autocrlf", "true"], check=True)
        line = doctor.git(self.OUT).fix.partition(": ")[2]
        (repository / ".gitattributes").write_text(f"* text=auto eol=lf\n{line}\n")
        assert doctor.git(self.OUT).state == "ok"
        # And it does what it promises.
        script = repository / "out" / "x" / "undo" / "a.ps1"
        script.parent.mkdir(parents=True)
        script.write_bytes(b"# a\r\n")
        identity = ["-c", "user.name=a", "-c", "user.email=a@contoso.com"]
        subprocess.run(["git", "add", "."], check=True)
        subprocess.run(["git", *identity, "commit", "--quiet", "-m", "a"], check=True)
        script.unlink()
        subprocess.run(["git", "checkout", "--", "."], check=True, capture_output=True)
        assert script.read_bytes() == b"# a\r\n"


class TestOutput:
    def test_a_folder_that_is_not_there_yet_is_fine(self, project: Path) -> None:
        assert doctor.writable(project / "a" / "b").state == "ok"
        assert doctor.locks(project / "a" / "b").state == "ok"
        assert list(project.iterdir()) == []

    def test_one_that_cannot_be_written_fails(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("tempfile.TemporaryFile", refuse)
        result = doctor.writable(project)
        assert (result.state, result.found) == ("fail", f"{project}: Permission denied")

    def test_files_that_are_held_open_for_a_moment_are_doubtful(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replace = Path.replace
        calls: list[Path] = []

        def sometimes(path: Path, target: Path) -> Path:
            calls.append(path)
            if len(calls) % 10 == 0:
                raise PermissionError(13, "in use")
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", sometimes)
        result = doctor.locks(project)
        assert result.state == "warn"
        assert result.found.startswith("36 of 40 files were replaced at once")
        assert "virus scanner" in result.fix

    def test_files_that_are_always_held_open_fail(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def never(*_: object) -> None:
            raise PermissionError(13, "in use")

        monkeypatch.setattr(Path, "replace", never)
        assert doctor.locks(project).state == "fail"

    def test_a_folder_that_is_held_open_comes_back(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rename = Path.rename
        calls: list[Path] = []

        def sometimes(path: Path, target: Path) -> Path:
            calls.append(path)
            if len(calls) == 2:
                raise PermissionError(13, "in use")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", sometimes)
        assert doctor.locks(project).found.startswith("39 of 40")


class TestCommand:
    def test_each_check_is_a_line_and_a_cure_below(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PATH", str(project / "empty"))
        assert cli.run(["doctor"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("ok    Python: 3.")
        assert "warn  PowerShell: there is no pwsh on the PATH" in lines
        assert lines[lines.index("warn  PowerShell: there is no pwsh on the PATH") + 1].startswith(
            "      Builds do without."
        )

    def test_it_ends_with_1_when_something_fails(
        self, repository: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        subprocess.run(["git", "config", "core.autocrlf", "true"], check=True)
        git = str(Path(shutil.which("git") or "").parent)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", git)
            assert cli.run(["doctor", "--format", "json"]) == 1
        states = {
            one["check"]: one["state"] for one in json.loads(capsys.readouterr().out)["checks"]
        }
        assert states["Git"] == "fail"
        assert states["Python"] == "ok"
