"""A PowerShell process that runs scripts one after the other, each in a runspace of its own.

To start PowerShell takes longer than most scripts do. A `Server` starts it for the first job and
gives it one job after the other (`serve.ps1` runs them, `events.py` describes the lines between).
Nothing of a script reaches the next one: it has its own runspace, and the environment, the folder
and the other settings of the process are set anew. A script that hangs or that ends the process
costs its own run only: the next job starts another process.
"""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .events import Event, Job, Question, Splitter

SCRIPT = Path(__file__).with_name("serve.ps1")
Answer = Callable[[Question], str | None]
"""Says what somebody types at a question; None: the input has ended."""

How = Literal["ended", "stopped", "killed", "lost"]
START = 60.0
"""Seconds that PowerShell may take to start."""
GRACE = 15.0
"""Seconds that a process gets beyond the limit of its job, to stop the script and to say so."""
MOST = 500
"""Jobs that a process takes: PowerShell keeps a third of a megabyte of each large script."""
LOOK = 0.5
"""Seconds between two looks at whether a silent process is still there."""


class ServingError(Exception):
    """The PowerShell did not start, and the message has its last words; or it is not free."""


@dataclass(slots=True)
class Run:
    """What a script did.

    `how` it ended: `ended` by itself, `stopped` at its limit (its `finally` blocks ran), `killed`
    with its process because it could not be stopped, or `lost`: the script ended the process.
    `code` is the exit code that a process of its own would have had; a process that was killed
    has the negative number of the signal.
    """

    how: How = "ended"
    code: int = 0
    output: str = ""
    error: str = ""
    progress: list[str] = field(default_factory=list)
    asked: list[tuple[Question, str | None]] = field(default_factory=list)


def nobody(_: Question) -> str | None:
    """Answers as an input that has ended."""
    return None


def typed(text: str) -> Answer:
    """Answers with the lines of a text, one after the other; then the input has ended."""
    lines = iter(text.splitlines())
    return lambda _: next(lines, None)


class Server:
    """One serving process at a time, started when it is needed. Use it as a context, or close it.

    `command` starts a PowerShell without the script, such as `pwsh -NoProfile`.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = [*command, "-File", str(SCRIPT)]
        self._environment = dict(environment)
        self._process: _Process | None = None
        self._busy = False

    def run(self, job: Job, answer: Answer = nobody) -> Run:
        """Run a script to its end. Raises ServingError when there is no PowerShell to run it.

        What `answer` raises ends the script, and is raised. It cannot run another script here.
        """
        if self._busy:
            raise ServingError("A script is running: this process runs one at a time.")
        process = self._serving()
        run = Run()
        self._busy = True
        try:
            process.send(job.line())
            over = time.monotonic() + job.limit + GRACE
            while (event := process.event(over)) and event.name != "end":
                _take(event, run, process, answer)
        except TimeoutError:
            return self._killed(run)
        except BaseException:
            self._killed(run)
            raise
        finally:
            self._busy = False
        if event is None:
            run.how, run.code = "lost", process.close()
            self._process = None
        elif event.members["how"] == "stuck":
            return self._killed(run)
        else:
            run.how = "stopped" if event.members["how"] == "stopped" else "ended"
            run.code = int(event.members["code"])
        return run

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.close()
            self._process = None

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _killed(self, run: Run) -> Run:
        if self._process:
            run.how, run.code = "killed", self._process.kill()
            self._process = None
        return run

    def _serving(self) -> _Process:
        """The process that takes the next job."""
        if self._process and (self._process.gone or self._process.jobs >= MOST):
            self.close()
        if self._process is None:
            self._process = self._started()
        self._process.jobs += 1
        return self._process

    def _started(self) -> _Process:
        try:
            process = _Process(self._command, self._environment)
        except OSError as error:
            raise ServingError(f"PowerShell cannot be started: {error}") from error
        said = Run()
        over = time.monotonic() + START
        with suppress(TimeoutError):
            while event := process.event(over):
                if event.name == "ready":
                    return process
                _take(event, said, process, nobody)
        process.kill()
        words = f"{said.output}{said.error}".strip()
        raise ServingError(f"PowerShell did not start with {self._command}: {words}")


def _take(event: Event, run: Run, process: _Process, answer: Answer) -> None:
    """Keep what an event says, and answer it."""
    if event.name == "question":
        question = event.question()
        said = answer(question)
        run.asked.append((question, said))
        process.send(json.dumps(said))
    elif event.name == "progress":
        run.progress.append(event.text("text"))
    elif event.name == "shown" and event.text("stream") == "error":
        run.error += event.text("text")
    elif event.name == "shown":
        run.output += event.text("text")


class _Process:
    """A process, and what it says, read on a thread so that waiting for it has an end."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # A group of its own: a signal of the terminal is for us, and what a script started can
        # be ended with it.
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        assert isinstance(self._popen.stdin, io.BufferedWriter)
        assert isinstance(self._popen.stdout, io.BufferedReader)
        self._input, self._output = self._popen.stdin, self._popen.stdout
        self.jobs = 0
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, line: str) -> None:
        """Write a line. A process that is gone shows when its answer is read."""
        with suppress(BrokenPipeError):
            self._input.write(f"{line}\n".encode())
            self._input.flush()

    def event(self, over: float) -> Event | None:
        """The next event; None when the process has ended. Raises TimeoutError at this time."""
        while True:
            with suppress(queue.Empty):
                return self._events.get(timeout=LOOK)
            if time.monotonic() > over:
                raise TimeoutError
            if self.gone:
                # A program that the script started may still hold the output open.
                self._kill_group()

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._popen.poll() is not None

    def kill(self) -> int:
        """End the process and what it started, now; the exit code."""
        self._popen.kill()
        return self._finish()

    def close(self) -> int:
        """Let the process end; the exit code."""
        self._close_input()
        try:
            self._popen.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        return self._finish()

    def _finish(self) -> int:
        self._kill_group()
        self._close_input()
        self._reader.join()
        return self._popen.wait()

    def _kill_group(self) -> None:
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def _close_input(self) -> None:
        with suppress(BrokenPipeError):
            self._input.close()

    def _read(self) -> None:
        splitter = Splitter()
        with self._output as stream:
            while data := stream.read1(65536):
                for event in splitter.feed(data):
                    self._events.put(event)
            for event in splitter.end():
                self._events.put(event)
        self._events.put(None)
