"""Random organizations for property tests: inventories as an author could write them."""

from __future__ import annotations

from collections.abc import Iterator
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
    # The organization's step runs on the first server, which must be of the newest version.
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
    if len(servers) > 1 or draw(st.booleans()):
        found["load_balanced"] = draw(st.booleans())
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


SITES = ("ham", "sin", "nyc", "syd", "sao", "jnb", "osa")


def large(servers: int) -> str:
    """The text of an inventory of so many servers, with the awkward parts of a real one.

    Seven sites with a domain each, two versions of Exchange side by side, pools of up to eight
    servers among Standard Edition servers, and every fifth host name too long for NetBIOS.
    """
    mailbox = servers * 3 // 5
    lines = [
        "change:",
        "  id: CHG0099001",
        "  title: OAuth between Exchange and Skype for Business, all sites",
        "  window: {from: 2027-03-06T22:00:00+01:00, until: 2027-03-07T02:00:00+01:00}",
        "exchange:",
        "  version: 2019",
        "  autodiscover: autodiscover.contoso.com",
        "  ad_domain: corp.contoso.net",
        "  hybrid: true",
        "  load_balanced: true",
        "  servers:",
        *(_mailbox_server(number) for number in range(mailbox)),
        "skype:",
        "  version: 2019",
        "  sip_domains: [contoso.com, asia.contoso.com]",
        "  test_user: sip:sfb.check@contoso.com",
        "  unified_contact_store: deny",
        "  oauth_certificate: 966918EADDDD46574085FDAE13B59397E3633787",
        "  hybrid: true",
        "  pools:",
        *_pools(servers - mailbox),
    ]
    return "\n".join(lines) + "\n"


def _mailbox_server(number: int) -> str:
    site = SITES[number % len(SITES)]
    older = number % 4 == 3
    domain = f", ad_domain: {site}.corp.contoso.net" if number % 3 else ""
    version = ", version: 2016, cumulative_update: 23" if older else ", cumulative_update: 14"
    name, short = f"{site}-ex-{number:05d}", ""
    if number % 5 == 4:
        name = f"{site}-exchange-mailbox-{number:05d}.{site}"
        short = f", netbios: {site.upper()}-EX-{number:05d}"
    return f"    - {{fqdn: {name}.contoso.com, roles: [mailbox]{short}{domain}{version}}}"


def _pools(servers: int) -> Iterator[str]:
    number = pool = 0
    while number < servers:
        site = SITES[pool % len(SITES)]
        domain = f"ad_domain: {site}.corp.contoso.net"
        if pool % 3 == 2:
            yield f"    - {{fqdn: {site}-se-{number:05d}.contoso.com, type: standard, {domain}}}"
            number += 1
        else:
            yield f"    - fqdn: {site}-pool-{pool:05d}.contoso.com"
            yield f"      type: enterprise\n      {domain}\n      front_ends:"
            ends = range(number, min(number + 8, servers))
            yield from (f"        - {_front_end(site, end)}" for end in ends)
            number = ends.stop
        pool += 1


def _front_end(site: str, number: int) -> str:
    if number % 5 == 4:
        short = f"netbios: {site.upper()}-FE-{number:05d}"
        return f"{{fqdn: {site}-front-end-server-{number:05d}.contoso.com, {short}}}"
    return f"{{fqdn: {site}-fe-{number:05d}.contoso.com}}"
