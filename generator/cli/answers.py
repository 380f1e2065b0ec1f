"""What `verify`, `inspect` and `expiring` print, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from generator.signing.codes import Code
from generator.signing.verify import Verification

Answers = Iterable[tuple[Path, Verification]]

_WIDTH = max(len(code) for code in Code)


def text(path: Path, answer: Verification) -> list[str]:
    """One line with the code, and below it what a person needs to go on."""
    lines = [f"{answer.code:<{_WIDTH}}  {path}"]
    if not answer.ok:
        reason = answer.reason and f" ({answer.reason})"
        lines.append(f"    {answer.code.sentence}{reason}")
    if answer.signer is not None:
        lines.append(f"    signer     {answer.signer.subject}  {answer.signer.thumbprint}")
    if answer.stamp is not None:
        trusted = "" if answer.stamp_trusted else ", not by an authority trusted here"
        lines.append(f"    timestamp  {_time(answer.stamp.time)}{trusted}")
    lines += [f"    note       {note}" for note in answer.notes]
    return lines


def details(path: Path, answer: Verification) -> list[str]:
    """Everything that stands in a signature, for `inspect`; no judgement about trust."""
    state = "the text is as it was signed" if answer.integrity else answer.code.sentence
    lines = [f"{path}", f"    {state}"]
    if answer.reason and not answer.integrity:
        lines.append(f"    {answer.reason}")
    signer = answer.signer
    if signer is not None:
        lines += [
            f"    hash         {answer.hash} {answer.digest}",
            f"    signer       {signer.subject}",
            f"    issuer       {signer.issuer}",
            f"    serial       {signer.serial_number}",
            f"    thumbprint   {signer.thumbprint}",
            f"    SHA-256      {signer.thumbprint_sha256}",
            f"    valid        {_time(signer.not_before)} to {_time(signer.not_after)}",
        ]
    if answer.stamp is not None:
        lines.append(f"    timestamp    {_time(answer.stamp.time)} ({answer.stamp.kind})")
    if answer.nested:
        lines.append("    nested       a second signature inside")
    return lines


def data(path: Path, answer: Verification) -> dict[str, Any]:
    """The same for programs: one object a file."""
    signer, stamp = answer.signer, answer.stamp
    return {
        "path": path.as_posix(),
        "code": answer.code.value,
        "message": answer.code.sentence,
        "reason": answer.reason,
        "integrity": answer.integrity,
        "hash": answer.hash or None,
        "digest": answer.digest or None,
        "signer": signer
        and {
            "subject": signer.subject,
            "issuer": signer.issuer,
            "serial_number": signer.serial_number,
            "thumbprint": signer.thumbprint,
            "thumbprint_sha256": signer.thumbprint_sha256,
            "not_before": signer.not_before.isoformat(),
            "not_after": signer.not_after.isoformat(),
        },
        "trusted_by": answer.trusted or None,
        "judged_at": answer.judged_at.isoformat() if answer.judged_at else None,
        "timestamp": stamp
        and {
            "time": stamp.time.isoformat(),
            "kind": stamp.kind,
            "trusted": answer.stamp_trusted,
        },
        "nested": answer.nested,
        "notes": list(answer.notes),
    }


def end(answer: Verification) -> datetime | None:
    """When the signature stops being good; None for one with a timestamp, or without signer."""
    if answer.signer is None or answer.stamp is not None:
        return None
    return answer.signer.not_after


def exit_code(codes: Iterable[Code]) -> int:
    """Of several: a damaged file (3) weighs more than a signer not accepted (4)."""
    found = {code.exit_code for code in codes}
    return next((code for code in (3, 4) if code in found), 0)


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
