"""Renders a package again from its own inputs, in a clean project, and compares byte for byte."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from generator import pipeline, signature_block
from generator.errors import GeneratorError
from generator.package import contents
from generator.signing import verify
from generator.signing.errors import IntegrityError
from generator.templating.templates import TemplateTree
from generator.writing import bundle, manifest

_TEMPLATES = f"{contents.INPUTS}/templates/"


class NotReproducibleError(GeneratorError):
    """The inputs of a package give something else than the package holds."""

    exit_code = 5


def differences(files: Mapping[str, bytes]) -> list[str]:
    """One line for each file that the inputs among these files do not give; empty when all do.

    Scripts are compared without their signatures, which must be signatures over their text.
    Raises what the pipeline raises for inputs that are not valid.
    """
    made = _render(files)
    signed = {path: data for path, data in files.items() if path in made and path.endswith(".ps1")}
    found = []
    for path, data in made.items():
        there = files.get(path)
        if path in (manifest.NAME, manifest.SUMS):
            continue
        if there is None:
            found.append(f"{path}: not in the package")
        elif there == data:
            continue
        elif path not in signed or signature_block.without(there) != data:
            found.append(f"{path}: differs")
        elif not verify.holds(there):
            found.append(f"{path}: differs, its signature block holds no signature over its text")
    record = manifest.with_files(json.loads(made[manifest.NAME]), signed)
    own = manifest.encode(record)
    for path, data in ((manifest.NAME, own), (manifest.SUMS, manifest.sums(record, own))):
        if files.get(path) != data:
            found.append(f"{path}: differs")
    extra = (path for path in files if not path.startswith((contents.INPUTS, contents.EVIDENCE)))
    own_files = {contents.NAME, contents.SEAL, contents.VERIFIER}
    found += [f"{path}: no input gives it" for path in extra if path not in {*made, *own_files}]
    return found


def _render(files: Mapping[str, bytes]) -> dict[str, bytes]:
    inventories = [
        path for path in files if path.startswith(f"{contents.INPUTS}/") and path.count("/") == 1
    ]
    if len(inventories) != 1:
        raise IntegrityError(f"{len(inventories)} inventories in the package; one is expected")
    with tempfile.TemporaryDirectory() as place:
        project = Path(place)
        for path, data in files.items():
            if path.startswith(f"{contents.INPUTS}/"):
                target = project / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        tree = TemplateTree((project / _TEMPLATES,))
        built = pipeline.build(project / inventories[0], tree)
        return bundle.contents(built, tree)
