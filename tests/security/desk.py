"""What the security tests of signing work on: a desk with keys, scripts and a built folder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import records
from signing import makers

from generator import cli
from generator.output import manifest

T = TypeVar("T")

KIND = "rsa-3072"
FOLDER = "out/litware"
SCRIPTS = {
    "10-001-change_EX01.ps1": b"Write-Output 'change'\r\n",
    "undo/01-001-change_EX01.ps1": b"Write-Output 'undo'\r\n",
    "Start-Change.ps1": b"Write-Output 'start'\r\n",
}
SHEET = b"# Run sheet\n"
CERT = ["--cert", "certificate.pem"]
KEY = ["--key", "signer.pem"]


def lay_out(place: Path) -> Path:
    """A key with its certificate, the root, two scripts, and a folder as a build leaves it."""
    certificate = makers.pem(makers.code_certificate(KIND))
    (place / "signer.pem").write_bytes(makers.key_pem(KIND) + certificate)
    (place / "key.pem").write_bytes(makers.key_pem(KIND))
    (place / "certificate.pem").write_bytes(certificate)
    (place / "root.pem").write_bytes(makers.pem(makers.root().certificate))
    for name in ("a.ps1", "b.ps1"):
        (place / name).write_bytes(f"Write-Output '{name}'\r\n".encode())
    folder = place / FOLDER
    (folder / "undo").mkdir(parents=True)
    for name, data in SCRIPTS.items():
        (folder / name).write_bytes(data)
    (folder / "RUNSHEET.md").write_bytes(SHEET)
    write_record(folder)
    return place


def write_record(folder: Path, title: str = "A change") -> None:
    """manifest.json and SHA256SUMS for the files as they are, whoever wrote them."""
    scripts = {name: (folder / name).read_bytes() for name in SCRIPTS}
    sheet = {"RUNSHEET.md": (folder / "RUNSHEET.md").read_bytes()}
    window = {**records.WINDOW, "until": "2044-06-01T23:00+02:00"}
    record = records.record(scripts, sheet, title=title, window=window)
    data = manifest.encode(record)
    (folder / manifest.NAME).write_bytes(data)
    (folder / manifest.SUMS).write_bytes(manifest.sums(record, data))


def everything(place: Path) -> dict[str, bytes]:
    """All plain files below a folder."""
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def in_time(act: Callable[[], T], seconds: float = 60) -> T:
    """What a command ends with; one that does not end fails the test instead of stopping it."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        pytest.fail("the command waits for ever")
    return found[0]


def run(*arguments: str) -> int:
    """A command in this process, which must end."""
    return in_time(lambda: cli.run(list(arguments)))


def shows_no_control_characters(text: str) -> bool:
    """Whether every line of an output is printable."""
    return all(line.isprintable() for line in text.split("\n"))
