"""A project with a built and signed folder, and its package, for tests from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from signing import makers

from generator import cli

ROOT = Path(__file__).resolve().parents[3]
OUT = "out/litwareinc"
PACKAGE = (
    "package", OUT, "--inventory", "litwareinc.yml", "--key", "signer.pem", "--output", "p.zip",
)  # fmt: skip


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("project")
    (place / "signer.pem").write_bytes(
        makers.key_pem("rsa-3072") + makers.pem(makers.code_certificate("rsa-3072"))
    )
    (place / "root.pem").write_bytes(makers.pem(makers.root().certificate))
    inventory = (ROOT / "inventories" / "litwareinc.yml").read_bytes()
    (place / "litwareinc.yml").write_bytes(inventory)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert cli.run(["build", "litwareinc.yml"]) == 0
        assert cli.run(["sign", OUT, "--key", "signer.pem"]) == 0
        assert cli.run(list(PACKAGE)) == 0
    return place


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as the working folder."""
    monkeypatch.chdir(project)
    return project
