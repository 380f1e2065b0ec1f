"""Puts texts aside: in memory while they are few, then in a temporary file without a name."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

IN_MEMORY = 16 * 1024 * 1024
"""Bytes. What a build of hundreds of servers puts aside; more would be felt on a small machine."""


class Spool:
    """Lists of texts by name; a context manager, because it may hold a file."""

    def __init__(self) -> None:
        # Closed by __exit__.
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, name: str, texts: Sequence[str]) -> None:
        """Put a list aside. All are put before the first one is taken."""
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        data = b",".join(b"%d" % len(part) for part in parts) + b"\n" + b"".join(parts)
        self._places[name] = self._end, len(data)
        self._end += len(data)
        self._file.write(data)

    def take(self, name: str) -> list[str]:
        """The list of this name."""
        place, size = self._places[name]
        self._file.seek(place)
        sizes, _, data = self._file.read(size).partition(b"\n")
        texts: list[str] = []
        at = 0
        for length in map(int, sizes.split(b",") if sizes else ()):
            texts.append(data[at : at + length].decode("utf-8", "surrogatepass"))
            at += length
        return texts
