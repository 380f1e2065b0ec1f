"""The benchmark of builds runs, and compares what writes the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_bare_jinja_writes_the_same_bytes_and_ratios_are_printed(tmp_path: Path) -> None:
    bench = [
        sys.executable,
        "tests/tools/bench_build.py",
        "--folder",
        str(tmp_path),
        "--rounds",
        "1",
    ]
    places = os.pathsep.join(str(ROOT / name) for name in (".", "tests/support", "tests/unit"))
    run = subprocess.run(
        [*bench, "--servers", "9", "--growth", "5,9", "--only", "whole", "growth"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": places},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "whole build of 9 servers beside bare Jinja" in run.stdout
    assert "exponent" in run.stdout
    assert "MiB" in run.stdout
