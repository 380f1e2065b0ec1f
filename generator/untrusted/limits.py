"""How much is read of what comes from others. Each limit is far above what the program writes."""

from __future__ import annotations

from generator.errors import IntegrityError

FILE = 64 << 20
"""Bytes of one file; a script has some 70,000."""

BUILT = 256 << 20
"""Bytes of one file of a built folder; the run sheet has some 2,300 a runbook."""

PACKAGE = 2 << 30
"""Bytes of a package, packed or unpacked; one of 2,000 servers has 0.8 GiB."""

FILES = 0xFFFF
"""Files of a package: as many as a plain zip holds."""

DOCUMENT = 128 << 20
"""Bytes of one JSON document; a signing request for 62,000 scripts has 70 MiB."""

VALUES = 4_000_000
CONTAINERS = 1_000_000
"""Values, lists and objects of one JSON document: a small file of nothing but these would fill the
memory.
"""

DEPTH = 32
"""Levels of one JSON document."""


def check_count(count: int) -> None:
    """Raises IntegrityError for more files than a package can have."""
    if count > FILES:
        raise IntegrityError(f"more than {FILES} files; a package has at most so many")


def check_size(name: str, size: int) -> None:
    """Raises IntegrityError for a file that is larger than one of a package can be."""
    if size > FILE:
        raise IntegrityError(f"{name!a}: {size} bytes; a file of a package has at most {FILE}")
