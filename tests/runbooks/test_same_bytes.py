"""The same inventory and templates give the same bytes on any machine, from any place.

Each case builds in a process of its own under other conditions; the output folder must be that of
a plain build, byte for byte.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from programs import ROOT, missing

PARTS = ("generator", "templates", "inventories", "pyproject.toml", "README.md", "CHANGELOG.md",
         "LICENSE", ".gitattributes")  # fmt: skip
LIBRARIES = sysconfig.get_path("purelib")

Files = dict[str, bytes]


def build(
    out: Path,
    *,
    name: str = "litwareinc",
    source: Path = ROOT,
    python: str = sys.executable,
    cwd: Path | None = None,
    inventory: Path | None = None,
    umask: int = -1,
    **environment: str,
) -> Files:
    """Build with the generator in `source` and answer with every file of the output folder."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
    clean |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    path = inventory or source / "inventories" / f"{name}.yml"
    run = subprocess.run(
        [python, "-m", "generator", "build", str(path), "--out", str(out)],
        cwd=cwd or source, env=clean, umask=umask, capture_output=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    folder = out / name
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """What a plain build of each inventory gives."""
    out = tmp_path_factory.mktemp("plain")
    return {
        name: build(out, name=name, TZ="UTC", PYTHONHASHSEED="0")
        for name in ("litwareinc", "contoso")
    }


def copy(target: Path) -> Path:
    """The parts of this checkout that a build needs, in another place."""
    target.mkdir(parents=True)
    for part in PARTS:
        path = ROOT / part
        if path.is_dir():
            shutil.copytree(path, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target / part)
    return target


CONDITIONS: dict[str, Any] = {
    # A day ahead of UTC, Turkish letters, hashes in another order.
    "east": {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"},
    # A day behind, no letters but ASCII: text of files must not depend on the locale.
    "west": {
        "TZ": "Pacific/Niue",
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONHASHSEED": "4242",
    },
    "german": {"TZ": "Europe/Berlin", "LC_ALL": "de_DE.ISO-8859-1", "PYTHONHASHSEED": "random"},
    # Without assertions and docstrings.
    "optimised": {"PYTHONOPTIMIZE": "2"},
}


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the locales of CONDITIONS lie: few systems have them all."""
    folder = tmp_path_factory.mktemp("locales")
    program = shutil.which("localedef")
    for name in ("tr_TR.UTF-8", "de_DE.ISO-8859-1"):
        language, _, encoding = name.partition(".")
        if program:
            # Its warnings end it with 1; what counts is whether the locale is there.
            command = [program, "-i", language, "-f", encoding, str(folder / name)]
            subprocess.run(command, check=False, capture_output=True)
    return {"LOCPATH": str(folder)} if list(folder.iterdir()) else {}


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("litwareinc", "east"),
        ("contoso", "west"),
        *(
            pytest.param(name, condition, marks=pytest.mark.soak)
            for name in ("litwareinc", "contoso")
            for condition in CONDITIONS
        ),
    ],
)
def test_zone_locale_and_hash_seed(
    tmp_path: Path, plain: dict[str, Files], locales: dict[str, Any], name: str, condition: str
) -> None:
    assert build(tmp_path, name=name, **locales, **CONDITIONS[condition]) == plain[name]


def test_working_directory_and_form_of_the_path(tmp_path: Path, plain: dict[str, Files]) -> None:
    cwd = ROOT / "inventories"
    files = build(tmp_path / "out", cwd=cwd, inventory=Path("../inventories/./litwareinc.yml"))
    assert files == plain["litwareinc"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_decides_who_may_read(
    tmp_path: Path, plain: dict[str, Files], umask: int
) -> None:
    assert build(tmp_path, umask=umask) == plain["litwareinc"]
    for path in (tmp_path / "litwareinc").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o777 if path.is_dir() else 0o666) & ~umask, path


def test_a_place_with_spaces_and_letters_beyond_ascii(
    tmp_path: Path, plain: dict[str, Files]
) -> None:
    source = copy(tmp_path / "Änderung Nr. 7, \u65b0" / "it's")
    assert build(source / "out", source=source) == plain["litwareinc"]


@pytest.mark.parametrize("attributes", [True, False])
def test_a_checkout_with_autocrlf(
    tmp_path: Path, plain: dict[str, Files], attributes: bool
) -> None:
    """As on Windows, with the attributes of this repository and without them."""
    if not shutil.which("git"):
        missing("git is not on PATH: the test of checkouts")
    source = copy(tmp_path / "source")
    if not attributes:
        (source / ".gitattributes").unlink()
    quiet = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ["-c", "user.name=a", "-c", "user.email=a@contoso.com", "-c", "core.autocrlf=false"]
    target = tmp_path / "checkout"
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        [*identity, "commit", "--quiet", "--message", "All"],
        ["clone", "--quiet", "--config", "core.autocrlf=true", str(source), str(target)],
    ):
        subprocess.run(["git", *command], cwd=source, env=quiet, check=True)
    engine = (target / "templates/_runbook/engine.ps1").read_bytes()
    assert (b"\r\n" in engine) != attributes
    assert build(tmp_path / "out", source=target) == plain["litwareinc"]


def test_the_wheel_in_place_of_the_checkout(tmp_path: Path, plain: dict[str, Files]) -> None:
    source, wheels, home = copy(tmp_path / "source"), tmp_path / "wheels", tmp_path / "home"
    run_python("-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), cwd=source)
    (wheel,) = wheels.glob("*.whl")
    run_python("-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv/bin/python")
    pip = ["-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet", "install"]
    run_python(*pip, "--no-deps", "--no-index", str(wheel))
    home.mkdir()
    shutil.copy(ROOT / "inventories/litwareinc.yml", home)
    where = subprocess.run(
        [python, "-c", "import generator; print(generator.__file__)"],
        cwd=home, env={**os.environ, "PYTHONPATH": LIBRARIES}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(tmp_path / "venv"))
    files = build(
        home / "out", python=python, cwd=home, inventory=Path("litwareinc.yml"),
        PYTHONPATH=LIBRARIES,
    )  # fmt: skip
    assert files == plain["litwareinc"]


def run_python(*arguments: str, cwd: Path = ROOT) -> None:
    subprocess.run([sys.executable, *arguments], cwd=cwd, check=True, stdout=subprocess.DEVNULL)
