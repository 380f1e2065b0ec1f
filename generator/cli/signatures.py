"""Commands that only look: inspect, expiring, and what verify does with scripts."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import click

from generator.cli import answers, terminal
from generator.cli import signing_inputs as inputs
from generator.cli import signing_options as shared
from generator.files import named
from generator.signing import batch, folder
from generator.signing import verify as verifier
from generator.signing.verify import Trust, Verification

_LONGEST = 36_500
"""Days; no certificate lives for a hundred years."""


def verified(paths: tuple[Path, ...], trust: Trust, form: str) -> int:
    """Verifies scripts and built folders, prints the answers, gives the exit code.

    The command `verify` calls it for everything but packages.
    """
    found, problems = _judge(paths, trust)
    if form == "json":
        data = {"files": [answers.data(*each) for each in found], "problems": problems}
        terminal.write(json.dumps(data, indent=2) + "\n")
    else:
        for each in found:
            terminal.tell(*answers.text(*each))
    terminal.say(*problems)
    bad = sum(not answer.ok for _, answer in found)
    damage = f" {len(problems)} problems around them: run nothing of it." if problems else ""
    terminal.say(f"{len(found) - bad} of {len(found)} signatures are good.{damage}")
    return 3 if problems else answers.exit_code(answer.code for _, answer in found)


@click.command()
@shared.paths
@shared.form
def inspect(paths: tuple[Path, ...], form: str) -> int:
    """Show signature details, without asking whom to trust.

    Ends with 3 when a file is not signed or not as it was signed.
    """
    found, _ = _judge(paths, Trust(now=inputs.time(None), allow_sha1=True))
    if form == "json":
        terminal.write(json.dumps([answers.data(*each) for each in found], indent=2) + "\n")
    else:
        for each in found:
            terminal.tell(*answers.details(*each))
    return 0 if all(answer.integrity for _, answer in found) else 3


@click.command()
@shared.paths
@click.option(
    "--days",
    metavar="DAYS",
    type=click.IntRange(min=0, max=_LONGEST),
    default=30,
    show_default=True,
    help="How soon is soon.",
)
@click.option("--time", "when", metavar="TIME", help="Count from this time (ISO 8601), not now.")
@shared.form
def expiring(paths: tuple[Path, ...], days: int, when: str | None, form: str) -> int:
    """List scripts whose signatures expire within some days.

    A signature without a timestamp ends with the certificate.

    Ends with 4 when there is one.
    """
    now = inputs.time(when)
    found, _ = _judge(paths, Trust(now=now, allow_sha1=True))
    ends = ((path, answers.end(answer)) for path, answer in found)
    late = [(path, end) for path, end in ends if end and end - now <= timedelta(days=days)]
    if form == "json":
        rows = [{"path": path.as_posix(), "end": end.isoformat()} for path, end in late]
        terminal.write(json.dumps(rows, indent=2) + "\n")
    else:
        terminal.tell(*(f"{end:%Y-%m-%d}  {path}" for path, end in late))
    terminal.say(f"{len(late)} of {len(found)} signatures end within {days} days.")
    return 4 if late else 0


def _judge(
    paths: tuple[Path, ...], trust: Trust
) -> tuple[list[tuple[Path, Verification]], list[str]]:
    """The answers file by file, and what is wrong with the folders around them."""
    found = batch.collect(paths, check=False)
    whole = {path.resolve() for path in paths}
    problems = [
        problem
        for each in found.folders
        if each.path.resolve() in whole
        for problem in (*folder.problems(each), *folder.unlisted(each))
    ]
    answers = [
        (target.path, verifier.verify(named.read(target.path), trust, target.style))
        for target in found.targets
        if target.path.is_file()
    ]
    return answers, problems
