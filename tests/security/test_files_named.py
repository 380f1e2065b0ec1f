"""Files that somebody named: judged before they are opened, written whole or not at all."""

from __future__ import annotations

import ast
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import a_build
from cryptography.hazmat.primitives.serialization import Encoding
from programs import ROOT
from security import desk
from signing import makers

from generator import cli
from generator.errors import UnwritableError
from generator.files import atomic, folder_swap, named
from generator.files.named import UnreadableError, Why
from generator.output import bundle, manifest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    desk.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["digest", "a.ps1", *desk.CERT, "--output", "r.json"]) == 0
    assert cli.run(["sign", "b.ps1", *desk.KEY]) == 0
    return tmp_path


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("hidden.pipe"))
    path.symlink_to("hidden.pipe")


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def socket_file(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def folder(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 << 30)


ODD = [pipe, link_to_pipe, link_to_zero, link_to_terminal, socket_file, folder, huge]

# `odd` stands where a file is wanted.
READS = {
    "key": ["sign", "a.ps1", "--key", "odd"],
    "certificate": ["sign", "a.ps1", "--key", "key.pem", "--cert", "odd"],
    "certificate of a request": ["digest", "a.ps1", "--cert", "odd", "--output", "x.json"],
    "certificate of a command": ["sign", "a.ps1", "--key-command", "x", "--cert", "odd"],
    "passphrase": ["sign", "a.ps1", "--key", "key.pem", *desk.CERT, "--pass-file", "odd"],
    "request to sign": ["sign", "odd.json", *desk.KEY],
    "request to attach": ["attach", "a.ps1", "--request", "odd"],
    "anchors": ["verify", "b.ps1", "--anchors", "odd"],
    "anchors of time": ["verify", "b.ps1", "--tsa-anchors", "odd"],
    "revocation list": ["verify", "b.ps1", "--anchors", "root.pem", "--crl", "odd"],
    "script to sign": ["sign", "odd.ps1", *desk.KEY],
    "script to verify": ["verify", "odd.ps1", "--anchors", "root.pem"],
    "script to strip": ["strip", "odd.ps1"],
    "script to inspect": ["inspect", "odd.ps1"],
    "script to stamp": ["timestamp", "odd.ps1", "--timestamp", "http://localhost:9/"],
    "package to verify": ["verify", "odd.zip", "--anchors", "root.pem"],
    "package to reproduce": ["reproduce", "odd.zip"],
    "inventory": ["validate", "odd.yml"],
    "evidence": [
        "package", desk.FOLDER, "--inventory", "x.yml", *desk.KEY, "--evidence", "odd",
    ],
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=lambda make: make.__name__)
@pytest.mark.parametrize("what", READS)
def test_G14_nothing_is_waited_for_and_nothing_endless_is_read(
    what: str, odd: Callable[[Path], None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = READS[what]
    name = next(word for word in command if word.partition(".")[0] == "odd")
    odd(Path(name))
    before = desk.everything(place) if odd is not huge else {}
    code = desk.run(*command)
    shown = "".join(capsys.readouterr())
    assert 1 <= code <= 4, shown
    assert "Traceback" not in shown
    # A folder may be an unpacked package; then it is one without any files.
    assert name in shown or (odd is folder and "package" in shown)
    if odd is not huge:
        assert desk.everything(place) == before


@pytest.mark.parametrize("odd", [pipe, link_to_pipe, link_to_zero], ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", [manifest.NAME, manifest.SUMS, "10-001-change_EX01.ps1"])
@pytest.mark.parametrize(
    "command",
    [["sign", desk.FOLDER, *desk.KEY], ["verify", desk.FOLDER, "--anchors", "root.pem"]],
    ids=["sign", "verify"],
)
def test_G14_files_of_a_built_folder(
    command: list[str], name: str, odd: Callable[[Path], None]
) -> None:
    path = Path(desk.FOLDER, name)
    path.unlink()
    odd(path)
    assert desk.run(*command) in (2, 3)


@pytest.mark.parametrize("odd", [pipe, link_to_pipe, link_to_zero], ids=lambda make: make.__name__)
def test_G14_an_edited_file_that_is_a_pipe_is_compared_with_nothing(
    odd: Callable[[Path], None], tmp_path: Path
) -> None:
    """A difference does not read it, be the file of this build or of an earlier one."""
    inventory = ROOT / "inventories" / "litwareinc.yml"
    assert cli.run(["build", str(inventory)]) == 0
    written = tmp_path / "out" / "litwareinc"
    first = min(written.glob("10-*.ps1"))
    stale = written / "99-999-gone.ps1"
    sums = (written / manifest.SUMS).read_bytes() + b"0" * 64 + b"  99-999-gone.ps1\n"
    (written / manifest.SUMS).write_bytes(sums)
    first.unlink()
    odd(first)
    stale.symlink_to(first.name)
    assert desk.run("build", str(inventory), "--check", "--diff") == 1


@pytest.mark.parametrize(
    "odd", [pipe, link_to_pipe, link_to_zero, socket_file, folder], ids=lambda make: make.__name__
)
def test_G14_a_lock_that_is_no_file_is_not_waited_for(
    odd: Callable[[Path], None], tmp_path: Path
) -> None:
    target = tmp_path / "out" / "contoso"
    odd(folder_swap.lock_path(target))
    before = sorted(path.name for path in target.parent.iterdir())

    def build() -> int:
        with pytest.raises(UnwritableError, match="keeps its lock"):
            bundle.write(a_build(), target.parent)
        return 0

    assert desk.in_time(build) == 0
    assert sorted(path.name for path in target.parent.iterdir()) == before


def test_G14_what_stands_in_the_place_of_a_growing_folder_goes(tmp_path: Path) -> None:
    target = tmp_path / "out" / "contoso"
    folder_swap.growing_path(target).symlink_to("/etc")
    folder_swap.retired_path(target).write_bytes(b"")
    assert bundle.write(a_build(), target.parent).comparison.new
    assert sorted(path.name for path in target.parent.iterdir()) == ["contoso", "litware"]


class TestRead:
    def test_G14_reasons(self, place: Path) -> None:
        for make, why in (
            (pipe, Why.SPECIAL),
            (link_to_zero, Why.SPECIAL),
            (folder, Why.FOLDER),
            (huge, Why.LARGE),
        ):
            path = place / f"x-{make.__name__}"
            make(path)
            with pytest.raises(UnreadableError) as caught:
                named.read(path)
            assert caught.value.why is why
            assert caught.value.exit_code == 2
        for name, why in (
            ("missing", Why.MISSING),
            ("a\0b", Why.OTHER),
            ("x" * 5_000, Why.OTHER),
            ("\ud800", Why.OTHER),
            ("a.ps1/x", Why.OTHER),
        ):
            with pytest.raises(UnreadableError) as caught:
                named.read(Path(name))
            assert caught.value.why is why

    def test_G14_the_limit_is_met_while_reading(self, place: Path) -> None:
        path = place / "x"
        path.write_bytes(b"x" * 1_000)
        assert named.read(path, 1_000) == b"x" * 1_000
        with pytest.raises(UnreadableError, match="at most 0 KiB"):
            named.read(path, 999)

    def test_G14_a_file_that_grows_after_it_was_judged(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as those below /proc, which say that they hold nothing."""
        path = place / "x"
        path.write_bytes(b"x" * 1_000)

        def nothing(found: os.stat_result) -> os.stat_result:
            return os.stat_result((*found[:6], 0, *found[7:10]))

        real, real_of_handle = Path.stat, os.fstat
        monkeypatch.setattr(Path, "stat", lambda self, **more: nothing(real(self, **more)))
        monkeypatch.setattr(os, "fstat", lambda handle: nothing(real_of_handle(handle)))
        assert named.read(path, 1_000) == b"x" * 1_000
        with pytest.raises(UnreadableError):
            named.read(path, 999)

    def test_G14_what_becomes_a_pipe_between_judging_and_opening(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, other = place / "x", place / "y"
        path.write_bytes(b"x")
        pipe(other)
        real = os.open
        monkeypatch.setattr(os, "open", lambda _, *more: real(other, *more))

        def read() -> int:
            with pytest.raises(UnreadableError) as caught:
                named.read(path)
            return int(caught.value.why is Why.SPECIAL)

        assert desk.in_time(read) == 1


# Writing: one writer, whole or not at all.


def writers(place: Path) -> dict[str, tuple[list[str], Path]]:
    """Every command that writes a file which somebody names."""
    return {
        "schema": (["schema", "--output", "new.json"], place / "new.json"),
        "request": (["digest", "a.ps1", *desk.CERT, "--output", "new.json"], place / "new.json"),
        "answer": (["sign", "new.json", *desk.KEY], place / "new.json"),
        "script": (["sign", "new.ps1", *desk.KEY], place / "new.ps1"),
        "stripped": (["strip", "new.ps1"], place / "new.ps1"),
    }


NEW = ("schema", "request")


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o027, 0o077])
@pytest.mark.parametrize("name", NEW)
def test_G12_the_umask_counts_for_new_files(name: str, umask: int, place: Path) -> None:
    command, path = writers(place)[name]
    before = os.umask(umask)
    try:
        assert cli.run(command) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_G12_the_umask_counts_for_packages_and_built_folders(umask: int, tmp_path: Path) -> None:
    inventory = str(ROOT / "inventories" / "litwareinc.yml")
    out, more = "out/litwareinc", ["--inventory", inventory, "--output", "new.zip"]
    before = os.umask(umask)
    try:
        assert cli.run(["build", inventory]) == 0
        assert cli.run(["sign", out, *desk.KEY]) == 0
        assert cli.run(["package", out, *desk.KEY, *more]) == 0
    finally:
        os.umask(before)
    for path in (tmp_path / "new.zip", *(tmp_path / out).rglob("*.*")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask, path


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
@pytest.mark.parametrize("name", ["schema", "request", "answer", "script", "stripped"])
def test_G12_a_file_that_is_replaced_keeps_its_rights(name: str, mode: int, place: Path) -> None:
    command, path = writers(place)[name]
    source = {"answer": "r.json", "script": "a.ps1", "stripped": "b.ps1"}.get(name, "r.json")
    path.write_bytes(Path(source).read_bytes() if source != "r.json" or name == "answer" else b"")
    path.chmod(mode)
    before = path.read_bytes()
    assert cli.run(command) == 0
    assert path.read_bytes() != before
    assert stat.S_IMODE(path.stat().st_mode) == mode


def link_to_file(path: Path) -> None:
    path.symlink_to("certificate.pem")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    "odd",
    [pipe, link_to_pipe, link_to_zero, socket_file, folder, link_to_file, dangling],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("name", NEW)
def test_G14_what_is_no_file_is_not_written_over(
    name: str, odd: Callable[[Path], None], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, path = writers(place)[name]
    odd(path)
    kind = path.lstat().st_mode
    names = sorted(one.name for one in place.iterdir())
    before = desk.everything(place)
    assert desk.run(*command) == 2
    assert "new.json" in capsys.readouterr().err
    assert path.lstat().st_mode == kind
    assert sorted(one.name for one in place.iterdir()) == names
    assert desk.everything(place) == before


@pytest.mark.parametrize("fault", ["open", "write", "replace"])
@pytest.mark.parametrize("name", ["schema", "request", "answer", "script", "stripped"])
def test_G12_what_cannot_be_written_is_one_error_that_names_the_file(
    name: str, fault: str, place: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command, path = writers(place)[name]
    source = {"script": "a.ps1", "stripped": "b.ps1"}.get(name, "r.json")
    path.write_bytes(Path(source).read_bytes())
    before = desk.everything(place)
    full = OSError(28, "No space left on device", "/somewhere/.hidden.new")
    if fault == "open":
        real = os.open

        def refuse(file: str, flags: int, *more: int) -> int:
            if flags & os.O_CREAT:
                raise full
            return real(file, flags, *more)

        monkeypatch.setattr(os, "open", refuse)
    elif fault == "write":

        class Full:
            def __init__(self, handle: int) -> None:
                self.handle = handle

            def __enter__(self) -> Full:
                return self

            def __exit__(self, *_: object) -> None:
                os.close(self.handle)

            def write(self, data: bytes) -> None:
                raise full

        monkeypatch.setattr(os, "fdopen", lambda handle, mode: Full(handle))
    else:
        monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(full))
    capsys.readouterr()
    assert cli.run(command) == 2
    monkeypatch.undo()
    shown = capsys.readouterr().err
    assert f"{path.name}: cannot be written: No space left on device." in shown
    assert "hidden" not in shown
    assert ".new" not in shown
    assert desk.everything(place) == before


def test_G12_a_folder_that_cannot_be_written_ends_alike(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Building and signing a folder, a package, one file: one exit code, no hidden name."""
    inventory = str(ROOT / "inventories" / "litwareinc.yml")
    assert cli.run(["build", inventory]) == 0
    out = "out/litwareinc"
    real, real_bytes = Path.open, Path.write_bytes

    def refuse(self: Path, mode: str = "r", *more: Any, **others: Any) -> object:
        if "w" in mode:
            raise OSError(28, "No space left on device", str(self))
        return real(self, mode, *more, **others)

    def refuse_bytes(self: Path, data: bytes) -> int:
        if self.suffix == ".ps1":
            raise OSError(28, "No space left on device", str(self))
        return real_bytes(self, data)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse_bytes)
    capsys.readouterr()
    for command in (["build", inventory, "--out", "other"], ["sign", out, *desk.KEY]):
        assert cli.run(command) == 2
        shown = capsys.readouterr().err
        assert ".ps1: cannot be written: No space left on device" in shown
        assert ".new" not in shown
        assert "litwareinc/" in shown


def test_G12_several_files_are_all_on_the_disk_before_one_is_replaced(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = desk.everything(place)
    (place / "locked").mkdir()
    with pytest.raises(UnwritableError, match="locked"):
        atomic.write_all({place / "a.ps1": b"new", place / "locked": b"new"})
    assert desk.everything(place) == before
    names: list[Path] = []
    real = Path.replace

    def second_fails(self: Path, target: Path) -> Path:
        names.append(target)
        if len(names) == 2:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", second_fails)
    with pytest.raises(UnwritableError) as caught:
        atomic.write_all({place / "a.ps1": b"new", place / "b.ps1": b"new", place / "c": b"new"})
    assert caught.value.lines == (
        f"{place / 'b.ps1'}: cannot be written: Permission denied.",
        f"{place / 'a.ps1'}: was written before that.",
    )
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


WRITERS = {
    "files/atomic.py",  # the writer
    "output/bundle.py",  # the growing folder
    "signing/folder.py",  # the growing folder
    "files/folder_swap.py",  # the lock
    "untrusted/folder.py",  # a new folder, which is thrown away
    "doctor.py",  # a probe, which is thrown away
}


def test_G12_nobody_else_writes_files() -> None:
    found = set()
    for path in sorted((ROOT / "generator").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            modes = [
                one.value
                for one in (*node.args, *(word.value for word in node.keywords))
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            opens = name in ("open", "fdopen") and any(set(mode) & set("wax+") for mode in modes)
            if opens or name in ("write_bytes", "write_text", "mkstemp", "NamedTemporaryFile"):
                found.add(path.relative_to(ROOT / "generator").as_posix())
    assert found <= WRITERS


# What contradicts itself.


def cert(name: str, **options: object) -> Path:
    path = Path(name)
    path.write_bytes(makers.pem(makers.root().issue(name, **options)))
    return path


def test_G12_a_certificate_beside_the_key_must_not_contradict_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renewed = cert("renewed.pem", key=makers.private_key(desk.KIND))
    other = cert("other.pem", key=makers.private_key(desk.KIND, 7))
    before = desk.everything(place)
    for given, message in (
        (renewed, "several certificates for this key"),
        (other, "neither CN=Signer rsa-3072"),
    ):
        capsys.readouterr()
        assert cli.run(["sign", "a.ps1", *desk.KEY, "--cert", str(given)]) == 2
        shown = capsys.readouterr().err
        assert message in shown
        assert f"  CN={given}  " in shown
        assert desk.everything(place) == before
    twice = ["--cert", "certificate.pem", "--cert", "renewed.pem"]
    assert cli.run(["sign", "a.ps1", "--key", "key.pem", *twice]) == 2
    assert desk.everything(place) == before


def test_G12_a_certificate_beside_a_pfx_must_not_contradict_it(place: Path) -> None:
    from signing.test_signing_keys import _pfx  # noqa: PLC0415

    (place / "signer.pfx").write_bytes(_pfx(desk.KIND, None))
    renewed = cert("renewed.pem", key=makers.private_key(desk.KIND))
    assert cli.run(["sign", "a.ps1", "--key", "signer.pfx", "--cert", str(renewed)]) == 2
    assert cli.run(["sign", "a.ps1", "--key", "signer.pfx", *desk.CERT]) == 0


@pytest.mark.parametrize(
    "command",
    [
        ["digest", "a.ps1", "--output", "x.json", *desk.CERT, "--cert", "other.pem"],
        ["sign", "a.ps1", "--key-command", "x", *desk.CERT, "--cert", "other.pem"],
        ["sign", "a.ps1", "--pkcs11-module", "x", *desk.CERT, "--cert", "other.pem"],
    ],
)
def test_G12_a_certificate_that_belongs_to_nothing_is_refused_for_every_key(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cert("other.pem", key=makers.private_key(desk.KIND, 7))
    assert cli.run(command) == 2
    assert "  CN=other.pem  " in capsys.readouterr().err


def test_G12_the_chain_above_the_signer_is_no_contradiction(place: Path) -> None:
    below = makers.middle().issue("Below", makers.private_key(desk.KIND))
    chain = makers.pem(makers.root().certificate, makers.middle().certificate)
    (place / "below.pem").write_bytes(makers.key_pem(desk.KIND) + makers.pem(below))
    (place / "chain.pem").write_bytes(chain)
    (place / "der.cer").write_bytes(makers.middle().certificate.public_bytes(Encoding.DER))
    assert cli.run(["sign", "a.ps1", "--key", "below.pem", "--cert", "chain.pem"]) == 0
    assert cli.run(["verify", "a.ps1", "--anchors", "root.pem"]) == 0
    again = ["sign", "a.ps1", "--again", "--key", "below.pem", "--cert", "der.cer"]
    assert cli.run([*again, "--cert", "root.pem"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--token", "x"], "--token: only for a key on a token"),
        (["--key-label", "x", "--key-id", "00"], "--key-label, --key-id: only for a key on a"),
        (["--pass-env", "X", "--pass-file", "x"], "name one place of the passphrase"),
    ],
)
def test_G12_an_option_is_never_ignored_in_silence(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sign", "a.ps1", *desk.KEY, *options]) == 2
    assert message in capsys.readouterr().err
