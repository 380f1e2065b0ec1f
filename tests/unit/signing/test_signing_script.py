"""Text and signature block: what may be signed, where the block is, what is hashed."""

from __future__ import annotations

import codecs

import pytest
from signing import makers

from generator.signing import script
from generator.signing.codes import Code
from generator.signing.errors import RefusedError
from generator.signing.signer import strip

BEGIN = b"# SIG # Begin signature block"
END = b"# SIG # End signature block"

REFUSED = {
    "empty": (b"", Code.NOT_SIGNED),
    "a lone byte order mark": (codecs.BOM_UTF8, Code.NOT_SIGNED),
    "a byte order mark and a line end": (codecs.BOM_UTF8 + b"\r\n", Code.NOT_SIGNED),
    "three bytes": (b"a\r\n", Code.NOT_SIGNED),
    "blank": (b"\r\n\r\n\r\n", Code.NOT_SIGNED),
    "code page 1252": ("Write-Output 'Zo\u00eb'\r\n".encode("cp1252"), Code.ENCODING),
    "UTF-8 without mark": ("Write-Output 'Zo\u00eb'\r\n".encode(), Code.ENCODING),
    "broken UTF-8 with mark": (codecs.BOM_UTF8 + b"Write-Output '\xc3'\r\n", Code.ENCODING),
    "UTF-16 big-endian": (codecs.BOM_UTF16_BE + "Get-Date".encode("utf-16-be"), Code.ENCODING),
    "UTF-16 of odd length": (codecs.BOM_UTF16_LE + b"a\0b", Code.ENCODING),
    "a lone surrogate": (codecs.BOM_UTF16_LE + b"a\0\x00\xd8b\0", Code.ENCODING),
    "UTF-32": (codecs.BOM_UTF32_LE + "Get-Date".encode("utf-32-le"), Code.ENCODING),
    "NUL": (b"Write-Output 'a\0b'\r\n", Code.ENCODING),
    "a marker in a here-string": (
        b"$text = @'\r\n" + BEGIN + b"\r\n'@\r\nWrite-Output $text\r\n",
        Code.MALFORMED_BLOCK,
    ),
    "a marker in the first line": (BEGIN + b"\r\nWrite-Output 1\r\n", Code.MALFORMED_BLOCK),
    "a marker in other letters": (
        b"Write-Output 1\r\n" + END.upper() + b"\r\n",
        Code.MALFORMED_BLOCK,
    ),
    "only a block": (BEGIN + b"\r\n# AAAA\r\n" + END + b"\r\n", Code.MALFORMED_BLOCK),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_machines_read_differently_is_not_signed(case):
    data, code = REFUSED[case]
    with pytest.raises(RefusedError) as caught:
        makers.signer().sign(data, makers.local_key())
    assert caught.value.code == code


@pytest.mark.parametrize("form", makers.samples())
def test_stripping_gives_back_every_byte(form):
    data = makers.samples()[form]
    assert strip(makers.signed(data)) == data
    assert strip(data) == data


@pytest.mark.parametrize("form", makers.samples())
def test_what_is_hashed_is_the_text_with_its_mark_as_utf_16(form):
    data = makers.samples()[form]
    encoding = "utf-16-le" if data.startswith(codecs.BOM_UTF16_LE) else "utf-8"
    read = script.read(makers.signed(data))
    assert read.hashed == data.decode(encoding).encode("utf-16-le")


@pytest.mark.parametrize("suffix", [".ps1xml", ".mof", ".psd1"])
def test_each_kind_of_file_has_its_comments(suffix):
    style = script.style_of("name" + suffix.upper())
    data = b"some text of the file\r\n"
    signed = makers.signer().sign(data, makers.local_key(), style)
    assert strip(signed, style) == data
    line = signed.removeprefix(data).split(b"\r\n")[1].decode()
    assert (
        line
        == {
            ".ps1xml": "<!-- SIG # Begin signature block -->",
            ".mof": "/* SIG # Begin signature block */",
            ".psd1": "# SIG # Begin signature block",
        }[suffix]
    )


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(RefusedError, match=r"\.txt hold no signature block"):
        script.style_of("readme.txt")


@pytest.mark.parametrize(
    ("data", "fixed"),
    [
        (b"a = 1\nb = 2\n", b"a = 1\r\nb = 2\r\n"),
        (b"a = 1\rb = 2\r\n", b"a = 1\r\nb = 2\r\n"),
        ("'Zo\u00eb'\n".encode(), codecs.BOM_UTF8 + "'Zo\u00eb'\r\n".encode()),
        (codecs.BOM_UTF8 + b"abc\n", b"abc\r\n"),
        (
            codecs.BOM_UTF16_BE + "'\u20ac'\n".encode("utf-16-be"),
            codecs.BOM_UTF8 + "'\u20ac'\r\n".encode(),
        ),
        (codecs.BOM_UTF16_LE + "abc\n".encode("utf-16-le"), b"abc\r\n"),
    ],
)
def test_an_encoding_is_mended_before_signing(data, fixed):
    assert script.fix_encoding(data) == fixed
    makers.signer().sign(fixed, makers.local_key())


def test_an_encoding_that_cannot_be_known_is_not_guessed():
    with pytest.raises(RefusedError):
        script.fix_encoding("'Zo\u00eb'".encode("cp1252"))


def test_mending_an_encoding_takes_the_signature_away():
    assert script.fix_encoding(makers.signed()) == makers.SCRIPT


def windows_text(data: bytes, code_page: str) -> bytes:
    """What Windows hashes: by mark, else UTF-8 by the first 32 bytes, else the code page."""
    if data.startswith(codecs.BOM_UTF16_LE):
        return data
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8").encode("utf-16-le")
    head = data[:32]
    try:
        several = len(head.decode("utf-8")) != len(head)
    except UnicodeDecodeError:
        several = False
    encoding = "utf-8" if several else code_page
    return data.decode(encoding, "replace").encode("utf-16-le")


@pytest.mark.parametrize("code_page", ["cp1252", "cp1250", "cp932", "utf-8"])
def test_every_code_page_of_windows_hashes_what_is_hashed_here(code_page):
    for data in makers.samples().values():
        read = script.read(makers.signed(data))
        assert windows_text(read.body, code_page) == read.hashed


def test_the_rule_of_windows_shows_why_a_mark_is_needed():
    data = b"# a comment of more than 32 bytes in plain text\r\n" + "'Zo\u00eb'".encode()
    assert windows_text(data, "cp1252") != windows_text(data, "cp932")
