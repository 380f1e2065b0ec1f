"""Tells whoever listens how far a long stage is; without a listener nothing happens.

A stage does not know whether anybody looks, and nobody has to pass a callback through all of
them: the listener belongs to the context of the command that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

Item = TypeVar("Item")

Listener: TypeAlias = Callable[[str, int, int], None]
"""Called with the name of the stage, how many items are done, and how many there are."""

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


def over(items: Collection[Item], stage: str) -> Iterable[Item]:
    """The same items; the listener hears after each that it is done."""
    listener = _LISTENER.get()
    return items if listener is None else _told(items, stage, listener)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within the block, this listener hears."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def _told(items: Collection[Item], stage: str, listener: Listener) -> Iterator[Item]:
    # An item may take long to come because another stage makes it: that one speaks first.
    total = len(items)
    for done, item in enumerate(items):
        listener(stage, done, total)
        yield item
    listener(stage, total, total)
