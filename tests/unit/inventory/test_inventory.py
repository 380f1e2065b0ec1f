"""Inventories: what a good one becomes, and the sentence for every fault that one can have."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from generator.findings import Finding, FindingsError
from generator.inventory import reader
from generator.inventory.reader import load_inventory
from generator.model.inventory import Values
from generator.schema import schema_files
from generator.templating.templates import TemplateTree

ROOT = Path(__file__).resolve().parents[3]
BROKEN = sorted((ROOT / "tests/data/inventories").glob("*.yml"))
TREE = TemplateTree.for_project()

HEAD = re.compile(r"(?P<file>.+?\.yml)(?::(?P<line>\d+):(?P<column>\d+))?: error\[(?P<code>\w+)\] ")


def values_of(name: str) -> Values:
    return load_inventory(ROOT / "inventories" / f"{name}.yml", TREE).values


def lines_of(path: Path) -> list[str]:
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith(b"\xff\xfe") else "utf-8"
    return data.decode(encoding, "replace").split("\n")


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_fault_has_its_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    lines = lines_of(path)
    expected = lines[0].removeprefix("# ")
    head = HEAD.match(expected)
    assert head is not None, "the first line holds the expected message"
    with pytest.raises(FindingsError) as caught:
        load_inventory(Path(path.name), TREE)
    if head["line"]:
        line, column = int(head["line"]), int(head["column"])
        message = expected[head.end() :]
        whole = Finding(head["code"], message, path.name, line, column, "", lines[line - 1])
        expected = whole.format()
    assert str(caught.value) == expected


def test_there_are_many_broken_inventories_each_with_a_fault_of_its_own() -> None:
    assert len(BROKEN) >= 150
    sentences = [lines_of(path)[0].split("error[")[-1] for path in BROKEN]
    assert len(set(sentences)) > 120


def test_every_code_of_the_reading_has_a_broken_inventory_or_a_test() -> None:
    sources = "".join(p.read_text() for p in (ROOT / "generator").rglob("*.py"))
    codes = set(re.findall(r'"(E[0-3]\d\d)"', sources))
    codes |= {f"E1{code}" for code in re.findall(r'_put\(\s*"(\d\d)"', sources)}
    shown = "".join(lines_of(path)[0] for path in BROKEN)
    tests = "".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py"))
    assert len(codes) > 25
    assert {c for c in codes if f"[{c}]" not in shown and c not in tests} == set()


def test_the_small_example_is_complete() -> None:
    values = values_of("litwareinc")
    assert values["change"]["preflight_hours"] == 72
    assert values["change"]["window"]["from"] == "2027-03-06T22:00:00+01:00"
    exchange = values["exchange"]
    assert exchange["version"] == "2016"
    assert exchange["product_name"] == "Exchange Server 2016"
    assert exchange["metadata_url"] == (
        "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
    )
    assert exchange["autodiscover_svc"] == (
        "https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc"
    )
    assert exchange["servers"] == [
        {
            "fqdn": "atl-exchange-001.litwareinc.com",
            "netbios": "ATL-EXCHANGE-00",
            "roles": ["mailbox"],
            "ad_domain": "litwareinc.com",
            "version": "2016",
        }
    ]
    skype = values["skype"]
    assert skype["realm"] == "litwareinc.com"
    assert skype["metadata_url"] == "https://atl-cs-001.litwareinc.com/metadata/json/1"
    assert skype["test_mailbox"] == "kenmyer@litwareinc.com"
    assert skype["pool_fqdns"] == ["atl-cs-001.litwareinc.com"]
    assert [host["netbios"] for host in skype["front_ends"]] == ["ATL-CS-001"]
    assert skype["groups"] == {
        "server_admins": "RTCUniversalServerAdmins",
        "user_admins": "RTCUniversalUserAdmins",
    }


def test_the_large_example_has_two_sites_and_their_differences() -> None:
    values = values_of("contoso")
    servers = values["exchange"]["servers"]
    assert [(s["netbios"], s["ad_domain"], s["version"]) for s in servers] == [
        ("HAM-EX-01", "corp.contoso.net", "2019"),
        ("HAM-EX-02", "corp.contoso.net", "2019"),
        ("SINGAPORE-EX-01", "asia.corp.contoso.net", "2019"),
        ("SINGAPORE-EX-02", "asia.corp.contoso.net", "2016"),
    ]
    assert values["exchange"]["metadata_url"] == (
        "https://mail.contoso.com/autodiscover/metadata/json/1"
    )
    skype = values["skype"]
    assert skype["metadata_host"] == "ham-pool-web.contoso.com"
    assert [(h["netbios"], h["ad_domain"]) for h in skype["front_ends"]] == [
        ("HAM-FE-01", "corp.contoso.net"),
        ("HAM-FE-02", "corp.contoso.net"),
        ("HAM-FE-03", "corp.contoso.net"),
        ("SIN-SFB-01", "asia.corp.contoso.net"),
    ]
    assert skype["pool_fqdns"] == ["ham-pool.contoso.com", "sin-sfb-01.contoso.com"]
    assert "netbios" not in skype["pools"][0]


def test_an_inventory_is_read_alike_every_time() -> None:
    one, two = (load_inventory(ROOT / "inventories/contoso.yml", TREE) for _ in range(2))
    assert one == two
    assert one.name == "contoso"


def litware(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The small example with some of its text replaced."""
    text = (ROOT / "inventories" / "litwareinc.yml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "litwareinc.yml"
    path.write_text(text, "utf-8")
    return path


def test_all_mistakes_come_in_one_run_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = litware(
        tmp_path,
        ("id: CHG0012345", "id: a/b"),
        ("until: 2027-03-07T02", "until: 2027-03-06T02"),
        ("autodiscover: autodiscover", "autodiscovr: autodiscover"),
        (", netbios: ATL-EXCHANGE-00", ""),
        ("type: standard", "type: standart"),
        ("kenmyer@litwareinc.com", "kenmyer@fabrikam.com"),
        ("unified_contact_store: deny", "unified_contact_store: deny\n  test_user: sip:x@y.zz"),
    )
    with pytest.raises(FindingsError) as caught:
        load_inventory(path, TREE)
    assert [(f.code, f.line) for f in caught.value.findings] == [
        ("E105", 3), ("E210", 5), ("E101", 8), ("E201", 10), ("E104", 15), ("E402", 16),
        ("E016", 18),
    ]  # fmt: skip


def test_a_netbios_name_is_in_capitals_and_the_pool_hands_its_domain_down(tmp_path: Path) -> None:
    path = litware(
        tmp_path,
        ("netbios: ATL-EXCHANGE-00", "netbios: atl-exchange-00"),
        (
            "{fqdn: atl-cs-001.litwareinc.com, type: standard}",
            "{fqdn: pool.litwareinc.com, type: enterprise, ad_domain: ad.litwareinc.com,"
            " front_ends: [{fqdn: fe1.litwareinc.com}, {fqdn: fe2.litwareinc.com,"
            " ad_domain: other.litwareinc.com}]}",
        ),
    )
    values = load_inventory(path, TREE).values
    assert values["exchange"]["servers"][0]["netbios"] == "ATL-EXCHANGE-00"
    assert [(h["netbios"], h["ad_domain"]) for h in values["skype"]["front_ends"]] == [
        ("FE1", "ad.litwareinc.com"),
        ("FE2", "other.litwareinc.com"),
    ]


@pytest.mark.parametrize("kind", ["Subscription Edition", "Lync"])
def test_the_names_of_versions_are_those_of_the_vendor(tmp_path: Path, kind: str) -> None:
    versions = {
        "Subscription Edition": ("SE", "SE", "Exchange Server SE", "Skype for Business Server SE"),
        "Lync": ("2013", "2013", "Exchange Server 2013", "Lync Server 2013"),
    }
    exchange, skype, first, second = versions[kind]
    path = litware(
        tmp_path, ("version: 2016", f"version: {exchange}"), ("version: 2015", f"version: {skype}")
    )
    values = load_inventory(path, TREE).values
    assert (values["exchange"]["product_name"], values["skype"]["product_name"]) == (first, second)


def test_a_host_is_completed_from_its_product() -> None:
    host = reader.host({"fqdn": "ex1.contoso.com"}, {"version": "2019", "ad_domain": "ad.net"})
    assert (host.fqdn, host.netbios, host.ad_domain) == ("ex1.contoso.com", "EX1", "ad.net")
    assert host.values["version"] == "2019"


def test_a_product_of_a_project_brings_its_own_keys(tmp_path: Path) -> None:
    own = tmp_path / "templates" / "voice"
    own.mkdir(parents=True)
    (own / "product.yml").write_text(
        "title: Voice\norder: 3\nteam: Voice team\nhosts: ['gateways[*]']\n"
        "derived:\n  - {name: names, value: \"hosts | map(attribute='netbios')\"}\n"
    )
    (own / "schema.yml").write_text(
        "type: object\nadditionalProperties: false\nrequired: [gateways]\n"
        "properties:\n  gateways: {type: array, items: {type: object, additionalProperties: false,"
        " properties: {fqdn: {$ref: ../_runbook/schema.yml#/$defs/host_name}}}}\n"
    )
    (own / "checks.yml").write_text(
        "- {code: V101, when: voice.gateways | length > 2, message: many, place: voice.gateways}"
    )
    tree = TemplateTree.for_project(tmp_path / "templates")
    text = (ROOT / "inventories" / "litwareinc.yml").read_text("utf-8")
    path = tmp_path / "x.yml"
    path.write_text(text + "voice:\n  gateways: [{fqdn: gw1.contoso.com}]\n")
    assert load_inventory(path, tree).values["voice"]["names"] == ["GW1"]
    path.write_text(text + "voice:\n  gateways: [{fqdn: g}, {fqdn: g2.a.b}, {fqdn: g3.a.b}]\n")
    with pytest.raises(FindingsError) as caught:
        load_inventory(path, tree)
    assert [finding.code for finding in caught.value.findings] == ["E105"]
    path.write_text(text + "voice:\n  gateways: [{fqdn: g1.a.b}, {fqdn: g2.a.b}, {fqdn: g3.a.b}]\n")
    with pytest.raises(FindingsError) as caught:
        load_inventory(path, tree)
    assert [finding.code for finding in caught.value.findings] == ["V101"]


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("product.yml", "title: X\n", "templates/exchange/product.yml:1:1: error[T102]"),
        ("product.yml",
         "title: X\norder: 1\nteam: T\nhosts: ['servers[*]']\n"
         "derived: [{name: a, value: nothing.b}]\n",
         "templates/exchange/product.yml:5:28: error[T111] nothing.b: 'nothing' is undefined"),
        ("product.yml", "title: X\norder: 1\nteam: T\nhosts: ['servers[']\n",
         "templates/exchange/product.yml:4:8: error[T112] servers[: not a path like"),
        ("checks.yml", "- {code: E999, when: nothing.b, message: m}\n",
         "templates/exchange/checks.yml:1:10: error[T110] nothing.b: 'nothing' is undefined"),
        ("schema.yml", "type: [\n", "templates/exchange/schema.yml:1:8: error[E010]"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_vocabulary_is_reported_there(
    tmp_path: Path, file: str, text: str, sentence: str
) -> None:
    own = tmp_path / "exchange"
    own.mkdir()
    shutil.copy(ROOT / "templates" / "exchange" / "schema.yml", own)
    (own / file).write_text(text)
    with pytest.raises(FindingsError) as caught:
        load_inventory(ROOT / "inventories/litwareinc.yml", TemplateTree.for_project(tmp_path))
    assert str(caught.value).startswith(sentence)


LEAVES = ["", "null", "[]", "{}", "true", "-1", "0", "99999", "'x'", "[x]", "{x: y}", "[[[]]]",
          "'*'", "é", "\"\\0\"", "\"\\u2028\"", "sip:a@b.cc", "https://a.bc", "2016", "SE",
          "'{{ 7 * 7 }}'", "\"a'b\"", "CON", "a" * 5000, "[" + "a, " * 500 + "]"]  # fmt: skip


@pytest.mark.parametrize(
    "seeds",
    [range(500), pytest.param(range(500, 6_000), marks=pytest.mark.soak)],
    ids=["sample", "whole"],
)
def test_no_inventory_is_a_traceback(seeds: range, tmp_path: Path) -> None:
    """Values of the examples replaced by others, keys renamed, lines dropped and doubled."""
    path = tmp_path / "x.yml"
    good = 0
    for seed in seeds:
        chance = random.Random(seed)
        source = chance.choice(["litwareinc", "contoso"])
        lines = (ROOT / "inventories" / f"{source}.yml").read_text("utf-8").splitlines()
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(lines))
            line = lines[at]
            match chance.randrange(5):
                case 0:
                    lines[at] = line.partition(": ")[0] + ": " + chance.choice(LEAVES)
                case 1:
                    values = re.findall(r"(?<=: )[^,:{}\[\]]+(?=[,}\]])", line) or ["~"]
                    lines[at] = line.replace(chance.choice(values), chance.choice(LEAVES))
                case 2:
                    lines[at] = re.sub(r"([a-z_]+):", r"\1x:", line, count=1)
                case 3:
                    del lines[at]
                case _:
                    lines.insert(at, line)
        path.write_text("\n".join(lines), "utf-8")
        try:
            load_inventory(path, TREE)
            good += 1
        except FindingsError as error:
            assert_readable(error)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.yml"]
    assert good < len(seeds) / 2


def assert_readable(error: FindingsError) -> None:
    assert error.findings
    for finding in error.findings:
        assert finding.code.startswith("E"), finding.format()


def test_the_whole_schema_is_one_document() -> None:
    registry = schema_files.load_registry(TREE)
    whole = reader.inventory_schema(TREE, registry)
    assert list(whole["properties"]) == ["change", "exchange", "skype"]
    assert registry["_runbook/schema.yml"] is not whole
