"""What the cmdlets.yml files say, against Microsoft's reference and the analyzer's profiles."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from programs import beside, missing, pwsh

from generator.syntax.calls import own_functions
from generator.syntax.tree import parse
from generator.templating.templates import built_in

TEMPLATES = built_in()
PRODUCTS = {
    "exchange": {
        "Exchange Server 2013": "2013",
        "Exchange Server 2016": "2016",
        "Exchange Server 2019": "2019",
        "Exchange Server SE": "SE",
    },
    "skype": {
        "Lync Server 2013": "2013",
        "Skype for Business Server 2015": "2015",
        "Skype for Business Server 2019": "2019",
    },
}
# The Subscription Edition of Skype for Business is not named in the reference: 2019 in place.
SAME_AS = {"skype": {"2019": "SE"}}
# The reference contradicts its own syntax lines, which the list follows.
SYNTAX_WINS = {("Set-CsCertificate", "Identity"), ("Set-CsCertificate", "Type")}
# Rights of the vendor's script need the cmdlet alone; some sets are for the cloud only.
CLOUD_SETS = {"App", "HVEAccount", "MailboxPlanSet"}
PROFILES = ("win-8_x64_6.2.9200.0_3.0_*.json", "win-8_x64_10.0.17763.0_5.1*.json")


def read(name: str) -> Any:
    return yaml.safe_load((TEMPLATES / name / "cmdlets.yml").read_text())


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """Microsoft's cmdlet reference, distilled: an oracle, not part of the product."""
    loaded: dict[str, Any] = json.loads(
        gzip.decompress(beside("data/cmdlets.json.gz").read_bytes())
    )
    return loaded


def commands() -> Iterator[Any]:
    for product in PRODUCTS:
        for name, entry in read(product)["commands"].items():
            yield pytest.param(product, name, entry, id=name)


@pytest.mark.parametrize("folder", ["_runbook", *PRODUCTS])
def test_file_follows_its_schema(folder: str) -> None:
    schema = yaml.safe_load((TEMPLATES / "_runbook" / "cmdlets.schema.yml").read_text())
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema, offline=True)
    assert [error.message for error in validator.iter_errors(read(folder))] == []


@pytest.mark.parametrize(("product", "name", "entry"), list(commands()))
def test_command_agrees_with_the_reference(
    product: str, name: str, entry: Mapping[str, Any], reference: dict[str, Any]
) -> None:
    known = reference.get(name)
    if known is None:
        assert entry.get("source"), "the reference does not list it: say where it comes from"
        return
    versions = words(entry["versions"])
    if not entry.get("source"):
        assert versions <= versions_of(product, known["applicable"])
    listed = entry.get("parameters") or {}
    sets = words(entry.get("sets") or [""])
    for parameter, item in listed.items():
        assert parameter in known["parameters"], parameter
        facts = known["parameters"][parameter]
        mine = words((item or {}).get("versions") or entry["versions"])
        if not entry.get("source"):
            assert mine <= versions_of(product, facts["applicable"]), parameter
        compare_parameter(name, parameter, item or {}, facts["in"], sets)


def compare_parameter(
    name: str, parameter: str, item: Mapping[str, Any], facts: list[Any], sets: set[str]
) -> None:
    """Type, sets and mandatory sets are as in the reference."""
    switch = all(fact["type"] == "SwitchParameter" for fact in facts)
    assert bool(item.get("switch")) is switch, parameter
    if (name, parameter) in SYNTAX_WINS:
        return
    theirs = sets_of(facts, sets)
    assert (words(item.get("sets")) or sets) == theirs, parameter
    required = sets_of([fact for fact in facts if fact["required"]], sets)
    given = item.get("mandatory", False)
    assert (theirs if given is True else words(given or [])) == required, parameter


@pytest.mark.parametrize(("product", "name", "entry"), list(commands()))
def test_every_mandatory_parameter_is_listed(
    product: str, name: str, entry: Mapping[str, Any], reference: dict[str, Any]
) -> None:
    sets = words(entry.get("sets") or [""])
    for parameter, facts in reference.get(name, {}).get("parameters", {}).items():
        there = versions_of(product, facts["applicable"]) & words(entry["versions"])
        required = sets_of([fact for fact in facts["in"] if fact["required"]], sets)
        if there and required - CLOUD_SETS:
            assert parameter in (entry.get("parameters") or {}), parameter


@pytest.mark.parametrize("product", list(PRODUCTS))
def test_scripts_name_known_cmdlets(product: str) -> None:
    data = read(product)
    for name, script in (data.get("scripts") or {}).items():
        assert script["source"], name
        assert set(script["commands"]) <= set(data["commands"]), name


@pytest.mark.parametrize("product", list(PRODUCTS))
def test_only_cmdlets_in_use_are_listed(product: str) -> None:
    data = read(product)
    text = "\n".join(path.read_text() for path in (TEMPLATES / product).rglob("*.ps1.j2"))
    used = set(re.findall(r"[A-Z][A-Za-z]+-[A-Z]\w+", text))
    used |= {name for script in (data.get("scripts") or {}).values() for name in script["commands"]}
    assert set(data["commands"]) - used == set()


def words(data: Any) -> set[str]:
    return {str(word) for word in data or ()}


def versions_of(product: str, applicable: str) -> set[str]:
    table = PRODUCTS[product]
    found = {table[name.strip()] for name in applicable.split(",") if name.strip() in table}
    return found | {new for old, new in SAME_AS.get(product, {}).items() if old in found}


def sets_of(facts: list[Any], sets: set[str]) -> set[str]:
    named = {name for fact in facts for name in fact["sets"].split(", ")}
    return sets if "(All)" in named or (named and sets == {""}) else named & sets


# --- Windows PowerShell --------------------------------------------------------------


@pytest.fixture(scope="module", params=PROFILES)
def profile(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a Windows PowerShell has, as the analyzer's profile of it says."""
    folder = Path(pwsh()).resolve().parent / "bin" / "Modules" / "PSScriptAnalyzer"
    files = list(folder.glob(f"*/compatibility_profiles/{request.param}"))
    if not files:
        missing("PSScriptAnalyzer's profiles do not lie beside pwsh: tests of the command list")
    loaded: dict[str, Any] = json.loads(files[0].read_text("utf-8-sig"))["Runtime"]
    return loaded


def test_commands_exist_in_windows_powershell(profile: dict[str, Any]) -> None:
    found = {
        name: command
        for module in profile["Modules"].values()
        for version in module.values()
        for kind in ("Cmdlets", "Functions")
        for name, command in (version.get(kind) or {}).items()
    }
    base = read("_runbook")
    assert set(base["common"]) <= set(profile["Common"]["Parameters"])
    for name, entry in base["commands"].items():
        assert name in found, name
        for parameter, item in (entry.get("parameters") or {}).items():
            facts = found[name]["Parameters"].get(parameter)
            assert facts, f"{name} -{parameter}"
            switch = facts["Type"].endswith("SwitchParameter")
            assert bool(item.get("switch")) is switch, f"{name} -{parameter}"


def test_types_exist_in_windows_powershell(profile: dict[str, Any]) -> None:
    types = {
        f"{namespace}.{name}": facts
        for assembly in profile["Types"]["Assemblies"].values()
        for namespace, names in (assembly.get("Types") or {}).items()
        for name, facts in names.items()
    }
    accelerators = {name.lower() for name in profile["Types"]["TypeAccelerators"]}
    # [ordered] is no type but a form of the language.
    accelerators |= {"ordered", "object"}
    for name, entry in read("_runbook")["types"].items():
        short = profile["Types"]["TypeAccelerators"].get(name, {}).get("Type", "")
        assert name in types if "." in name else name.lower() in accelerators, name
        static = types.get(name if "." in name else short, {}).get("Static") or {}
        members = {member for kind in static.values() for member in kind}
        assert words(entry.get("reads")) | words(entry.get("changes")) <= members, name


def test_newer_commands_are_not_in_windows_powershell_3(profile: dict[str, Any]) -> None:
    """Named with the version that brought them, so none is in the older profile."""
    names = {
        name
        for module in profile["Modules"].values()
        for version in module.values()
        for kind in ("Cmdlets", "Functions")
        for name in version.get(kind) or {}
    }
    if "New-Guid" not in names:
        assert not names & set(read("_runbook")["newer"])


def test_functions_are_those_of_the_engine() -> None:
    text = "".join(path.read_text() for path in sorted(TEMPLATES.glob("_runbook/engine*.ps1")))
    script = parse(text, engine=True)
    functions = {function.name: function for function in own_functions(script)}
    for name, entry in read("_runbook")["functions"].items():
        assert name in functions, name
        assert set(entry["parameters"]) <= set(functions[name].parameters), name
