"""What a signature block is: one rule for signer, builder, package and engine."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from builders import a_build
from engine.test_engine_values import START
from lab import toy
from package import samples
from programs import ROOT, pwsh
from signing import makers

from generator import cli
from generator.errors import OutputError
from generator.files import signature_block
from generator.output import bundle, comparison, manifest
from generator.package import contents, make
from generator.signing import folder as folders
from generator.signing import script, verify
from generator.signing.codes import Code
from generator.signing.errors import RefusedError
from generator.templating.powershell import content_hash
from generator.untrusted import archive

BODY = b"$name = 'EX01'\r\nWrite-Output $name\r\n"
BEGIN = b"\r\n# SIG # Begin signature block\r\n"
END = b"# SIG # End signature block\r\n"
FULL = b"# " + b"QUJD" * 16 + b"\r\n"


def block(*lines: bytes) -> bytes:
    return BEGIN + b"".join(b"# " + line + b"\r\n" for line in lines) + END


GOOD = {
    "one line": BODY + block(b"AAAA"),
    "a full line": BODY + BEGIN + FULL + END,
    "several lines": BODY + BEGIN + FULL * 3 + b"# QUI=\r\n" + END,
    "two signs of padding": BODY + block(b"QQ=="),
    "the last line is long": BODY + BEGIN + FULL + b"# " + b"QUJD" * 15 + b"QUI=\r\n" + END,
    "a byte order mark": b"\xef\xbb\xbf" + BODY + block(b"AAAA"),
    "letters beyond ASCII": b"\xef\xbb\xbf'\xc3\xab \xc5\xbf\xe2\x84\xaa'\r\n" + block(b"AAAA"),
    "markers with letters that look alike": (
        "\ufeff# \u017fig # Begin \u017fignature bloc\u212a\r\n".encode() + block(b"AAAA")
    ),
    "text with LF": BODY.replace(b"\r\n", b"\n") + block(b"AAAA"),
    "text without a line end": BODY[:-2] + block(b"AAAA"),
    "text of one character": b"a" + block(b"AAAA"),
    "half a marker in the text": b"# SIG # Begin signature\r\n" + BODY + block(b"AAAA"),
    "a signature": makers.signed(),
}
BAD = {
    "no lines": BODY + block(),
    "an empty line": BODY + block(b""),
    "code in it": BODY + BEGIN + b"Remove-Item x\r\n" + END,
    "code behind base64": BODY + block(b"AAAA; Remove-Item x"),
    "code between base64": BODY + BEGIN + FULL + b"Remove-Item x\r\n" + FULL + END,
    "a word that is no base64": BODY + block(b"harmless-words"),
    "LF after a line": BODY + BEGIN + b"# AAAA\n" + END,
    "LF and code in a line": BODY + block(b"AAAA\nRemove-Item x"),
    "CR in a line": BODY + block(b"AA\rAA"),
    "LF everywhere": (BODY + block(b"AAAA")).replace(b"\r\n", b"\n"),
    "doubled": BODY + block(b"AAAA") * 2,
    "doubled with code between": BODY + block(b"AAAA") + BODY + block(b"AAAA"),
    "a begin marker in small letters": BODY + BEGIN.lower() + b"# AAAA\r\n" + END,
    "an end marker in small letters": BODY + BEGIN + b"# AAAA\r\n" + END.lower(),
    "a marker in small letters before it": BEGIN.lower() + BODY + block(b"AAAA"),
    "an end marker in capitals before it": b"# " + END.upper() + BODY + block(b"AAAA"),
    "a marker in a string before it": b"'SIG # Begin signature block'\r\n" + block(b"AAAA"),
    "text behind it": BODY + block(b"AAAA") + b"Remove-Item x\r\n",
    "a line end behind it": BODY + block(b"AAAA") + b"\r\n",
    "blanks behind it": BODY + block(b"AAAA") + b"  ",
    "a NUL behind it": BODY + block(b"AAAA") + b"\0",
    "blanks behind the end marker": BODY + block(b"AAAA")[:-2] + b"  \r\n",
    "no line end behind it": BODY + block(b"AAAA")[:-2],
    "blanks behind the begin marker": BODY + block(b"AAAA").replace(b"block\r", b"block \r", 1),
    "a blank before the markers": BODY + block(b"AAAA").replace(b"# SIG", b" # SIG"),
    "no line end before it": BODY[:-2] + block(b"AAAA")[2:],
    "only LF before it": BODY[:-2] + b"\n" + block(b"AAAA")[2:],
    "only a block": block(b"AAAA"),
    "only a block without its line end": block(b"AAAA")[2:],
    "not canonical: a bit behind one byte": BODY + block(b"QR=="),
    "not canonical: a bit behind two bytes": BODY + block(b"QUJ="),
    "padding missing": BODY + block(b"QQ"),
    "padding too long": BODY + block(b"QQ==="),
    "padding in the middle": BODY + block(b"QQ==QUJD"),
    "padding in a line before the last": BODY + BEGIN + FULL[:-6] + b"QQ==\r\n" + FULL + END,
    "base64 for addresses": BODY + block(b"_-_-"),
    "a short line before the last": BODY + block(b"QUJD", b"QUJD"),
    "a line of 68": BODY + block(b"QUJD" * 17),
    "a line of 76": BODY + block(b"QUJD" * 19, b"QUJD"),
    "a line of 100,000": BODY + block(b"QUJD" * 25_000),
    "a line of 63": BODY + block(b"QUJD" * 15 + b"QUJ"),
    "XML comments": BODY + b"\r\n<!-- SIG # Begin signature block -->\r\n<!-- AAAA -->\r\n"
    b"<!-- SIG # End signature block -->\r\n",
    "C comments": BODY + b"\r\n/* SIG # Begin signature block */\r\n/* AAAA */\r\n"
    b"/* SIG # End signature block */\r\n",
    "no begin": BODY + END,
    "no end": BODY + BEGIN + b"# AAAA\r\n",
    "end before begin": BODY + b"\r\n" + END + BEGIN[2:],
    "a begin marker in the block": BODY + BEGIN + b"# AAAA\r\n" + BEGIN[2:] + b"# AAAA\r\n" + END,
    "two comment signs": BODY + BEGIN + b"## AAAA\r\n" + END,
    "two blanks": BODY + BEGIN + b"#  AAAA\r\n" + END,
    "a blank behind base64": BODY + block(b"AAAA "),
    "UTF-16": b"\xff\xfe" + (BODY + block(b"AAAA")).decode().encode("utf-16-le"),
}
NONE = {
    "no block": BODY,
    "nothing": b"",
    "a word about it": b"# The signature block is missing.\r\n" + BODY,
    "odd bytes": bytes(range(256)),
}
CORPUS = {**GOOD, **BAD, **NONE}


def mutants(count: int, seed: int) -> list[bytes]:
    """Files with a block, changed where a rule may have slack."""
    rng = Random(seed)
    pieces = (
        b"\r\n", b"\n", b"\r", b"# ", b"#", b" ", b"=", b"A", b"AAAA", b"/", b"-", b"\0", FULL,
        BEGIN, END, BEGIN.lower(), END.upper(), b"Remove-Item x\r\n", b"\xef\xbb\xbf",
    )  # fmt: skip
    found = []
    for _ in range(count):
        payload = rng.randbytes(rng.choice((1, 2, 3, 47, 48, 49, 95, 96, 97, 200)))
        data = bytearray(BODY + b"\r\n" + signature_block.render(payload).encode())
        for _ in range(rng.choice((0, 1, 1, 2))):
            at = rng.randrange(len(BODY) - 4, len(data) + 1)
            kind = rng.randrange(4)
            if kind == 0:
                data[at:at] = rng.choice(pieces)
            elif kind == 1:
                del data[at : at + rng.choice((1, 2, 3, 68))]
            elif kind == 2 and at < len(data):
                data[at] = rng.choice(b"AZaz09+/= #\r\n\0\xc5")
            elif at < len(data):
                data[at] ^= 0x20
        found.append(bytes(data))
    return found


@pytest.mark.parametrize("case", CORPUS)
def test_G07_the_rule(case: str) -> None:
    data = CORPUS[case]
    left = signature_block.without(data)
    assert (left != data) is (case in GOOD)
    if case in GOOD:
        _, payload = signature_block.split(data.decode("latin-1"))
        assert payload is not None
        assert left + b"\r\n" + signature_block.render(payload).encode() == data


def read_by_the_signer(data: bytes) -> tuple[bytes, bytes | None] | Code:
    try:
        read = script.read(data)
    except RefusedError as error:
        return error.code
    return read.body, read.signature


@pytest.mark.parametrize("case", sorted(CORPUS.keys() - {"UTF-16"}))
def test_G07_the_signer_has_the_same_rule(case: str) -> None:
    """What the signer takes for a block everybody leaves out, and nothing else."""
    data = CORPUS[case]
    read = read_by_the_signer(data)
    if isinstance(read, Code):
        assert case not in GOOD
        assert signature_block.without(data) == data
    else:
        assert read[0] == signature_block.without(data)
        assert (read[1] is not None) is (case in GOOD)


OWN = "f" * 64


def engine_hashes(files: list[bytes], place: Path) -> list[str]:
    """What Get-ContentHash of the engine answers for each file, all in one PowerShell."""
    text = (toy.SPINE / "engine.ps1").read_text()
    return hashes(files, place, START + text[: text.index("$facts = @{")], f"-OwnHash '{OWN}'")


def launcher_hashes(files: list[bytes], place: Path) -> list[str]:
    """What Get-ContentHash of Start-Change.ps1 answers, which finds the own hash by itself."""
    text = (toy.SPINE / "start_change.ps1.j2").read_text()
    begin, end = (text.index(f"function {name}") for name in ("Get-ContentHash", "Get-RunbookPath"))
    return hashes(files, place, text[begin:end], "")


def hashes(files: list[bytes], place: Path, functions: str, words: str) -> list[str]:
    for number, data in enumerate(files):
        (place / f"{number}.ps1").write_bytes(data)
    loop = (
        f"foreach ($number in 0..{len(files) - 1}) {{\n"
        f'    Get-ContentHash -Path "{place}/$number.ps1" {words}\n}}\n'
    )
    (place / "unit.ps1").write_text(functions + loop)
    done = subprocess.run(
        [pwsh(), "-NoProfile", "-File", str(place / "unit.ps1")],
        check=False, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("answers", [engine_hashes, launcher_hashes])
def test_G07_the_engine_has_the_same_rule(
    tmp_path: Path, answers: Callable[[list[bytes], Path], list[str]]
) -> None:
    files = [*CORPUS.values(), *mutants(600, 7)]
    found = answers(files, tmp_path)
    assert len(found) == len(files)
    for data, answer in zip(files, found, strict=True):
        assert answer == content_hash(data, OWN), data
    cut = [data for data in files if signature_block.without(data) != data]
    assert len(cut) > 100
    assert len(files) - len(cut) > 100


@pytest.mark.soak
def test_G07_the_engine_has_the_same_rule_for_many_more(tmp_path: Path) -> None:
    files = mutants(20_000, 8)
    for data, answer in zip(files, engine_hashes(files, tmp_path), strict=True):
        assert answer == content_hash(data, OWN), data


def test_G07_signer_and_leaver_agree_on_every_mutant() -> None:
    for data in mutants(4_000, 9):
        read = read_by_the_signer(data)
        if read == Code.MALFORMED_BLOCK:
            assert signature_block.without(data) == data
        elif not isinstance(read, Code):
            assert read[0] == signature_block.without(data)


@pytest.mark.parametrize("style", list(signature_block.Style))
def test_G07_what_is_rendered_is_split(style: signature_block.Style) -> None:
    for size in (1, 2, 3, 47, 48, 49, 1_000):
        payload = bytes(range(256)) * 4
        text = "text\r\n" + "\r\n" + signature_block.render(payload[:size], style)
        assert signature_block.split(text, style) == ("text\r\n", payload[:size])


# A made-up block hides nothing from a build, a check, a difference and a rebuild.

SCRIPT = "10-001-directory-set-address_APP01.ps1"


def made_up(name: str, data: bytes) -> bytes:
    return {
        "code in it": data + BEGIN + b"Remove-Item x\r\n" + END,
        "code and base64": data + BEGIN + FULL + b"Remove-Item x\r\n" + END,
        "no lines": data + block(),
        "words": data + block(b"approved-by-the-board"),
        "base64 of nothing": data + block(b"AAAA"),
        "base64 of words": data + block(base64.b64encode(b"approved by the board")),
        "the signature of another script": data + makers.signed().removeprefix(makers.SCRIPT),
        "small letters": data + BEGIN.lower() + b"# AAAA\r\n" + END.lower(),
        "LF": data + block(b"AAAA").replace(b"\r\n", b"\n"),
        "a blank behind it": data + block(b"AAAA") + b" ",
    }[name]


MADE_UP = (
    "code in it", "code and base64", "no lines", "words", "base64 of nothing", "base64 of words",
    "the signature of another script", "small letters", "LF", "a blank behind it",
)  # fmt: skip


def record_again(folder: Path) -> None:
    """Somebody who changes a file and knows better also changes what the folder says of it."""
    found = folders.load(folder)
    files = {name: (folder / name).read_bytes() for name in manifest.hashes(found.record)}
    data = manifest.encode(manifest.with_files(found.record, files))
    record = manifest.with_files(found.record, files)
    (folder / manifest.NAME).write_bytes(data)
    (folder / manifest.SUMS).write_bytes(manifest.sums(record, data))


@pytest.fixture(scope="module")
def signed_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("project")
    certificate = makers.pem(makers.code_certificate("rsa-3072"))
    (place / "signer.pem").write_bytes(makers.key_pem("rsa-3072") + certificate)
    inventory = (ROOT / "inventories" / "litwareinc.yml").read_bytes()
    (place / "litwareinc.yml").write_bytes(inventory)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert cli.run(["build", "litwareinc.yml"]) == 0
        assert cli.run(["sign", "out/litwareinc", "--key", "signer.pem"]) == 0
        assert cli.run(["build", "litwareinc.yml", "--check", "--diff"]) == 0
    return place


def all_files(folder: Path) -> dict[Path, bytes]:
    return {one: one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@pytest.mark.parametrize("recorded", [False, True], ids=["", "recorded"])
@pytest.mark.parametrize("name", MADE_UP)
def test_G07_a_build_does_not_take_a_made_up_block(
    name: str, recorded: bool, tmp_path: Path
) -> None:
    folder = bundle.write(a_build(), tmp_path).folder
    path = folder / SCRIPT
    plain = path.read_bytes()
    path.write_bytes(made_up(name, plain))
    if recorded:
        record_again(folder)
    changed = all_files(folder)
    found = bundle.write(a_build(), tmp_path, force=True, dry_run=True, holds=verify.holds)
    assert found.comparison.edited == (SCRIPT,)
    with pytest.raises(OutputError, match=f"{SCRIPT}: edited"):
        bundle.write(a_build(), tmp_path, holds=verify.holds)
    assert all_files(folder) == changed
    bundle.write(a_build(), tmp_path, force=True, holds=verify.holds)
    assert path.read_bytes() == plain


def test_G07_a_build_keeps_a_signature_that_holds(tmp_path: Path) -> None:
    folder = bundle.write(a_build(), tmp_path).folder
    path = folder / SCRIPT
    path.write_bytes(makers.signed(path.read_bytes()))
    record_again(folder)
    before = all_files(folder)
    assert bundle.write(a_build(), tmp_path, holds=verify.holds).unchanged
    assert all_files(folder) == before
    # One that is signed and has another text meanwhile is not somebody's work either.
    found = bundle.write(a_build(body="another"), tmp_path, dry_run=True, holds=verify.holds)
    assert SCRIPT in found.comparison.changed


@pytest.mark.parametrize("name", ["code in it", "base64 of words"])
def test_G07_the_command_tells_of_a_made_up_block(
    name: str, signed_project: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(signed_project)
    folder = Path("out/litwareinc")
    path = min(folder.glob("10-*.ps1"))
    whole = all_files(folder)
    plain = signature_block.without(path.read_bytes())
    path.write_bytes(made_up(name, plain))
    record_again(folder)
    try:
        capsys.readouterr()
        assert cli.run(["build", "litwareinc.yml", "--check", "--diff"]) == 1
        shown = capsys.readouterr().out
        assert f"edited   {path.name}\n" in shown
        assert f"--- {path.as_posix()} (present)\n" in shown
        assert cli.run(["build", "litwareinc.yml"]) == 1
        assert f"{path.name}: edited" in capsys.readouterr().err
        assert cli.run(["build", "litwareinc.yml", "--force"]) == 0
        assert path.read_bytes() == plain
    finally:
        for one, data in whole.items():
            one.write_bytes(data)


def test_G07_a_stale_script_with_a_made_up_block_was_edited(tmp_path: Path) -> None:
    """Also one that this build does not have: it is not removed as if a build had left it."""
    folder = bundle.write(a_build(), tmp_path).folder
    path = folder / SCRIPT
    path.write_bytes(made_up("code in it", path.read_bytes()))
    digests = manifest.recorded(
        (folder / manifest.NAME).read_bytes(), (folder / manifest.SUMS).read_bytes()
    )
    sums = dict(digests)
    sums[SCRIPT] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / manifest.NAME).unlink()
    del sums[manifest.NAME], sums[manifest.SUMS]
    (folder / manifest.SUMS).write_bytes(b"".join(manifest.sums_of(sums)))
    found = comparison.compare({}, folder)
    assert SCRIPT in found.edited
    assert SCRIPT not in found.stale


@pytest.mark.parametrize("name", ["code in it", "words", "base64 of words", "small letters"])
def test_G07_reproduce_does_not_take_a_made_up_block(
    name: str, signed_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A package whose list and seal are right, by whoever made the block."""
    monkeypatch.chdir(signed_project)
    if not Path("p.zip").exists():
        make_package = ["package", "out/litwareinc", "--inventory", "litwareinc.yml"]
        assert cli.run([*make_package, "--key", "signer.pem", "--output", "p.zip"]) == 0
        assert cli.run(["reproduce", "p.zip", "--allow-untrusted"]) == 0
    own = {contents.NAME, contents.SEAL, contents.VERIFIER}
    packed = archive.read(Path("p.zip").read_bytes())
    files = {path: data for path, data in packed.items() if path not in own}
    path = min(path for path in files if path.startswith("10-"))
    files[path] = made_up(name, signature_block.without(files[path]))
    record = manifest.with_files(folders.load(Path("out/litwareinc")).record, files)
    files[manifest.NAME] = manifest.encode(record)
    files[manifest.SUMS] = manifest.sums(record, files[manifest.NAME])
    folder = folders.Folder(tmp_path, record)
    (tmp_path / "evil.zip").write_bytes(make.seal(files, folder, samples.identity()))
    capsys.readouterr()
    assert cli.run(["reproduce", str(tmp_path / "evil.zip")]) in (3, 5)
    assert path in capsys.readouterr().err
