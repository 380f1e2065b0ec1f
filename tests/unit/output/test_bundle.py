"""The output folder: whole or not at all, and never over somebody's work."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest
from builders import a_build, a_host, a_plan, a_runbook, without_last
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import OutputError
from generator.files import folder_swap, names
from generator.model.plan import Plan
from generator.output import bundle, manifest

CHECK = "00-001-directory-preflight_APP01.ps1"
FIRST = "10-001-directory-set-address_APP01.ps1"
LAST = "30-001-directory-register_WEB01.ps1"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(out: Path, body: str = "first text") -> Path:
    return bundle.write(a_build(body=body), out).folder


def refused(out: Path, **options: Any) -> str:
    """Builds the second text; answers with the refusal, after which all must be as before."""
    before = tree(out)
    with pytest.raises(OutputError) as caught:
        bundle.write(a_build(body="second text"), out, **options)
    assert tree(out) == before
    return str(caught.value)


class TestContents:
    def test_runbooks_undo_and_lists(self, tmp_path: Path) -> None:
        assert list(tree(written(tmp_path))) == [
            CHECK,
            FIRST,
            "20-001-directory-restart_APP01.ps1",
            LAST,
            "RUNSHEET.md",
            "SHA256SUMS",
            "Start-Change.ps1",
            "manifest.json",
            "undo/01-001-undo-directory-register_WEB01.ps1",
            "undo/02-001-undo-directory-set-address_APP01.ps1",
            "undo/03-001-undo-directory-restart_APP01.ps1",
        ]

    def test_sha256sum_accepts_it(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        run = subprocess.run(
            ["sha256sum", "--check", "--strict", "SHA256SUMS"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr
        assert run.stdout.count(": OK\n") == len(tree(folder)) - 1

    def test_lists_and_run_sheet_have_lf_and_no_bom(self, tmp_path: Path) -> None:
        files = tree(written(tmp_path))
        for name in ("RUNSHEET.md", "SHA256SUMS", "manifest.json"):
            assert b"\r" not in files[name]
            assert not files[name].startswith(b"\xef\xbb\xbf")

    def test_scripts_are_the_rendered_bytes(self, tmp_path: Path) -> None:
        build = a_build()
        folder = bundle.write(build, tmp_path).folder
        for rendered in build.rendered:
            assert (folder / rendered.runbook.file).read_bytes() == rendered.data

    def test_nothing_else_is_left_beside_the_folder(self, tmp_path: Path) -> None:
        written(tmp_path)
        written(tmp_path, "second text")
        assert [path.name for path in tmp_path.iterdir()] == ["contoso"]

    def test_the_umask_decides_who_may_read(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            folder = written(tmp_path)
        finally:
            os.umask(before)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
        assert stat.S_IMODE((folder / FIRST).stat().st_mode) == 0o640

    def test_rights_given_to_the_folder_survive_a_build(self, tmp_path: Path) -> None:
        written(tmp_path).chmod(0o700)
        folder = written(tmp_path, "second text")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


class TestAgain:
    def test_the_same_build_touches_nothing(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        report = bundle.write(a_build(), tmp_path)
        assert report.unchanged
        assert report.sentence() == f"{folder}: unchanged. Files: 11 as before."
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times

    def test_another_build_replaces_what_differs(self, tmp_path: Path) -> None:
        written(tmp_path)
        report = bundle.write(a_build(body="second text"), tmp_path)
        assert not report.unchanged
        # The run sheet shows content hashes, so it differs too.
        assert len(report.comparison.changed) == 11
        assert b"second text" in (report.folder / FIRST).read_bytes()

    def test_stale_files_are_removed(self, tmp_path: Path) -> None:
        written(tmp_path)
        report = bundle.write(without_last(a_build()), tmp_path)
        assert report.comparison.stale == (LAST, "undo/01-001-undo-directory-register_WEB01.ps1")
        assert LAST not in tree(report.folder)
        assert "2 of an earlier build removed" in report.sentence()

    def test_a_deleted_file_comes_back(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        whole = tree(folder)
        (folder / FIRST).unlink()
        report = bundle.write(a_build(), tmp_path)
        assert report.comparison.new == (FIRST,)
        assert tree(folder) == whole

    @pytest.mark.parametrize("lost", ["manifest.json", "SHA256SUMS"])
    def test_one_of_the_two_lists_is_enough_to_know_the_files(
        self, tmp_path: Path, lost: str
    ) -> None:
        folder = written(tmp_path)
        (folder / lost).unlink()
        report = bundle.write(without_last(a_build(body="second text")), tmp_path)
        assert LAST in report.comparison.stale
        assert not report.comparison.edited

    def test_a_dry_run_tells_the_same_and_writes_nothing(self, tmp_path: Path) -> None:
        report = bundle.write(a_build(), tmp_path / "out", dry_run=True)
        assert report.sentence().endswith("contoso: would be written. Files: 11 new.")
        assert not (tmp_path / "out").exists()


class TestEdited:
    @pytest.mark.parametrize("name", [FIRST, "RUNSHEET.md", "manifest.json", "SHA256SUMS"])
    def test_an_edited_file_is_named_and_kept(self, tmp_path: Path, name: str) -> None:
        with (written(tmp_path) / name).open("ab") as file:
            file.write(b" ")
        message = refused(tmp_path)
        assert f"\n  {name}: edited, or not written by a build.\n" in message
        assert message.count("edited, or not") == 1
        assert "--force" in message

    def test_also_when_the_build_is_the_same(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        (folder / FIRST).write_text("mine")
        with pytest.raises(OutputError, match="1 file changed since the last build"):
            bundle.write(a_build(), tmp_path)

    def test_also_when_the_new_build_has_it_no_more(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        (folder / LAST).write_text("mine")
        with pytest.raises(OutputError, match=LAST):
            bundle.write(without_last(a_build()), tmp_path)
        assert (folder / LAST).read_text() == "mine"

    def test_also_in_a_dry_run(self, tmp_path: Path) -> None:
        (written(tmp_path) / FIRST).write_text("mine")
        assert FIRST in refused(tmp_path, dry_run=True)

    def test_force_replaces_it_and_says_so(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        (folder / FIRST).write_text("mine")
        (folder / LAST).write_text("mine")
        report = bundle.write(without_last(a_build()), tmp_path, force=True)
        assert report.comparison.edited == (FIRST, LAST)
        assert "2 edited by hand and replaced" in report.sentence()
        assert b"first text" in (folder / FIRST).read_bytes()
        assert not (folder / LAST).exists()

    def test_a_link_in_the_place_of_a_file_is_not_followed(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside.txt"
        outside.write_text("mine")
        folder = written(tmp_path / "out")
        (folder / FIRST).unlink()
        (folder / FIRST).symlink_to(outside)
        assert FIRST in refused(tmp_path / "out")
        bundle.write(a_build(body="second text"), tmp_path / "out", force=True)
        assert outside.read_text() == "mine"
        assert not (folder / FIRST).is_symlink()

    def test_files_that_no_build_wrote_are_never_replaced_by_surprise(self, tmp_path: Path) -> None:
        folder = tmp_path / "contoso"
        folder.mkdir()
        (folder / "RUNSHEET.md").write_text("mine")
        assert "RUNSHEET.md" in refused(tmp_path)

    def test_a_damaged_manifest_is_named_not_followed(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        for text in ("[]", "{", "[" * 100_000, '{"runbooks": [{"path": []}], "documents": []}'):
            (folder / "manifest.json").write_text(text)
            assert "manifest.json" in refused(tmp_path)

    def test_a_manifest_that_points_outside_removes_nothing_there(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside.txt"
        outside.write_text("mine")
        folder = written(tmp_path / "out")
        digest = manifest.sha256(b"mine")
        with (folder / "SHA256SUMS").open("a") as file:
            file.write(f"{digest}  ../../outside.txt\n{digest}  {outside}\n")
        bundle.write(a_build(body="second text"), tmp_path / "out", force=True)
        assert outside.read_text() == "mine"


class TestForeign:
    def test_foreign_files_stay_the_same_files(self, tmp_path: Path) -> None:
        folder = written(tmp_path)
        (folder / "undo" / "notes.txt").write_text("mine")
        (folder / "evidence" / "APP01").mkdir(parents=True)
        (folder / "evidence" / "APP01" / "a.jsonl").write_text("theirs")
        (folder / "empty").mkdir()
        (folder / "link").symlink_to("RUNSHEET.md")
        before = (folder / "undo" / "notes.txt").stat()
        report = bundle.write(a_build(body="second text"), tmp_path)
        assert report.comparison.foreign == (
            "empty", "evidence/APP01/a.jsonl", "link", "undo/notes.txt"
        )  # fmt: skip
        after = (folder / "undo" / "notes.txt").stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert (folder / "evidence" / "APP01" / "a.jsonl").read_text() == "theirs"
        assert (folder / "empty").is_dir()
        assert (folder / "link").readlink() == Path("RUNSHEET.md")

    def test_disks_without_second_names_get_a_copy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Path, target: Path) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        notes = written(tmp_path) / "notes.txt"
        notes.write_text("mine")
        os.utime(notes, ns=(10**18, 10**18))
        written(tmp_path, "second text")
        assert notes.read_text() == "mine"
        assert notes.stat().st_mtime_ns == 10**18

    def test_a_folder_where_a_file_must_stand_is_refused_also_with_force(
        self, tmp_path: Path
    ) -> None:
        folder = written(tmp_path)
        (folder / "RUNSHEET.md").unlink()
        (folder / "RUNSHEET.md").mkdir()
        (folder / "RUNSHEET.md" / "mine.txt").write_text("mine")
        assert "RUNSHEET.md/mine.txt: stands where" in refused(tmp_path, force=True)

    def test_a_file_where_a_folder_must_stand_is_refused_also_with_force(
        self, tmp_path: Path
    ) -> None:
        folder = written(tmp_path)
        shutil.rmtree(folder / "undo")
        (folder / "undo").write_text("mine")
        assert "undo: stands where" in refused(tmp_path, force=True)


class TestPlaces:
    def test_a_file_in_the_place_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "contoso").write_text("mine")
        assert "not a folder but a file or a link" in refused(tmp_path)

    def test_a_link_in_the_place_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        out = tmp_path / "out"
        out.mkdir()
        (out / "contoso").symlink_to(tmp_path / "elsewhere")
        assert "not a folder but a file or a link" in refused(out)

    def test_a_file_in_the_place_of_out(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(OutputError, match=r"out: .*try again"):
            bundle.write(a_build(), tmp_path / "out")

    def test_a_full_disk_leaves_the_old_folder_and_no_rubbish(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written(tmp_path)
        whole = Path.open

        def fills_up(self: Path, mode: str = "r", *more: Any, **others: Any) -> IO[Any]:
            if self.name == LAST and mode == "wb":
                raise OSError(28, "No space left on device", str(self))
            return whole(self, mode, *more, **others)

        monkeypatch.setattr(Path, "open", fills_up)
        assert "No space left on device" in refused(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["contoso"]

    def test_spaces_and_letters_beyond_ascii_in_the_path(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "Änderung 5 ✓")
        assert FIRST in tree(folder)


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["..", ".", "a/b", "a\\b", "/etc", "", "C:", "a b", "ü", "x.", ".hidden", "-rf", "con",
         "NUL.txt", "Lpt1", "a\n", "x" * 65, "a*b", "a|b"],
    )  # fmt: skip
    def test_a_name_that_no_disk_can_hold_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(OutputError, match="nothing was written"):
            bundle.write(a_build(a_plan(name=name)), tmp_path / "out")
        assert not (tmp_path / "out").exists()

    @given(st.text())
    def test_every_accepted_name_stays_inside_and_fits_a_cd(self, name: str) -> None:
        if not names.problems_of_one(name):
            assert name.isascii()
            assert len(name) <= 64
            assert not set(name) & set('/\\:*?"<>|\0\n ')
            assert name not in {"", ".", ".."}

    def test_all_problems_are_named_in_one_run(self, tmp_path: Path) -> None:
        host = a_host("X" * 60)
        runbooks = a_runbook(host=host), a_runbook(number="10-002", host=a_host("A/../B"))
        plan = a_plan()
        with pytest.raises(OutputError) as caught:
            bundle.write(a_build(Plan(plan.inventory, runbooks, ())), tmp_path)
        assert "characters; a CD has room for 64" in str(caught.value)
        assert "10-002-directory-set-address_A/../B.ps1" in str(caught.value)

    def test_names_that_differ_only_by_case_are_refused(self, tmp_path: Path) -> None:
        plan = a_plan()
        runbooks = a_runbook("set"), a_runbook("SET")
        with pytest.raises(OutputError, match="only by case"):
            bundle.write(a_build(Plan(plan.inventory, runbooks, ())), tmp_path)

    def test_two_runbooks_with_one_name_are_refused(self, tmp_path: Path) -> None:
        plan = a_plan()
        runbooks = a_runbook(), a_runbook()
        with pytest.raises(OutputError, match="the same name"):
            bundle.write(a_build(Plan(plan.inventory, runbooks, ())), tmp_path)


def test_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    """Another hash seed, time zone, locale, umask and working directory."""
    here = tree(written(tmp_path / "a"))
    code = (
        "import os, sys; os.umask(0o077); sys.path[:0] = sys.argv[2:];"
        "from pathlib import Path; from builders import a_build;"
        "from generator.output import bundle;"
        "bundle.write(a_build(), Path(sys.argv[1]))"
    )
    root = Path(__file__).resolve().parents[3]
    places = [str(root / "tests/support"), str(root)]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Kolkata", "LC_ALL": "C"}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "b"), *places],
        cwd="/", env=environment, check=True,
    )  # fmt: skip
    assert tree(tmp_path / "b" / "contoso") == here


def test_the_lock_file_lies_beside_the_folder(tmp_path: Path) -> None:
    assert folder_swap.lock_path(tmp_path / "contoso").parent == tmp_path
