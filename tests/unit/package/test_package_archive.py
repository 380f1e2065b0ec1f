"""The zip: the same bytes each time, read by everybody, and no trick with archives passes."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zipfile

import pytest

from generator.files import names
from generator.signing.errors import IntegrityError
from generator.untrusted import archive

FILES = {"b.ps1": b"Write-Output 1\r\n", "a/c.txt": b"text", "empty": b""}
DATA = archive.write(FILES)


def test_the_same_files_give_the_same_bytes():
    assert archive.write(dict(reversed(FILES.items()))) == DATA
    assert archive.read(DATA) == FILES


def test_other_tools_read_it():
    with zipfile.ZipFile(io.BytesIO(DATA)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == FILES
        assert {each.date_time for each in found.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def _zip(*entries, compression=zipfile.ZIP_STORED, comment=b"") -> bytes:
    place = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(place, "w", compression) as made:
        warnings.simplefilter("ignore")
        for name, data, *attributes in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.create_system = 3
            info.external_attr = attributes[0] if attributes else 0o100644 << 16
            made.writestr(info, data)
        made.comment = comment
    return place.getvalue()


def _two_directories() -> bytes:
    """The files of one archive, then the directory of another at its end."""
    other = archive.write({"b.ps1": b"Remove-Item x\r\n", "a/c.txt": b"text", "empty": b""})
    return DATA + other


def _other_local_name() -> bytes:
    return DATA.replace(b"b.ps1", b"x.ps1", 1)


def _flag(bit: int) -> bytes:
    data = bytearray(DATA)
    struct.pack_into("<H", data, 6, bit)
    return bytes(data)


HOSTILE = {
    "empty": b"",
    "no files": archive.write({}),
    "text": b"no archive at all",
    "cut": DATA[:-1],
    "cut in the middle": DATA[: len(DATA) // 2],
    "text after it": DATA + b"x",
    "text before it": b"x" + DATA,
    "a program before it": b"MZ" + DATA,
    "a comment": _zip(*FILES.items(), comment=b"x"),
    "two archives": DATA + DATA,
    "two central directories": _two_directories(),
    "another name in the directory": _other_local_name(),
    "a doubled name": _zip(("a", b"1"), ("a", b"2")),
    "a link": _zip(("a", b"/etc/passwd", 0o120777 << 16)),
    "a folder entry": _zip(("a/", b"", 0o40755 << 16)),
    "an executable": _zip(("a", b"1", 0o100755 << 16)),
    "compressed": _zip(("a", b"1" * 100), compression=zipfile.ZIP_DEFLATED),
    "a bomb": _zip(("a", b"\0" * 30_000_000), compression=zipfile.ZIP_DEFLATED),
    "encrypted": _flag(1),
    "data descriptor": _flag(8),
    "UTF-8 names": _flag(0x800),
    "a name in other characters": _zip(("\u00e9", b"1")),
    "in another order": _zip(("b", b"1"), ("a", b"2")),
    "another date": _zip(("a", b"1")).replace(b"\x21\x00", b"\x22\x00"),
    "a wrong checksum": DATA.replace(b"Write-Output 1", b"Write-Output 2"),
    "a size beyond the end": DATA[:22] + b"\xff\xff\xff\x7f" + DATA[26:],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_no_other_archive_is_read(case):
    with pytest.raises(IntegrityError):
        archive.read(HOSTILE[case])


def test_no_single_byte_can_change():
    for at in range(len(DATA)):
        changed = DATA[:at] + bytes([DATA[at] ^ 0x41]) + DATA[at + 1 :]
        try:
            files = archive.read(changed)
        except IntegrityError:
            continue
        raise AssertionError((at, files))


def test_random_bytes_are_no_archive():
    rng = random.Random(5)
    for _ in range(2000):
        data = bytearray(DATA)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        if bytes(data) != DATA:
            with pytest.raises(IntegrityError):
                archive.read(bytes(data))


@pytest.mark.parametrize(
    "path",
    [
        "../x", "/x", "a/../x", "a//x", "./x", "", "a/", "C:/x", "a\\x", "a:b", "nul", "aux.txt",
        "a/COM1.ps1", "x.", "x ", " x", "x?", "x*", "-x", ".hidden", "\u00e9", "x" * 65,
        "a/" * 90 + "x",
    ],
)  # fmt: skip
def test_a_name_that_some_disk_does_not_keep_is_refused(path):
    assert names.problems([path])


def test_names_that_one_disk_cannot_tell_apart_are_refused():
    assert "only by case" in names.problems(["a.ps1", "A.ps1"])[0]
    assert "a file and a folder" in names.problems(["a", "a/b"])[0]
    assert names.problems(["a.ps1", "undo/a.ps1", "inputs/templates/_runbook/engine.ps1"]) == []
