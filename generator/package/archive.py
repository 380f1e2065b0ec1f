"""The zip of a package: the same files give the same bytes, and only those bytes are read again.

Files are stored, not compressed, sorted by name, with a fixed date. So nothing depends on a
version of zlib, and nothing can unfold to more than its size. Reading takes the files out and
writes them anew: an archive that is not exactly that (a second directory, text before or after,
links, comments, doubled names, extra fields) is refused without a rule for each trick.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from generator.signing.errors import IntegrityError

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION = 20
# 1980-01-01 00:00, the first moment a zip can name.
_TIME, _DATE = 0, 0x0021
_PLAIN_FILE = 0o100644 << 16
_UNIX = 3 << 8
_MOST_FILES = 0xFFFF - 1
_MOST_BYTES = 0xFFFFFFFF - 1


def write(files: Mapping[str, bytes]) -> bytes:
    """The bytes of an archive; raises IntegrityError for more than a plain zip can hold."""
    local, central = bytearray(), bytearray()
    for name in sorted(files):
        data, path = files[name], name.encode("ascii")
        sizes = (zlib.crc32(data), len(data), len(data))
        offset = len(local)
        local += _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, _TIME, _DATE, *sizes, len(path), 0)
        local += path + data
        central += _CENTRAL.pack(
            b"PK\1\2", _VERSION | _UNIX, _VERSION, 0, 0, _TIME, _DATE, *sizes, len(path),
            0, 0, 0, 0, _PLAIN_FILE, offset,
        )  # fmt: skip
        central += path
        if len(local) + len(central) > _MOST_BYTES:
            raise IntegrityError("the package would be larger than 4 GB, which a zip cannot hold")
    if len(files) > _MOST_FILES:
        raise IntegrityError(f"{len(files)} files; a zip holds {_MOST_FILES}")
    count = len(files)
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(central), len(local), 0)
    return bytes(local + central + end)


def read(data: bytes) -> dict[str, bytes]:
    """The files of an archive that `write` wrote; raises IntegrityError for any other."""
    files: dict[str, bytes] = {}
    at = 0
    try:
        while data[at : at + 4] == b"PK\3\4":
            fields = _LOCAL.unpack_from(data, at)
            size, path_size = fields[8], fields[9]
            start = at + _LOCAL.size
            name = data[start : start + path_size].decode("ascii")
            if name in files:
                raise IntegrityError(f"the name {name!a} stands twice in the archive")
            start += path_size
            files[name] = data[start : start + size]
            at = start + size
        rebuilt = write(files)
    except (struct.error, UnicodeError) as error:
        raise IntegrityError(f"this is no archive of a package ({error})") from error
    if not files or rebuilt != data:
        raise IntegrityError(
            "this is no archive as `runbook package` writes it: something was added, cut or "
            "packed anew. Get the file as it was handed over"
        )
    return files
