"""Projects of one test, a watchdog for what goes on without end, and PowerShell's own parser."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.conftest import judge
from security.projects import Project

if sys.platform != "win32":
    import resource

__all__ = ["judge", "project", "watchdog"]

PATIENCE_SECONDS = 240
"""Of the processor. No good case comes near it; without it a bad one would never end."""

ROOM = 3 * 1024**3
"""Bytes of address space beyond what is in use: no case may eat the machine."""


class Endless(BaseException):
    """No Exception, so that nothing takes it for a mistake in a template."""


@pytest.fixture
def watchdog(request: pytest.FixtureRequest) -> Iterator[None]:
    if sys.platform == "win32":
        # Neither limit is there, and the cases are the same.
        yield
        return
    patience = 20 * PATIENCE_SECONDS if request.node.get_closest_marker("soak") else None

    def bark(*_: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGVTALRM, bark)
    limit, most = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, most))
    signal.setitimer(signal.ITIMER_VIRTUAL, patience or PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))


@pytest.fixture
def project(watchdog: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Project:
    return Project(tmp_path, capsys)
