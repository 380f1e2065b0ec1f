"""manifest.json and SHA256SUMS: what the output folder holds, and how to know it again.

The manifest lists file by file in the order of work; its schema is `manifest.schema.json` beside
this module. It tells no time, no path and no machine: the same build gives the same manifest
anywhere. SHA256SUMS has the same hashes, and that of the manifest, for `sha256sum --check`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from generator import __version__
from generator.errors import IntegrityError
from generator.model.build import Build, Summary
from generator.rendering import launcher
from generator.untrusted import document

NAME = "manifest.json"
SUMS = "SHA256SUMS"
FORMAT = 1
SCHEMA = Path(__file__).with_name("manifest.schema.json")

_LINE = re.compile("(?P<digest>[0-9a-f]{64})  (?P<path>.+)")


def stream(
    build: Build,
    summaries: Collection[Summary],
    documents: Collection[str],
    digests: Mapping[str, str],
) -> Iterator[bytes]:
    """The bytes of the manifest, part by part: those of `encode` for the whole of it.

    `documents` are the paths of those beside the scripts; `digests` (path -> SHA-256) has both.
    """
    frame = _frame(build, {path: digests[path] for path in documents}, digests[launcher.NAME])
    before, empty, after = encode(frame).partition(b'"runbooks": []')
    yield before
    if not summaries:
        yield empty
    else:
        between = b'"runbooks": [\n    '
        for one in summaries:
            entry = _runbook(one, digests[one.runbook.file], build.engine_hash)
            yield between + json.dumps(entry, indent=2).replace("\n", "\n    ").encode("ascii")
            between = b",\n    "
        yield b"\n  ]"
    yield after


def _frame(build: Build, documents: Mapping[str, str], launched: str) -> dict[str, Any]:
    """The manifest but for its runbooks."""
    inventory = build.plan.inventory
    change = inventory.values["change"]
    window = change.get("window")
    return {
        "format": FORMAT,
        "tool": {"name": "runbook-generator", "version": __version__},
        "name": inventory.name,
        "part": {"limit": list(build.limit), "of": len(build.plan.runbooks)}
        if build.limit
        else None,
        "change": {
            "id": change["id"],
            "title": change["title"],
            "window": {name: window[name] for name in ("from", "until")} if window else None,
        },
        "engine_sha256": build.engine_hash,
        "launcher": {
            "path": launcher.NAME,
            "sha256": launched,
            "content_sha256": build.launcher.content_hash,
        },
        "runbooks": [],
        "documents": [
            {"path": path, "sha256": digest} for path, digest in sorted(documents.items())
        ],
    }


def encode(manifest: Mapping[str, Any]) -> bytes:
    """Its bytes: 7-bit ASCII, so that every editor and every PowerShell reads the same text."""
    return (json.dumps(manifest, indent=2) + "\n").encode("ascii")


def hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Path -> SHA-256 of the bytes of every file that the manifest vouches for."""
    entries = (*manifest["runbooks"], manifest["launcher"], *manifest["documents"])
    return {entry["path"]: entry["sha256"] for entry in entries}


def scripts(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths of all scripts, which are signed: the runbooks, and what starts them."""
    return tuple(entry["path"] for entry in (*manifest["runbooks"], manifest["launcher"]))


def with_files(manifest: Mapping[str, Any], changed: Mapping[str, bytes]) -> dict[str, Any]:
    """The same manifest after files (path -> bytes) changed in a way that it may: by signing."""
    return with_hashes(manifest, {path: sha256(data) for path, data in changed.items()})


def with_hashes(manifest: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """The same manifest with other hashes of some of its files (path -> SHA-256)."""

    def entry(old: Mapping[str, Any]) -> dict[str, Any]:
        return {**old, "sha256": digests.get(old["path"], old["sha256"])}

    lists = {name: [entry(old) for old in manifest[name]] for name in ("runbooks", "documents")}
    return {**manifest, **lists, "launcher": entry(manifest["launcher"])}


def sums(manifest: Mapping[str, Any], data: bytes) -> bytes:
    """SHA256SUMS for a manifest and its bytes: the files it vouches for, and itself."""
    return b"".join(sums_of({**hashes(manifest), NAME: sha256(data)}))


def sums_of(digests: Mapping[str, str]) -> Iterator[bytes]:
    """The lines of SHA256SUMS for files (path -> SHA-256)."""
    return (f"{digest}  {path}\n".encode() for path, digest in digests.items())


def recorded(data: bytes | None, sums_data: bytes | None) -> dict[str, str]:
    """Path -> SHA-256 of what an earlier build wrote, by its manifest and its SHA256SUMS.

    One of the two is enough (None: not there). What cannot be read vouches for nothing.
    """
    lines = [
        _LINE.fullmatch(line) for line in (sums_data or b"").decode(errors="replace").split("\n")
    ]
    record = {line["path"]: line["digest"] for line in lines if line}
    if sums_data and sums_data == b"".join(sums_of(record)):
        record[SUMS] = sha256(sums_data)
    try:
        found = hashes(document.read(data or b"", SCHEMA, NAME))
    except IntegrityError:
        return record
    record |= found
    own = record.setdefault(NAME, sha256(data or b""))
    return {**record, SUMS: sha256(b"".join(sums_of({**found, NAME: own})))}


def sha256(data: bytes) -> str:
    """The hash of a file's bytes, in lower case, as sha256sum writes it."""
    return hashlib.sha256(data).hexdigest()


def _runbook(one: Summary, digest: str, engine_hash: str) -> dict[str, Any]:
    runbook = one.runbook
    return {
        "path": runbook.file,
        "id": runbook.id,
        "number": runbook.number,
        "phase": runbook.definition.phase,
        "direction": "undo" if runbook.backward else "forward",
        "product": runbook.definition.product,
        "host": {"netbios": runbook.host.netbios, "fqdn": runbook.host.fqdn},
        "title": runbook.title,
        "sha256": digest,
        "content_sha256": one.content_hash,
        "engine_sha256": engine_hash,
        "predecessors": [need.id for need in runbook.needs],
        "undo": runbook.undo,
        "undoes": runbook.undoes,
        "serves": list(runbook.serves),
    }
