"""What runbook needs around it, looked at one by one: each fine, doubtful or in the way.

Nothing is installed or changed; what is written goes into temporary folders.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generator.templating.templates import TemplateTree

OLDEST_PYTHON = (3, 11)
ROUNDS = 40
SLOW_SECONDS = 2.0
PATIENCE_SECONDS = 120

PACKAGES = (
    "click",
    "cryptography",
    "jinja2",
    "jsonschema_rs",
    "tree_sitter",
    "tree_sitter_pwsh",
    "yaml",
)
"""Modules of what pyproject.toml depends on."""
_ASK_POWERSHELL = (
    "$PSVersionTable.PSVersion.ToString(); "
    "Get-Module -ListAvailable -Name PSScriptAnalyzer | Sort-Object -Property Version | "
    "Select-Object -Last 1 | ForEach-Object -Process { $_.Version.ToString() }"
)
_SCRIPT = "change/x.ps1"


@dataclass(frozen=True, slots=True)
class Result:
    """What was found; `state` is ok, warn (works, but) or fail; `fix` says what to do."""

    check: str
    state: str
    found: str
    fix: str = ""


def examine(tree: TemplateTree, out: Path) -> Iterator[Result]:
    """Every check, one after the other; some take a second or two."""
    yield python()
    yield packages()
    yield templates(tree)
    yield from powershell()
    yield git(out)
    yield writable(out)
    yield locks(out)


def python() -> Result:
    """The version of Python."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Result("Python", "fail", found, "Install Python 3.11 or later.")
    return Result("Python", "ok", found)


def packages() -> Result:
    """Whether every package can be loaded, and YAML with its fast parser."""
    fix = "Install them anew: pip install --require-hashes -r requirements.lock"
    for name in PACKAGES:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            return Result("packages", "fail", f"{name} cannot be loaded: {error}", fix)
        if name == "yaml" and not getattr(module, "__with_libyaml__", False):
            return Result("packages", "fail", "PyYAML was installed without libyaml", fix)
    return Result("packages", "ok", f"{', '.join(PACKAGES)} can be loaded")


def templates(tree: TemplateTree) -> Result:
    """Whether templates of the project stand in for built-in ones."""
    if faults := tree.faults():
        found = "; ".join(f"{one.file}: {one.message}" for one in tree.named(faults))
        return Result("templates", "fail", found, "Put plain files there, or delete these.")
    names = [tree.display(path) for path in tree.shadowed()]
    if not names:
        return Result("templates", "ok", "no built-in template is replaced by one of yours")
    found = f"yours stand in for {len(names)} built-in ones: {', '.join(names)}"
    fix = "Compare them with the built-in ones after every update of runbook."
    return Result("templates", "warn", found, fix)


def powershell() -> Iterator[Result]:
    """PowerShell 7 and its analyzer: builds do without, tests and rehearsals do not."""
    path = shutil.which("pwsh")
    if path is None:
        fix = "Builds do without. To try runbooks here, install PowerShell 7 (pwsh)."
        yield Result("PowerShell", "warn", "there is no pwsh on the PATH", fix)
        return
    code, answer = _answer(path, "-NoProfile", "-NonInteractive", "-Command", _ASK_POWERSHELL)
    versions = answer.split()
    if code != 0 or not versions:
        fix = f"Start {path} by hand and read what it says, or install it anew."
        yield Result("PowerShell", "fail", f"{path} does not answer: {answer[:200]}", fix)
        return
    yield Result("PowerShell", "ok", f"{versions[0]} at {path}")
    if len(versions) == 1:
        fix = "Builds do without. To analyze scripts: Install-Module -Name PSScriptAnalyzer"
        yield Result("PSScriptAnalyzer", "warn", "pwsh has no such module", fix)
    else:
        yield Result("PSScriptAnalyzer", "ok", versions[1])


def git(out: Path) -> Result:
    """Whether Git leaves the line ends of scripts alone: hashes and signatures cover them."""
    program = shutil.which("git")
    if program is None or _answer(program, "rev-parse", "--is-inside-work-tree")[0] != 0:
        return Result("Git", "ok", "this is no Git repository, so nothing changes line ends")
    script = (out / _SCRIPT).as_posix()
    converts = _answer(program, "config", "--get", "core.autocrlf")[1] or "not set"
    setting = f"core.autocrlf is {converts}"
    if _answer(program, "check-ignore", "--quiet", script)[0] == 0:
        return Result("Git", "ok", f"{setting}; {out.as_posix()}/ is ignored")
    attribute = _answer(program, "check-attr", "text", "--", script)[1].rpartition(" ")[2]
    if attribute == "unset":
        return Result("Git", "ok", f"{setting}; scripts in {out.as_posix()}/ keep their line ends")
    found = f"{setting}; Git may change the line ends of scripts in {out.as_posix()}/"
    fix = f"Add this line to .gitattributes: /{out.as_posix()}/** -text"
    sure = attribute != "unspecified" or converts in ("true", "input")
    return Result("Git", "fail" if sure else "warn", found, fix)


def writable(out: Path) -> Result:
    """Whether the output folder can be written, or made."""
    try:
        with tempfile.TemporaryFile(dir=_existing(out)):
            pass
    except OSError as error:
        fix = "Correct its rights, or build to another folder with --out."
        return Result("output", "fail", f"{out}: {error.strerror}", fix)
    return Result("output", "ok", f"{out.as_posix()}/ can be written")


def locks(out: Path) -> Result:
    """Whether files and folders can be replaced at once, as a build does it.

    On Windows a scanner that opens what was just written makes this fail for a moment.
    """
    fix = (
        "Most often a virus scanner holds new files open. A build waits three seconds for it; "
        f"ask for an exception for {out.as_posix()}/."
    )
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(dir=_existing(out), prefix=".doctor-") as folder:
            held = sum(not _replaced(Path(folder), number) for number in range(ROUNDS))
    except OSError as error:
        return Result("locks", "fail", f"no file could be replaced: {error.strerror}", fix)
    seconds = time.monotonic() - begun
    found = f"{ROUNDS - held} of {ROUNDS} files were replaced at once, in {seconds:.1f} s"
    if held == ROUNDS:
        return Result("locks", "fail", found, fix)
    slow = held or seconds > SLOW_SECONDS
    return Result("locks", "warn", found, fix) if slow else Result("locks", "ok", found)


def _replaced(folder: Path, number: int) -> bool:
    """A new file in place of the last one, and its folder under another name and back."""
    inside, aside = folder / "a", folder / "b"
    inside.mkdir(exist_ok=True)
    try:
        (inside / "new.ps1").write_bytes(f"# {number}\r\n".encode() * 200)
        (inside / "new.ps1").replace(inside / "x.ps1")
        inside.rename(aside)
        aside.rename(inside)
    except PermissionError:
        if aside.exists() and not inside.exists():
            time.sleep(0.1)
            aside.rename(inside)
        return False
    return True


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _answer(*command: str) -> tuple[int, str]:
    """Exit code and output of a program that is found on the PATH; 1 when it hangs."""
    try:
        run = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "NO_COLOR": "1", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return run.returncode, (run.stdout.strip() or run.stderr.strip())
