"""No key of an inventory is decoration: another value of any of them changes something.

Each key that the schemas describe gets another valid value in turn, in an inventory that has all
of them. A script, the run sheet or a finding must change with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import ROOT

from generator.documents import runsheet
from generator.findings import FindingsError
from generator.inventory import reader
from generator.output import bundle
from generator.planning import plan, roles
from generator.rendering import render
from generator.schema import references, schema_files
from generator.templating import environment
from generator.templating.templates import TemplateTree

TREE = TemplateTree.for_project()
REGISTRY = schema_files.load_registry(TREE)
PRODUCTS = roles.load_products(TREE, environment.make(TREE))
PHASES = roles.load_phases(TREE)
GO = roles.load_go(TREE, environment.make(TREE))

MISSING_IN_CONTOSO = {
    "change.witness": "true",
    "skype.pools[1].netbios": "SIN-SFB-01",
    "skype.pools[0].front_ends[0].ad_domain": "emea.corp.contoso.net",
}
# Keys that are of account beside certain others only (None: that one is absent).
BESIDE: dict[str, dict[str, str | None]] = {
    "exchange.servers[0].cumulative_update": {
        "exchange.servers[0].cumulative_update": "15",
        "exchange.servers[3].version": "2013",
    },
    "skype.cumulative_update": {"skype.cumulative_update": "10", "skype.version": "2013"},
    "skype.metadata_host": {
        "skype.metadata_host": "sfb-metadata.contoso.com",
        "skype.pools[0].metadata_host": None,
    },
}

OTHER_TEXT = {
    "safe_name": "CHG0999999",
    "line": "Another title",
    "host_name": "other-server.contoso.com",
    "domain_name": "other.contoso.com",
    "netbios": "OTHER-NAME",
    "thumbprint": "0123456789ABCDEF0123456789ABCDEF01234567",
    "smtp_address": "other@mail.contoso.com",
    "sip_uri": "sip:other@contoso.com",
    "group": "OtherGroup",
    "autodiscover_uri": "https://other.contoso.com/autodiscover/autodiscover.xml",
}
OTHER_INSTANT = {"from": "2027-05-08T21:30:00+02:00", "until": "2027-05-09T05:30:00+02:00"}

Path_ = tuple[str, ...]
Outcome = dict[str, bytes] | list[str]


def keys(part: references.Schema, file: str, path: Path_ = ()) -> Iterator[tuple[Path_, Any, str]]:
    """Every key whose value is no mapping: its path (`*` is an item), its schema, its form."""
    form = ""
    while "$ref" in part:
        form = part["$ref"].rpartition("/")[2]
        part, file = references.resolve(part["$ref"], file, REGISTRY)
    if "properties" in part:
        for name, inner in part["properties"].items():
            yield from keys(inner, file, (*path, name))
    elif part.get("type") == "array" and "items" in part:
        yield from keys(part["items"], file, (*path, "*"))
    else:
        yield path, part, form


def all_keys() -> dict[str, tuple[Any, str]]:
    name = "_runbook/schema.yml"
    whole = reader.inventory_schema(TREE, REGISTRY)
    return {
        ".".join(path).replace(".*", "[*]"): (part, form) for path, part, form in keys(whole, name)
    }


KEYS = all_keys()


def maximal(name: str = "") -> dict[str, Any]:
    """An inventory with every key that the schemas know, so that `name` is of account."""
    data = yaml.load((ROOT / "inventories/contoso.yml").read_text("utf-8"), Loader=yaml.BaseLoader)
    for place, value in {**MISSING_IN_CONTOSO, **BESIDE.get(name, {})}.items():
        put(data, place, value)
    return data


def parts(place: str) -> list[str | int]:
    """`a[0].b` as what leads there."""
    found = re.findall(r"(\w+)|\[(\d+)\]", place)
    return [name or int(number) for name, number in found]


def put(data: Any, place: str, value: str | None) -> None:
    """Set what stands at a place, or with None take it away."""
    *above, last = parts(place)
    for part in above:
        data = data[part]
    if value is None:
        del data[last]
    else:
        data[last] = value


def places(data: Any, name: str) -> list[str]:
    """Where a key of the schemas stands in an inventory: `a[*].b` is at `a[0].b` and so on."""
    found = [("", data)]
    for key in re.findall(r"\w+|\[\*\]", name):
        if key == "[*]":
            found = [(f"{at}[{i}]", item) for at, value in found for i, item in enumerate(value)]
        else:
            found = [(f"{at}.{key}", v[key]) for at, v in found if key in v]
    return [place.lstrip(".") for place, _ in found]


def value_at(data: Any, place: str) -> Any:
    for part in parts(place):
        data = data[part]
    return data


def other(value: str, part: references.Schema, form: str, name: str) -> str:
    """Another valid value."""
    if form == "instant":
        return OTHER_INSTANT[name]
    if "enum" in part:
        choices = [str(choice) for choice in part["enum"]]
        return choices[(choices.index(value) + 1) % len(set(choices))]
    if part["type"] == "boolean":
        return "false" if value == "true" else "true"
    if part["type"] == "integer":
        return str(int(value) - 1 if int(value) > part["minimum"] else int(value) + 1)
    return OTHER_TEXT[form]


def outcome(data: dict[str, Any], path: Path) -> Outcome:
    """The scripts and the run sheet of an inventory, or its findings."""
    path.write_text(yaml.safe_dump(plain(data), sort_keys=False), "utf-8")
    try:
        found = reader.load_inventory(path, TREE)
        planned = plan.make(found, PRODUCTS, PHASES, GO)
        files = bundle.contents(render.make(planned, PRODUCTS, TREE), TREE)
    except FindingsError as error:
        return [f"{finding.code} {finding.message}" for finding in error.findings]
    return {name: text for name, text in files.items() if name.endswith((".ps1", runsheet.NAME))}


def plain(value: Any) -> Any:
    """Words of YAML as what they mean; everything else stays text."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() and len(value) < 10 else value


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    found = outcome(maximal(), tmp_path_factory.mktemp("harmless") / "contoso.yml")
    assert isinstance(found, dict), found
    return found


def test_the_inventory_has_every_key() -> None:
    data = maximal()
    assert [name for name in KEYS if not places(data, name) and name not in BESIDE] == []
    assert len(KEYS) > 30


@pytest.mark.parametrize("name", KEYS)
def test_another_value_changes_something(name: str, harmless: Outcome, tmp_path: Path) -> None:
    part, form = KEYS[name]
    # A key that only some servers need is tried where it is of account.
    tried = [place for place in BESIDE if re.sub(r"\d+", "*", place) == name]
    for place in tried or places(maximal(), name):
        data = maximal(place)
        was = outcome(data, tmp_path / "contoso.yml") if place in BESIDE else harmless
        put(data, place, other(value_at(data, place), part, form, name.rpartition(".")[2]))
        found = outcome(data, tmp_path / "contoso.yml")
        if isinstance(found, list):
            # The other value is of the right form: what is found is how it fits the others.
            assert found
            assert not any(finding.startswith("E1") for finding in found), found
        assert found != was, f"{place}: another value changed nothing"
