"""The commands about packages: package, reproduce, and verify for everything that is signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from generator import __version__
from generator.cli import answers, signatures, terminal
from generator.cli import signing_inputs as inputs
from generator.cli import signing_options as shared
from generator.cli.options import template_tree, templates_option
from generator.cli.signing_options import CertificateOptions, KeyOptions, TrustOptions
from generator.errors import IntegrityError, UsageError
from generator.files import atomic, named
from generator.package import contents, make
from generator.package import reproduce as again
from generator.package import verify as packages
from generator.package.reproduce import NotReproducibleError
from generator.package.verify import Answer
from generator.signing import folder as folders
from generator.signing.errors import PolicyError
from generator.signing.trust import preflight
from generator.signing.verify import Trust


@click.command()
@shared.paths
@shared.trust_options
@shared.form
def verify(paths: tuple[Path, ...], form: str, trusted: TrustOptions) -> int:
    """Verify scripts, the folder out/NAME, or a package, packed or unpacked.

    Ends with 0 when everything is good, 3 when something is not what was signed, 4 when the signer
    is not one to accept.
    """
    trust = inputs.trust(trusted)
    found = [_is_package(path) for path in paths]
    if not any(found):
        return signatures.verified(paths, trust, form)
    if not all(found):
        raise UsageError("verify either packages or scripts and folders, not both at once")
    return max(_verify(path, trust, form) for path in paths)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--inventory", type=shared.FILE, metavar="FILE", required=True, help="What it was built from."
)
@templates_option
@shared.key_options
@shared.certificate_options
@click.option(
    "--evidence",
    type=shared.FILE,
    metavar="FILE",
    multiple=True,
    help="Files to add below evidence/.",
)
@click.option(
    "--output", type=shared.FILE, metavar="FILE", help="The package; by default FOLDER.zip."
)
@shared.dry_run
def package(
    folder: Path,
    *,
    inventory: Path,
    templates: Path | None,
    output: Path | None,
    dry_run: bool,
    evidence: tuple[Path, ...],
    key_place: KeyOptions,
    signature: CertificateOptions,
) -> None:
    """Seal the signed folder out/NAME into one file that proves itself.

    The key must be the one that signed the scripts. The same folder, inputs and key give the same
    bytes, as far as the key does (RSA always).
    """
    read = {path.name: named.read(path) for path in evidence}
    if len(read) != len(evidence):
        raise UsageError("two files of evidence have the same name")
    folder = folders.load(folder).path
    target = output or folder.with_name(f"{folder.name}.zip")
    with inputs.identity(key_place, signature.certificates) as identity:
        ecdsa = signature.allow_ecdsa
        for warning in preflight.check(identity.certificate, inputs.time(None), allow_ecdsa=ecdsa):
            terminal.say(f"warning: {warning}")
        data = make.make(folder, inventory, template_tree(templates), identity, read)
    if not dry_run:
        atomic.write(target, data)
    terminal.say(f"{target}: {len(data)} bytes{', not written' if dry_run else ''}.")


@click.command()
@click.argument("package", type=click.Path(path_type=Path))
@shared.trust_options
@click.option(
    "--allow-untrusted",
    is_flag=True,
    help="End with 0 also where no --anchors and no --signer says whom to trust.",
)
def reproduce(package: Path, *, allow_untrusted: bool, trusted: TrustOptions) -> int:
    """Verify PACKAGE, then render it again from the inputs in it and compare byte for byte.

    What is not as it was sealed is not rendered. The inputs are rendered in a process of its own,
    with limits on time, memory and files. Ends with 3 or 4 as verify does, with 4 also when nobody
    was named to trust, and with 5 when something differs.
    """
    trust = inputs.trust(trusted)
    vouched = bool(trust.anchors or trust.signers)
    lines, code = _reproduced(package, trust, vouched=vouched)
    if not vouched:
        lines = [_NOBODY, *lines, _NOBODY]
        code = code or (0 if allow_untrusted else PolicyError.exit_code)
    terminal.say(*lines)
    return code


_NOBODY = (
    "Nobody vouches for this package: anybody can have made it. Name whom you trust with "
    "--anchors or --signer."
)


def _reproduced(path: Path, trust: Trust, *, vouched: bool) -> tuple[list[str], int]:
    """What there is to say about a package, and the exit code."""
    files = packages.load(path)
    answer = packages.verify(files, trust)
    refused = PolicyError.exit_code if vouched else IntegrityError.exit_code
    if answer.damage or 0 < answer.exit_code <= refused:
        return [*_text(path, answer), "Nothing of it was rendered."], answer.exit_code
    assert answer.contents is not None  # noqa: S101 - without damage there is a list
    made_by = answer.contents.tool
    version = "" if made_by == __version__ else (
        f" It was made with version {made_by} of this tool, and this is {__version__}: use that "
        "version to compare."
    )  # fmt: skip
    try:
        differences = again.differences(files)
    except NotReproducibleError as error:
        return [f"{path}: {line}" for line in error.lines] + [version] * bool(
            version
        ), error.exit_code
    if differences:
        head = f"{path}: the inputs give something else.{version}"
        return [head, *differences], NotReproducibleError.exit_code
    if version:
        head = f"{path}: the inputs give the same files.{version}"
        return [head], NotReproducibleError.exit_code
    return [f"{path}: every file is what the inputs give."], 0


def _is_package(path: Path) -> bool:
    return path.suffix.lower() == ".zip" or named.is_file(path / contents.NAME)


def _verify(path: Path, trust: Trust, form: str) -> int:
    answer = packages.verify(packages.load(path), trust)
    if form == "json":
        terminal.write(json.dumps(_data(path, answer), indent=2) + "\n")
    else:
        terminal.tell(*_text(path, answer))
    return answer.exit_code


def _text(path: Path, answer: Answer) -> list[str]:
    if answer.damage:
        return [f"{path}: not the package that was handed over", *answer.damage]
    assert answer.seal is not None  # noqa: S101 - without damage there was one
    lines = answers.text(path, answer.seal)
    for name, found in answer.signatures.items():
        if not found.ok:
            lines += answers.text(Path(name), found)
    if answer.contents is not None:
        listed = answer.contents
        lines.append(f"    change     {listed.change['id']}  {len(listed.files)} files")
    return lines


def _data(path: Path, answer: Answer) -> dict[str, Any]:
    return {
        "package": path.as_posix(),
        "exit_code": answer.exit_code,
        "damage": answer.damage,
        "seal": answers.data(Path(contents.SEAL), answer.seal) if answer.seal else None,
        "files": [answers.data(Path(name), found) for name, found in answer.signatures.items()],
    }
