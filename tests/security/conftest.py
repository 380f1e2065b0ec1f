"""PowerShell's own parser, started once for all tests of this folder."""

from __future__ import annotations

from hostile.conftest import judge

__all__ = ["judge"]
