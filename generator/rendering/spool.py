"""Puts texts aside: in memory while they are few, then in a temporary file without a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

IN_MEMORY = 4 * 1024 * 1024
"""Bytes. What a build of hundreds of servers puts aside; more would be felt on a small machine."""


class Spool:
    """Lists of texts in a row; a context manager, because it may hold a file."""

    def __init__(self) -> None:
        # Closed by __exit__.
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, texts: Sequence[str]) -> None:
        """Put a list aside, behind those before it."""
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        self._file.write(b",".join(b"%d" % len(part) for part in parts) + b"\n")
        self._file.writelines(parts)

    def __iter__(self) -> Iterator[list[str]]:
        """All lists, in the order in which they were put aside."""
        self._file.seek(0)
        while header := self._file.readline():
            sizes = [int(size) for size in header.split(b",") if size.strip()]
            yield [self._file.read(size).decode("utf-8", "surrogatepass") for size in sizes]
