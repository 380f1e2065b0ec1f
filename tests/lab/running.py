"""How the lab runs a script: in the serving PowerShell of this worker, or in a process of its own.

What only a process can show gets one: the end of the process in the middle of a run, an input
that is closed, a language mode, a proxy. Everything else is the same in both, which
test_serving_same.py shows for every runbook.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lab.events import Job
from lab.serving import Answer, Run, Server, nobody
from programs import pwsh

LIMIT = 120.0
"""Seconds after which a run counts as hanging."""


OF_A_PROCESS = {"LAB_KILL", "LAB_LANGUAGE", "http_proxy", "https_proxy"}
"""Variables that a serving process cannot follow: .NET reads its proxy once."""


def needs_process(stdin: str | None, environment: Mapping[str, str]) -> bool:
    """Whether a run shows something that belongs to a process."""
    killed = environment.get("LAB_IIS") == "kill"
    return killed or stdin == "" or not OF_A_PROCESS.isdisjoint(environment)


def served(script: Path, words: tuple[str, ...], environment: Mapping[str, str],
           answer: Answer | None) -> Run:  # fmt: skip
    """A run in the serving PowerShell; without `answer` it is not interactive."""
    interactive, folder = answer is not None, Path.cwd()
    job = Job(script, words, environment, folder, interactive, LIMIT)
    run = _server().run(job, answer or nobody)
    if run.how in ("stopped", "killed"):
        raise TimeoutError(f"The run did not end within {LIMIT:.0f} s:\n{run.output}{run.error}")
    return run


def process(script: Path, words: tuple[str, ...], environment: Mapping[str, str],
            stdin: str | None) -> Run:  # fmt: skip
    """A run in a process of its own; without `stdin` it is not interactive."""
    mode = ["-NonInteractive"] if stdin is None else []
    done = subprocess.run(
        [pwsh(), "-NoProfile", *mode, "-File", str(script), *words],
        check=False,
        env=environment,
        input=(stdin or "").encode(),
        capture_output=True,
        timeout=LIMIT,
    )
    output, error = (data.decode(errors="replace") for data in (done.stdout, done.stderr))
    return Run("ended", done.returncode, output, error)


@cache
def _server() -> Server:
    """One for each worker, started with its first run."""
    names = ("PATH", "HOME")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    return Server([pwsh(), "-NoProfile", "-NonInteractive"], {**environment, "NO_COLOR": "1"})


def stop() -> None:
    """End the serving PowerShell, at the end of the session."""
    if _server.cache_info().currsize:
        _server().close()
        _server.cache_clear()
