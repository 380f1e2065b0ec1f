"""An organization in a folder, and built runbooks run unchanged in it.

A lab is `state.json` (the organization, read and written by the stand-ins) and one folder per
host (its ProgramData). The clock starts half an hour after the change window opens and goes on
by half a minute with each run; within a run, see `Get-Date` in stand-ins/Lab.psm1.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab import running
from lab.serving import Answer, typed
from programs import pwsh

ROOT = Path(__file__).resolve().parent
BOOT = ROOT / "boot.ps1"
YES = ("-Unattended", "-Reason=lab")
"""Answers every question, those of hold points too."""

CHANGING = re.compile(
    r"((Add|Disable|Enable|Import|Move|New|Remove|Restart|Set|Start|Update)-|Invoke-Cs)"
)
LOGS = {"calls.log", "icacls.log", "lock", "lock.json", "slept", "passed"}


@dataclass(frozen=True, slots=True)
class Script:
    """A built runbook; `action` is its id without number and host, `undo-...` for an undo."""

    id: str
    number: str
    action: str
    host: str
    domain: str
    change: str
    window: str
    path: Path

    @property
    def backward(self) -> bool:
        """Whether it lies in undo/."""
        return self.path.parent.name == "undo"

    @property
    def product(self) -> str:
        """The first word of its action."""
        return self.action.removeprefix("undo-").split("-")[0]

    @property
    def text(self) -> str:
        """The whole script."""
        return self.path.read_bytes().decode("ascii")

    @property
    def changes(self) -> bool:
        """Whether a step of it has an Apply."""
        return "\n    Apply = {" in self.text.replace("\r", "")


class Scripts:
    """The runbooks of one built folder, in order of work: forward first, then undo."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = [*sorted(folder.glob("*.ps1")), *sorted((folder / "undo").glob("*.ps1"))]
        self.all = tuple(_script(path) for path in paths if re.match(r"\d\d-\d+-", path.name))
        self.forward = tuple(one for one in self.all if not one.backward)
        self.undo = tuple(one for one in self.all if one.backward)

    def find(self, key: str | Script) -> Script:
        """By id, by number (`10-001`, `undo/02-001`), by action, or by `action@HOST`."""
        if isinstance(key, Script):
            return key
        action, _, host = key.partition("@")
        found = [
            one
            for one in self.all
            if key in (one.id, one.number)
            or (action == one.action and host.upper() in ("", one.host.upper()))
        ]
        if len(found) != 1:
            names = ", ".join(one.id for one in self.all)
            raise LookupError(f"{key!r} names {len(found)} runbooks of: {names}")
        return found[0]

    def until(self, key: str | Script) -> tuple[Script, ...]:
        """All up to and including this one, in order of work."""
        return self.all[: self.all.index(self.find(key)) + 1]

    def before(self, key: str | Script) -> tuple[Script, ...]:
        """All in front of this one, in order of work."""
        return self.until(key)[:-1]


def _script(path: Path) -> Script:
    text = path.read_bytes().decode("latin-1")
    number = "-".join(path.name.split("-")[:2])
    action = re.sub(r"^\d\d-\d+-|_[^_]*\.ps1$", "", path.name)
    window = re.search(r"^ +Window = '([^']*)'", text, re.M)
    return Script(
        id=path.stem,
        number=f"undo/{number}" if path.parent.name == "undo" else number,
        action=action,
        host=_fact(text, "Host"),
        domain=_fact(text, "Domain"),
        change=_fact(text, "Change"),
        window=window.group(1) if window else "",
        path=path,
    )


def _fact(text: str, name: str) -> str:
    found = re.search(rf"^    {name} = '([^']*)'", text, re.M)
    return found.group(1) if found else ""


class Lab:
    """An organization in a folder of its own."""

    def __init__(self, folder: Path, scripts: Scripts, copy_of: Lab | None = None) -> None:
        self.dir = folder
        self.scripts = scripts
        self.out = ""
        self.calls: list[str] = []
        self.now: datetime
        if copy_of:
            shutil.copytree(copy_of.dir, folder, symlinks=True)
            self.now = copy_of.now
            return
        folder.mkdir(parents=True)
        windows = [one.window for one in scripts.all if one.window]
        start = datetime.fromisoformat(windows[0] if windows else "2027-03-06T22:00:00+01:00")
        self.now = start.astimezone(UTC) + timedelta(minutes=30)
        state = json.loads((ROOT / "state.json").read_text())
        _add_hosts(state["hosts"], scripts)
        (folder / "state.json").write_text(json.dumps(state))

    def environment(self, key: str | Script, **more: str) -> dict[str, str]:
        """What a process on the runbook's host sees; LAB_... speaks to the stand-ins."""
        host = self.scripts.find(key).host
        (self.dir / host).mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/root"),
            "NO_COLOR": "1",
            # A run takes a second: .NET need not compile anew what is called often.
            "DOTNET_TieredPGO": "0",
            "DOTNET_TC_CallCountThreshold": "1000",
            "LAB_ROOT": str(ROOT),
            "LAB_DIR": str(self.dir),
            "LAB_NOW": self.now.isoformat(),
            "COMPUTERNAME": host,
            "PROCESSOR_ARCHITECTURE": "AMD64",
            "ProgramData": str(self.dir / host),
            "SystemRoot": str(ROOT / "windows"),
            "ExchangeInstallPath": f"{ROOT}/exchange/",
            "PSModulePath": str(ROOT / "stand-ins"),
            **more,
        }

    def command(self, key: str | Script, *words: str) -> list[str]:
        """The command line of a run in a process of its own."""
        script = self.scripts.find(key).path
        return [pwsh(), "-NoProfile", "-File", str(BOOT), str(script), *words]

    def run(
        self,
        key: str | Script,
        *words: str,
        stdin: str | None = None,
        answer: Answer | None = None,
        path: Path | None = None,
        process: bool = False,
        **more: str,
    ) -> int:
        """The exit code; what was shown is in `out`, the calls of the stand-ins in `calls`.

        Without `stdin` or `answer`, which is asked at each question, the run is not interactive.
        `path` runs another file in its place, `process` takes a process of its own.
        """
        self.now += timedelta(seconds=30)
        log, slept, passed = (self.dir / name for name in ("calls.log", "slept", "passed"))
        for file in (log, slept, passed):
            file.unlink(missing_ok=True)
        words = (str(path or self.scripts.find(key).path), *words)
        environment = self.environment(key, **more)
        if process or running.needs_process(stdin, more):
            run = running.process(BOOT, words, environment, stdin)
        else:
            answer = answer if stdin is None else typed(stdin)
            run = running.served(BOOT, words, environment, answer)
        self.out = run.output + run.error
        self.calls = log.read_text().split("\n")[:-1] if log.exists() else []
        for file in (slept, passed):
            self.now += timedelta(seconds=int(file.read_text()) if file.exists() else 0)
        return run.code

    def all(self, keys: Iterable[str | Script]) -> None:
        """Run these to the end, receipts carried, or fail loudly."""
        for key in keys:
            self.carry(key)
            code = self.run(key, *YES)
            assert code == 0, (key, code, self.out)

    def undone(self, key: str | Script) -> Script:
        """The undo runbook of a forward one."""
        undoes = f"    Undoes = '{self.scripts.find(key).id}'"
        found = [one for one in self.scripts.undo if undoes in one.text.replace("\r", "")]
        return found[0]

    def changes(self) -> list[str]:
        """The calls of the last run that change something, by their verb."""
        return [call for call in self.calls if CHANGING.match(call) and call != "Start-Sleep"]

    def call(self, name: str, count: int = 1) -> int:
        """The number of the call of this name in the last run, for LAB_FAIL and LAB_KILL."""
        found = [at for at, call in enumerate(self.calls, 1) if call == name]
        return found[count - 1]

    def folder(self, key: str | Script) -> Path:
        """Where the host of this runbook keeps records, receipts and evidence."""
        script = self.scripts.find(key)
        return self.dir / script.host / "Runbook" / script.change

    def receipt_path(self, key: str | Script) -> Path:
        """The receipt on the runbook's own host."""
        return self.folder(key) / f"{self.scripts.find(key).id}.receipt.json"

    def receipt(self, key: str | Script) -> dict[str, Any]:
        """The receipt on the runbook's own host, read."""
        receipt: dict[str, Any] = json.loads(self.receipt_path(key).read_text())
        return receipt

    def record(self, key: str | Script, step: str, kind: str) -> dict[str, Any]:
        """The record `Before` or `After` of a step."""
        path = self.folder(key) / f"{self.scripts.find(key).id}.{step}.{kind}.json"
        record: dict[str, Any] = json.loads(path.read_text())
        return record

    def records(self, key: str | Script, kind: str = "*") -> list[Path]:
        """The files of all records of a runbook."""
        return sorted(self.folder(key).glob(f"{self.scripts.find(key).id}.*.{kind}.json"))

    def carry(self, key: str | Script) -> None:
        """Bring the receipts of the other hosts to this one, as the operator would."""
        here = self.scripts.find(key)
        for source in self.scripts.all:
            if source.host != here.host and self.receipt_path(source).exists():
                self.folder(here).mkdir(parents=True, exist_ok=True)
                shutil.copy(self.receipt_path(source), self.folder(here))

    def state(self) -> dict[str, Any]:
        """The organization, without what a restart or a change leaves behind for ever."""
        text = (self.dir / "state.json").read_text()
        text = re.sub(r'("WhenChangedUTC": *)"[^"]*"', r'\1"X"', text)
        state: dict[str, Any] = json.loads(text)
        for host in state["hosts"].values():
            host.pop("iis", None)
        return state

    def iis(self, key: str | Script) -> dict[str, Any]:
        """The web server of the runbook's host, as a stand-in last saw it."""
        state = json.loads((self.dir / "state.json").read_text())
        iis: dict[str, Any] = state["hosts"][self.scripts.find(key).host]["iis"]
        return iis

    def shape(self) -> dict[str, Any]:
        """The organization without what differs between runs: new Guids, made-up names, times."""
        first = json.loads((ROOT / "state.json").read_text())
        known = set(re.findall(r'"Guid": "([^"]*)"', json.dumps(first)))
        text = re.sub(r"-[0-9a-f]{32}\b", "-X", json.dumps(self.state()))
        text = re.sub(r'("WhenCreatedUTC": )"[^"]*"', r'\1"X"', text)

        def fresh(match: re.Match[str]) -> str:
            return match.group() if match.group(1) in known else '"Guid": "X"'

        shape: dict[str, Any] = json.loads(re.sub(r'"Guid": "([^"]*)"', fresh, text))
        return shape

    def alter(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Somebody else changes the organization."""
        path = self.dir / "state.json"
        state = json.loads(path.read_text())
        change(state)
        path.write_text(json.dumps(state))

    def wait(self, seconds: int) -> None:
        """Time passes while a run waits at its question."""
        (self.dir / "passed").write_text(str(seconds))

    def snapshot(self) -> dict[str, bytes]:
        """Every file but the lab's own logs."""
        return {
            str(path.relative_to(self.dir)): path.read_bytes()
            for path in self.dir.rglob("*")
            if path.is_file() and path.name not in LOGS
        }

    def evidence(self, key: str | Script) -> list[dict[str, Any]]:
        """The whole records of a runbook's evidence; a line cut short is left out."""
        found = []
        for line in self._lines(key):
            with suppress(ValueError):
                found.append(json.loads(line))
        return found

    def chain(self, key: str | Script) -> bool:
        """Whether each record carries the hash of the line before it, whole or cut."""
        before = "0" * 64
        for line in self._lines(key):
            with suppress(ValueError):
                if json.loads(line)["prev"] != before:
                    return False
            before = hashlib.sha256(line).hexdigest()
        return True

    def _lines(self, key: str | Script) -> list[bytes]:
        path = self.folder(key) / f"{self.scripts.find(key).id}.jsonl"
        return [line for line in path.read_bytes().split(b"\n") if line]

    def reasons(self) -> list[str]:
        """The lines of the last run that say what was wrong."""
        kinds = r"  (refused|closed|problem|failed|declined|unproven|diagnosis) "
        return [line for line in self.out.split("\n") if re.search(kinds, line)]

    def variant(self, key: str | Script, old: str, new: str) -> Path:
        """The script with other words and a fitting hash, as another build would make it."""
        script = self.scripts.find(key)
        text = script.text
        old, new = (part.replace("\n", "\r\n") for part in (old, new))
        assert old in text, old
        own = _fact(text, "ContentHash")
        text = text.replace(own, "0" * 64).replace(old, new)
        digest = hashlib.sha256(text.encode()).hexdigest()
        text = text.replace(f"ContentHash = '{'0' * 64}", f"ContentHash = '{digest}")
        folder = self.dir / "variant"
        path = folder / script.path.relative_to(self.scripts.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("ascii"))
        table = (self.scripts.folder / "Start-Change.ps1").read_bytes()
        (folder / "Start-Change.ps1").write_bytes(table.replace(own.encode(), digest.encode()))
        return path


def _add_hosts(hosts: dict[str, Any], scripts: Scripts) -> None:
    """Hosts of another inventory get the facts of the first one of their product."""
    for script in scripts.all:
        same = [host for host in hosts.values() if host["product"] == script.product]
        like = same[0] if same else {"product": script.product}
        if script.host not in hosts:
            hosts[script.host] = {**json.loads(json.dumps(like)), "domain": script.domain}


class Prompt:
    """A run that waits at its question while the world goes on."""

    def __init__(self, lab: Lab, key: str | Script, *words: str, **more: str) -> None:
        self.out = ""
        self.process = subprocess.Popen(
            lab.command(key, *words),
            env=lab.environment(key, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := self.process.stdout.read(200):
            self.out += data.decode(errors="replace")

    def wait_for(self, text: str, count: int = 1) -> None:
        """Until the text was shown; fails after half a minute or at the end of the run."""
        limit = time.monotonic() + 30
        while self.out.count(text) < count and time.monotonic() < limit:
            if self.process.poll() is not None:
                self._reader.join(5)
                break
            time.sleep(0.05)
        assert self.out.count(text) >= count, self.out

    def answer(self, text: str) -> None:
        """Type this and Enter."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")

    def end(self) -> int:
        """Wait for the exit code."""
        code = self.process.wait(60)
        self._reader.join(5)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return code


class Stages:
    """Labs in which everything up to a runbook was run: made once, copied for each test.

    The folder may be shared by several processes: a stage is made under a lock.
    """

    def __init__(self, folder: Path, scripts: Scripts) -> None:
        self.folder = folder
        self.scripts = scripts
        folder.mkdir(parents=True, exist_ok=True)

    def after(self, key: str | Script | None) -> Lab:
        """The organization after this runbook; None is the first state."""
        if key is None:
            return self.keep("first", lambda folder: Lab(folder, self.scripts))
        script = self.scripts.find(key)

        def make(folder: Path) -> Lab:
            lab = Lab(folder, self.scripts, copy_of=self.before(script))
            lab.all([script])
            return lab

        return self.keep(script.number.replace("/", "-"), make)

    def keep(self, name: str, make: Callable[[Path], Lab]) -> Lab:
        """The lab of this name, made when it is first asked for. Copy it, do not use it."""
        folder, done = self.folder / name, self.folder / f"{name}.now"
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                done.write_text(make(folder).now.isoformat())
        lab = Lab.__new__(Lab)
        lab.dir, lab.scripts, lab.out, lab.calls = folder, self.scripts, "", []
        lab.now = datetime.fromisoformat(done.read_text())
        return lab

    def before(self, key: str | Script) -> Lab:
        """The organization right before this runbook, with nothing carried for it yet."""
        earlier = self.scripts.before(key)
        return self.after(earlier[-1] if earlier else None)
