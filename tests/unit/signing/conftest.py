"""Fixtures of the signing tests: outside tools, without which CI fails and others skip."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from programs import missing
from signing import makers

MICROSOFT = Path(__file__).with_name("microsoft") / "package"


def require(found: object, what: str) -> None:
    """In CI everything must be there; elsewhere a test without its tool is skipped."""
    if not found:
        missing(f"{what} is missing; run tests/tools/setup.sh: its tests")


@pytest.fixture(scope="session")
def openssl() -> str:
    require(shutil.which("openssl"), "openssl")
    return "openssl"


@pytest.fixture(scope="session")
def microsoft_files() -> list[Path]:
    """The 45 signed scripts of a published package."""
    require(MICROSOFT.is_dir(), "the package of scripts that Microsoft signed")
    kinds = {".ps1", ".psm1", ".psd1", ".ps1xml"}
    return [
        path
        for path in sorted(MICROSOFT.rglob("*"))
        if path.suffix in kinds and b"Begin signature block" in path.read_bytes()
    ]


class Osslsigncode:
    """The other implementation. It never judges anything in the product: see its holes below."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.anchors = folder / "root.pem"
        self.anchors.write_bytes(makers.pem(makers.root().certificate))

    def run(self, *arguments: str | Path) -> int:
        command = ["osslsigncode", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    def verify(self, data: bytes, *more: str | Path, suffix: str = ".ps1") -> bool:
        path = self.folder / f"verify{suffix}"
        path.write_bytes(data)
        # Without -ignore-crl it connects to addresses that stand in certificates.
        return self.run("verify", "-ignore-crl", "-CAfile", self.anchors, *more, "-in", path) == 0

    def strip(self, data: bytes) -> bytes:
        return self._turn(data, "remove-signature")

    def sign(self, data: bytes, kind: str, *more: str | Path) -> bytes:
        key, certificate = self.folder / f"{kind}.key", self.folder / f"{kind}.pem"
        key.write_bytes(makers.key_pem(kind))
        certificate.write_bytes(makers.pem(makers.code_certificate(kind)))
        return self._turn(data, "sign", "-certs", certificate, "-key", key, *more)

    def _turn(self, data: bytes, *command: str | Path) -> bytes:
        before, after = self.folder / "before.ps1", self.folder / "after.ps1"
        before.write_bytes(data)
        after.unlink(missing_ok=True)
        assert self.run(*command, "-in", before, "-out", after) == 0
        return after.read_bytes()


@pytest.fixture
def osslsigncode(tmp_path: Path) -> Osslsigncode:
    require(shutil.which("osslsigncode"), "osslsigncode")
    return Osslsigncode(tmp_path)
