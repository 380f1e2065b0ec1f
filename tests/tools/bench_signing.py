"""Signing and verifying as ratios against their limits and peers, all measured in one run.

`make bench` runs it and prints a table; `--quick` takes fewer files. Both sides of a ratio take
turns in short rounds and the best round counts; what runs in one thread counts in CPU time. So
other work on the machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signing import makers

from generator.signing import batch, verify
from generator.signing.cms import signed_data
from generator.signing.cms.algorithms import SHA256

LINE = b"Write-Output 'a line of a runbook, as long as such lines are'\r\n"
SIZE = 11_500


ROUND = 20


def best(functions: list[Callable[[], object]], rounds: int) -> list[float]:
    """CPU seconds for a call of each, of its best round; the rounds of all take turns."""
    found = [float("inf")] * len(functions)
    for _ in range(rounds):
        for at, function in enumerate(functions):
            start = time.process_time()
            for _ in range(ROUND):
                function()
            found[at] = min(found[at], (time.process_time() - start) / ROUND)
    return found


def threads(function: Callable[[], object], count: int, jobs: int) -> float:
    """The same with several threads, in seconds a call."""
    with ThreadPoolExecutor(jobs) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: function(), range(count)))
        return (time.perf_counter() - start) / count


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def report(what: str, ours: float, theirs: float, goal: float | None = None) -> None:
    """One row: how many a second, the limit or peer beside it, and the ratio."""
    ratio = theirs / ours
    wanted = f"  goal {goal:g}" if goal else ""
    say(f"{what:<58} {1 / ours:>8.0f}/s  {1 / theirs:>8.0f}/s  {ratio:>6.2f}{wanted}")


def in_memory(script: bytes, rounds: int) -> None:
    for kind, goal in (("rsa-2048", 0.7), ("rsa-3072", 0.9), ("p-256", None)):
        signer, key = makers.signer(kind), makers.local_key(kind)
        draft = signer.draft(script)
        sides = (
            lambda k=key, d=draft: k.sign(d.to_be_signed, SHA256),
            lambda s=signer, k=key: _unproven(s, script, k),
            lambda s=signer, k=key: s.sign(script, k),
        )
        bare, signed, proven = best(list(sides), rounds)
        report(f"{kind}: signed in memory, against the bare key", signed, bare, goal)
        report(f"{kind}: and verified before it is given back", proven, bare)
        if kind == "rsa-3072":
            both = min(threads(sides[2], ROUND * 5, 2) for _ in range(rounds // 5))
            report(f"{kind}: verified too, with 2 threads", both, bare)


def _unproven(signer, script: bytes, key) -> bytes:
    draft = signer.draft(script)
    signature = key.sign(draft.to_be_signed, SHA256)
    block = signer._envelope.signed_data(draft.attributes, signature, draft.content)
    return draft.script.with_signature(block)


def whole_files(script: bytes, folder: Path, count: int, few: int) -> None:
    kind = "rsa-3072"
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    key.write_bytes(makers.key_pem(kind))
    certificate.write_bytes(makers.pem(makers.code_certificate(kind)))
    (folder / "root.pem").write_bytes(makers.pem(makers.root().certificate))
    files = [folder / f"{number}.ps1" for number in range(count)]
    for path in files:
        path.write_bytes(script)
    signer, own = makers.signer(kind), makers.local_key(kind)

    def ours(jobs: int) -> float:
        start = time.perf_counter()
        found = batch.collect(files)
        turned = batch.turned(found, lambda data, style: signer.sign(data, own, style), jobs=jobs)
        batch.write(found, turned)
        return (time.perf_counter() - start) / count

    def run(*command: object) -> None:
        subprocess.run(list(map(str, command)), check=True, capture_output=True)

    def theirs(number: int) -> None:
        output = folder / f"{number}.theirs.ps1"
        output.unlink(missing_ok=True)
        run("osslsigncode", "sign", "-certs", certificate, "-key", key, "-in", files[number],
            "-out", output)  # fmt: skip

    one = ours(1)
    start = time.perf_counter()
    for number in range(few):
        theirs(number)
    peer = (time.perf_counter() - start) / few
    report("files read, signed, verified, written; osslsigncode each", one, peer, 7)
    two = ours(2)
    report("the same with 2 threads", two, peer)
    trust = makers.trust()
    few_files = [path.read_bytes() for path in files[:ROUND]]
    (checked,) = best([lambda: [verify.verify(data, trust) for data in few_files]], 5)
    checked /= ROUND
    start = time.perf_counter()
    for number in range(few):
        run("osslsigncode", "verify", "-ignore-crl", "-CAfile", folder / "root.pem", "-in",
            files[number])  # fmt: skip
    peer = (time.perf_counter() - start) / few
    report("verified; osslsigncode verify each", checked, peer, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    count, few, rounds = (200, 20, 20) if quick else (1000, 100, 60)
    script = (LINE * (SIZE // len(LINE) + 1))[:SIZE]
    signed_data.load_certificate(signed_data.encoded(makers.root().certificate))
    say(f"{os.cpu_count()} processors; a script of {SIZE} bytes")
    say(f"{'':<58} {'here':>10}  {'there':>10}  {'ratio':>6}")
    in_memory(script, rounds)
    if shutil.which("osslsigncode") is None:
        say("osslsigncode is missing; run tests/tools/setup.sh")
        return
    with tempfile.TemporaryDirectory() as folder:
        whole_files(script, Path(folder), count, few)


if __name__ == "__main__":
    main()
