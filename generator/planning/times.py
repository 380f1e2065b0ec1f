"""How long a change takes, held against its window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from generator.findings import Finding
from generator.model.plan import Plan, Runbook


class Times:
    """How long the parts take, in minutes, and what is left of the window.

    Everything before the first change can be done on any day before the window. Going back
    always takes all of undo/: a runbook that finds nothing to take back says so.
    """

    def __init__(self, plan: Plan, window: Mapping[str, str] | None) -> None:
        line = list(plan.forward)
        first = next((at for at, runbook in enumerate(line) if runbook.touches), len(line))
        self.before = _minutes(line[:first])
        self.change = _minutes(line[first:])
        self.undo = _minutes(plan.undo)
        self.window = 0
        self.back_until = ""
        self._back: datetime | None = None
        if window and plan.undo:
            end = datetime.fromisoformat(window["until"])
            length = end - datetime.fromisoformat(window["from"])
            self.window = int(length.total_seconds() // 60)
            self._back = end - timedelta(minutes=self.undo)
            self.back_until = _clock(self._back)
        self.both = self.change + self.undo
        self.short = bool(self.window) and self.both > self.window

    def begin_until(self, runbook: Runbook) -> str:
        """When a changing runbook must begin; empty for one that changes nothing, and in undo."""
        if not self._back or runbook.backward or not runbook.touches:
            return ""
        return _clock(self._back - timedelta(minutes=_minutes([runbook])))


def warnings(plan: Plan, now: datetime) -> Iterator[Finding]:
    """What a change manager should know of the window: it is past, or too short for the work."""
    window = plan.inventory.values["change"].get("window")
    if not window:
        return
    if datetime.fromisoformat(window["until"]) <= now:
        message = f"change.window: it ended {window['until']}"
        hint = "write the window that was approved, and build again"
        yield Finding("W001", message, plan.inventory.display, hint=hint, warning=True)
    times = Times(plan, window)
    if times.short:
        message = (
            f"change.window: it has {times.window} minutes; the change takes about {times.change} "
            f"and its way back about {times.undo}"
        )
        hint = "ask for a longer window, or agree on when there is no way back any more"
        yield Finding("W002", message, plan.inventory.display, hint=hint, warning=True)


def _minutes(runbooks: Sequence[Runbook]) -> int:
    return sum(int(runbook.texts["minutes"]) for runbook in runbooks)


def _clock(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")
