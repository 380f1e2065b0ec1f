"""Programs and facts that some tests need: there, or skipped with one line; in CI a must."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]

NOW = datetime(2027, 1, 4, 12, tzinfo=UTC)
"""A moment before the windows of the inventories in the tests."""


def pwsh() -> str:
    """The PowerShell to run scripts with."""
    found = shutil.which(os.environ.get("PWSH", "pwsh"))
    return found if found else missing("pwsh is not on PATH: tests that run PowerShell")


def beside(name: str) -> Path:
    """A file that lies beside the checkout, in `shared/`, where there is one."""
    path = ROOT.parent / "shared" / name
    return path if path.is_file() else missing(f"shared/{name} is not beside this checkout: tests")


def missing(what: str) -> NoReturn:
    """Skip, or fail where nothing may be skipped."""
    text = f"{what} did not run"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)
