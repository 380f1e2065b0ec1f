"""A small package, sealed with the keys of the signing tests, and a whole one of a real build."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import records
from signing import makers

from generator.output import manifest
from generator.package import contents, make
from generator.signing.folder import Folder
from generator.signing.keys.key_files import LocalKey
from generator.signing.signer import Identity, ScriptSigner
from generator.untrusted import archive

SCRIPTS = {
    "10-001-change_EX01.ps1": b"Write-Output 'change'\r\n",
    "undo/01-001-change_EX01.ps1": b"Write-Output 'undo'\r\n",
    "Start-Change.ps1": b"Write-Output 'start'\r\n",
}
INPUTS = {
    "inputs/litware.yml": b"change: {}\n",
    "inputs/templates/_runbook/engine.ps1": b"# engine\n",
    "evidence/rehearsal.json": b"{}\n",
}


def identity(kind: str = "rsa-2048", number: int = 0) -> Identity:
    key = makers.private_key(kind, number)
    certificate = (
        makers.code_certificate(kind) if not number else makers.root().issue("Another", key)
    )
    return Identity(LocalKey(key), certificate, (makers.root().certificate,))


def signed(data: bytes, by: Identity) -> bytes:
    return ScriptSigner(by.certificate, by.key.kind, by.chain).sign(data, by.key)


def sealed(by: Identity, scripts_by: Identity | None = None) -> bytes:
    scripts = {path: signed(data, scripts_by or by) for path, data in SCRIPTS.items()}
    sheet = {"RUNSHEET.md": b"# Run sheet\n"}
    record = records.record(scripts, sheet)
    own = manifest.encode(record)
    files = {
        **scripts,
        **sheet,
        **INPUTS,
        manifest.NAME: own,
        manifest.SUMS: manifest.sums(record, own),
    }
    return make.seal(files, Folder(Path("litware"), record), by)


@cache
def small() -> bytes:
    return sealed(identity())


def resealed(
    package: Path, change: Callable[[dict[str, bytes]], object], by: Identity | None = None
) -> bytes:
    """A package with its files changed, then listed and sealed anew, by its signer or another."""
    files = archive.read(package.read_bytes())
    for name in (contents.NAME, contents.SEAL, contents.VERIFIER):
        del files[name]
    record = json.loads(files[manifest.NAME])
    change(files)
    return make.seal(files, Folder(Path("litware"), record), by or identity("rsa-3072"))
