"""A part of a build: only some hosts or runbooks, with the names and bytes of the whole one."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from generator.errors import UsageError
from generator.model.build import Build, RenderedRunbook, Scripts
from generator.model.plan import Runbook
from generator.visible import visible


def pick(build: Build, patterns: Sequence[str]) -> Build:
    """The build with only those runbooks that one of the patterns names.

    A pattern names a host (NetBIOS or full name) or a runbook (id, file, or number as `10-001`
    and `undo/03-001`), in any case and with the wildcards `*` and `?`. What takes a chosen
    runbook back is chosen with it. Raises UsageError for a pattern that names nothing.
    """
    runbooks = build.plan.runbooks
    chosen: set[str] = set()
    for pattern in patterns:
        found = [runbook for runbook in runbooks if _named(runbook, pattern)]
        if not found:
            raise UsageError(_nothing(pattern, runbooks))
        chosen |= {runbook.id for runbook in found}
        chosen |= _way_back(found, build.plan.undo)

    def rendered() -> Iterator[RenderedRunbook]:
        return (script for script in build.rendered if script.runbook.id in chosen)

    return replace(build, rendered=Scripts(len(chosen), rendered), limit=tuple(patterns))


def _named(runbook: Runbook, pattern: str) -> bool:
    wanted = pattern.lower().replace("\\", "/").removesuffix(".ps1")
    return any(fnmatch.fnmatchcase(name.lower(), wanted) for name in _names(runbook))


def _names(runbook: Runbook) -> Iterator[str]:
    below = "undo/" if runbook.backward else ""
    yield f"{below}{runbook.number}"
    yield f"{below}{runbook.id}"
    yield runbook.id
    yield runbook.host.netbios
    yield runbook.host.fqdn


def _way_back(found: Iterable[Runbook], undo: Iterable[Runbook]) -> set[str]:
    """The undo of each forward runbook, or the gate that is its counterpart on the way back."""
    forward = {(one.definition.name, one.host.fqdn) for one in found if not one.backward}
    return {one.id for one in undo if (one.definition.name, one.host.fqdn) in forward}


def _nothing(pattern: str, runbooks: Sequence[Runbook]) -> str:
    names = {name.lower(): name for runbook in runbooks for name in _names(runbook)}
    near = difflib.get_close_matches(pattern.lower(), names, n=1)
    hint = f"did you mean {names[near[0]]}?" if near else "`runbook plan` shows what there is."
    return (
        f"--limit {visible(pattern)}: no host and no runbook of this change has that name; {hint}"
    )
