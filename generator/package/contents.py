"""What stands in a package, and package.json, the list of it that gets signed.

From the built folder: its runbooks, run sheet, manifest and hashes. Below `inputs/`: the
inventory and every template that was used. Below `evidence/`: what somebody adds (a rehearsal).
Beside them package.json, its detached signature, and Verify-Package.ps1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator import __version__
from generator.errors import IntegrityError
from generator.output import manifest
from generator.signing.verify import SignerFacts
from generator.untrusted import document

NAME = "package.json"
SEAL = "package.json.p7s"
VERIFIER = "Verify-Package.ps1"
INPUTS = "inputs"
EVIDENCE = "evidence"
FORMAT = 1
SCHEMA = Path(__file__).with_name("package.schema.json")


@dataclass(frozen=True, slots=True)
class Contents:
    """package.json as data: `files` maps paths to the SHA-256 of their bytes."""

    tool: str
    name: str
    change: Mapping[str, Any]
    thumbprint: str
    subject: str
    files: Mapping[str, str]
    sizes: Mapping[str, int]


def of(record: Mapping[str, Any], files: Mapping[str, bytes], signer: SignerFacts) -> Contents:
    """The contents of a package of these files; `record` is the manifest of the built folder."""
    return Contents(
        tool=__version__,
        name=record["name"],
        change=record["change"],
        thumbprint=signer.thumbprint,
        subject=signer.subject,
        files={path: manifest.sha256(files[path]) for path in sorted(files)},
        sizes={path: len(files[path]) for path in sorted(files)},
    )


def encode(contents: Contents) -> bytes:
    """The bytes of package.json."""
    data = {
        "format": FORMAT,
        "tool": {"name": "runbook-generator", "version": contents.tool},
        "name": contents.name,
        "change": contents.change,
        "signer": {"subject": contents.subject, "thumbprint": contents.thumbprint},
        "files": [
            {"path": path, "size": contents.sizes[path], "sha256": digest}
            for path, digest in contents.files.items()
        ],
    }
    return (json.dumps(data, indent=2) + "\n").encode("ascii")


def decode(data: bytes) -> Contents:
    """Reads package.json; raises IntegrityError for anything that `encode` does not write."""
    found = document.read(data, SCHEMA, NAME)
    contents = Contents(
        tool=found["tool"]["version"],
        name=found["name"],
        change=found["change"],
        thumbprint=found["signer"]["thumbprint"],
        subject=found["signer"]["subject"],
        files={entry["path"]: entry["sha256"] for entry in found["files"]},
        sizes={entry["path"]: entry["size"] for entry in found["files"]},
    )
    if encode(contents) != data:
        raise IntegrityError(f"{NAME}: not as `runbook package` writes it")
    return contents
