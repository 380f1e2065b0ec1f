"""Time authorities that never end, and addresses and names that are none."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from security import desk
from signing import makers
from signing.test_signing_timestamp import serving

from generator import cli
from generator.errors import UsageError
from generator.signing import addresses
from generator.signing.errors import TimestampError
from generator.signing.trust import transport

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    desk.lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


DROPS = 1_500


@contextmanager
def dripping(
    quick: bytes, drop: bytes, *, seconds: float = 0.02, fallen: list[int] | None = None
) -> Iterator[str]:
    """A server that answers with `quick`, then with one drop after another; `fallen` counts."""
    stop = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.sendall(quick)
                    # Long enough for whoever waits to the end to be noticed.
                    for number in range(DROPS):
                        if stop.wait(seconds):
                            break
                        if fallen is not None:
                            fallen[:] = [number]
                        if drop:
                            connection.sendall(drop)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    finally:
        stop.set()
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


DRIPS = {
    "nothing": (b"", b""),
    "a status line without an end": (b"HTTP/1.1 200 O", b"K"),
    "a header without an end": (HEAD + b"X-Slow: ", b"x"),
    "headers without an end": (HEAD, b"X: x\r\n"),
    "interim answers without an end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body without an end": (HEAD + b"\r\n", b"x"),
    "a body in pieces": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a body of a length": (HEAD + b"Content-Length: 99999\r\n\r\n", b"x"),
    "an error page without an end": (b"HTTP/1.1 200 OK\r\n\r\n", b"<"),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_G16_the_limit_of_time_is_for_the_whole_call(
    drip: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.everything(place)
    fallen = [0]
    with dripping(*DRIPS[drip], fallen=fallen) as address:
        command = ["sign", desk.FOLDER, "a.ps1", *desk.KEY, "--timestamp", address]
        assert desk.run(*command, "--timestamp-seconds", "0.4") == 3
    assert "no answer within 0.4 seconds" in capsys.readouterr().err
    assert desk.everything(place) == before
    # Long before the server was done.
    assert fallen[0] < DROPS / 2


def test_G16_the_limit_is_also_for_finding_the_server(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = threading.Event()

    def never(*_: object, **__: object) -> list[object]:
        asked.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    command = ["sign", "a.ps1", *desk.KEY, "--timestamp", "http://tsa.example/"]
    assert desk.run(*command, "--timestamp-seconds", "0.2") == 3
    asked.set()
    assert "tsa.example: no answer within 0.2 seconds" in capsys.readouterr().err


def test_G16_nobody_is_left_waiting() -> None:
    """The thread of a call that was given up ends; the server is told."""
    before = threading.active_count()
    with dripping(HEAD + b"\r\n", b"x") as address:
        with pytest.raises(TimestampError):
            transport.http_transport(address, 0.2)(b"request")
        mine = [one for one in threading.enumerate() if one.name.startswith("Thread-")]
        for one in mine:
            if "_run" in one.name:
                one.join(10)
                assert not one.is_alive()
    assert threading.active_count() <= before


def test_G16_a_redirection_is_not_followed(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[bytes] = []

    def other(request: bytes) -> bytes:
        asked.append(request)
        return b""

    with serving(other) as target:
        answer = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        with dripping(answer, b"") as address:
            assert desk.run("sign", "a.ps1", *desk.KEY, "--timestamp", address) == 3
    assert "127.0.0.1: answered 302" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    "line",
    [b"\x1b[2J\x1b]0;x\x07 not HTTP\n\n", b"HTTP/1.1 \xff\xfe\r\n\r\n", b"x" * 70_000 + b"\r\n",
     b"HTTP/9.9 999999999999 x\r\n\r\n", HEAD + b"X" * 70_000, HEAD + b"A: b\r\n" * 300 + b"\r\n",
     HEAD + b"Content-Length: -1\r\n\r\n", HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
     HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_G16_what_is_no_answer_is_told_in_one_clean_line(
    line: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with dripping(line, b"", seconds=0) as address:
        assert desk.run("sign", "a.ps1", *desk.KEY, "--timestamp", address) == 3
    shown = capsys.readouterr().err
    assert desk.shows_no_control_characters(shown)
    assert len(shown) < 600
    assert shown.count("\n") <= 2


def test_G16_a_refusal_in_odd_words_is_told_in_one_clean_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from generator.signing.cms import structures  # noqa: PLC0415

    def refuse(_: bytes) -> bytes:
        text = ["\n0 of 1 files\x1b[2J", "x" * 5_000]
        status = structures.StatusInfo(status=2, text=text, failure=None)
        return structures.encode(structures.TimeStampResponse(status=status, token=None))

    with serving(refuse) as address:
        assert desk.run("sign", "a.ps1", *desk.KEY, "--timestamp", address) == 3
    shown = capsys.readouterr().err
    assert "refused with status 2: '\\n0 of 1 files\\x1b[2J; xxx" in shown
    assert desk.shows_no_control_characters(shown)
    assert len(shown) < 600


NO_ADDRESS = (
    "", " ", "x", "http:", "http://", "http:///x", "http://[", "http://[::1", "http://]",
    "http://[::g]/", "http://x:", "http://x:0/", "http://x:99999/", "http://x:-1/", "http://x:y/",
    "http://x:\u0661/", "file:///etc/passwd", "ftp://x/", "javascript:1", "//x", "http://a b/",
    "http://x/\n", "http://x/\r\nX: y", "http://x/\t", "http://x/\x1b[2J", "http://x/\x7f",
    "http://b\u00fccher.example/", "http://x/\u00e9", "http://x/\udcff", "http://\ud800/",
    "http://me:secret@x/", "http://me@x/", "http://-x/", "http://x-/", "http://x..y/", "http://.x/",
    "http://" + "x" * 64 + "/", "http://" + "x." * 130 + "x/", "http://x/" + "x" * 100_000,
    "http://x^y/", "http://%00/", "http://x%2f/", "http://[v1.x]/",
)  # fmt: skip


ADDRESSED = {
    "sign --timestamp": ["sign", "a.ps1", *desk.KEY, "--timestamp"],
    "timestamp": ["timestamp", "a.ps1", "--timestamp"],
    "sign --url": ["sign", "a.ps1", *desk.KEY, "--url"],
    "digest --url": ["digest", "a.ps1", *desk.CERT, "--output", "x.json", "--url"],
}


@pytest.mark.parametrize(
    ("command", "address"),
    [
        pytest.param(command, address, id=f"{name}-{number}")
        for name, command in ADDRESSED.items()
        for number, address in enumerate(NO_ADDRESS)
        # An empty address of a program says that there is none.
        if address or not name.endswith("--url")
    ],
)
def test_G16_an_address_that_is_none_is_an_error(
    command: list[str], address: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.everything(place)
    assert desk.run(*command, address) == 2
    shown = capsys.readouterr().err
    assert "is no http or https address of " in shown
    assert desk.shows_no_control_characters(shown)
    assert len(shown) < 600
    assert desk.everything(place) == before


@pytest.mark.parametrize(
    "address",
    ["http://x/", "https://tsa.example.com:8443/a?b=c#d", "http://127.0.0.1", "http://[::1]:80/",
     "http://xn--bcher-kva.example/", "HTTP://X/", "http://a_b.example./%C3%A9"],
)  # fmt: skip
def test_G16_an_address_is_one(address: str) -> None:
    assert addresses.http_address(address, "somebody").hostname


@pytest.mark.parametrize(
    "name", ["\0", "a\nb", "\x1b[2J", "\u202ex", "\udcff", "x" * 256, "x" * 100_000]
)
def test_G16_a_program_name_that_cannot_be_shown_is_an_error(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.everything(place)
    for command in (
        ["sign", "a.ps1", *desk.KEY],
        ["digest", "a.ps1", *desk.CERT, "--output", "x.json"],
    ):
        assert desk.run(*command, "--program", name) == 2
        shown = capsys.readouterr().err
        assert "is no name of a program" in shown
        assert desk.shows_no_control_characters(shown)
        assert len(shown) < 600
    assert desk.everything(place) == before
    with pytest.raises(UsageError):
        addresses.program_name(name)


@pytest.mark.parametrize("name", ["Name", "Zo\u00eb \u20ac", "\U0001f600", "x" * 255])
def test_G16_a_program_name_and_address_are_signed(name: str) -> None:
    more = ["--program", name, "--url", "https://example.com/x?y=%C3%A9"]
    assert cli.run(["sign", "a.ps1", *desk.KEY, *more]) == 0
    assert cli.run(["verify", "a.ps1", "--anchors", "root.pem"]) == 0
    data = Path("a.ps1").read_bytes()
    assert data.startswith(b"Write-Output 'a.ps1'\r\n\r\n# SIG # Begin")


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "-1", "0", "1e999", "86401", "x", ""])
@pytest.mark.parametrize(
    "command",
    [
        ["sign", "a.ps1", *desk.KEY, "--timestamp", "http://127.0.0.1:9/", "--timestamp-seconds"],
        ["sign", "a.ps1", *desk.CERT, "--key-command", "x", "--key-seconds"],
    ],
    ids=["--timestamp-seconds", "--key-seconds"],
)
def test_G08_a_limit_of_time_is_a_number(
    command: list[str], seconds: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = desk.everything(place)
    assert desk.run(*command, seconds) == 2
    assert command[-1] in capsys.readouterr().err
    assert desk.everything(place) == before


ODD_TIMES = (
    "", "x", "0001-01-01", "9999-12-31", "0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59",
    "1949-12-31", "9001-01-01", "2026-13-01", "2026-01-01T25:00", "\n", "\udcff", "9" * 100_000,
    "2026-01-01T00:00+99:00",
)  # fmt: skip


@pytest.mark.parametrize("when", ODD_TIMES, ids=range(len(ODD_TIMES)))
@pytest.mark.parametrize(
    "command", [["verify", "s.ps1", "--anchors", "root.pem"], ["expiring", "s.ps1"]],
    ids=["verify", "expiring"],
)  # fmt: skip
def test_G08_a_time_that_is_none_is_an_error(
    command: list[str], when: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "s.ps1").write_bytes(makers.signed())
    assert desk.run(*command, "--time", when) == 2
    shown = capsys.readouterr().err
    assert "is no time such as" in shown
    assert len(shown) < 400


@pytest.mark.parametrize("days", ["-1", "36501", "9" * 30, "nan", "x"])
def test_G08_a_number_of_days_is_one(days: str, place: Path) -> None:
    (place / "s.ps1").write_bytes(makers.signed())
    assert desk.run("expiring", "s.ps1", "--days", days) == 2
    late = ["--time", "9000-12-31", "--days", "36500"]
    assert desk.run("expiring", "s.ps1", *late) == 4


@pytest.mark.skipif(os.name != "posix", reason="arguments are bytes")
def test_G16_arguments_that_are_no_text() -> None:
    """What a shell hands over as bytes."""
    import subprocess  # noqa: PLC0415

    for option in ("--program", "--url", "--timestamp", "--pass-env", "--key", "--cert", "--time"):
        run = subprocess.run(
            [sys.executable, "-m", "generator", "verify" if option == "--time" else "sign",
             b"a\xff\x1b[2J.ps1", option, b"\xff\x1b[2J\n"],
            capture_output=True, check=False,
            env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
        )  # fmt: skip
        assert run.returncode == 2, run.stderr
        assert b"\x1b" not in run.stderr
