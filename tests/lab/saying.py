"""What a run must say: the promises about exit codes, in one place."""

from __future__ import annotations

from lab.lab import Lab


def said(lab: Lab, *parts: str) -> None:
    """The last run showed each of these."""
    for part in parts:
        assert part in lab.out, f"{part!r} is missing in:\n{lab.out}"


def refused(lab: Lab, *parts: str) -> None:
    """The last run said this, changed nothing and said that too."""
    said(lab, *parts, "Nothing was changed.")
    assert lab.changes() == [], lab.out
