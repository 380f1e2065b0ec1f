"""Packages that mean harm: nothing is written outside, nothing unverified is rendered or called
good, and nothing is endless. Rows G01, G03, G04, G08 and G10 of the security review.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import operator
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from package import samples
from package.conftest import OUT, PACKAGE
from signing import makers

from generator import cli
from generator.errors import GeneratorError, IntegrityError, UsageError
from generator.files import names
from generator.output import manifest
from generator.package import contents, reproduce, verify
from generator.signing import signer
from generator.signing.signer import Identity
from generator.untrusted import archive, document, folder, limits, process
from generator.untrusted.process import Limits, StoppedError, WorkError

GENERATOR = Path(cli.__file__).resolve().parents[1]
TRUST = ["--anchors", "root.pem"]
TRUSTED = "every file is what the inputs give"
NOBODY = "Nobody vouches for this package"
ENGINE = "inputs/templates/_runbook/engine.ps1"
SPINE = "inputs/templates/_runbook/runbook.ps1.j2"

pytestmark = pytest.mark.usefixtures("here")


def stranger() -> Identity:
    return samples.identity(number=7)


def reproduced(path: Path, *arguments: str) -> int:
    return cli.run(["reproduce", str(path), *arguments])


def packed(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "q.zip"
    path.write_bytes(data)
    return path


class TestNamesInAnArchive:
    NAMES = (
        "inputs/../../../escaped", "../escaped", "/escaped", "inputs//escaped", "C:/escaped",
        "inputs\\..\\escaped", "inputs/./escaped", "inputs/con", "inputs/escaped.",
        "inputs/a\0b", "inputs/.hidden", "inputs/" + "a/" * 2000 + "x", "x" * 300, "",
    )  # fmt: skip

    @pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
    def test_G01_an_archive_with_a_name_that_leaves_is_refused_before_it_is_read(
        self, project: Path, tmp_path: Path, name: str
    ) -> None:
        files = archive.read((project / "p.zip").read_bytes())
        place = packed(tmp_path, archive.write({**files, name: b"x"}))
        before = sorted(tmp_path.rglob("*"))
        assert reproduced(place, *TRUST) == 3
        assert cli.run(["verify", str(place), *TRUST]) == 3
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("name", [name for name in NAMES if "\0" not in name])
    def test_G01_the_reader_of_archives_judges_names_by_itself(self, name: str) -> None:
        # Python's own writer ends a name at a NUL.
        with pytest.raises(IntegrityError, match="names that must not be unpacked"):
            archive.read(archive.write({"good": b"1", name: b"x"}))

    @pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", "con", "a\\b", "a//b"])
    def test_G01_nothing_is_written_below_a_folder_by_a_name_that_leaves_it(
        self, tmp_path: Path, name: str
    ) -> None:
        with pytest.raises(IntegrityError, match="nothing was written"):
            folder.write_below(tmp_path / "new", {"good": b"1", name: b"2"})
        assert list(tmp_path.iterdir()) == []

    def test_G01_a_folder_that_is_there_already_is_not_written_into(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "new").symlink_to("outside")
        with pytest.raises(FileExistsError):
            folder.write_below(tmp_path / "new", {"a": b"1"})
        assert list((tmp_path / "outside").iterdir()) == []

    def test_G01_nothing_but_the_door_opens_an_archive_or_reads_foreign_json(self) -> None:
        archives = {"zipfile", "tarfile", "zipimport", "gzip", "bz2", "lzma", "zlib"}
        found = {
            path.relative_to(GENERATOR).as_posix(): {
                name
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                for name in _used(node)
                if name in archives | {"unpack_archive", "json.load", "json.loads"}
            }
            for path in GENERATOR.rglob("*.py")
        }
        assert {path: names for path, names in found.items() if names} == {
            "untrusted/archive.py": {"zipfile"},
            "untrusted/document.py": {"json.loads"},
            "untrusted/process.py": {"json.loads"},
        }


def _used(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(alias.name for alias in node.names)]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]
    return []


class TestVerifiedFirst:
    """G03: seal, names, list and verifier come before the first template is read."""

    @pytest.fixture(autouse=True)
    def _nothing_is_rendered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def render(*_: object) -> None:
            raise AssertionError("something was rendered")

        monkeypatch.setattr(process, "run", render)

    DAMAGE: ClassVar = {
        "an altered template": lambda f: f.update({ENGINE: b"x"}),
        "no seal": lambda f: f.pop(contents.SEAL),
        "a garbage seal": lambda f: f.update({contents.SEAL: b"\x30\x03abc"}),
        "an empty seal": lambda f: f.update({contents.SEAL: b""}),
        "no list": lambda f: f.pop(contents.NAME),
        "no verifier": lambda f: f.pop(contents.VERIFIER),
        "an edited verifier": lambda f: f.update({contents.VERIFIER: b"exit 0\r\n"}),
        "an added file": lambda f: f.update({"x.bat": b"x"}),
        "an added input": lambda f: f.update({"inputs/x": b"x"}),
        "a missing file": lambda f: f.pop("RUNSHEET.md"),
    }

    @pytest.mark.parametrize("trust", [[], TRUST], ids=["nobody named", "somebody named"])
    @pytest.mark.parametrize("case", DAMAGE)
    def test_G03_what_is_not_as_it_was_sealed_is_not_rendered(
        self, project: Path, tmp_path: Path, capsys, case: str, trust: list[str]
    ) -> None:
        files = archive.read((project / "p.zip").read_bytes())
        self.DAMAGE[case](files)
        assert reproduced(packed(tmp_path, archive.write(files)), *trust) == 3
        said = capsys.readouterr().err
        assert "Nothing of it was rendered." in said
        assert TRUSTED not in said

    def test_G03_what_somebody_else_sealed_is_not_rendered(self, project, tmp_path, capsys) -> None:
        by = makers.Authority("Stranger", number=96)
        (tmp_path / "other.pem").write_bytes(makers.pem(by.certificate))
        assert reproduced(project / "p.zip", "--anchors", str(tmp_path / "other.pem")) == 4
        assert "Nothing of it was rendered." in capsys.readouterr().err
        assert reproduced(project / "p.zip", "--signer", "AB" * 20) == 4


class TestNobodyVouches:
    def test_G03_without_anchors_the_first_and_last_line_say_so_and_the_code_is_4(
        self, project: Path, capsys
    ) -> None:
        assert reproduced(project / "p.zip") == 4
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith(NOBODY)
        assert lines[-1].startswith(NOBODY)
        assert TRUSTED in lines[1]

    def test_G03_the_way_past_it_is_a_word(self, project: Path, capsys) -> None:
        assert reproduced(project / "p.zip", "--allow-untrusted") == 0
        assert capsys.readouterr().err.splitlines()[-1].startswith(NOBODY)

    def test_G03_a_signer_who_is_named_vouches(self, project: Path, capsys) -> None:
        files = archive.read((project / "p.zip").read_bytes())
        signer = contents.decode(files[contents.NAME]).thumbprint
        assert reproduced(project / "p.zip", "--signer", signer) == 0
        assert NOBODY not in capsys.readouterr().err

    def test_G10_a_listed_file_beside_the_inputs_is_no_input(self, project, tmp_path, capsys):
        data = samples.resealed(
            project / "p.zip",
            lambda f: f.update({"inputs-more.txt": b"1", "evidence2": b"2", "inputs/x/y": b"3"}),
        )
        assert reproduced(packed(tmp_path, data), *TRUST) == 5
        said = capsys.readouterr().err
        for name in ("inputs-more.txt", "evidence2", "inputs/x/y"):
            assert f"{name}: no input gives it" in said


ENDLESS = {
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}"
    "{% endfor %}{% endfor %}",
    "a long text": "{{ ('x' * 20000000000) | ps }}",
    "a macro without an end": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a file that includes itself": "{% include '_runbook/runbook.ps1.j2' %}",
    "a file of the machine": "{% include '/proc/self/environ' %}",
    "a file above": "{% include '../../../../../../etc/passwd' %}",
    "brackets in brackets": f"{{% if {'(' * 3_000}1{')' * 3_000} %}}x{{% endif %}}",
}

FOUND = {"a file above": "error[T217]", "brackets in brackets": "error[T236]"}
"""What is found is told as it is, with its place."""


class TestRenderingOfForeignInputs:
    @pytest.mark.parametrize("case", ENDLESS)
    def test_G04_templates_that_do_not_end_or_look_around_are_refused(
        self, project: Path, tmp_path: Path, capsys, case: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reproduce, "_SECONDS", 5)
        monkeypatch.setenv("SECRET_OF_THE_PIPELINE", "S3CR3T")
        begin = b"{% block header %}"
        data = samples.resealed(
            project / "p.zip",
            lambda f: f.update({SPINE: f[SPINE].replace(begin, begin + ENDLESS[case].encode())}),
        )
        assert reproduced(packed(tmp_path, data), *TRUST) == 5
        said = capsys.readouterr().err
        assert "cannot be rendered" in said
        assert FOUND.get(case, "") in said
        assert "S3CR3T" not in said
        assert "root:" not in said

    def test_G04_a_process_that_takes_long_is_ended(self, tmp_path: Path) -> None:
        with pytest.raises(StoppedError, match="more than 1 seconds"):
            worked(tmp_path, "busy", Limits(seconds=1))
        with pytest.raises(StoppedError, match="more than 1 seconds"):
            worked(tmp_path, "waiting", Limits(seconds=1))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no memory of a process")
    def test_G04_a_process_that_takes_memory_is_ended(self, tmp_path: Path) -> None:
        with pytest.raises(StoppedError, match="512 MiB of memory"):
            worked(tmp_path, "memory", Limits(seconds=20, memory=512 << 20))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no files of a process")
    @pytest.mark.parametrize("work", ["large_file", "many_files"])
    def test_G04_a_process_that_fills_the_disk_or_opens_files_is_ended(
        self, tmp_path: Path, work: str
    ) -> None:
        with pytest.raises(StoppedError, match="opens more than 32 files, or writes one of more"):
            worked(tmp_path, work, Limits(seconds=20, file=1 << 20, open_files=32))

    def test_G04_a_process_that_answers_without_an_end_is_ended(self, tmp_path: Path) -> None:
        with pytest.raises(StoppedError, match="answers more than 65536 bytes"):
            worked(tmp_path, "talking", Limits(seconds=20, answer=1 << 16))

    def test_G04_a_process_that_dies_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(StoppedError, match="code 9"):
            worked(tmp_path, "dying", Limits(seconds=20))

    def test_G04_it_inherits_nothing(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("SECRET_OF_THE_PIPELINE", "S3CR3T")
        found = worked(tmp_path, "environment", Limits(seconds=20))
        assert isinstance(found, list | dict)
        assert set(found) <= {"SYSTEMROOT", "TMPDIR", "TEMP", "LC_CTYPE"}

    def test_G04_errors_come_back_and_bugs_are_bugs(self, tmp_path: Path) -> None:
        with pytest.raises(WorkError, match="as it should be said"):
            worked(tmp_path, "refusing", Limits(seconds=20))
        with pytest.raises(WorkError, match=r"x.j2:3:1: error\[T236\] too deep"):
            worked(tmp_path, "finding", Limits(seconds=20))
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            worked(tmp_path, "broken", Limits(seconds=20))


WORK = """
import os, sys, time
sys.path[:0] = [{root!r}]
from generator.errors import GeneratorError
from generator.findings import Finding, FindingsError
from generator.untrusted import process

def busy():
    while True: pass
def waiting(): time.sleep(600)
def memory(): return len("x" * (1 << 31))
def large_file():
    with open("x", "wb") as file: file.write(b"x" * (2 << 20))
def many_files(): return len([open(os.devnull) for _ in range(100)])
def talking(): return "x" * (1 << 20)
def dying(): os._exit(9)
def environment(): return dict(os.environ)
def refusing(): raise GeneratorError("as it should be said")
def finding(): raise FindingsError([Finding("T236", "too deep", "x.j2", 3, 1)])
def broken(): return 1 / 0

if __name__ == "__main__":
    process.answer(lambda arguments: globals()[arguments[0]]())
"""


def worked(place: Path, work: str, most: Limits) -> object:
    """Runs one of the functions above as `process.run` runs a module of the program."""
    (place / "work_of_a_test.py").write_text(WORK.format(root=str(GENERATOR.parent)), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "_ROOT", place)
        return process.run("work_of_a_test", [work], place, most)


ODD_DOCUMENTS = {
    "nothing": b"",
    "no object": b"[]",
    "a number": b"7",
    "nested": b"[" * 100_000,
    "nested a little": b'{"a":' * 40 + b"1" + b"}" * 40,
    "not UTF-8": b'{"format": "\xff"}',
    "half a character": b'{"format": "\\ud800"}',
    "a name twice": b'{"format": 1, "format": 1}',
    "not a number": b'{"format": NaN}',
    "endless": b'{"format": 1e999}',
    "a long number": b'{"format": ' + b"9" * 5000 + b"}",
    "a byte order mark": b'\xef\xbb\xbf{"format": 1}',
}


class TestForeignJson:
    @pytest.mark.parametrize("case", ODD_DOCUMENTS)
    @pytest.mark.parametrize("schema", [contents.SCHEMA, manifest.SCHEMA])
    def test_G08_an_odd_document_is_a_finding(self, case: str, schema: Path) -> None:
        with pytest.raises(IntegrityError, match=r"^x"):
            document.read(ODD_DOCUMENTS[case], schema, "x")

    def test_G08_the_levels_of_a_document_are_counted_before_its_schema_is_asked(self) -> None:
        with pytest.raises(IntegrityError, match="more than 32 levels"):
            document.read(ODD_DOCUMENTS["nested a little"], contents.SCHEMA, "x")

    @pytest.mark.parametrize(("mistakes", "told"), [(1, 5), (900, 5), (2_000, 1)])
    def test_G08_of_a_large_document_one_mistake_is_told(self, mistakes: int, told: int) -> None:
        """All of them would fill the memory: some 2 KiB each."""
        with pytest.raises(IntegrityError) as caught:
            document.read(b'{"format": [%s]}' % b",".join([b"7"] * mistakes), contents.SCHEMA, "x")
        assert len(caught.value.lines) == 1 + told

    def test_G08_more_than_a_document_has_is_not_read(self, monkeypatch) -> None:
        monkeypatch.setattr(limits, "DOCUMENT", 10)
        with pytest.raises(IntegrityError, match="more than 10 bytes"):
            document.read(b"{" + b" " * 20 + b"}", contents.SCHEMA, "x")

    def test_G08_a_control_character_in_a_name_is_shown(self) -> None:
        with pytest.raises(IntegrityError) as caught:
            document.read(b'{"\\u001b[2J": 1}', contents.SCHEMA, "x")
        assert "\x1b" not in str(caught.value)

    ODD: tuple[Any, ...] = (
        {}, [], None, 7, "x", True, {"path": 7}, [{"path": "a"}], [[]], "x" * 5000, -1, 1e9,
        {"id": None}, {"window": []}, ["\x1b[2J"],
    )  # fmt: skip

    def test_G08_a_stranger_may_write_anything_into_list_and_manifest(self, monkeypatch):
        """Every value of both documents in turn becomes something else, sealed by a stranger."""
        by = stranger()
        rng = random.Random(3)
        files = archive.read(samples.sealed(by))
        made = {name: manifest.sha256(data) for name, data in files.items()}
        monkeypatch.setattr(process, "run", lambda *_: made)
        changed = 0
        for name in (contents.NAME, manifest.NAME):
            data = json.loads(files[name])
            for path in list(_places(data)):
                odd = json.loads(json.dumps({"": data}))
                other = [value for value in self.ODD if value != _at(odd, ("", *path))]
                _put(odd, ("", *path), rng.choice(other))
                text = json.dumps(odd[""], indent=2).encode() + b"\n"
                whole = _sealed_anew(files, name, text, by)
                assert verify.verify(whole, makers.trust(anchors=())).exit_code in (3, 4), path
                with contextlib.suppress(GeneratorError):
                    assert reproduce.differences(whole), path
                changed += 1
        assert changed > 80


def _places(value: object, path: tuple[object, ...] = ()):
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, item in value.items() if isinstance(value, dict) else ():
        yield from _places(item, (*path, key))


def _at(value, path) -> object:
    return functools.reduce(operator.getitem, path, value)


def _put(value, path, new) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def _sealed_anew(files, name: str, data: bytes, by) -> dict[str, bytes]:
    """The files with another list or manifest, under a seal that holds."""
    whole = {**files, name: data}
    if name == manifest.NAME:
        listed = contents.decode(files[contents.NAME])
        entry = {manifest.NAME: manifest.sha256(data)}
        size = {manifest.NAME: len(data)}
        whole[contents.NAME] = contents.encode(
            contents.Contents(
                listed.tool, listed.name, listed.change, listed.thumbprint, listed.subject,
                {**listed.files, **entry}, {**listed.sizes, **size},
            )
        )  # fmt: skip
    whole[contents.SEAL] = signer.sign_detached(whole[contents.NAME], by)
    return whole


class TestWhatNoListNames:
    NAMES = ("x.PS1", "x.bat", "x.psm1", "undo/x.txt", "inputs", "notes.txt", ".hidden", "sub/x")

    @pytest.mark.parametrize("name", NAMES)
    def test_G10_verify_and_package_see_every_file_in_a_built_folder(
        self, project: Path, tmp_path: Path, capsys, name: str
    ) -> None:
        built = tmp_path / "litwareinc"
        shutil.copytree(project / OUT, built)
        (built / name).parent.mkdir(exist_ok=True)
        (built / name).write_bytes(b"x")
        assert cli.run(["verify", str(built), *TRUST]) == 3
        said = capsys.readouterr().err
        assert f"{name}: not in the manifest" in said
        assert cli.run([PACKAGE[0], str(built), *PACKAGE[2:6], "--dry-run"]) == 3
        assert f"{name}: not in the manifest" in capsys.readouterr().err

    def test_G10_links_and_empty_folders_are_seen(self, project, tmp_path, capsys) -> None:
        built = tmp_path / "litwareinc"
        shutil.copytree(project / OUT, built)
        (built / "more").mkdir()
        (built / "link.ps1").symlink_to("RUNSHEET.md")
        assert cli.run(["verify", str(built), *TRUST]) == 3
        said = capsys.readouterr().err
        assert "more: not in the manifest" in said
        assert "link.ps1: not in the manifest" in said

    def test_G10_the_last_line_agrees_with_the_exit_code(self, project, tmp_path, capsys) -> None:
        built = tmp_path / "litwareinc"
        shutil.copytree(project / OUT, built)
        (built / "x.bat").write_bytes(b"x")
        assert cli.run(["verify", str(built), *TRUST]) == 3
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.endswith("1 problems around them: run nothing of it.")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
    def test_G10_a_pipe_in_an_unpacked_package_is_named_and_not_read(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(IntegrityError, match="neither a file nor a folder"):
            verify.load(tmp_path)
        with pytest.raises(UsageError, match="a pipe or a device"):
            folder.read_file(tmp_path / "pipe")


class TestSizes:
    def test_G08_a_file_is_read_up_to_its_limit_only(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"x" * 11)
        assert folder.read_file(tmp_path / "x", 11) == b"x" * 11
        with pytest.raises(IntegrityError, match="too large"):
            folder.read_file(tmp_path / "x", 10)
        with pytest.raises(UsageError, match="a pipe or a device"):
            folder.read_file(Path("/dev/zero"))

    def test_G08_a_folder_is_read_up_to_the_limits_only(self, tmp_path: Path, monkeypatch) -> None:
        for name in "abc":
            (tmp_path / name).write_bytes(b"x" * 10)
        monkeypatch.setattr(limits, "FILES", 2)
        with pytest.raises(IntegrityError, match="more than 2 files"):
            folder.read(tmp_path)
        monkeypatch.setattr(limits, "FILES", 9)
        monkeypatch.setattr(limits, "PACKAGE", 25)
        with pytest.raises(IntegrityError, match="too large"):
            folder.read(tmp_path)

    def test_G08_folders_in_folders_end(self, tmp_path: Path) -> None:
        deep = tmp_path
        for _ in range(120):
            deep /= "a"
            deep.mkdir()
        with pytest.raises(IntegrityError, match="characters in all"):
            folder.read(tmp_path)


def _mutated(rng: random.Random, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with some of them changed, renamed, removed, doubled or added."""
    found = dict(files)
    names = ["../x", "a/../b", "con", "x.PS1", "inputs/x", "RUNSHEET.md", "undo", "\x1b[2J", "é"]
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice(sorted(found))
        data = bytearray(found[name])
        match rng.randrange(6):
            case 0 if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
                found[name] = bytes(data)
            case 1:
                del found[name]
            case 2:
                found[rng.choice(names)] = found.pop(name)
            case 3:
                found[name] = bytes(data[: rng.randrange(len(data) + 1)])
            case 4:
                found[name] = found[rng.choice(sorted(found))]
            case _:
                found[rng.choice(names)] = bytes(data)
    return found


def _fuzz(count: int, seed: int, place: Path, project: Path) -> None:
    """Packages with structure and bytes changed, through verify and reproduce; none is accepted."""
    rng = random.Random(seed)
    whole = samples.small()
    files = archive.read(whole)
    path = place / "q.zip"
    for at in range(count):
        if rng.random() < 0.5:
            data = bytearray(whole)
            for _ in range(rng.randrange(1, 5)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            if rng.random() < 0.2:
                del data[rng.randrange(len(data)) :]
            changed = bytes(data)
        else:
            odd = _mutated(rng, files)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(names, "problems", lambda _: [])
                try:
                    changed = archive.write(odd)
                except UnicodeError:
                    continue
        if changed == whole:
            continue
        path.write_bytes(changed)
        for command in ("verify", "reproduce"):
            code = cli.run([command, str(path), "--anchors", str(project / "root.pem")])
            assert code in (3, 4), (at, command, code)
    assert sorted(p.name for p in place.iterdir()) == ["q.zip"]


def test_G08_mutated_packages_are_refused(project: Path, tmp_path: Path) -> None:
    _fuzz(150, 1, tmp_path, project)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_G08_many_mutated_packages_are_refused(project: Path, tmp_path: Path, part: int) -> None:
    _fuzz(600, 100 + part, tmp_path, project)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_G03_reproduce_leaves_nothing_behind(project: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "generator", "reproduce", "p.zip", *TRUST]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=project, env=environment, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
