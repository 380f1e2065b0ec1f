"""Verifies a package: archive, seal, list, every file, every signature, and the verifier in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generator import __version__
from generator.errors import IntegrityError
from generator.files import named, names, signature_block
from generator.output import manifest
from generator.package import contents, verifier
from generator.package.contents import Contents
from generator.signing import verify as signatures
from generator.signing.codes import Code
from generator.signing.verify import Trust, Verification
from generator.untrusted import archive, document, folder, limits

_OWN = (contents.NAME, contents.SEAL, contents.VERIFIER)


@dataclass(slots=True)
class Answer:
    """What is wrong with a package: `damage` names files, `seal` judges the signer.

    `signatures` are the answers for the scripts in it, and for the verifier.
    """

    damage: list[str] = field(default_factory=list)
    seal: Verification | None = None
    signatures: dict[str, Verification] = field(default_factory=dict)
    contents: Contents | None = None

    @property
    def exit_code(self) -> int:
        """0 good, 3 damaged, 4 whole but not by a signer to accept."""
        if self.damage or self.seal is None:
            return 3
        codes = {each.code.exit_code for each in (self.seal, *self.signatures.values())}
        return next((code for code in (3, 4) if code in codes), 0)


def load(path: Path) -> dict[str, bytes]:
    """The files of a package, packed or unpacked; raises IntegrityError, UsageError."""
    if named.is_folder(path):
        return folder.read(path)
    return archive.read(folder.read_file(path, limits.PACKAGE))


def verify(files: Mapping[str, bytes], trust: Trust) -> Answer:
    """Judges the files of a package. Never raises for anything that stands in them."""
    answer = Answer()
    try:
        answer.damage += names.problems(files)
        missing = [name for name in _OWN if name not in files]
        if missing:
            raise IntegrityError(f"no package: there is no {', '.join(missing)}")
        answer.seal = signatures.verify_detached(files[contents.SEAL], files[contents.NAME], trust)
        if not answer.seal.integrity:
            raise IntegrityError(
                f"{contents.SEAL}: {answer.seal.code}: {answer.seal.reason or 'no good signature'}"
            )
        listed = contents.decode(files[contents.NAME])
        answer.contents = listed
        _files(files, listed, answer)
        _scripts(files, listed, trust, answer)
    except IntegrityError as error:
        answer.damage.append(str(error))
    return answer


def _files(files: Mapping[str, bytes], listed: Contents, answer: Answer) -> None:
    unknown = {path for path in files if path not in listed.files and path not in _OWN}
    by_hash = {manifest.sha256(files[path]): path for path in sorted(unknown)}
    for path, digest in listed.files.items():
        data = files.get(path)
        if data is not None:
            if manifest.sha256(data) != digest or len(data) != listed.sizes[path]:
                answer.damage.append(f"{path}: changed")
        elif digest in by_hash:
            answer.damage.append(f"{path}: renamed, it is called {by_hash[digest]}")
            unknown.discard(by_hash[digest])
        else:
            answer.damage.append(f"{path}: missing")
    answer.damage += [f"{path}: not in the list of the package" for path in sorted(unknown)]


def _scripts(files: Mapping[str, bytes], listed: Contents, trust: Trust, answer: Answer) -> None:
    """Signatures of scripts and verifier: good, and of the signer who sealed the package."""
    scripts = _script_names(files)
    others = {name: manifest.sha256(files[name]) for name in (contents.NAME, contents.SEAL)}
    script = signature_block.without(files[contents.VERIFIER])
    # Another version may word it in another way; then its signature and the seal in it must do.
    if (
        script != verifier.render(listed, others, scripts)
        if listed.tool == __version__
        else others[contents.SEAL].encode() not in script
    ):
        answer.damage.append(f"{contents.VERIFIER}: not the one of this package")
    sealed_by = answer.seal.signer.thumbprint_sha256 if answer.seal and answer.seal.signer else ""
    for path in (*scripts, contents.VERIFIER):
        if path not in files:
            continue
        found = signatures.verify(files[path], trust)
        answer.signatures[path] = found
        if found.code.exit_code == Code.HASH_MISMATCH.exit_code:
            answer.damage.append(f"{path}: {found.code}")
        elif found.signer is None or found.signer.thumbprint_sha256 != sealed_by:
            answer.damage.append(f"{path}: signed by somebody else than the package")


def _script_names(files: Mapping[str, bytes]) -> tuple[str, ...]:
    record = document.read(files.get(manifest.NAME, b""), manifest.SCHEMA, manifest.NAME)
    return manifest.scripts(record)
