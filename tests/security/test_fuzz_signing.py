"""Requests, answers, keys, certificates, lists and passphrases, changed in every way.

Each goes through the command. It ends with an exit code of its own, says it in few clean lines,
and either does all of its work or leaves everything as it was.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from security import desk, fuzz
from signing import makers
from signing.test_signing_keys import _pfx

from generator import cli
from generator.signing import request
from generator.signing.cms.algorithms import Hash
from generator.signing.errors import IntegrityError, SigningError

SAMPLE, WHOLE = 150, 2_500
KIND = "rsa-2048"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(desk, "KIND", KIND)
    desk.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHRASE", "x")
    (tmp_path / "s.ps1").write_bytes(makers.signed())
    return tmp_path


def _requests(seed: int, count: int, *, answered: bool) -> Iterator[bytes]:
    more = ["--program", "Name", "--url", "https://example.com/"]
    command = ["digest", "a.ps1", "b.ps1", *desk.CERT, "--cert", "root.pem", *more]
    assert cli.run([*command, "--output", "made.json"]) == 0
    if answered:
        assert cli.run(["sign", "made.json", *desk.KEY]) == 0
    data = Path("made.json").read_bytes()
    Path("made.json").unlink()
    return fuzz.json_mutants(data, seed, count)


Change = Callable[[bytes, Random], bytes]


def _mutants(data: bytes, change: Change, seed: int, count: int) -> Iterator[bytes]:
    rng = Random(seed)
    return (change(data, rng) for _ in range(count))


def _der(certificate: object) -> bytes:
    return certificate.public_bytes(Encoding.DER)  # type: ignore[attr-defined]


def _passphrase(_: bytes, rng: Random) -> bytes:
    return rng.choice((b"", rng.randbytes(rng.randrange(40)), b"x\n", b"x" * rng.randrange(9)))


SIGN = ["sign", "a.ps1", "--key", "mutant"]
CASES: dict[str, tuple[list[str], Callable[[int, int], Iterator[bytes]]]] = {
    "request": (
        ["sign", "mutant.json", *desk.KEY],
        lambda seed, count: _requests(seed, count, answered=False),
    ),
    "answer": (
        ["attach", "a.ps1", "b.ps1", "--request", "mutant.json"],
        lambda seed, count: _requests(seed, count, answered=True),
    ),
    "PEM key and certificate": (
        SIGN,
        lambda *how: _mutants(
            makers.key_pem(KIND) + makers.pem(makers.code_certificate(KIND)), fuzz.pem_mutant, *how
        ),
    ),
    "encrypted PEM key": (
        [*SIGN, *desk.CERT, "--pass-env", "PHRASE"],
        lambda *how: _mutants(makers.key_pem(KIND, b"x"), fuzz.pem_mutant, *how),
    ),
    "EC key": (
        [*SIGN, "--allow-ecdsa"],
        lambda *how: _mutants(
            makers.key_pem("p-256") + makers.pem(makers.code_certificate("p-256")),
            fuzz.pem_mutant,
            *how,
        ),
    ),
    "PFX": (
        [*SIGN, "--pass-env", "PHRASE"],
        lambda *how: _mutants(_pfx(KIND, b"x", legacy=True), fuzz.der_mutant, *how),
    ),
    "PFX without encryption": (
        SIGN,
        lambda *how: _mutants(_pfx(KIND, None), fuzz.der_mutant, *how),
    ),
    "certificate of a signer": (
        ["digest", "a.ps1", "--cert", "mutant", "--output", "out.json"],
        lambda *how: _mutants(_der(makers.code_certificate(KIND)), fuzz.der_mutant, *how),
    ),
    "certificates in PEM": (
        ["sign", "a.ps1", "--key", "key.pem", "--cert", "mutant"],
        lambda *how: _mutants(
            makers.pem(makers.code_certificate(KIND), makers.root().certificate),
            fuzz.pem_mutant,
            *how,
        ),
    ),
    "anchor": (
        ["verify", "s.ps1", "--anchors", "mutant"],
        lambda *how: _mutants(_der(makers.root().certificate), fuzz.der_mutant, *how),
    ),
    "revocation list": (
        ["verify", "s.ps1", "--anchors", "root.pem", "--crl", "mutant"],
        lambda *how: _mutants(_der(makers.root().revoke(77, 12345)), fuzz.der_mutant, *how),
    ),
    "passphrase": (
        ["sign", "a.ps1", "--key", "locked.pfx", "--pass-file", "mutant"],
        lambda *how: _mutants(b"x", _passphrase, *how),
    ),
}


def _attack(case: str, place: Path, count: int, seed: int) -> Counter[int]:
    command, make = CASES[case]
    (place / "locked.pfx").write_bytes(_pfx(KIND, b"x"))
    name = next(word for word in command if word.startswith("mutant"))
    whole = {one: (place / one).read_bytes() for one in ("a.ps1", "b.ps1")}
    tally: Counter[int] = Counter()
    for mutant in make(seed, count):
        (place / name).write_bytes(mutant)
        before = desk.everything(place)
        code = _run(command)
        tally[code] += 1
        after = desk.everything(place)
        if code:
            assert after == before, mutant
        else:
            _worked(command, after, before)
            (place / "out.json").unlink(missing_ok=True)
            for one, data in whole.items():
                (place / one).write_bytes(data)
    return tally


def _run(command: list[str]) -> int:
    """The command, with what it shows put where the test finds it."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = desk.in_time(lambda: cli.run(command), 120)
    shown = out.getvalue() + err.getvalue()
    assert code < 5, shown
    assert len(shown) < 20_000
    assert desk.shows_no_control_characters(shown)
    return code


def _worked(command: list[str], after: dict[str, bytes], before: dict[str, bytes]) -> None:
    """What was done is whole: scripts that verify, requests that can be read again."""
    assert after.keys() >= before.keys()
    for name, data in after.items():
        if name.endswith(".json") and data != before.get(name):
            assert request.decode(data, name).entries
        elif name.endswith(".ps1") and data != before[name]:
            assert _run(["inspect", name]) == 0


@pytest.mark.parametrize("case", CASES)
def test_G08_a_sample_of_what_may_come(case: str, place: Path) -> None:
    tally = _attack(case, place, SAMPLE, 20260601)
    assert sum(tally.values()) == SAMPLE
    # Neither is everything refused at the door, nor is everything taken.
    assert len(tally) > 1


@pytest.mark.soak
@pytest.mark.parametrize("case", CASES)
def test_G08_much_of_what_may_come(case: str, place: Path) -> None:
    tally = _attack(case, place, WHOLE, 7)
    print(case, dict(sorted(tally.items())))  # noqa: T201 - `make soak -s` reports what was met
    assert sum(tally.values()) == WHOLE


def test_G15_no_mutant_gets_another_signature_than_it_shows(place: Path) -> None:
    """Whatever a request looks like: the key signs attributes that follow from what was read."""
    signed: list[bytes] = []

    class Watched:
        kind, parallel = "rsa", False
        key = makers.local_key(KIND)

        def sign(self, data: bytes, used: Hash) -> bytes:
            signed.append(data)
            return self.key.sign(data, used)

        def close(self) -> None:
            self.key.close()

    taken = 0
    for mutant in _requests(11, 600, answered=False):
        signed.clear()
        try:
            found = request.decode(mutant, "mutant.json")
            request.answer(found, Watched())
        except (IntegrityError, SigningError):
            # Not read; or its certificate is one of another key, which the first answer shows.
            assert len(signed) < 2
            continue
        taken += 1
        again = request.signer_for(found.certificates, found.hash, found.program, found.address)
        assert signed == [again.to_be_signed(entry.file_hash) for entry in found.entries]
    assert taken > 3
