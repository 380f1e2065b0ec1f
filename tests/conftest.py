"""Fixtures shared by all tests; those of the simulated organization lie in lab/fixtures.py."""

from __future__ import annotations

from collections import Counter

# The one beside this file, before tests/unit/package, which has another, comes onto the path.
import builders  # noqa: F401
import pytest
from hypothesis import settings
from programs import NOW

from generator.cli import build, read, validate

# Nothing is timed: the machine of a test may be busy with something else.
settings.register_profile("runbook", deadline=None)
settings.load_profile("runbook")

pytest_plugins = ["lab.fixtures"]


@pytest.fixture(autouse=True)
def _before_every_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line warns of a window that has passed: the tests hold at any time."""
    for command in (validate, read, build):
        monkeypatch.setattr(command, "now", lambda: NOW)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each thing that is missing, however many tests did not run without it."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")
