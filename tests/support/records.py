"""The manifest of a small built folder, as its schema wants it, for tests that need no build."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from generator.output import manifest
from generator.rendering import launcher

WINDOW = {"from": "2026-06-01T20:00+02:00", "until": "2026-06-01T23:00+02:00"}


def record(
    scripts: Mapping[str, bytes],
    documents: Mapping[str, bytes],
    *,
    title: str = "A change",
    window: Mapping[str, str] = WINDOW,
) -> dict[str, Any]:
    """The manifest of these scripts and documents, path -> bytes; those below undo/ roll back.

    One of the scripts is Start-Change.ps1.
    """
    return {
        "format": manifest.FORMAT,
        "tool": {"name": "runbook-generator", "version": "0"},
        "name": "litware",
        "part": None,
        "change": {"id": "CHG1", "title": title, "window": dict(window)},
        "engine_sha256": "0" * 64,
        "launcher": {
            "path": launcher.NAME,
            "sha256": manifest.sha256(scripts[launcher.NAME]),
            "content_sha256": "2" * 64,
        },
        "runbooks": [
            _runbook(path, data) for path, data in scripts.items() if path != launcher.NAME
        ],
        "documents": [
            {"path": path, "sha256": manifest.sha256(data)} for path, data in documents.items()
        ],
    }


def _runbook(path: str, data: bytes) -> dict[str, Any]:
    undo = path.startswith("undo/")
    return {
        "path": path,
        "id": PurePosixPath(path).stem,
        "number": "01-001" if undo else "10-001",
        "phase": "10",
        "direction": "undo" if undo else "forward",
        "product": "directory",
        "host": {"netbios": "EX01", "fqdn": "ex01.litware.test"},
        "title": title_of(path),
        "sha256": manifest.sha256(data),
        "content_sha256": "1" * 64,
        "engine_sha256": "0" * 64,
        "predecessors": [],
        "undo": None,
        "undoes": None,
        "serves": [],
    }


def title_of(path: str) -> str:
    """What a runbook of such a folder is called."""
    return f"The work of {PurePosixPath(path).stem}"
