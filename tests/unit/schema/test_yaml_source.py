"""YAML with places: what values mean, where they stand, and what is refused without a traceback."""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from pathlib import Path

import pytest

from generator.findings import Finding, FindingsError
from generator.schema import yaml_errors, yaml_source
from generator.schema.yaml_source import load, parse

ROOT = Path(__file__).resolve().parents[3]


def codes(text: str) -> list[str]:
    with pytest.raises(FindingsError) as caught:
        parse(text, "x.yml")
    return [finding.code for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"), ("y", "y"), ("n", "n"),
        ("012", "012"), ("0o17", "0o17"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("+1", "+1"),
        ("1e3", "1e3"), ("1.10", "1.10"), (".inf", ".inf"), (".nan", ".nan"), ("1.", "1."),
        ("22:30", "22:30"), ("190:20:30", "190:20:30"), ("2027-03-06", "2027-03-06"),
        ("2027-03-06T22:00:00+01:00", "2027-03-06T22:00:00+01:00"), ("=", "="), ("-", "-"),
        ("True", "True"), ("TRUE", "TRUE"), ("Null", "Null"), ("NULL", "NULL"), ("-0", "-0"),
        ("٣", "٣"), ("1234567890123456", "1234567890123456"), ("'5'", "5"), ('"true"', "true"),
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("7", 7), ("-5", -5), ("2016", 2016), ("123456789012345", 123456789012345),
    ],
)  # fmt: skip
def test_a_plain_value_means_what_it_looks_like(written: str, meant: object) -> None:
    value = parse(f"key: {written}\n" if written != "-" else "key: '-'\n", "x.yml").data["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert parse("1: a\ntrue: b\nno: c\n2027-01-01: d\n", "x.yml").data == {
        "1": "a", "true": "b", "no": "c", "2027-01-01": "d",
    }  # fmt: skip


def test_every_key_and_value_has_its_place() -> None:
    document = parse("a: 1\nlist:\n  - {b: x, cc: y}\n  - zz\n", "x.yml")
    assert document.mark(("a",)) == (1, 4)
    assert document.mark(("a",), key=True) == (1, 1)
    assert document.mark(("list",)) == (3, 3)
    assert document.mark(("list",), key=True) == (2, 1)
    assert document.mark(("list", 0)) == (3, 5)
    assert document.mark(("list", 0, "cc")) == (3, 16)
    assert document.mark(("list", 0, "cc"), key=True) == (3, 12)
    assert document.mark(("list", 1)) == (4, 5)
    assert document.source_line(4) == "  - zz"
    assert document.source_line(99) == ""


def test_a_path_that_leads_nowhere_is_where_it_should_be() -> None:
    document = parse("# comment\na:\n  - {b: x}\n", "x.yml")
    assert document.mark(("a", 0, "missing")) == (3, 5)
    assert document.mark(("a", 7, "b")) == (2, 1)
    assert document.mark(("missing", "below")) == (2, 1)
    assert document.mark(("a", 0, "b", "below")) == (3, 6)


def test_columns_count_characters_and_lines_end_in_any_way() -> None:
    document = parse("ä: {öö: ü, k: v}\r\nb: 1\rc: 2\n", "x.yml")
    assert document.mark(("ä", "k")) == (1, 15)
    assert document.mark(("c",)) == (3, 4)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    document = load(path)
    assert document.data == {"a": 1}
    assert document.mark(("a",), key=True) == (1, 1)


def test_a_repeated_key_is_found_and_the_first_one_counts() -> None:
    document = parse("a: 1\nb: 2\na: 3\n", "x.yml")
    assert document.data == {"a": 1, "b": 2}
    assert [finding.format() for finding in document.findings] == [
        "x.yml:3:1: error[E016] the key 'a' is given twice (first given in line 1)\n    a: 3\n    ^"
    ]


def test_several_mistakes_are_found_in_one_reading() -> None:
    assert codes("a: 1\na: 2\nb: &x !!str y\nc: *x\n<<: {}\n") == ["E016", "E014", "E015", "E018"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000,
        "\n".join(" " * n + "- a:" for n in range(200)),
    ],
    ids=["lists", "mappings", "items", "keys", "stairs"],
)  # fmt: skip
def test_deep_nesting_is_an_error_and_no_crash(text: str) -> None:
    start = time.monotonic()
    assert codes(text)[0] in {"E010", "E012", "E017"}
    assert time.monotonic() - start < 5


def test_an_anchor_bomb_does_not_grow() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    start = time.monotonic()
    assert set(codes("\n".join(lines))) == {"E014"}
    assert time.monotonic() - start < 1


def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_source, "MAX_NODES", 100)
    assert codes("[" + "a, " * 200 + "]") == ["E013"]


def file_fault(path: Path) -> str:
    with pytest.raises(FindingsError) as caught:
        load(path, "x.yml")
    return str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    assert file_fault(tmp_path / "x.yml") == "x.yml: error[E001] there is no such file"
    assert file_fault(tmp_path / "file.yml" / "x.yml") == "x.yml: error[E001] there is no such file"


def test_a_folder_is_one_sentence(tmp_path: Path) -> None:
    expected = "x.yml: error[E002] this is a folder, not a file (name the YAML file in it)"
    assert file_fault(tmp_path) == expected


def test_a_pipe_is_one_sentence_and_nobody_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(file_fault(path)), daemon=True)
    reader.start()
    reader.join(5)
    expected = "x.yml: error[E003] this is not an ordinary file (save it as a file first)"
    assert found == [expected]


def test_a_file_without_permission_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.yml"
    path.write_text("a: 1\n")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert file_fault(path) == "x.yml: error[E004] no permission to read this file"


def test_a_broken_disk_and_an_impossible_name_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "x.yml: error[E004] the file cannot be read: " in file_fault(Path("a\0b"))
    assert "x.yml: error[E004] the file cannot be read: " in file_fault(Path("x" * 5000))
    path = tmp_path / "x.yml"
    path.write_text("a: 1\n")

    def fail(*_: object) -> int:
        raise OSError(5, "whatever the system calls it")

    monkeypatch.setattr(os, "open", fail)
    assert file_fault(path) == (f"x.yml: error[E004] the file cannot be read: {os.strerror(5)}")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    with path.open("wb") as stream:
        stream.truncate(yaml_errors.MAX_BYTES + 1)
    expected = "x.yml: error[E005] the file is too large (the limit is 16 MiB)"
    assert file_fault(path) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes("change: 1\n".encode(encoding))
    assert "error[E007] the file is UTF-16 or UTF-32 text" in file_fault(path)


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n\x00\x00", b"PK\x03\x04\x14\x00", b"\x7fELF\x02"]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes(data)
    assert "error[E00" in file_fault(path)


def test_the_collector_runs_again_after_reading() -> None:
    assert gc.isenabled()
    parse("a: 1\n", "x.yml")
    assert gc.isenabled()
    with pytest.raises(FindingsError):
        parse("a: [\n", "x.yml")
    assert gc.isenabled()
    gc.disable()
    try:
        parse("a: 1\n", "x.yml")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_ten_thousand_servers_are_read_in_a_moment() -> None:
    text = "servers:\n" + "".join(
        f"  - {{fqdn: ex{n}.contoso.com, netbios: EX{n}, roles: [mailbox]}}\n"
        for n in range(10_000)
    )
    start = time.monotonic()
    document = parse(text, "x.yml")
    assert time.monotonic() - start < 5
    assert document.mark(("servers", 9_999, "netbios")) == (10_001, 41)


PIECES = [
    "a", "b: ", "- ", "? ", ": ", "[", "]", "{", "}", ",", "&x ", "*x", "!", "!!str ", "!<", ">",
    "|", "'", '"', "\\", "\\x", "\\u12", "%YAML 1.2\n", "%TAG ! x\n", "---\n", "...\n", "#", "@",
    "`", "<<: ", "=", "~", "null", "true", "012", "1e3", "\n", "\n  ", "\n    ", "\n\t", "\t", " ",
    "\r", "\r\n",
    "\x00", "\x07", "\x85", "\u2028", "\ufeff", "\ud7ff", "\ue000", "\U0001f600", "ä", "\x7f",
    "-", ":",
]  # fmt: skip


def fuzzed(seed: int) -> str:
    """Text that is nearly YAML: pieces in any order, or an example with some of them put in."""
    chance = random.Random(seed)
    if seed % 3 == 0:
        return "".join(chance.choices(PIECES, k=chance.randint(1, 60)))
    name = chance.choice(["litwareinc", "contoso"])
    text = (ROOT / "inventories" / f"{name}.yml").read_text("utf-8")
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text))
        if chance.random() < 0.5:
            text = text[:at] + chance.choice(PIECES) + text[at:]
        else:
            text = text[:at] + text[at + chance.randint(1, 30) :]
    return text


def assert_readable(findings: tuple[Finding, ...]) -> None:
    assert findings
    for finding in findings:
        assert finding.format().isprintable() or "\n" in finding.format()
        assert finding.line >= 0
        assert (finding.column > 0) == (finding.line > 0)


@pytest.mark.parametrize(
    "seeds",
    [range(2_000), pytest.param(range(2_000, 40_000), marks=pytest.mark.soak)],
    ids=["sample", "whole"],
)
def test_no_text_is_a_traceback(seeds: range) -> None:
    for seed in seeds:
        try:
            parse(fuzzed(seed), "x.yml")
        except FindingsError as error:
            assert_readable(error.findings)
