"""Random organisations for property tests: inventories as an author could write them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

DOMAIN = "litwareinc.com"


@st.composite
def inventories(draw: st.DrawFn) -> dict[str, Any]:
    """An inventory with several servers, versions, pools, and prerequisites asked for or not."""
    exchange = draw(exchanges())
    skype = draw(skypes())
    return {
        "change": {
            "id": draw(st.sampled_from(["CHG0012345", "C-1", "x"])),
            "title": "Server-to-server authentication",
            "window": {"from": "2027-03-06T22:00:00+01:00", "until": "2027-03-07T02:00:00+01:00"},
        },
        "exchange": exchange,
        "skype": skype,
    }


@st.composite
def exchanges(draw: st.DrawFn) -> dict[str, Any]:
    """The Exchange side."""
    versions = draw(st.lists(st.sampled_from(["2016", "2019"]), min_size=1, max_size=5))
    # The organisation's step runs on the first server, which must be of the newest version.
    versions.sort(reverse=True)
    servers = []
    for index, version in enumerate(versions):
        server = {"fqdn": f"ex{index:02d}.{DOMAIN}", "roles": ["mailbox"], "version": version}
        if draw(st.booleans()):
            server["ad_domain"] = f"site{index % 2}.{DOMAIN}"
        servers.append(server)
    found: dict[str, Any] = {
        "version": versions[0],
        "autodiscover": f"autodiscover.{DOMAIN}",
        "iis_restart": draw(st.sampled_from(["iisreset", "wait"])),
        "hybrid": draw(st.booleans()),
        "servers": servers,
    }
    if draw(st.booleans()):
        found["autodiscover_uri"] = f"https://autodiscover.{DOMAIN}/autodiscover/autodiscover.xml"
    if draw(st.booleans()):
        found["domain_controller"] = f"dc01.{DOMAIN}"
    return found


@st.composite
def skypes(draw: st.DrawFn) -> dict[str, Any]:
    """The Skype for Business side."""
    pools: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            pools.append({"fqdn": f"se{index:02d}.{DOMAIN}", "type": "standard"})
        else:
            count = draw(st.integers(1, 3))
            ends = [{"fqdn": f"fe{index}{end:02d}.{DOMAIN}"} for end in range(count)]
            pools.append(
                {"fqdn": f"pool{index}.{DOMAIN}", "type": "enterprise", "front_ends": ends}
            )
    found: dict[str, Any] = {
        "version": draw(st.sampled_from(["2015", "2019", "SE"])),
        "sip_domains": [DOMAIN],
        "pools": pools,
        "test_user": f"sip:kenmyer@{DOMAIN}",
        "unified_contact_store": draw(st.sampled_from(["allow", "deny"])),
        "hybrid": draw(st.booleans()),
    }
    if draw(st.booleans()):
        found["oauth_certificate"] = "A1" * 20
    return found
