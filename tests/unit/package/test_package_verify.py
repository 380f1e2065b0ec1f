"""Verifying a package: every byte of every file counts, and so does who signed it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from package import samples
from signing import makers
from signing.conftest import require

from generator import __version__
from generator.output import manifest
from generator.package import contents, verify
from generator.signing.codes import Code
from generator.signing.errors import IntegrityError
from generator.untrusted import archive

SCRIPT = "10-001-change_EX01.ps1"


def _files() -> dict[str, bytes]:
    return archive.read(samples.small())


def _judged(files, **changes) -> verify.Answer:
    return verify.verify(files, makers.trust(**changes))


def test_a_package_is_good():
    answer = _judged(_files())
    assert (answer.damage, answer.exit_code) == ([], 0)
    assert set(answer.signatures) == {*samples.SCRIPTS, contents.VERIFIER}


def test_the_same_inputs_give_the_same_package():
    assert samples.sealed(samples.identity()) == samples.small()


def _renamed(files):
    files["other.ps1"] = files.pop(SCRIPT)


def _case(files):
    files[SCRIPT.upper()] = files.pop(SCRIPT)


def _swapped(files):
    one, two, *_ = samples.SCRIPTS
    files[one], files[two] = files[two], files[one]


def _foreign(files):
    files[SCRIPT] = samples.signed(samples.SCRIPTS[SCRIPT], samples.identity(number=7))


def _stripped(files):
    files[SCRIPT] = samples.SCRIPTS[SCRIPT]


def _other_verifier(files):
    text = b"Write-Output 'all is well'\r\nexit 0\r\n"
    files[contents.VERIFIER] = samples.signed(text, samples.identity())


def _other_seal(files):
    other = archive.read(samples.sealed(samples.identity("rsa-3072")))
    files[contents.SEAL] = other[contents.SEAL]


def _other_list(files):
    files[contents.NAME] = files[contents.NAME].replace(b"CHG1", b"CHG2")


DAMAGE = {
    "changed": (lambda f: f.update({"RUNSHEET.md": b"# run sheet\n"}), "RUNSHEET.md: changed"),
    "missing": (lambda f: f.pop("RUNSHEET.md"), "RUNSHEET.md: missing"),
    "extra": (lambda f: f.update({"x.ps1": b"x"}), "x.ps1: not in the list"),
    "extra in a folder": (lambda f: f.update({"undo/x": b"x"}), "undo/x: not in the list"),
    "renamed": (_renamed, "renamed, it is called other.ps1"),
    "renamed in case": (_case, f"renamed, it is called {SCRIPT.upper()}"),
    "two swapped": (_swapped, "changed"),
    "signed by somebody else": (_foreign, "signed by somebody else"),
    "not signed": (_stripped, f"{SCRIPT}: changed"),
    "an input changed": (
        lambda f: f.update({"inputs/litware.yml": b"change: {x: 1}\n"}),
        "inputs/litware.yml: changed",
    ),
    "evidence missing": (lambda f: f.pop("evidence/rehearsal.json"), "rehearsal.json: missing"),
    "another verifier": (_other_verifier, "not the one of this package"),
    "no verifier": (lambda f: f.pop(contents.VERIFIER), "there is no Verify-Package.ps1"),
    "no seal": (lambda f: f.pop(contents.SEAL), "there is no package.json.p7s"),
    "no list": (lambda f: f.pop(contents.NAME), "there is no package.json"),
    "another list": (_other_list, "package.json.p7s: bad-signature"),
    "another seal": (_other_seal, "package.json.p7s"),
    "an empty seal": (lambda f: f.update({contents.SEAL: b""}), "package.json.p7s: malformed"),
    "a path upwards": (lambda f: f.update({"../x": b"x"}), "not a plain relative path"),
    "a device": (lambda f: f.update({"nul": b"x"}), "for a device"),
    "manifest missing": (lambda f: f.pop(manifest.NAME), "manifest.json"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named(case):
    change, message = DAMAGE[case]
    files = _files()
    change(files)
    answer = _judged(files)
    assert answer.exit_code == 3
    assert any(message in line for line in answer.damage), answer.damage


def _flipped(step: int) -> None:
    files = _files()
    for name, data in files.items():
        for at in range(0, len(data), step):
            changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            assert _judged({**files, name: changed}).exit_code == 3, (name, at)


def test_bytes_all_over_the_files_count():
    _flipped(37)


@pytest.mark.soak
def test_every_byte_of_every_file_counts():
    _flipped(1)


@pytest.mark.soak
def test_every_byte_of_the_archive_counts():
    data = samples.small()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(IntegrityError):
            archive.read(changed)


def test_random_damage_raises_nothing():
    rng = random.Random(11)
    names = sorted(_files())
    for _ in range(500):
        files = _files()
        name = rng.choice(names)
        data = bytearray(files[name])
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if bytes(data) == files[name]:
            continue
        files[name] = bytes(data)
        assert _judged(files).exit_code == 3


def test_another_signer_is_whole_but_not_accepted():
    stranger = makers.Authority("Stranger", number=96)
    assert _judged(_files(), anchors=(stranger.certificate,)).exit_code == 4
    answer = _judged(_files(), anchors=())
    assert (answer.exit_code, answer.damage) == (4, [])
    assert answer.seal is not None
    assert answer.seal.code == Code.UNTRUSTED


def test_scripts_of_another_signer_in_an_honest_seal_are_found():
    files = archive.read(samples.sealed(samples.identity(), samples.identity(number=7)))
    answer = _judged(files)
    assert any("signed by somebody else" in line for line in answer.damage)


def test_a_package_of_another_version_is_verified_all_the_same(monkeypatch):
    monkeypatch.setattr(verify, "__version__", "99")
    assert _judged(_files()).exit_code == 0
    files = _files()
    _other_verifier(files)
    assert _judged(files).exit_code == 3


def test_an_unpacked_package_is_verified_too(tmp_path: Path):
    for name, data in _files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert _judged(verify.load(tmp_path)).exit_code == 0
    (tmp_path / "link").symlink_to("RUNSHEET.md")
    with pytest.raises(IntegrityError, match="link"):
        verify.load(tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b'{"format": 1}', b"\xff", b"[" * 100_000]
)
def test_a_list_of_another_kind_is_refused(data):
    with pytest.raises(IntegrityError):
        contents.decode(data)


def test_a_list_in_other_words_is_refused():
    data = _files()[contents.NAME]
    assert contents.encode(contents.decode(data)) == data
    for changed in (data + b"\n", json.dumps(json.loads(data)).encode()):
        with pytest.raises(IntegrityError, match="not as"):
            contents.decode(changed)
    assert contents.decode(data).tool == __version__


def _openssl_accepts(openssl: str, folder: Path) -> bool:
    for name in (contents.NAME, contents.SEAL):
        (folder / name).write_bytes(_files()[name])
    (folder / "root.pem").write_bytes(makers.pem(makers.root().certificate))
    command = [
        openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", contents.SEAL,
        "-content", contents.NAME, "-CAfile", "root.pem", "-purpose", "any", "-out", "out",
    ]  # fmt: skip
    run = lambda: subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode  # noqa: E731
    good = run() == 0
    (folder / contents.NAME).write_bytes(_files()[contents.NAME].replace(b"CHG1", b"CHG2"))
    return good and run() != 0


def test_openssl_accepts_the_seal_and_no_other_list(tmp_path: Path):
    require(shutil.which("openssl"), "openssl")
    assert _openssl_accepts("openssl", tmp_path)
