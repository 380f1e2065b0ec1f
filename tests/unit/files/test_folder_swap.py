"""A build that is killed leaves the old folder or the new; two at once do no harm."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from builders import a_build

from generator.errors import OutputError
from generator.files import folder_swap
from generator.output import bundle

TESTS = Path(__file__).resolve().parents[2]

BUILDER = f"""
import sys
sys.path[:0] = [{str(TESTS / "support")!r}, {str(TESTS.parent)!r}]
from pathlib import Path
from builders import a_build
from generator.output import bundle
print("ready", flush=True)
for turn in range(int(sys.argv[2])):
    bundle.write(a_build(body=f"text {{turn % 2}}"), Path(sys.argv[1]))
"""


def builder(out: Path, turns: int) -> subprocess.Popen[str]:
    """A process that builds one text and the other, in turns; it has begun when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(out), str(turns)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def whole(folder: Path) -> bool:
    """Whether the folder holds one of the two texts, complete, and agrees with its own list."""
    texts = {path.read_bytes().splitlines()[-1] for path in folder.rglob("*.ps1")}
    check = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=False
    )
    return len(texts) == 1 and check.returncode == 0 and len(list(folder.rglob("*.ps1"))) == 8


@pytest.mark.parametrize("mode", ["swap", "renames"])
def test_killed_at_any_call_the_old_folder_stands_or_the_new(tmp_path: Path, mode: str) -> None:
    run = subprocess.run(
        [sys.executable, TESTS / "tools/kill_points.py", tmp_path / "out", mode],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    rows = [line.split() for line in run.stdout.splitlines()]
    seen = Counter(after for _, after, _ in rows)
    assert all(repaired == "repaired" for *_, repaired in rows)
    # Without a swap there is one moment between two renames.
    assert seen["missing"] <= (0 if mode == "swap" else 1)
    assert set(seen) <= {"old", "new", "missing"}
    assert seen["old"] > 20
    assert seen["new"] > 5


def kill_at_random(tmp_path: Path, times: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(times):
        process = builder(tmp_path, 1_000_000)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.communicate()
        if (tmp_path / "contoso").exists():
            assert whole(tmp_path / "contoso")
    bundle.write(a_build(body="text 0"), tmp_path)
    assert whole(tmp_path / "contoso")
    assert [path.name for path in tmp_path.iterdir()] == ["contoso"]


def test_killed_at_a_random_moment(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 6, seed=1)


@pytest.mark.soak
def test_killed_at_many_random_moments(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 200, seed=2)


def test_builds_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    processes = [builder(tmp_path, 20) for _ in range(3)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert whole(tmp_path / "contoso")
    assert [path.name for path in tmp_path.iterdir()] == ["contoso"]


def test_a_build_that_waits_too_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_swap, "WAIT_SECONDS", 0.1)
    waits = pytest.raises(OutputError, match="another build is writing")
    with folder_swap.alone(tmp_path / "contoso"), waits:
        bundle.write(a_build(), tmp_path)
    assert bundle.write(a_build(), tmp_path).comparison.new


def test_a_file_held_open_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a scanner does this: the rename is refused until it lets go."""
    refusals = [PermissionError("held"), PermissionError("held")]
    rename = Path.rename

    def held(self: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", held)
    assert (bundle.write(a_build(), tmp_path).folder / "RUNSHEET.md").is_file()


def test_when_the_second_rename_fails_the_old_folder_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundle.write(a_build(body="text 0"), tmp_path).folder
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self == folder_swap.growing_path(folder):
            raise OSError(5, "Input/output error", str(self))
        return rename(self, target)

    monkeypatch.setattr(folder_swap, "_swapped", lambda *_: False)
    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OutputError, match="Input/output error"):
        bundle.write(a_build(body="text 1"), tmp_path)
    assert whole(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["contoso"]
