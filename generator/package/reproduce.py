"""Renders a package again from its own inputs, in a clean project, and compares byte for byte."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from generator.errors import GeneratorError, IntegrityError
from generator.files import signature_block
from generator.output import manifest
from generator.package import contents
from generator.signing import verify
from generator.untrusted import document, folder, process
from generator.untrusted.process import Limits, StoppedError, WorkError

_INPUTS = f"{contents.INPUTS}/"
_TEMPLATES = f"{_INPUTS}templates"
_EVIDENCE = f"{contents.EVIDENCE}/"
_SECONDS = 60
_FILES_A_SECOND = 50
"""A slow machine renders some hundreds."""


class NotReproducibleError(GeneratorError):
    """The inputs of a package give something else than the package holds."""

    exit_code = 5


def differences(files: Mapping[str, bytes]) -> list[str]:
    """One line for each file that the inputs among these files do not give; empty when all do.

    Scripts are compared without their signatures, which must be signatures over their text. Verify
    the files first: what they hold is rendered, though in a process with limits. Raises
    IntegrityError without inputs, NotReproducibleError for inputs that cannot be rendered.
    """
    made = _render(files)
    found = []
    for path, digest in made.items():
        if path in (manifest.NAME, manifest.SUMS):
            continue
        there = files.get(path)
        if there is None:
            found.append(f"{path}: not in the package")
        elif manifest.sha256(there) == digest:
            continue
        elif manifest.sha256(signature_block.without(there)) != digest:
            found.append(f"{path}: differs")
        elif not verify.holds(there):
            found.append(f"{path}: differs, its signature block holds no signature over its text")
    found += _manifest_differences(files, made)
    own = {contents.NAME, contents.SEAL, contents.VERIFIER, _inventory(files)}
    extra = (path for path in files if not path.startswith((f"{_TEMPLATES}/", _EVIDENCE)))
    return [*found, *(f"{path}: no input gives it" for path in extra if path not in {*made, *own})]


def _manifest_differences(files: Mapping[str, bytes], made: Mapping[str, str]) -> list[str]:
    """The manifest has the hashes of the signed files; with those of the unsigned it is as made."""
    own = files.get(manifest.NAME, b"")
    record = document.read(own, manifest.SCHEMA, manifest.NAME)
    here = {path: manifest.sha256(files[path]) for path in manifest.hashes(record) if path in files}
    unsigned = manifest.encode(manifest.with_hashes(record, made))
    found = []
    if (
        manifest.sha256(unsigned) != made[manifest.NAME]
        or manifest.encode(record) != own
        or manifest.hashes(record) != here
    ):
        found.append(f"{manifest.NAME}: differs")
    if files.get(manifest.SUMS) != manifest.sums(record, own):
        found.append(f"{manifest.SUMS}: differs")
    return found


def _inventory(files: Mapping[str, bytes]) -> str:
    found = [path for path in files if path.startswith(_INPUTS) and path.count("/") == 1]
    if len(found) != 1:
        raise IntegrityError(f"{len(found)} inventories in the package; one is expected")
    return found[0]


def _render(files: Mapping[str, bytes]) -> dict[str, str]:
    inventory = _inventory(files)
    inputs = {path: data for path, data in files.items() if path.startswith(_INPUTS)}
    limits = Limits(seconds=_SECONDS + len(files) // _FILES_A_SECOND)
    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "project"
        folder.write_below(project, inputs)
        try:
            made: dict[str, str] = process.run(
                "generator.package.rendering", [inventory, _TEMPLATES], project, limits
            )
        except (StoppedError, WorkError) as error:
            raise NotReproducibleError(
                "the inputs of the package cannot be rendered:", *error.args
            ) from error
    return made
