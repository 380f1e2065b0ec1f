"""The zip of a package: the same files give the same bytes, and only those bytes are read again.

Files are stored, not compressed, sorted by name, with a fixed date. So nothing depends on a
version of zlib, and nothing can unfold to more than its size. Reading takes the files out and
writes them anew: an archive that is not exactly that (a second directory, text before or after,
links, comments, doubled names, extra fields) is refused without a rule for each trick.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

from generator.errors import IntegrityError
from generator.files import names
from generator.untrusted.limits import check_count, check_size

_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_BEGINS = b"PK\3\4"
_FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can name."""

_UNIX = 3
_PLAIN_FILE = 0o100644 << 16


def write(files: Mapping[str, bytes]) -> bytes:
    """The bytes of an archive; raises IntegrityError for more than a plain zip can hold."""
    place = io.BytesIO()
    try:
        with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, _FIRST_MOMENT)
                entry.create_system = _UNIX
                entry.external_attr = _PLAIN_FILE
                archive.writestr(entry, files[name])
    except zipfile.LargeZipFile as error:
        raise IntegrityError(
            f"{len(files)} files of {sum(map(len, files.values()))} bytes are more than a zip "
            "holds (65,535 files, 4 GiB). Build and package the change in parts, with --limit"
        ) from error
    return place.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    """The files of an archive that `write` wrote; raises IntegrityError for any other.

    Their names are judged: each is a plain relative path, and no two are one on some disk.
    """
    files: dict[str, bytes] = {}
    at = 0
    try:
        while data[at : at + 4] == _LOCAL_BEGINS:
            *_, size, path_size, _ = _LOCAL.unpack_from(data, at)
            start = at + _LOCAL.size
            name = data[start : start + path_size].decode("ascii")
            if name in files:
                raise IntegrityError(f"the name {name!a} stands twice in the archive")
            start += path_size
            check_size(name, size)
            files[name] = data[start : start + size]
            at = start + size
            check_count(len(files))
    except (struct.error, UnicodeError) as error:
        raise IntegrityError(f"this is no archive of a package ({error})") from error
    problems = names.problems(files)
    if problems:
        raise IntegrityError("names that must not be unpacked:", *problems)
    if not files or write(files) != data:
        raise IntegrityError(
            "this is no archive as `runbook package` writes it: something was added, cut or "
            "packed anew. Get the file as it was handed over"
        )
    return files
