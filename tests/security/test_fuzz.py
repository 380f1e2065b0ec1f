"""Thousands of files with something wrong in them, through the command line.

Each run ends with an exit code of its table below 70, writes all or nothing, and needs a bounded
memory. A seed that fails says how to see it again.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import resource
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from organizations import large
from programs import ROOT
from security import mutations

from generator import cli

pytestmark = pytest.mark.usefixtures("watchdog")

TEMPLATES = ROOT / "templates"
MOST_MEMORY = 1024**2
"""KiB that the process may have needed at most, its own files and tests included."""

GOOD = [
    *((ROOT / "inventories" / f"{name}.yml").read_bytes() for name in ("litwareinc", "contoso")),
    large(12).encode(),
]
FAULTY = [path.read_bytes() for path in sorted((ROOT / "tests/data/inventories").glob("*.yml"))]
NAMES = sorted(
    path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*") if path.is_file()
)
FORMATS = ("text", "json", "sarif", "github")


class Runs:
    """Runs commands and gathers what went wrong."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._capsys = capsys

    def run(self, seed: int, *arguments: str) -> int:
        code = cli.run(list(arguments))
        # A build tells the collector to leave alone what there is, because its process ends soon.
        gc.unfreeze()
        said = self._capsys.readouterr()
        self.counts[f"{arguments[0]} {code}"] += 1
        if code not in (0, 1, 2):
            self.wrong.append(f"seed {seed}: {arguments[0]} {code}\n{said.err[-1500:]}")
        return code

    def build(self, seed: int, inventory: Path, *more: str) -> None:
        code = self.run(seed, "build", str(inventory), "--out", str(self.out), *more)
        left = sorted(self.out.rglob("*")) if self.out.exists() else []
        if code != 0 and (left or self.out.exists()):
            self.wrong.append(f"seed {seed}: left behind {left[:3]}")
        if code == 0 and not whole(self.out / inventory.stem):
            self.wrong.append(f"seed {seed}: not all was written")
        shutil.rmtree(self.out, ignore_errors=True)

    def check(self) -> None:
        assert not self.wrong, f"{len(self.wrong)} wrong:\n" + "\n".join(self.wrong[:5])
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MOST_MEMORY

    def tell(self, what: str) -> None:
        with self._capsys.disabled():
            shown = ", ".join(f"{name}: {count}" for name, count in sorted(self.counts.items()))
            sys.stdout.write(f"\n{what}; {shown}\n")


def whole(folder: Path) -> bool:
    """Whether a folder holds exactly the files that its list of hashes names."""
    lines = [line.split("  ", 1) for line in (folder / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    found.pop("SHA256SUMS")
    return bool(found) and found == listed


@pytest.fixture
def runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Runs:
    return Runs(tmp_path, capsys)


def fuzz_inventories(runs: Runs, seeds: Iterable[int]) -> None:
    for seed in seeds:
        chance = random.Random(-seed)
        path = runs.folder / "fuzzed.yml"
        path.write_bytes(mutations.inventory(seed, GOOD, FAULTY))
        code = runs.run(seed, "validate", str(path), "--format", chance.choice(FORMATS))
        # A build takes twenty times as long, and reads an inventory in the same way.
        if seed % 25 == 0 or (code == 0 and seed % 4 == 0):
            runs.build(seed, path)
        if seed % 50 == 0:
            runs.run(seed, chance.choice(["plan", "graph", "lint"]), str(path))


def mutate_tree(chance: random.Random, own: Path) -> None:
    """A folder of templates of one's own, in which one to three files are not what they were."""
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(NAMES)
        path = own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            continue
        data = (TEMPLATES / name).read_bytes()
        match chance.randrange(25):
            case 0:
                path.mkdir()
            case 1:
                os.mkfifo(path)
            case 2:
                path.symlink_to(chance.choice(["nothing", "/etc/passwd", "/dev/zero", path.name]))
            case 3:
                path.write_bytes((TEMPLATES / chance.choice(NAMES)).read_bytes())
            case 4:
                path.write_bytes(b"")
            case 5:
                other = path.with_name(chance.choice(["x y.ps1.j2", "a\\b.j2", "é.yml", "x:y.j2"]))
                other.write_bytes(data)
            case _:
                path.write_bytes(mutations.template(chance, name, data))


def fuzz_trees(runs: Runs, seeds: Iterable[int]) -> None:
    inventory = runs.folder / "fuzzed.yml"
    for seed in seeds:
        chance = random.Random(seed)
        own = runs.folder / "templates"
        own.mkdir()
        mutate_tree(chance, own)
        inventory.write_bytes(GOOD[seed % 2])
        more = ("--templates", str(own))
        runs.run(seed, "lint", "--format", chance.choice(FORMATS), *more)
        runs.build(seed, inventory, *more)
        if seed % 5 == 0:
            runs.run(seed, chance.choice(["validate", "plan", "graph"]), str(inventory), *more)
            runs.run(seed, "schema", *more)
        shutil.rmtree(own)


def test_G08_fuzzed_inventories(runs: Runs) -> None:
    fuzz_inventories(runs, range(1, 121))
    runs.check()
    assert runs.counts["validate 1"] > 50
    assert runs.counts["build 0"] > 2


def test_G08_fuzzed_template_trees(runs: Runs) -> None:
    fuzz_trees(runs, range(1, 26))
    runs.check()
    assert runs.counts["lint 1"] > 5
    assert runs.counts["build 1"] > 5


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_G08_ten_thousand_fuzzed_inventories(runs: Runs, part: int) -> None:
    fuzz_inventories(runs, range(1_000 + 1_000 * part, 2_000 + 1_000 * part))
    runs.tell(f"1000 inventories, part {part}")
    runs.check()


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_G08_two_thousand_fuzzed_template_trees(runs: Runs, part: int) -> None:
    fuzz_trees(runs, range(1_000 + 200 * part, 1_200 + 200 * part))
    runs.tell(f"200 trees of templates, part {part}")
    runs.check()
