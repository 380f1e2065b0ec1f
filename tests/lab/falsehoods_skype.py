"""What can be false around Skype for Business Server, and what its runbooks must say then."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from lab.falsehood import PREREQUISITES, Falsehood
from lab.lab import ROOT, Lab

State = dict[str, Any]
Change = Callable[[State], object]
HOST = "ATL-CS-001"
SERVER = "atl-cs-001.litwareinc.com"
EXCHANGE_URL = "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
SERVICE_URL = "https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc"
SKYPE_URL = f"https://{SERVER}/metadata/json/1"
EXCHANGE_ID = "00000002-0000-0ff1-ce00-000000000000"
VERSION_KEY = (
    r"HKLM:\SOFTWARE\Microsoft\Real-Time Communications\{A593FD00-64F1-4288-A6F4-E699ED9DCA35}"
)
PROXY_KEY = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
ASSIGNED = "D9CDB7957897D0908930B1442F3D8395AAADE621"
NEXT = "F8999C0D859C65EC98DF82A52CCAEDBE74B7C0BB"
FAILED = "It could not be checked: Lab: fault before "
STOPPED = "Lab: fault before "


def skype(**facts: Any) -> Change:
    """Entries of the key skype."""
    return lambda state: state["skype"].update(facts)


def all_of(*changes: Change) -> Change:
    """Several changes at once."""

    def change(state: State) -> None:
        for one in changes:
            one(state)

    return change


def web(url: str, **answer: Any) -> Change:
    """What a web address answers."""
    return lambda state: state["web"].update({url: answer})


def version(text: str) -> Change:
    """The version that the registry of the server shows."""
    return lambda state: state["hosts"][HOST]["registry"].update({VERSION_KEY: {"Version": text}})


def win_http(flags: int, proxy: str) -> Change:
    """The proxy of WinHTTP: flags, its name, its bypass list."""
    data = [24, 0, 0, 0, 0, 0, 0, 0, flags, 0, 0, 0, len(proxy), 0, 0, 0, *proxy.encode()]
    return lambda state: state["hosts"][HOST]["registry"].update(
        {PROXY_KEY: {"WinHttpSettings": data}}
    )


def document(**changes: Any) -> dict[str, Any]:
    """The metadata document of Exchange, otherwise than it should be."""
    key = (ROOT / "exchange" / "auth-certificate.txt").read_text().strip()
    keys = [{"usage": "signing", "keyvalue": {"value": key}}]
    body = {"serviceName": EXCHANGE_ID, "keys": keys, **changes}
    return {"status": 200, "headers": {}, "body": json.dumps(body)}


def application(identity: str = "Exchange", **more: Any) -> dict[str, Any]:
    """A partner application with Exchange's identifier."""
    return {
        "Identity": identity, "ApplicationIdentifier": EXCHANGE_ID, "Realm": "",
        "ApplicationTrustLevel": "Full", "AcceptSecurityIdentifierInformation": False,
        "Enabled": True, "AuthToken": f"Value={EXCHANGE_URL}", **more,
    }  # fmt: skip


ONLINE = application(
    "microsoft.exchange",
    AuthToken="Microsoft.Rtc.Management.WritableConfig.Settings.SSAuth.UseOAuthServer",
)
OTHER = application("MicrosoftExchange", AuthToken="Value=https://old.litwareinc.com/metadata")
SHAREPOINT = application(ApplicationIdentifier="00000003-0000-0ff1-ce00-000000000000")


def there(*applications: dict[str, Any]) -> Change:
    """These applications are there as well."""
    return lambda state: state["skype"]["applications"].extend(applications)


def ours(**changes: Any) -> Change:
    """Somebody changed the application that the runbook made."""
    return lambda state: state["skype"]["applications"][0].update(changes)


def certificate(thumbprint: str = ASSIGNED, **changes: Any) -> Change:
    """A certificate in the store of the Front Ends, otherwise than it should be."""

    def change(state: State) -> None:
        for one in state["skype"]["certificates"]:
            if one["Thumbprint"] == thumbprint:
                one.update(changes)

    return change


def contact_store(**counts: int) -> Change:
    """Where the contact lists are."""
    return lambda state: state["skype"]["contactStore"].update(counts)


def policy(identity: str, allowed: bool) -> Change:
    """One more user services policy."""
    entry = {"Identity": identity, "UcsAllowed": allowed}
    return lambda state: state["skype"]["policies"].append(entry)


def behind(state: State) -> None:
    """The copy of this server is that of an earlier day."""
    store = {name: state["skype"][name] for name in ("oauth", "applications", "policies")}
    old = copy.deepcopy({**store, "assigned": state["skype"]["assigned"]})
    old["oauth"]["Realm"] = "earlier.com"
    state["skype"]["replicas"] = {SERVER: old}


def failing(words: str) -> Change:
    """The storage service does not reach the mailbox and says why."""
    return skype(failures=words)


def forget(key: str) -> Callable[[Lab], object]:
    """The receipt of this runbook is not here."""
    return lambda lab: lab.receipt_path(key).unlink()


def row(id_: str, runbook: str, says: str | tuple[str, ...], code: int, **more: Any) -> Falsehood:
    """A row of this table: ids start with the runbook."""
    says = (says,) if isinstance(says, str) else says
    name = runbook.replace("@", "-")
    return Falsehood(f"{name}-{id_}", runbook, says, code, **more)


def unread(runbook: str, command: str, says: str = FAILED, code: int = 4, **more: Any) -> Falsehood:
    """A read that fails never looks like none found."""
    return row(f"unread-{command}", runbook, says, code, fails=command, **more)


NETWORK = "skype-preflight"
PREFLIGHT = "skype-preflight"
GUARDS = (
    row("version", NETWORK, ("The version here is '7.0.2046.0'",
        "wanted is 6.0.9319.*, Skype for Business Server 2015"), 2, change=version("7.0.2046.0")),
    row("no-front-end", NETWORK, "The version here is ''", 2,
        change=lambda state: state["hosts"][HOST]["registry"].pop(VERSION_KEY)),
    row("2019", NETWORK, "wanted is 7.0.2046.*, Skype for Business Server 2019", 2,
        inventory={"skype.version": "2019"}),
    row("se", NETWORK, "wanted is 7.0.2046.*, Skype for Business Server SE", 2,
        inventory={"skype.version": "SE"}),
    row("2013", NETWORK, "wanted is 5.0.8308.*, Lync Server 2013", 2,
        inventory={"skype.version": "2013"}),
    row("group", PREFLIGHT, "You are not in the group RTCUniversalUserAdmins", 2,
        env={"LAB_GROUPS": "RTCUniversalServerAdmins"}),
    row("group-by-sid", PREFLIGHT, "You are not in the group S-1-5-21-1-2-3-9999", 2,
        inventory={"skype.groups": {"server_admins": "S-1-5-21-1-2-3-9999"}}),
    row("dead-shell", PREFLIGHT, "shell does not answer", 2, fails="Get-CsManagementConnection"),
)  # fmt: skip

METADATA = (
    row("metadata-500", NETWORK, "The certificate of Get-AuthConfig is missing or expired on an", 4,
        change=web(EXCHANGE_URL, status=500)),
    row("metadata-untrusted", NETWORK, "Import the root certificate of its issuer into", 4,
        change=web(EXCHANGE_URL, failure="TrustFailure")),
    row("metadata-unknown", NETWORK, "Look at the URL, name resolution, firewall and proxy", 4,
        change=web(EXCHANGE_URL, failure="NameResolutionFailure")),
    row("metadata-404", NETWORK, ("it answers 404", "Look at the URL, name resolution"), 4,
        change=web(EXCHANGE_URL, status=404)),
    row("metadata-of-other", NETWORK, "it is not the document of Exchange", 4,
        change=web(EXCHANGE_URL, **document(serviceName="other"))),
    row("metadata-empty", NETWORK, "it publishes no certificate", 4,
        change=web(EXCHANGE_URL, **document(keys=[]))),
    row("metadata-html", NETWORK, f"{EXCHANGE_URL} does not work:", 4,
        change=web(EXCHANGE_URL, status=200, body="<html>sign in</html>")),
    row("metadata-cut", NETWORK, f"{EXCHANGE_URL} does not work:", 4,
        change=web(EXCHANGE_URL, **document(keys=[{"keyvalue": {"value": "MIIC"}}]))),
)  # fmt: skip

AUTODISCOVER = (
    row("autodiscover-404", NETWORK,
        ("the path is wrong, correct exchange.autodiscover", ", then run this again."), 4,
        change=web(SERVICE_URL, status=404)),
    row("autodiscover-503", NETWORK, "an application pool is down, as with an expired", 4,
        change=web(SERVICE_URL, status=503)),
    row("autodiscover-silent", NETWORK, "look at name resolution, firewall and the load", 4,
        change=web(SERVICE_URL, failure="ConnectFailure")),
    row("no-date", NETWORK, "sends no Date. Compare the clocks by hand on both servers", 4,
        change=web(SERVICE_URL, status=401, headers={"Date": "none"})),
    row("clock", NETWORK, "s apart, tokens allow 300. Run on the server that is wrong", 4,
        change=web(SERVICE_URL, status=401, headers={"Date": "Sat, 06 Mar 2027 20:00:00 GMT"})),
    row("proxy", NETWORK, ("on its bypass list, in the Internet Options", "proxy:8080"), 4,
        env={"https_proxy": "http://proxy:8080"}),
    row("win-http", NETWORK, ("on its bypass list, in the Internet Options", "proxy:80"), 4,
        change=win_http(3, "proxy:80")),
    row("win-http-bypass", NETWORK, (), 0, change=win_http(3, "proxy:80 *.litwareinc.com")),
    unread(NETWORK, "Get-ItemProperty#2"),
)  # fmt: skip

SERVERS = (
    row("no-identity-foundation", PREFLIGHT, "Run: Install-WindowsFeature -Name Windows-", 4,
        change=lambda state: state["hosts"][HOST].update(features=["Web-Server"])),
    row("copy-behind", PREFLIGHT, "; if it is still behind after ten minutes, Restart-Service", 4,
        change=behind),
    row("no-replica", PREFLIGHT, "The copy of the configuration on atl-cs-001", 4,
        change=skype(silentReplicas=[SERVER])),
    row("more-front-ends", PREFLIGHT, "pool: members is ", 4, wanted=("pool.members",),
        change=skype(pools={SERVER: [SERVER, "atl-cs-009.litwareinc.com"]})),
    unread(PREFLIGHT, "Get-WindowsFeature"),
    unread(PREFLIGHT, "Get-CsManagementStoreReplicationStatus"),
    unread(PREFLIGHT, "Get-CsPool"),
)  # fmt: skip

CONFLICTS = "skype-preflight"
STANDS = ("stands for Exchange already, made another way.", "Remove-CsPartnerApplication")
CONFLICTING = (
    row("online", CONFLICTS, ("microsoft.exchange", "is the trust to Exchange Online. Set"), 4,
        change=there(ONLINE)),
    row("online-is-left-alone", CONFLICTS, (), 0, change=there(ONLINE),
        inventory={"skype.hybrid": True}),
    row("other-url", CONFLICTS, ("MicrosoftExchange", *STANDS), 4, change=there(OTHER)),
    row("two", CONFLICTS, STANDS, 4, change=there(application(), OTHER)),
    row("disabled", CONFLICTS, STANDS, 4, change=there(application(Enabled=False))),
    row("little-trust", CONFLICTS, STANDS, 4,
        change=there(application(ApplicationTrustLevel="User"))),
    row("name-taken", CONFLICTS, "The name 'Exchange' belongs to ", 4, change=there(SHAREPOINT)),
    row("policy", CONFLICTS, "allowing is 'Site:Redmond'", 4, change=policy("Site:Redmond", True),
        wanted=("contact-lists.allowing",)),
    row("moved", CONFLICTS, "moved is '3 of atl-cs-001", 4, wanted=("contact-lists.moved",),
        change=contact_store(Migrating=1, Migrated=2)),
    row("silent-store", CONFLICTS, "Debug-CsUnifiedContactStore says nothing about", 4,
        change=skype(contactStore=None)),
    row("no-user", CONFLICTS, "Management object not found", 4, change=skype(users=[])),
    row("disabled-user", CONFLICTS, "enabled is 'False'", 4, wanted=("test-user.enabled",),
        change=lambda state: state["skype"]["users"][0].update(Enabled=False)),
    *(unread(CONFLICTS, command) for command in (
        "Get-CsPartnerApplication", "Get-CsUserServicesPolicy", "Debug-CsUnifiedContactStore",
        "Get-CsUser")),
)  # fmt: skip

ORGANIZATION = "skype-preflight"
SOON = "; wanted is from now on for 30 days."
SIGNING = (
    row("unassigned", ORGANIZATION,
        ("0 assigned", ", one is wanted. Run: Set-CsCertificate -Identity global"), 4,
        change=skype(assigned="")),
    row("two-certificates", ORGANIZATION, ("2 assigned", ", one is wanted. Run:"), 4,
        change=skype(assigned=[ASSIGNED, NEXT])),
    row("expires", ORGANIZATION, SOON, 4, change=certificate(NotAfter="2027-04-01T00:00:00Z")),
    row("expired", ORGANIZATION, SOON, 4, change=certificate(NotAfter="2027-03-01T00:00:00Z")),
    row("not-yet", ORGANIZATION, SOON, 4, change=certificate(NotBefore="2028-03-01T00:00:00Z")),
    row("no-key", ORGANIZATION, "is not in LocalMachine\\My here with its private key.", 4,
        change=certificate(HasPrivateKey=False)),
    row("other-key-published", ORGANIZATION,
        (NEXT, ", so Exchange would trust another key. Wait for replication"), 4,
        change=skype(published=NEXT)),
    row("nothing-published", ORGANIZATION,
        ("it answers 0 TrustFailure", ", so Exchange would trust another key."), 4,
        change=web(SKYPE_URL, failure="TrustFailure")),
    row("http-500", ORGANIZATION, ("it answers 500", ", so Exchange would trust another key."), 4,
        change=web(SKYPE_URL, status=500)),
    unread(ORGANIZATION, "Get-CsCertificate"),
    unread(ORGANIZATION, "Get-ChildItem"),
)  # fmt: skip


def oauth(**changes: Any) -> Change:
    """The OAuth configuration, otherwise than it should be."""
    return lambda state: state["skype"]["oauth"].update(changes)


OTHER_SERVICE = "https://other.litwareinc.com/autodiscover/autodiscover.svc"
CONFIGURED = (
    row("realm", ORGANIZATION, "; or, as it breaks every trust that exists", 4,
        change=oauth(Realm="other.com")),
    row("service-name", ORGANIZATION, "Set-CsOAuthConfiguration -Identity global -ServiceName", 4,
        change=oauth(ServiceName="mine")),
    row("other-address", ORGANIZATION, "already. If nobody needs it, run: Set-CsOAuth", 4,
        change=oauth(ExchangeAutodiscoverUrl=OTHER_SERVICE)),
    row("our-address", ORGANIZATION, (), 0, change=oauth(ExchangeAutodiscoverUrl=SERVICE_URL)),
    row("no-master", ORGANIZATION, "No active master of the Central Management Store", 4,
        change=skype(master="")),
    unread(ORGANIZATION, "Get-CsOAuthConfiguration"),
    unread(ORGANIZATION, "Get-CsManagementStoreReplicationStatus#2"),
)  # fmt: skip

CERTIFICATE = "skype-prerequisites"
ONLY_CERTIFICATE = {"skype.oauth_certificate": NEXT}
UNFIT: dict[str, tuple[str, Change]] = {
    "not-here": ("is not in LocalMachine\\My of this server with its private key.",
                 certificate(NEXT, Thumbprint="AB" * 20)),
    "without-key": ("is not in LocalMachine\\My of this server with its private key.",
                    certificate(NEXT, HasPrivateKey=False)),
    "out-of-date": (", wanted is from now on for 30 days. Request another",
                    certificate(NEXT, NotAfter="2027-03-20T00:00:00Z")),
    "small-key": ("has no RSA key of 2048 bit or more.", certificate(NEXT, KeySize=1024)),
    "curve": ("has no RSA key of 2048 bit or more.",
              certificate(NEXT, Algorithm="1.2.840.10045.2.1", KeySize=384)),
    "other-name": ("and not the SIP domain", certificate(NEXT, DnsNames=["pool.litwareinc.com"])),
}  # fmt: skip
CERTIFICATES = (
    *(row(name, ORGANIZATION, says, 4, change=change, inventory=PREREQUISITES)
      for name, (says, change) in UNFIT.items()),
    *(row(name, CERTIFICATE, says, 2, change=change, inventory=PREREQUISITES)
      for name, (says, change) in UNFIT.items()),
    row("other", CERTIFICATE, "thumbprint was left as", 2, change=skype(assigned=ASSIGNED),
        inventory=PREREQUISITES, done=True, wanted=("oauth-certificate.thumbprint",)),
    unread(CERTIFICATE, "Get-CsCertificate", STOPPED, 1, inventory=PREREQUISITES),
    unread(CERTIFICATE, "Get-ChildItem", STOPPED, 2, inventory=PREREQUISITES),
    row("old-one-lost", f"undo-{CERTIFICATE}", "The certificate from before,", 2,
        change=certificate(HasPrivateKey=False), inventory=ONLY_CERTIFICATE),
    unread(f"undo-{CERTIFICATE}", "Get-ChildItem", STOPPED, 2, inventory=ONLY_CERTIFICATE),
)  # fmt: skip

GUARD = "skype-prerequisites"
GUARDED = (
    row("policy", GUARD, ("Site:Redmond", ", and this runbook sets the global one alone."), 2,
        change=policy("Site:Redmond", True)),
    row("moved", GUARD, ("3 contact lists", "live in Exchange or move there. Bring them back"), 2,
        change=contact_store(Migrating=1, Migrated=2)),
    row("silent-store", GUARD, "says nothing. Run it by hand until it tells where", 2,
        change=skype(contactStore=None)),
    row("allowed-again", GUARD, "ucsAllowed was left as", 2, done=True,
        change=lambda state: state["skype"]["policies"][0].update(UcsAllowed=True),
        wanted=("contact-store-guard.ucsAllowed",)),
    row("still-trusted", f"undo-{GUARD}", "so contact lists would begin to move. End that", 2,
        change=there(OTHER)),
    row("no-policy", GUARD, "Cannot find 'UserServicesPolicy'", 1, change=skype(policies=[])),
    unread(GUARD, "Get-CsUserServicesPolicy", STOPPED, 1),
    *(unread(GUARD, command, STOPPED, 2) for command in (
        "Get-CsUserServicesPolicy#2", "Debug-CsUnifiedContactStore")),
)  # fmt: skip

READY = "skype-prerequisites"
REPLICATED = "skype-partner-application"
LATE = "did not come within 600 s"
GATES = (READY, REPLICATED, f"undo-{READY}", f"undo-{REPLICATED}")
COPIES = ("replication.behind", "replication.localCopy")
REPLICATIONS = (
    *(row("no-master", gate, ("central-store", "It has no active master. Run: Invoke"), 4,
          change=skype(master=""), env={"LAB_FLAGS": "stuck"}) for gate in GATES),
    *(row("stuck", gate, (LATE, "is behind. Run on it: Restart-Service"), 4,
          env={"LAB_FLAGS": "stuck"}, wanted=COPIES) for gate in GATES),
    *(row("hasty", gate, LATE, 4, env={"LAB_FLAGS": "stuck hasty"}, wanted=COPIES[1:])
      for gate in (READY, REPLICATED)),
    row("no-replica", REPLICATED, LATE, 4, change=skype(silentReplicas=[SERVER]),
        wanted=COPIES[:1]),
    row("stuck-certificate", READY, LATE, 4, inventory=PREREQUISITES, env={"LAB_FLAGS": "stuck"},
        wanted=COPIES),
    unread(REPLICATED, "Get-CsManagementStoreReplicationStatus", STOPPED, 1),
)  # fmt: skip

PARTNER = "skype-partner-application"
UNDO = f"undo-{PARTNER}"
ALLOWING = policy("Site:Redmond", True)
ALLOWED = {"skype.unified_contact_store": "allow"}
WANTED = {
    "application": ours(Identity="microsoft.exchange"),
    "url": ours(AuthToken="Value=https://old.litwareinc.com/autodiscover/metadata/json/1"),
    "trust": ours(ApplicationTrustLevel="User"),
    "enabled": ours(Enabled=False),
}
PARTNERS = (
    *(row(name, PARTNER, f"{name} was left as", 2, done=True, change=change,
          wanted=(f"partner-application.{name}",)) for name, change in WANTED.items()),
    row("address", PARTNER, "url was left as", 2, done=True, wanted=("autodiscover-url.url",),
        change=oauth(ExchangeAutodiscoverUrl=OTHER_SERVICE)),
    row("other-address", PARTNER, "already. If nobody needs it, run: Set-CsOAuth", 2,
        change=oauth(ExchangeAutodiscoverUrl=OTHER_SERVICE)),
    row("other", PARTNER, ("MicrosoftExchange", "stands for Exchange already ("), 2,
        change=there(OTHER)),
    row("disabled", PARTNER, ("stands for Exchange already (", "enabled False"), 2,
        change=there(application(Enabled=False))),
    row("other-beside-ours", PARTNER, ("MicrosoftExchange", ", made another way. If the"), 2,
        change=there(OTHER), done=True),
    row("online", PARTNER, "is the trust to Exchange Online. Set skype.hybrid", 2,
        change=there(ONLINE)),
    row("online-is-left-alone", PARTNER, (), 0, change=there(ONLINE),
        inventory={"skype.hybrid": True}),
    row("name-taken", PARTNER, "The name 'Exchange' belongs to", 2, change=there(SHAREPOINT)),
    row("policy", PARTNER, ("Tag:Sales", "lets contact lists move to Exchange. Run Set-Cs"), 2,
        change=policy("Tag:Sales", True)),
    row("allowed-again", PARTNER, ("The global policy lets contact lists", "run that first."), 2,
        change=lambda state: state["skype"]["policies"][0].update(UcsAllowed=True)),
    row("metadata", PARTNER, "The metadata document could not be downloaded", 1,
        change=web(EXCHANGE_URL, status=500)),
    *(unread(PARTNER, command, STOPPED, 1) for command in (
        "Get-CsOAuthConfiguration", "Get-CsPartnerApplication")),
    *(unread(PARTNER, command, STOPPED, 2) for command in (
        "Get-CsPartnerApplication#2", "Get-CsUserServicesPolicy")),
    row("moved", UNDO, ("3 contact lists", "live in Exchange or move there. Bring them back"), 2,
        change=all_of(ALLOWING, contact_store(Migrating=1, Migrated=2))),
    row("silent-store", UNDO, "says nothing. Run it by hand until it tells where", 2,
        change=all_of(ALLOWING, skype(contactStore=None))),
    unread(UNDO, "Debug-CsUnifiedContactStore", STOPPED, 2, inventory=ALLOWED),
    unread(UNDO, "Get-CsPartnerApplication", STOPPED, 1),
)  # fmt: skip

POOL = {
    "skype.pools": [
        {"fqdn": SERVER, "type": "standard"},
        {"fqdn": "pool2.litwareinc.com", "type": "enterprise",
         "front_ends": [{"fqdn": "atl-fe-002.litwareinc.com"}]},
    ],
}  # fmt: skip
LOCAL = "skype-verification@ATL-FE-002"


def stale(server: str) -> Change:
    """The copy of one further Front End is that from before the change."""

    def change(state: State) -> None:
        behind(state)
        old = state["skype"]["replicas"].pop(SERVER)
        state["skype"]["replicas"][server] = {**old, "applications": []}

    return change


LOCALS = (
    row("behind", LOCAL, "local-copy: localCopy is 'autodiscover-url', wanted is", 4,
        inventory=POOL, change=stale("atl-fe-002.litwareinc.com"),
        wanted=("local-copy.localCopy",)),
    row("pool", f"{PREFLIGHT}@ATL-FE-002", "pool: members is ", 4, inventory=POOL,
        change=skype(pools={SERVER: [SERVER], "pool2.litwareinc.com": ["x.litwareinc.com"]})),
)  # fmt: skip

PROOF = "skype-verification"
SAYS = "First of the list that fails: "
UNKNOWN = "StoreWebException: something else"


def exchange(**facts: Any) -> Change:
    """Entries of the key exchange."""
    return lambda state: state["exchange"].update(facts)


def trusted(enabled: bool) -> Change:
    """Whether Exchange has switched off the application."""

    def change(state: State) -> None:
        for one in state["exchange"]["applications"]:
            if one["AuthMetadataUrl"]:
                one["Enabled"] = enabled

    return change


CAUSES = {
    "audience": ("x-ms-diagnostics: 2000003", "the token is for another host: use the names"),
    "tenant": ("x-ms-diagnostics: 2000004", "Exchange accepts the domain by a wildcard alone."),
    "no-address": ("Autodiscover Uri=, Autodiscover", "no Autodiscover URL is set: run the"),
    "address": ("an error: (404) Not Found", "the Autodiscover URL is wrong: correct exchange"),
    "proxy": ("WebProxy=http://proxy:80", "a proxy is in between: put Exchange on its bypass"),
    "other": (UNKNOWN, "Give this to the Exchange team."),
}
PROOFS = (
    row("silent", PROOF, "and not that it passed.", 4, env={"LAB_FLAGS": "silent"}),
    row("denied", PROOF, ("UnauthorizedAccessException", "This sign-in is not in RTC Local"), 4,
        env={"LAB_FLAGS": "denied"}),
    row("fails", PROOF, ("The test failed: ", "Go by the first of the list below that fails"), 4,
        change=failing(UNKNOWN)),
    row("untrusted", PROOF, (f"{SAYS}trust", ". If no server does, run band 10 again; else"), 4,
        change=trusted(False)),
    row("no-bearer", PROOF, (f"{SAYS}trust", "without Bearer. For that server run in Exchange"), 4,
        change=exchange(oauthOff=["Autodiscover", "EWS"])),
    row("wrong-path", PROOF, (f"{SAYS}trust", ", so the path is wrong. Correct exchange"), 4,
        change=all_of(failing(UNKNOWN), web(SERVICE_URL, status=404))),
    row("unreachable", PROOF, (f"{SAYS}trust", ". Look at name, firewall and proxy."), 4,
        change=all_of(failing(UNKNOWN), web(SERVICE_URL, failure="ConnectFailure"))),
    row("clock", PROOF, (f"{SAYS}trust", "by a clock 5 minutes off. Run: w32tm.exe"), 4,
        change=all_of(failing(UNKNOWN), web(SERVICE_URL, status=401, headers={
            "Date": "Sat, 06 Mar 2027 20:00:00 GMT",
            "WWW-Authenticate": 'Bearer trusted_issuers="00000004-0000-0ff1-ce00-000000000000@'
                                'litwareinc.com"'}))),
    row("not-judged", PROOF, f"{SAYS}storage-service", 4,
        change=all_of(failing(UNKNOWN), *(
            web(f"https://atl-exchange-001.litwareinc.com/{path}", failure="TrustFailure")
            for path in ("autodiscover/autodiscover.svc", "ews/exchange.asmx")))),
    row("other-key", PROOF,
        (f"{SAYS}signing-key", "here, then in Exchange Set-PartnerApplication"), 4,
        change=all_of(failing(UNKNOWN), skype(published=NEXT))),
    *(row(name, PROOF, (f"{SAYS}storage-service", says), 4, change=failing(words))
      for name, (words, says) in CAUSES.items()),
    unread(PROOF, "Test-CsExStorageConnectivity", "The test failed: "),
    unread(PROOF, "Get-CsCertificate", "could not be checked: Lab: fault before",
           env={"LAB_FLAGS": "silent"}),
    unread(PROOF, "Debug-CsStorageServiceFailures", "could not be checked: Lab: fault before",
           env={"LAB_FLAGS": "silent"}),
)  # fmt: skip

FALSEHOODS: tuple[Falsehood, ...] = (
    *GUARDS, *METADATA, *AUTODISCOVER, *SERVERS, *CONFLICTING, *SIGNING, *CONFIGURED,
    *CERTIFICATES, *GUARDED, *REPLICATIONS, *PARTNERS, *LOCALS, *PROOFS,
)  # fmt: skip
