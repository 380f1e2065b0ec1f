"""PowerShell's own parser as a judge: one process that answers case after case."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from programs import pwsh

SCRIPT = Path(__file__).with_name("judge.ps1")


class Judge:
    """See judge.ps1 for the kinds of cases."""

    def __init__(self) -> None:
        command = [pwsh(), "-NoProfile", "-NonInteractive", "-File", str(SCRIPT)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="ascii"
        )

    def ask(self, kind: str, **case: str) -> str:
        """The answer to a case. An answer of nothing means that PowerShell itself ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"kind": kind, **case}) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")

    def close(self) -> None:
        self._process.communicate(timeout=30)


def canonical(value: Any) -> str:
    """What judge.ps1 answers for a value: the same text for the same value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"bool {value}"
    if isinstance(value, int):
        return f"int {value}"
    if isinstance(value, str):
        return f"text {value.encode('utf-16-le', 'surrogatepass').hex().upper()}"
    if isinstance(value, dict):
        entries = sorted(f"{canonical(key)}={canonical(item)}" for key, item in value.items())
        return f"table({','.join(entries)})"
    return f"list({','.join(map(canonical, value))})"
