"""What a schema allows, PowerShell can read: boundary values of every kind, read by the engine.

Each value is either refused by `validate`, as the tables say, or read as the same thing by the code
of the engine that looks at it (boundaries.ps1), or by the class of .NET that it is given to.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from allowed import leaves
from programs import NOW, ROOT, pwsh

from generator import pipeline
from generator.templating.templates import TemplateTree

SCRIPT = Path(__file__).with_name("boundaries.ps1")
ENGINE = ROOT / "templates/_runbook/engine.ps1"
TREE = TemplateTree.for_project()
CONTOSO = yaml.safe_load((ROOT / "inventories/contoso.yml").read_text("utf-8"))
EPOCH = datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Row:
    """A value of a kind, at a place of the inventory; whether it is allowed."""

    kind: str
    place: tuple[str | int, ...]
    value: Any
    allowed: bool


def rows() -> Iterator[Row]:
    for (kind, place), (good, bad) in TABLES.items():
        yield from (Row(kind, place, value, True) for value in good)
        yield from (Row(kind, place, value, False) for value in bad)


WINDOW = ("change", "window", "from")
GROUP = ("skype", "groups", "server_admins")
LONG = ".".join(["x" * 63] * 3 + ["y" * 61])

TABLES: dict[tuple[str, tuple[str | int, ...]], tuple[list[Any], list[Any]]] = {
    ("instant", WINDOW): (
        [
            "2027-03-06T22:00:00+01:00", "2027-03-06T22:00:00Z", "2027-03-06T22:00:00-00:00",
            "2027-03-06T22:00:00+00:00", "2027-03-06T22:00:00+14:00", "2027-03-06T22:00:00-14:00",
            "2027-03-06T22:00:00+13:59", "2027-03-06T22:00:00-13:59", "2027-03-06T22:00:00+05:45",
            "2000-01-01T00:00:00+14:00", "2000-01-01T00:00:00Z", "2024-02-29T23:59:59Z",
            "2027-12-31T23:59:59-14:00", "2016-12-31T23:59:59Z",
        ],
        [
            "2027-03-06T22:00:00+14:01", "2027-03-06T22:00:00-14:01", "2027-03-06T22:00:00+14:59",
            "2027-03-06T22:00:00+15:00", "2027-03-06T22:00:00+24:00", "2027-03-06T22:00:00+01:60",
            "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "1999-12-31T23:59:59Z",
            "9999-12-31T23:59:59-14:00", "3000-01-01T00:00:00Z", "10000-01-01T00:00:00Z",
            "2016-12-31T23:59:60Z", "2027-03-06T22:60:00Z", "2027-03-06T24:00:00Z",
            "2027-03-06T25:00:00Z", "2027-02-29T00:00:00Z", "2027-02-30T00:00:00Z",
            "2027-00-01T00:00:00Z", "2027-13-01T00:00:00Z", "2027-01-00T00:00:00Z",
            "2027-03-06T22:00:00.5Z", "2027-03-06T22:00:00.1234567890123456789Z",
            "2027-03-06T22:00:00,5Z", "2027-03-06t22:00:00Z", "2027-03-06T22:00:00z",
            "2027-03-06T22:00Z", "2027-03-06T22Z", "2027-03-06T22:00:00", "2027-03-06",
            "2027-03-06T22:00:00+0100", "2027-03-06T22:00:00+01", "2027-03-06 22:00:00Z",
            "20270306T220000Z", "2027-W09-6T22:00:00Z", "2027-065T22:00:00Z",
            "2027-03-06T22:00:00Z ", " 2027-03-06T22:00:00Z", "2027-03-06T22:00:00Z\n",
            "2027-03-06T22:00:00 Z", "2027-03-06T22:00:00UTC", "+2027-03-06T22:00:00Z",
            "\u0662\u0660\u0662\u0667-03-06T22:00:00Z", "2027-03-06T22:00:00\u221201:00",
            "2027-03-06T22:00:00+01:00[Europe/Berlin]", 20270306,
        ],
    ),
    ("integer", ("change", "preflight_hours")): (
        [1, 2, 719, 720],
        [0, -1, 721, 2**31, 2**63, 2**64, 10**14, "72", "1e2", "72.0", "0x10", "\u0667", True],
    ),
    ("integer", ("exchange", "servers", 0, "cumulative_update")): (
        [0, 30], [-1, 31, 2**31, "14", "14.0", True],
    ),
    ("thumbprint", ("change", "signers", 0)): (
        ["0" * 40, "f" * 40, "F" * 40, "0123456789abcdefABCDEF0123456789abcdefAB"],
        [
            "0" * 39, "0" * 41, "g" * 40, " " + "0" * 40, "0" * 40 + " ", "\u200e" + "0" * 40,
            "00 " * 20, "0" * 40 + "\n", "\uff10" * 40, 10**14,
        ],
    ),
    ("group", GROUP): (
        [
            "S-1-1-0", "S-1-5-32-544", "S-1-5-21-4294967295-0-1-4294967295", "S-1-4294967295-1",
            "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14", "S-2-5", "s-1-5-32-544",
            "a", "a" * 64, "it's", "$(a)", "`", "\u0130\u0131", "\u00df", "a.b-c_d{}~!#%&()",
            "\U0001f600" * 64, "e\u0301",
        ],
        [
            "S-1-", "S-1-0", "S-1-5-", "S-1--5", "S-1-05-32", "S-1-5-032", "S-1-00",
            "S-1-5-4294967296", "S-1-5-9999999999", "S-1-4294967296-1", "S-1-281474976710655-1",
            "S-1-0x100000000-1",
            "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", "S-1-5-32-544 ", "S-1-x",
            "", "a" * 65, "a\\b", "a@b", 'a"b', "a*", "a?b", "a\nb", "a\u0085",
            "\u202ea", "a/b", "[a]", "a:b", "a;b", "a|b", "a=b", "a,b", "a+b", "<a>",
        ],
    ),
    ("host_name", ("exchange", "autodiscover")): (
        ["a.b", "1.a", "a-1.b-2", LONG, "xn--bcher-kva.example", "A.B.C", "0.0.0.a"],
        [
            "a", "a.", ".a", "a..b", "-a.b", "a-.b", "a.1", "1.2.3.4", f"{LONG}z", f"{'x' * 64}.a",
            "a_b.c", "a.b:443", "a.b/", "https://a.b", "*.a.b", "b\u00fccher.example", "a b.c",
            "a.b\n", "[::1]",
        ],
    ),
    ("domain_name", ("exchange", "ad_domain")): (
        ["a.b", LONG, "corp.contoso.net"],
        ["a", "a.", "*.a.b", "a.b.", f"{LONG}z", "a@b.c", "a.1"],
    ),
    ("netbios", ("exchange", "servers", 0, "netbios")): (
        ["A", "a" * 15, "1A", "A-", "read", "N1"],
        ["", "a" * 16, "1", "123", "-A", "A B", "A.B", "A_B", "\u00c4", "A\n"],
    ),
    ("safe_name", ("change", "id")): (
        ["C", "0", "a" * 40, "CHG-1._x", "CONA", "x.con", "A_", "COM10", "LPT", "NULL.x"],
        [
            "", "a" * 41, "CON", "con", "NUL.txt", "com1", "LPT9.x", ".a", "a.", "-a", "_a", "a b",
            "a/b", "a\\b", "a:b", "..", "a*", "[a", "\u00e4", "a\n", "COM\u00b9",
        ],
    ),
    ("line", ("change", "title")): (
        ["a", "a" * 120, "\U0001f600" * 120, "' \" ` $( ${ #> <#", "\u0130"],
        ["", "a" * 121, "a\nb", "a\tb", "\u0007", "\u2028", "\u202e", "\u200b", "\ufeff", "\u0085"],
    ),
    ("smtp_address", ("skype", "test_mailbox")): (
        ["a@b.c", "a.b+c@d.e", "o'neil@contoso.com", "!#$%&'+/=?^_`{|}~-@b.c",
         f"{'a' * 64}@{'b' * 60}.c"],
        ["a", "@b.c", "a@b", "a@b.c.", ".a@b.c", "a.@b.c", "a..b@c.d", "a@b@c.d", "smtp:a@b.c",
         "a b@c.d", '"a b"@c.d', "a@[1.2.3.4]", "\u00e4@b.c", "a@b.c\n", f"a@{LONG}"],
    ),
    ("sip_uri", ("skype", "test_user")): (
        ["sip:a@contoso.com", "sip:o'neil.x@asia.contoso.com"],
        ["a@contoso.com", "SIP:a@contoso.com", "sips:a@contoso.com", "sip:contoso.com",
         "sip:a@contoso.com:5061", "sip:a@contoso.com;x=y", "sip:a@elsewhere.com",
         "sip: a@contoso.com"],
    ),
    ("autodiscover_uri", ("exchange", "autodiscover_uri")): (
        ["https://a.b/autodiscover/autodiscover.xml", "https://A.B/Autodiscover/Autodiscover.xml",
         f"https://{LONG}/autodiscover/autodiscover.xml"],
        ["http://a.b/autodiscover/autodiscover.xml", "https://a.b/autodiscover/autodiscover.svc",
         "https://a.b:443/autodiscover/autodiscover.xml", "https://a@b.c/autodiscover/autodiscover.xml",
         "https://a.b/autodiscover/autodiscover.xml?x", "https://a.b/../autodiscover.xml",
         "https://1.2.3.4/autodiscover/autodiscover.xml", "//a.b/autodiscover/autodiscover.xml"],
    ),
    ("boolean", ("exchange", "hybrid")): (
        [True, False], ["true", "false", "yes", 1, 0, None, "True"],
    ),
    ("version", ("exchange", "version")): (
        [2019, "2019"], [2010, "2019.0", "se", 20190, -2019, True, None, ""],
    ),
    ("enum", ("skype", "unified_contact_store")): (
        ["allow", "deny"], ["Allow", "", "allow ", True, 1, None],
    ),
}  # fmt: skip


def test_every_kind_of_the_schemas_has_a_table() -> None:
    assert {kind for kind, _ in TABLES} == {kind for _, kind in leaves()}


def inventory(row: Row) -> dict[str, Any]:
    """Contoso with the value at its place, and a window that ends late."""
    data: Any = json.loads(json.dumps(CONTOSO, default=lambda at: at.isoformat()))
    data["change"]["window"]["until"] = "2999-12-31T00:00:00+00:00"
    holder = data
    for part in row.place[:-1]:
        holder = holder[part]
    holder[row.place[-1]] = row.value
    return dict(data)


ROWS = tuple(rows())


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{row.kind} {str(row.value)!a:.40}") for row in ROWS]
)
def test_G09_a_boundary_value_is_allowed_or_refused(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "boundary.yml"
    path.write_text(yaml.safe_dump(inventory(row), width=10**6), "utf-8")
    found = [one for one in pipeline.validate(path, TREE, NOW) if not one.warning]
    assert (not found) is row.allowed, [one.format() for one in found]


# --- what is allowed is read ------------------------------------------------------------------


def ticks(text: str) -> str:
    """Hundreds of nanoseconds since the year 1, as .NET counts."""
    since = datetime.datetime.fromisoformat(text) - EPOCH
    return str((since.days * 86_400 + since.seconds) * 10_000_000)


def reading(row: Row) -> tuple[dict[str, str], str] | None:
    """The case for boundaries.ps1 and its answer; None for what runbooks take as a text."""
    text = str(row.value)
    if row.kind == "instant":
        until = datetime.datetime.fromisoformat(text) + datetime.timedelta(minutes=1)
        ends = {"fromTicks": ticks(text), "untilTicks": ticks(until.isoformat())}
        case = {"reader": "window", "text": text, "until": until.isoformat(), **ends}
        return case, "False True True False"
    if row.kind == "group" and text.startswith("S-1-"):
        return {"reader": "sid", "text": text}, text
    if row.kind in ("group", "netbios"):
        return {"reader": "member", "text": text}, "True False False"
    if row.place == ("change", "preflight_hours"):
        return {"reader": "hours", "text": text}, "False True"
    if row.kind in ("host_name", "domain_name"):
        address = f"https://{text}/ews/exchange.asmx"
        return {"reader": "address", "text": address}, (
            f"https {text.lower()} 443 /ews/exchange.asmx True"
        )
    if row.kind == "autodiscover_uri":
        host, _, path = text.removeprefix("https://").partition("/")
        return {"reader": "address", "text": text}, f"https {host.lower()} 443 /{path} True"
    if row.kind in ("smtp_address", "sip_uri"):
        address = text.removeprefix("sip:")
        return {"reader": "mail", "text": address}, address
    if row.kind == "thumbprint":
        pairs = [text[at : at + 2].upper() for at in range(0, 40, 2)]
        return {"reader": "hexadecimal", "text": text}, "-".join(pairs)
    if row.kind == "safe_name":
        return {"reader": "path", "text": text}, f"{text} False"
    return None


def answered(folder: Path, cases: list[dict[str, str]]) -> list[str]:
    """What PowerShell reads in each case."""
    path = folder / "cases.json"
    told = [{name: f"={text}" for name, text in case.items()} for case in cases]
    path.write_text(json.dumps(told), "ascii")
    command = [pwsh(), "-NoProfile", "-NonInteractive", "-File", str(SCRIPT)]
    done = subprocess.run(
        [*command, "-Engine", str(ENGINE), "-Cases", str(path)],
        capture_output=True, check=True, text=True, encoding="utf-8",
    )  # fmt: skip
    answers: list[str] = json.loads(done.stdout)
    assert len(answers) == len(cases)
    return answers


READ_AS_TEXT = {"boolean", "enum", "integer", "line", "version"}


def test_G09_what_is_allowed_powershell_reads_as_the_same(tmp_path: Path) -> None:
    """Every allowed value at once: starting PowerShell takes longest."""
    allowed = [row for row in ROWS if row.allowed]
    read = [(row, made) for row in allowed if (made := reading(row)) is not None]
    assert {row.kind for row, _ in read} >= {row.kind for row in allowed} - READ_AS_TEXT
    answers = answered(tmp_path, [case for _, (case, _) in read])
    wrong = [
        (row.kind, row.value, answer)
        for (row, (_, wanted)), answer in zip(read, answers, strict=True)
        if answer != wanted
    ]
    assert wrong == []


def test_G09_what_powershell_cannot_read_is_told_by_its_reader(tmp_path: Path) -> None:
    """The readers do judge: values that the schema refuses are not read, or as something else."""
    bad = [
        Row("instant", WINDOW, "2027-03-06T22:00:00+14:01", False),
        Row("instant", WINDOW, "2016-12-31T23:59:59+14:59", False),
        Row("group", GROUP, "S-1-5-4294967296", False),
        Row("group", GROUP, "S-1-5-032", False),
        Row("host_name", (), "a_b c", False),
        Row("thumbprint", (), "g" * 40, False),
    ]
    made = [one for row in bad if (one := reading(row)) is not None]
    assert len(made) == len(bad)
    answers = answered(tmp_path, [case for case, _ in made])
    for answer, (case, wanted) in zip(answers, made, strict=True):
        assert answer != wanted, case
