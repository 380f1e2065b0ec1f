"""Signatures and builds: real runbooks are signed, and building again keeps what still fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from signing import makers

from generator import cli
from generator.files import signature_block
from generator.signing import script, verify

ROOT = Path(__file__).resolve().parents[3]
BUILD = ["build", str(ROOT / "inventories" / "litwareinc.yml")]
OUT = Path("out") / "litwareinc"


@pytest.fixture
def built(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signer.pem").write_bytes(
        makers.key_pem("rsa-3072") + makers.pem(makers.code_certificate("rsa-3072"))
    )
    (tmp_path / "root.pem").write_bytes(makers.pem(makers.root().certificate))
    assert cli.run(BUILD) == 0
    return tmp_path / OUT


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_runbook_can_be_signed_and_is_judged_good(built, osslsigncode):
    before = _files(built)
    assert cli.run(["sign", str(OUT), "--key", "signer.pem"]) == 0
    assert cli.run(["verify", str(OUT), "--anchors", "root.pem"]) == 0
    for path in built.rglob("*.ps1"):
        data = path.read_bytes()
        assert signature_block.without(data) == before[path.name] == script.read(data).body
        assert verify.verify(data, makers.trust()).ok
    assert osslsigncode.verify(data)


def test_building_again_keeps_signatures(built, capsys):
    assert cli.run(["sign", str(OUT), "--key", "signer.pem"]) == 0
    signed = _files(built)
    assert cli.run([*BUILD, "--check"]) == 0
    assert cli.run(BUILD) == 0
    assert _files(built) == signed
    assert "unchanged" in capsys.readouterr().err


def test_a_script_that_changes_loses_its_signature_and_the_others_keep_theirs(built):
    assert cli.run(["sign", str(OUT), "--key", "signer.pem"]) == 0
    signed = _files(built)
    text = (ROOT / "inventories" / "litwareinc.yml").read_text("utf-8")
    own = Path("litwareinc.yml")
    own.write_text(text.replace("test_user: sip:kenmyer", "test_user: sip:another"), "utf-8")
    assert cli.run(["build", str(own)]) == 0
    kept = {name for name, data in _files(built).items() if signed.get(name) == data}
    lost = [path.name for path in built.rglob("*.ps1") if path.name not in kept]
    assert any(name.endswith(".ps1") for name in kept)
    assert lost
    assert cli.run(["verify", str(OUT), "--anchors", "root.pem"]) == 3
    assert cli.run(["sign", str(OUT), "--key", "signer.pem"]) == 0
    assert cli.run(["verify", str(OUT), "--anchors", "root.pem"]) == 0


def test_an_edited_signed_script_is_not_overwritten(built, capsys):
    assert cli.run(["sign", str(OUT), "--key", "signer.pem"]) == 0
    path = next(iter(sorted(built.glob("*.ps1"))))
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\r\n# edited\r\n", 1))
    assert cli.run(BUILD) == 1
    assert path.name in capsys.readouterr().err


def test_runbooks_ask_for_the_signers_of_the_inventory(built):
    text = (ROOT / "inventories" / "litwareinc.yml").read_text("utf-8")
    thumbprint = verify.facts(makers.code_certificate("rsa-3072")).thumbprint
    own = Path("litwareinc.yml")
    own.write_text(text.replace("  window:", f"  signers: [{thumbprint}]\n  window:", 1), "utf-8")
    assert cli.run(["build", str(own)]) == 0
    for path in built.rglob("[0-9]*.ps1"):
        assert f"    Signer = @(\r\n        '{thumbprint}')".encode() in path.read_bytes()


def test_without_signers_nothing_is_asked(built):
    for path in built.rglob("[0-9]*.ps1"):
        assert b"    Signer = @()" in path.read_bytes()
