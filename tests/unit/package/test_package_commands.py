"""package, verify and reproduce on a real build, from the command line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from package import samples
from package.conftest import OUT, PACKAGE, ROOT
from signing import makers

from generator import cli
from generator.package import contents, reproduce
from generator.untrusted import archive

pytestmark = pytest.mark.usefixtures("here")
VERIFY = ["--anchors", "root.pem"]


def test_a_package_is_verified_and_reproduced(project, capsys):
    assert cli.run(["verify", "p.zip", *VERIFY]) == 0
    assert capsys.readouterr().out.startswith("ok               p.zip\n")
    assert cli.run(["reproduce", "p.zip", *VERIFY]) == 0


def test_the_same_package_is_made_again(project):
    before = (project / "p.zip").read_bytes()
    assert cli.run([*PACKAGE[:-1], "again.zip"]) == 0
    assert (project / "again.zip").read_bytes() == before


def test_it_holds_everything(project):
    files = archive.read((project / "p.zip").read_bytes())
    folder = project / OUT
    built = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    rest = set(files) - built
    assert built <= set(files)
    assert {contents.NAME, contents.SEAL, contents.VERIFIER, "inputs/litwareinc.yml"} <= rest
    assert "inputs/templates/_runbook/engine.ps1" in rest


def test_verify_answers_in_json(capsys):
    assert cli.run(["verify", "p.zip", *VERIFY, "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["exit_code"], data["damage"], data["seal"]["code"]) == (0, [], "ok")


def test_an_unpacked_package_is_verified_and_reproduced(tmp_path, project, capsys):
    for name, data in archive.read((project / "p.zip").read_bytes()).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert cli.run(["verify", str(tmp_path), *VERIFY]) == 0
    assert cli.run(["reproduce", str(tmp_path), *VERIFY]) == 0
    (tmp_path / "RUNSHEET.md").write_bytes(b"x")
    assert cli.run(["verify", str(tmp_path), *VERIFY]) == 3
    assert "RUNSHEET.md: changed" in capsys.readouterr().out
    assert cli.run(["reproduce", str(tmp_path), *VERIFY]) == 3
    assert "RUNSHEET.md: changed" in capsys.readouterr().err


def test_a_stranger_is_not_accepted():
    assert cli.run(["verify", "p.zip"]) == 4


def test_text_after_the_package_is_damage(project, tmp_path, capsys):
    path = tmp_path / "p.zip"
    path.write_bytes((project / "p.zip").read_bytes() + b"x")
    assert cli.run(["verify", str(path), *VERIFY]) == 3
    assert "Get the file as it was handed over" in capsys.readouterr().err


def test_packages_and_scripts_are_not_mixed(capsys):
    assert cli.run(["verify", "p.zip", OUT, *VERIFY]) == 2


def _reproduced(project: Path, tmp_path: Path, change) -> int:
    """What `reproduce` says of a package that the signer sealed after a change of its files."""
    (tmp_path / "q.zip").write_bytes(samples.resealed(project / "p.zip", change))
    return cli.run(["reproduce", str(tmp_path / "q.zip"), "--anchors", "root.pem"])


def _other_input(files):
    name = "inputs/litwareinc.yml"
    files[name] = files[name].replace(b"sip:kenmyer", b"sip:another")


def _other_template(files):
    name = "inputs/templates/_runbook/engine.ps1"
    files[name] = files[name].replace(b"# Engine", b"# engine", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_other_input, "differs"),
        (_other_template, "differs"),
        (lambda f: f.update({"extra.ps1": b"x"}), "extra.ps1: no input gives it"),
        (lambda f: f.pop("RUNSHEET.md"), "RUNSHEET.md: not in the package"),
    ],
)
def test_what_the_inputs_do_not_give_ends_with_5(project, tmp_path, capsys, change, message):
    assert _reproduced(project, tmp_path, change) == 5
    assert message in capsys.readouterr().err


def test_what_another_version_made_is_compared_and_ends_with_5(
    project, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(contents, "__version__", "99.0")
    assert _reproduced(project, tmp_path, lambda files: None) == 5
    assert "made with version 99.0" in capsys.readouterr().err


def test_inputs_that_are_not_there_are_damage(project, tmp_path):
    assert _reproduced(project, tmp_path, lambda f: f.pop("inputs/litwareinc.yml")) == 3


def test_reproducing_uses_the_packaged_templates_only(project, tmp_path, monkeypatch):
    (tmp_path / "templates" / "_runbook").mkdir(parents=True)
    (tmp_path / "templates" / "_runbook" / "engine.ps1").write_text("# another engine\n")
    monkeypatch.chdir(tmp_path)
    root = str(project / "root.pem")
    assert cli.run(["reproduce", str(project / "p.zip"), "--anchors", root]) == 0


def test_a_folder_that_is_not_what_its_inputs_give_is_not_packaged(project, tmp_path, capsys):
    text = (project / "litwareinc.yml").read_text("utf-8")
    other = tmp_path / "litwareinc.yml"
    other.write_text(text.replace("sip:kenmyer", "sip:another"), "utf-8")
    command = ["package", OUT, "--inventory", str(other), "--key", "signer.pem", "--dry-run"]
    assert cli.run(command) == 2
    assert "this is not what" in capsys.readouterr().err


def test_an_unsigned_folder_is_not_packaged(project, tmp_path, monkeypatch, capsys):
    command = ["build", str(project / "litwareinc.yml"), "--out", str(tmp_path / "out")]
    assert cli.run(command) == 0
    command = ["package", str(tmp_path / "out" / "litwareinc"), *PACKAGE[2:6], "--dry-run"]
    assert cli.run(command) == 3
    message = capsys.readouterr().err
    assert "not-signed" in message
    assert "Sign the folder with this key first" in message


def test_another_key_does_not_package(project, tmp_path, capsys):
    by = samples.identity(number=7)
    key = makers.private_key("rsa-2048", 7).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "other.pem").write_bytes(key + makers.pem(by.certificate))
    command = [*PACKAGE[:4], "--key", str(tmp_path / "other.pem"), "--dry-run"]
    assert cli.run(command) == 3
    assert "signed with another certificate" in capsys.readouterr().err


def test_evidence_travels_along(project, tmp_path):
    (tmp_path / "rehearsal.json").write_text("{}")
    command = [*PACKAGE[:-1], "e.zip", "--evidence", str(tmp_path / "rehearsal.json")]
    assert cli.run(command) == 0
    files = archive.read((project / "e.zip").read_bytes())
    assert files["evidence/rehearsal.json"] == b"{}"
    assert reproduce.differences(files) == []
    assert cli.run(["verify", "e.zip", *VERIFY]) == 0


def test_a_signer_whom_the_inventory_does_not_name_does_not_package(project, tmp_path, capsys):
    text = (project / "litwareinc.yml").read_text("utf-8")
    other = tmp_path / "litwareinc.yml"
    other.write_text(text.replace("  window:", f"  signers: [{'AB' * 20}]\n  window:", 1), "utf-8")
    command = ["package", OUT, "--inventory", str(other), "--key", "signer.pem", "--dry-run"]
    assert cli.run(command) == 4
    assert "every runbook would refuse to run" in capsys.readouterr().err


def test_a_package_holds_the_templates_in_force_and_nothing_else_of_their_folder(project, tmp_path):
    own = tmp_path / "templates"
    shutil.copytree(ROOT / "templates" / "_runbook", own / "_runbook")
    engine = own / "_runbook" / "engine.ps1"
    for name in ("notes.txt", ".hidden/x", "__pycache__/x.pyc", "_runbook/engine.ps1~"):
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text("x")
    os.mkfifo(own / "pipe")
    (own / "link.txt").symlink_to("/etc/passwd")
    packed = tmp_path / "own.zip"
    assert cli.run([*PACKAGE[:6], "--output", str(packed), "--templates", str(own)]) == 0
    inputs = {name for name in archive.read(packed.read_bytes()) if name.startswith("inputs/")}
    built_in = {
        f"inputs/templates/{path.relative_to(ROOT / 'templates').as_posix()}"
        for path in (ROOT / "templates").rglob("*")
        if path.suffix in (".yml", ".ps1", ".j2")
    }
    assert inputs == {"inputs/litwareinc.yml", *built_in}
    assert cli.run(["reproduce", str(packed), "--anchors", "root.pem"]) == 0
    engine.unlink()
    engine.symlink_to("/etc/passwd")
    assert cli.run([*PACKAGE[:6], "--dry-run", "--templates", str(own)]) == 1
