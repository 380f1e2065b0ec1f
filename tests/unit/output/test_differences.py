"""What would change, as a list and as a unified diff."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import a_build, without_last

from generator.output import bundle, differences
from generator.templating.templates import TemplateTree

FIRST = "10-001-directory-set-address_APP01.ps1"
LAST = "30-001-directory-register_WEB01.ps1"


def diff(out: Path, body: str = "second text") -> list[str]:
    build = a_build(body=body)
    report = bundle.write(build, out, force=True, dry_run=True)
    files = bundle.Contents(build, TemplateTree.for_project())
    return list(differences.unified(files, report.folder, report.comparison))


def of(lines: list[str], name: str) -> list[str]:
    """The part of a diff that is about one file."""
    begins = next(at for at, line in enumerate(lines) if line.startswith("--- ") and name in line)
    rest = [at for at, line in enumerate(lines) if line.startswith("--- ") and at > begins]
    return lines[begins : min(rest, default=len(lines))]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return bundle.write(a_build(body="first text"), tmp_path).folder


def test_a_changed_line_is_shown_without_its_line_end(written: Path) -> None:
    folder = written.as_posix()
    assert of(diff(written.parent), FIRST) == [
        f"--- {folder}/{FIRST} (present)",
        f"+++ {folder}/{FIRST} (built)",
        "@@ -1,2 +1,2 @@",
        " # 10-001-directory-set-address_APP01",
        "-# first text",
        "+# second text",
    ]


def test_nothing_is_shown_of_what_stays(written: Path) -> None:
    assert diff(written.parent, "first text") == []


def test_a_new_file_is_compared_with_nothing(tmp_path: Path) -> None:
    lines = diff(tmp_path)
    folder = (tmp_path / "contoso").as_posix()
    name = "00-001-directory-preflight_APP01.ps1"
    assert lines[:2] == ["--- nothing", f"+++ {folder}/{name} (built)"]
    assert not [line for line in lines if line.startswith("-") and not line.startswith("---")]


def test_a_stale_file_is_compared_with_nothing(written: Path) -> None:
    build = without_last(a_build(body="first text"))
    report = bundle.write(build, written.parent, dry_run=True)
    files = bundle.Contents(build, TemplateTree.for_project())
    lines = of(list(differences.unified(files, report.folder, report.comparison)), LAST)
    assert lines[1] == "+++ nothing"
    assert "removed  " + LAST in list(differences.listing(report.comparison))


def test_line_ends_show_where_they_differ(written: Path) -> None:
    path = written / FIRST
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    assert of(diff(written.parent, "first text"), FIRST)[3:] == [
        "-# 10-001-directory-set-address_APP01",
        "-# first text",
        "+# 10-001-directory-set-address_APP01^M",
        "+# first text^M",
    ]


def test_bytes_that_are_no_text_and_a_missing_line_end_are_shown(written: Path) -> None:
    (written / FIRST).write_bytes(b"\xff\x00\x1b[2J\r\n# first text")
    lines = of(diff(written.parent, "first text"), FIRST)
    assert "-\\xff\\x00\\x1b[2J" in "".join(lines)
    assert "-# first text\\ no line end" in lines


def test_an_edited_file_is_listed_as_edited(written: Path) -> None:
    (written / FIRST).write_text("mine")
    report = bundle.write(a_build(), written.parent, force=True, dry_run=True)
    assert list(differences.listing(report.comparison)) == [f"edited   {FIRST}"]
