"""Whatever the schemas allow: strategies for each kind of key, and whole inventories of them.

An inventory comes with its twin, which has the same shape and a word of its own at every place:
what is made of both must differ in these words alone.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from generator.inventory import schema_export
from generator.templating.templates import TemplateTree

SCHEMA = schema_export.document(TemplateTree.for_project())


@cache
def allowed(kind: str) -> Callable[[str], bool]:
    """Whether the schema of the spine allows a text as a value of a kind."""
    rules = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/_runbook/$defs/{kind}"}
    return jsonschema_rs.Draft202012Validator(rules, offline=True).is_valid


def leaves(node: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every place of a value in an inventory, with the kind of the value."""
    node = SCHEMA if node is None else node
    reference = node.get("$ref", "")
    if reference:
        target: Any = SCHEMA
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        if target.get("type") in ("object", "array"):
            yield from leaves(target, path)
        else:
            yield path, reference.rpartition("/")[2]
    elif node.get("type") == "object":
        for name, part in node["properties"].items():
            yield from leaves(part, (*path, name))
    elif node.get("type") == "array":
        yield from leaves(node["items"], (*path, "[]"))
    else:
        yield path, "enum" if "enum" in node else node["type"]


def places(data: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The places of the values of an inventory."""
    if isinstance(data, dict):
        return set().union(*(places(item, (*path, name)) for name, item in data.items()))
    if isinstance(data, list):
        return set().union(*(places(item, (*path, "[]")) for item in data))
    return {path}


# --- texts in every script of Unicode -----------------------------------------------------


LEAST = 10


@cache
def scripts() -> dict[str, str]:
    """Characters by the first word of their names: LATIN, CYRILLIC; few of a kind are OTHER."""
    found: dict[str, list[str]] = {}
    for number in range(0x20, sys.maxunicode + 1):
        name = unicodedata.name(chr(number), "")
        if name:
            found.setdefault(name.split()[0].split("-")[0], []).append(chr(number))
    few = [name for name, characters in found.items() if len(characters) < LEAST]
    found["OTHER"] = [character for name in few for character in found.pop(name)]
    return {name: "".join(characters) for name, characters in found.items()}


UNNAMED = "\u0378\ue000\uf8ff\ufdd0\ufffe\uffff\U0001fffe\U000f0000\U0010ffff"
"""Characters without a name: not assigned, for private use, none at all."""


@cache
def _allowed(name: str, kind: str) -> str:
    alphabet = UNNAMED if name == "UNNAMED" else scripts()[name]
    return "".join(c for c in alphabet if allowed(kind)(f"a{c}"))


def in_script(name: str, kind: str, length: int) -> str:
    """A text of so many characters of one script that the schema allows, or ''."""
    good = _allowed(name, kind)
    return "".join(good[(7 * at) % len(good)] for at in range(length)) if good else ""


def words(kind: str, longest: int) -> st.SearchStrategy[str]:
    """Texts of a kind, in one script, in several, short and as long as they may be."""
    names = st.sampled_from([*scripts(), "UNNAMED"])
    one = st.builds(in_script, names, st.just(kind), st.sampled_from([1, 9, longest]))
    spaced = st.lists(one, min_size=2, max_size=9).map(lambda texts: " ".join(texts)[:longest])
    free = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=longest)
    return (one | spaced | free).filter(allowed(kind))


# --- every kind ------------------------------------------------------------------------------

LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
LAST = "[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ATOM = "[A-Za-z0-9!#$%&'+/=?^_`{|}~-]{1,20}"
XML = "/autodiscover/autodiscover.xml"


def regex(text: str) -> st.SearchStrategy[str]:
    return st.from_regex(f"\\A{text}\\Z", alphabet=st.characters(codec="ascii"))


def names(longest: int = 253) -> st.SearchStrategy[str]:
    """Host and domain names, with the shortest and the longest."""
    made = st.builds(
        lambda labels, last: ".".join([*labels, last]),
        st.lists(regex(LABEL), min_size=1, max_size=4),
        regex(LAST),
    )
    full = st.builds(
        lambda letter, end: ".".join([letter * 63] * 3 + [end * 63])[: longest - 1] + end,
        st.sampled_from("abxyz0"),
        st.sampled_from("defghi"),
    ).map(lambda text: text.replace(".-", ".a"))
    short = st.builds(lambda a, b: f"{a}.{b}", st.sampled_from("abc019"), st.sampled_from("defGH"))
    return (made | full | short).filter(
        lambda text: len(text) <= longest and allowed("host_name")(text)
    )


ID = st.sampled_from(["C", "0", "CHG-1._x", "a" * 40, "COM10", "x" * 39 + "_"])
NETBIOS = regex("[A-Za-z0-9][A-Za-z0-9-]{0,14}").filter(allowed("netbios")) | st.sampled_from(
    ["A", "x" * 15, "1-", "read", "WANTED", "apply"]
)
THUMBPRINT = regex("[0-9A-Fa-f]{40}")
SID = st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=15).map(
    lambda numbers: "-".join(["S-1", *map(str, numbers)])
)
GROUP = (
    words("group", 64) | SID | st.sampled_from(["'", "#", "SIG # Begin signature block", "x" * 64])
)
LINE = words("line", 120)
LOCAL = st.lists(regex(ATOM), min_size=1, max_size=3).map(".".join)
WINDOW = st.sampled_from(
    [
        ("2027-03-06T22:00:00+01:00", "2027-03-07T02:00:00+01:00"),
        ("2027-03-06T22:00:00Z", "2027-03-06T22:00:01Z"),
        ("2000-01-01T00:00:00+14:00", "2999-12-31T23:59:59-14:00"),
        ("2028-02-29T00:00:00-00:00", "2028-02-29T00:00:00-00:01"),
    ]
)
VERSIONS = st.sampled_from(
    [("2013", "2013"), ("2016", "2015"), ("2019", "2019"), ("SE", "SE"), (2016, 2015)]
)
RESERVED = {
    "COUNT", "KEYS", "VALUES", "ITEM", "IDENTITY", "SOURCE", "ISREADONLY", "ISFIXEDSIZE",
    "ISSYNCHRONIZED", "SYNCROOT",
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """An inventory, its twin, and for each word of the twin what stands there in the inventory."""

    data: dict[str, Any]
    twin: dict[str, Any]
    told: dict[str, str]


class Words:
    """Hands out places: each time a value, and in the twin the word for it."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def pair(self, word: str, value: str) -> tuple[str, str]:
        self.told[word] = value
        return value, word

    def host(self, value: str) -> tuple[str, str]:
        number = len(self.told)
        word = f"k{number}k.k{number}d.example"
        # What stands behind the first label is a domain that somebody looks for.
        self.told[word.partition(".")[2]] = value.partition(".")[2]
        return self.pair(word, value)

    def netbios(self, value: str) -> tuple[str, str]:
        word = f"N{len(self.told)}N"
        self.told[word] = value.upper()
        return value, word


@st.composite
def inventories(draw: st.DrawFn) -> Pair:
    """An inventory that holds every key of the schemas, and passes the cross-checks."""
    made = Words()
    hosts = draw(st.lists(names(), min_size=24, max_size=24, unique_by=str.lower))
    short = draw(
        st.lists(
            NETBIOS.filter(lambda text: text.upper() not in RESERVED),
            min_size=6, max_size=6, unique_by=str.upper,
        )
    )  # fmt: skip
    (exchange_version, skype_version), hybrid = draw(VERSIONS), draw(st.booleans())

    def host() -> tuple[str, str]:
        return made.host(hosts.pop())

    def address() -> tuple[str, str]:
        name, word = made.host(draw(names(262)))
        return f"https://{name}{XML}", f"https://{word}{XML}"

    def netbios() -> tuple[str, str]:
        return made.netbios(short.pop())

    number = iter(range(100))
    thumbprints = [
        made.pair(f"{next(number):02d}" + "B" * 38, value)
        for value in draw(st.lists(THUMBPRINT, min_size=1, max_size=8, unique=True))
    ]
    servers = [
        {
            "fqdn": host(),
            "netbios": netbios(),
            "ad_domain": host(),
            "roles": ["mailbox"],
            "version": exchange_version,
            "cumulative_update": 14 if exchange_version == "2019" else draw(st.integers(0, 30)),
            "autodiscover_uri": address(),
        }
        for _ in range(2)
    ]
    domains = [host() for _ in range(draw(st.integers(1, 3)))]
    metadata = host()
    user = draw(LOCAL)[: 254 - 4 - 64] + "u"
    # The domain of the test user is one of the SIP domains, and short enough for both.
    domain = made.host(draw(names(63).filter(lambda text: text.lower() not in hosts)))
    if domain[0].lower() in {one.lower() for one, _ in domains}:
        domains = [one for one in domains if one[0].lower() != domain[0].lower()]
    domains.append(domain)
    sip = (f"sip:{user}@{domain[0]}", f"sip:{user}@{domain[1]}")
    mailbox = (f"{user}@{domain[0]}", f"{user}@{domain[1]}")
    groups = {
        name: made.pair(f"Group {name}", draw(GROUP)) for name in ("server_admins", "user_admins")
    }
    begin, end = draw(WINDOW)
    both = {
        "change": {
            "id": made.pair("M0M", draw(ID)),
            "title": made.pair("Title of the twin", draw(LINE)),
            "window": {
                "from": made.pair("2027-03-06T22:00:00+01:11", begin),
                "until": made.pair("2027-03-07T02:00:00+01:22", end),
            },
            "witness": draw(st.booleans()),
            "preflight_hours": draw(st.sampled_from([1, 72, 720])),
            "signers": thumbprints,
        },
        "exchange": {
            "version": exchange_version,
            "autodiscover": host(),
            "metadata_host": host(),
            "ad_domain": host(),
            "domain_controller": host(),
            "autodiscover_uri": address(),
            "load_balanced": draw(st.booleans()),
            "iis_restart": draw(st.sampled_from(["iisreset", "wait"])),
            "hybrid": hybrid,
            "servers": servers,
        },
        "skype": {
            "version": skype_version,
            "cumulative_update": draw(st.integers(10, 30)),
            "sip_domains": domains,
            "realm": domains[0],
            "ad_domain": host(),
            "metadata_host": metadata,
            "pools": [
                {
                    "fqdn": host(),
                    "type": "enterprise",
                    "ad_domain": host(),
                    "metadata_host": metadata,
                    "front_ends": [{"fqdn": host(), "netbios": netbios(), "ad_domain": host()}],
                },
                {"fqdn": host(), "type": "standard", "netbios": netbios(), "ad_domain": host()},
            ],
            "test_user": sip,
            "test_mailbox": mailbox,
            "unified_contact_store": draw(st.sampled_from(["allow", "deny"])),
            "oauth_certificate": made.pair("A" * 40, draw(THUMBPRINT)),
            "hybrid": hybrid,
            "groups": groups,
        },
    }
    return Pair(_side(both, 0), _side(both, 1), made.told)


def _side(both: Any, which: int) -> Any:
    if isinstance(both, dict):
        return {name: _side(item, which) for name, item in both.items()}
    if isinstance(both, list):
        return [_side(item, which) for item in both]
    return both[which] if isinstance(both, tuple) else both
