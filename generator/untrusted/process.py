"""Work on what comes from others in a process of its own, with limits and an empty environment.

On POSIX the process limits its own time, memory, files and open files (`resource`) before it
reads anything; everywhere the parent ends it when it takes too long or answers too much. On
Windows nothing limits its memory but the machine.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from generator.errors import GeneratorError

_KEPT = ("SYSTEMROOT",)
"""Windows starts no program without it."""

_START = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)
_ROOT = Path(__file__).resolve().parents[2]
_GRACE = 5
_NO_MEMORY = 71
_NO_ROOM = 72


class StoppedError(GeneratorError):
    """The work came to a limit; the message says which."""


class WorkError(GeneratorError):
    """The work was refused; the message is that of the error in the other process."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use: `memory` and `file` in bytes, `answer` in bytes of JSON."""

    seconds: int
    memory: int = 2 << 30
    file: int = 1 << 30
    open_files: int = 64
    answer: int = 64 << 20


def run(module: str, arguments: Sequence[str], folder: Path, limits: Limits) -> Any:
    """What the function that a module hands to `answer` gives for some arguments, as JSON data.

    It is run in `folder`, where its temporary files go too. Raises StoppedError at a limit and
    WorkError for every GeneratorError of the function.
    """
    numbers = [str(value) for value in asdict(limits).values()]
    command = [sys.executable, "-I", "-X", "utf8", "-c", _START, str(_ROOT), module, *numbers]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    late = threading.Event()
    with subprocess.Popen(  # noqa: S603 - this program itself
        [*command, *arguments],
        cwd=folder,
        env={**kept, "TMPDIR": str(folder), "TEMP": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:

        def end() -> None:
            late.set()
            child.kill()

        # The limit of processor time is the child's own; this one also ends a child that waits.
        watchdog = threading.Timer(2 * limits.seconds, end)
        watchdog.start()
        try:
            assert child.stdout is not None  # noqa: S101 - it was asked for
            data = child.stdout.read(limits.answer + 1)
            if len(data) <= limits.answer:
                child.wait()
        finally:
            watchdog.cancel()
            child.kill()
    return _judged(data, child.returncode, late.is_set(), limits)


def answer(work: Callable[[list[str]], Any]) -> NoReturn:
    """The whole of a module that `run` starts: limits this process, works, answers, ends."""
    _confine(sys.argv)
    try:
        found = {"result": work(sys.argv[1:])}
    except GeneratorError as error:
        # Not `args`: a FindingsError holds its findings there, which are no JSON.
        found = {"error": error.lines}
    except MemoryError:
        sys.exit(_NO_MEMORY)
    except OSError as error:
        if error.errno not in (errno.EFBIG, errno.EMFILE):
            raise
        sys.exit(_NO_ROOM)
    except Exception:  # a bug: the parent shows where
        found = {"bug": traceback.format_exc()}
    json.dump(found, sys.stdout)
    sys.stdout.flush()
    sys.exit(0)


def _judged(data: bytes, code: int, late: bool, limits: Limits) -> Any:
    if late or code == -getattr(signal, "SIGXCPU", 0):
        raise StoppedError(f"stopped: it takes more than {limits.seconds} seconds")
    if len(data) > limits.answer:
        raise StoppedError(f"stopped: it answers more than {limits.answer} bytes")
    if code == _NO_ROOM:
        raise StoppedError(
            f"stopped: it opens more than {limits.open_files} files, or writes one of more than "
            f"{limits.file} bytes"
        )
    if code:
        raise StoppedError(
            f"stopped: it needs more than {limits.memory >> 20} MiB of memory, or ends the "
            f"program (code {code})"
        )
    found: dict[str, Any] = json.loads(data)
    if "bug" in found:
        raise RuntimeError(f"in the process that renders: {found['bug']}")
    if "error" in found:
        raise WorkError(*found["error"])
    return found["result"]


def _confine(arguments: list[str]) -> None:
    """Limits this process; takes the numbers of `Limits` from the front of the arguments."""
    count = len(fields(Limits))
    limits = Limits(*map(int, arguments[1 : count + 1]))
    del arguments[1 : count + 1]
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return
    for kind, most, grace in (
        (resource.RLIMIT_CPU, limits.seconds, _GRACE),
        (resource.RLIMIT_AS, limits.memory, 0),
        (resource.RLIMIT_FSIZE, limits.file, 0),
        (resource.RLIMIT_NOFILE, limits.open_files, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _, hard = resource.getrlimit(kind)
        highest = most + grace if hard == resource.RLIM_INFINITY else min(most + grace, hard)
        resource.setrlimit(kind, (min(most, highest), highest))
