"""The state of the lab for any inventory: a healthy organization as that inventory describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lab.lab import ROOT, Lab, Scripts

from generator.model.plan import Plan

SETUP = "HKLM:\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup"
FRONT_END = (
    "HKLM:\\SOFTWARE\\Microsoft\\Real-Time Communications\\{A593FD00-64F1-4288-A6F4-E699ED9DCA35}"
)
BUILDS = {"2013": (0, 1497), "2016": (1, 2507), "2019": (2, 1544), "SE": (2, 2562)}
"""Of each Exchange Server: the minor version and the build."""

FRONT_ENDS = {"2013": "5.0.8308.0", "2015": "6.0.9319.0", "2019": "7.0.2046.0", "SE": "7.0.2046.0"}
ASSIGNED = "D9CDB7957897D0908930B1442F3D8395AAADE621"
"""The certificate that the Front Ends sign with before the change."""


def lab_of(folder: Any, scripts: Scripts, plan: Plan) -> Lab:
    """A lab in which nothing was run yet, for the runbooks of this plan."""
    lab = Lab(folder, scripts)
    lab.alter(lambda state: state.update(state_of(plan, scripts)))
    return lab


def state_of(plan: Plan, scripts: Scripts) -> dict[str, Any]:
    """The whole state."""
    values = plan.inventory.values
    exchange, skype = values["exchange"], values["skype"]
    usual = json.loads((ROOT / "state.json").read_text())
    hosts = {
        one.host.netbios: host(one.definition.product, one.host, usual) for one in plan.forward
    }
    web = dict(addresses(exchange, skype, plan))
    names = {url.split("/")[2] for url in web} | {one.host.fqdn for one in plan.forward}
    state = {
        "hosts": hosts,
        "web": {url: {"from": source} for url, source in web.items()},
        "dns": {name: ["192.0.2.30"] for name in sorted(names)},
        "exchange": {
            **usual["exchange"],
            "acceptedDomains": [{"Name": d, "DomainName": d} for d in domains(skype)],
            **(
                {"internalUris": dict.fromkeys(hosts, "")} if "autodiscover_uri" in exchange else {}
            ),
        },
        "skype": front_ends(skype, plan),
    }
    if "signers" in values["change"]:
        thumbprint = values["change"]["signers"][0]
        folder = f"{scripts.folder}"
        state["signer"] = {"folder": folder, "subject": "CN=Signer", "thumbprint": thumbprint}
    return state


def host(product: str, one: Any, usual: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a server, those of litwareinc's with this version."""
    names = {"exchange": "ATL-EXCHANGE-00", "skype": "ATL-CS-001"}
    found: dict[str, Any] = json.loads(json.dumps(usual["hosts"][names[product]]))
    version = str(one.values["version"])
    if product == "exchange":
        minor, build = BUILDS[version]
        found["registry"][SETUP] |= {"MsiProductMinor": minor, "MsiBuildMajor": build}
    else:
        found["registry"][FRONT_END]["Version"] = FRONT_ENDS[version]
    return {**found, "domain": one.ad_domain, "fqdn": one.fqdn}


def addresses(
    exchange: Mapping[str, Any], skype: Mapping[str, Any], plan: Plan
) -> Iterator[tuple[str, str]]:
    """Every web address, with the script that answers there."""
    by_exchange, by_skype = "exchange/web.ps1", "stand-ins/SkypeForBusiness/web.ps1"
    servers = [one["fqdn"] for one in exchange["servers"]]
    for name in (exchange["autodiscover"], exchange["metadata_host"], *servers):
        yield f"https://{name}/autodiscover/metadata/json/1", by_exchange
        yield f"https://{name}/autodiscover/autodiscover.svc", by_exchange
        yield f"https://{name}/ews/exchange.asmx", by_exchange
    yield skype["metadata_url"], by_skype
    fronts = {one.host.fqdn for one in plan.forward if one.definition.product == "skype"}
    for name in sorted(
        {*fronts, *(pool.get("metadata_host", pool["fqdn"]) for pool in skype["pools"])}
    ):
        yield f"https://{name}/metadata/json/1", by_skype


def domains(skype: Mapping[str, Any]) -> list[str]:
    """What Exchange must accept."""
    return sorted({skype["realm"], skype["test_mailbox"].partition("@")[2]})


def front_ends(skype: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The store of Skype for Business, before the change."""
    wanted = [skype["oauth_certificate"]] if "oauth_certificate" in skype else []
    first = next(one for one in plan.forward if one.definition.product == "skype")
    return {
        "oauth": {
            "Identity": "Global",
            "ExchangeAutodiscoverUrl": "",
            "Realm": skype["realm"],
            "ServiceName": "00000004-0000-0ff1-ce00-000000000000",
        },
        "applications": [],
        "policies": [{"Identity": "Global", "UcsAllowed": True}],
        "assigned": ASSIGNED,
        "certificates": [
            {
                "Thumbprint": thumbprint,
                "Name": skype["realm"],
                "DnsNames": list(skype["sip_domains"]),
                "HasPrivateKey": True,
                "KeySize": 2048,
                "Algorithm": "1.2.840.113549.1.1.1",
                "NotBefore": "2026-11-24T12:05:33Z",
                "NotAfter": "2030-09-24T12:05:33Z",
            }
            for thumbprint in (ASSIGNED, *wanted)
        ],
        "contactStore": {"Disabled": 10, "Allowed": 0, "Migrating": 0, "Migrated": 0, "Failed": 0},
        "master": first.host.fqdn,
        "pools": {
            pool["fqdn"]: [one["fqdn"] for one in pool.get("front_ends", [pool])]
            for pool in skype["pools"]
        },
        "users": [
            {
                "SipAddress": skype["test_user"],
                "Name": "Test user",
                "Enabled": True,
                "RegistrarPool": skype["pools"][0]["fqdn"],
            }
        ],
    }
