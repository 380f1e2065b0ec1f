"""Makes a package: checks that the folder is what its inputs give, lists, seals, zips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from generator import pipeline
from generator.errors import IntegrityError, UsageError
from generator.files import named, names
from generator.output import manifest
from generator.package import contents, reproduce, verifier
from generator.signing import folder as folders
from generator.signing import signer as signing
from generator.signing import verify
from generator.signing.errors import PolicyError
from generator.signing.signer import Identity, ScriptSigner
from generator.templating.templates import TemplateTree
from generator.untrusted import archive
from generator.untrusted import folder as untrusted


def make(
    folder: Path,
    inventory: Path,
    tree: TemplateTree,
    identity: Identity,
    evidence: Mapping[str, bytes],
) -> bytes:
    """The bytes of the package of a signed folder; raises IntegrityError, PolicyError,
    UsageError.

    `evidence` are files to be added, by name. The folder must be unchanged since it was signed,
    signed by the identity's certificate, and what the inventory and templates give today.
    """
    _refuse_unwanted_signer(inventory, tree, identity)
    built = folders.load(folder)
    damage = [*folders.problems(built), *folders.unlisted(built)]
    if damage:
        raise IntegrityError("nothing was written.", *damage)
    files = {
        name: untrusted.read_file(folder / name)
        for name in (*manifest.hashes(built.record), manifest.NAME, manifest.SUMS)
    }
    _refuse_other_signers(folder, built.scripts, files, identity)
    files |= _inputs(inventory, tree)
    files |= {f"{contents.EVIDENCE}/{name}": data for name, data in evidence.items()}
    differences = reproduce.differences(files)
    if differences:
        raise UsageError(
            f"{folder}: this is not what {inventory} and the templates give today. Build and sign "
            "it again, then package it.",
            *differences,
        )
    return seal(files, built, identity)


def seal(files: dict[str, bytes], built: folders.Folder, identity: Identity) -> bytes:
    """Lists and signs files, adds the verifier, and writes the archive."""
    listed = contents.of(built.record, files, verify.facts(identity.certificate))
    own = contents.encode(listed)
    signature = signing.sign_detached(own, identity)
    others = {contents.NAME: manifest.sha256(own), contents.SEAL: manifest.sha256(signature)}
    script = verifier.render(listed, others, built.scripts)
    maker = ScriptSigner(identity.certificate, identity.key.kind, identity.chain)
    whole = {
        **files,
        contents.NAME: own,
        contents.SEAL: signature,
        contents.VERIFIER: maker.sign(script, identity.key),
    }
    problems = names.problems(whole)
    if problems:
        raise UsageError("names that would not survive every copy:", *problems)
    return archive.write(whole)


def _refuse_unwanted_signer(inventory: Path, tree: TemplateTree, identity: Identity) -> None:
    wanted = pipeline.load(inventory, tree).values["change"].get("signers", [])
    own = verify.facts(identity.certificate).thumbprint
    if wanted and own not in [thumbprint.upper() for thumbprint in wanted]:
        raise PolicyError(
            f"{inventory}: change.signers asks for {', '.join(wanted)}, and this key's certificate "
            f"is {own}: every runbook would refuse to run. Sign with another key, or change the "
            "inventory and build again"
        )


def _refuse_other_signers(
    folder: Path, scripts: tuple[str, ...], files: Mapping[str, bytes], identity: Identity
) -> None:
    problems = []
    for name in scripts:
        try:
            opened = verify.open_signed(files[name])
        except IntegrityError as error:
            problems.append(f"{folder / name}: {error}")
            continue
        if opened.signer.certificate != identity.certificate:
            problems.append(f"{folder / name}: signed with another certificate than the package")
    if problems:
        raise IntegrityError(*problems, "Sign the folder with this key first, then package it.")


def _inputs(inventory: Path, tree: TemplateTree) -> dict[str, bytes]:
    """The inventory and the templates in force: those of the project over the built-in ones."""
    base = f"{contents.INPUTS}/templates"
    found = {f"{base}/{name}": data for name, data in tree.contents()}
    found[f"{contents.INPUTS}/{inventory.name}"] = named.read(inventory)
    return found
