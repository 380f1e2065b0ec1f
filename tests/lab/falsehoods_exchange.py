"""What can be false around Exchange Server, and what its runbooks must say then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lab.falsehood import PREREQUISITES, Falsehood
from lab.lab import ROOT, YES, Lab

State = dict[str, Any]
HOST = "ATL-EXCHANGE-00"
SERVER = "https://atl-exchange-001.litwareinc.com"
EXCHANGE_URL = "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
SKYPE_URL = "https://atl-cs-001.litwareinc.com/metadata/json/1"
SKYPE_ID = "00000004-0000-0ff1-ce00-000000000000"
SETUP = r"HKLM:\SOFTWARE\Microsoft\ExchangeServer\v15\Setup"
THUMBPRINT = "D40E0FDDD0FD8CF20C171E9553D9C2731B006390"
KEY = (ROOT / "exchange" / "auth-certificate.txt").read_text().strip()
FAILED = "It could not be checked: Lab: fault before "


def exchange(**facts: Any) -> Callable[[State], object]:
    """Entries of the key exchange."""
    return lambda state: state["exchange"].update(facts)


def build_number(minor: int, build: int) -> Callable[[State], object]:
    """The version that the registry of the server shows."""
    registry = {"MsiProductMajor": 15, "MsiProductMinor": minor, "MsiBuildMajor": build}
    return lambda state: state["hosts"][HOST]["registry"].update({SETUP: registry})


def application(name: str = "LyncEnterprise-" + "0" * 32, **more: Any) -> dict[str, Any]:
    """A partner application with Skype's identifier."""
    return {
        "Guid": f"guid of {name}", "Name": name, "ApplicationIdentifier": SKYPE_ID,
        "AuthMetadataUrl": SKYPE_URL, "Realm": "litwareinc.com", "Enabled": True,
        "UseAuthServer": False, "AcceptSecurityIdentifierInformation": True,
        "LinkedAccount": "litwareinc.com/Users/LyncEnterprise-ApplicationAccount",
        "CertificateStrings": ["MIIC"], **more,
    }  # fmt: skip


def there(*applications: dict[str, Any]) -> Callable[[State], object]:
    """These applications are there as well."""
    return lambda state: state["exchange"]["applications"].extend(applications)


def account(state: State) -> None:
    """The account of Microsoft's script is there all along, without a role."""
    name = "LyncEnterprise-ApplicationAccount"
    state["exchange"]["users"].append({"Guid": "old", "Name": name, "RecipientType": "User"})


def both(*changes: Callable[[State], object]) -> Callable[[State], object]:
    """One change after the other."""
    return lambda state: [change(state) for change in changes]


def ours(**changes: Any) -> Callable[[State], object]:
    """Somebody changed the application that the runbook made."""

    def change(state: State) -> None:
        for one in state["exchange"]["applications"]:
            if one["AuthMetadataUrl"]:
                one.update(changes)

    return change


def web(url: str, **answer: Any) -> Callable[[State], object]:
    """What a web address answers."""
    return lambda state: state["web"].update({url: answer})


def document(realm: str = "litwareinc.com", date: str = "", key: str = "") -> dict[str, Any]:
    """A metadata document of Skype, by default without a certificate."""
    headers = {"Date": date} if date else {}
    keys = [{"usage": "signing", "keyvalue": {"value": key}}] if key else []
    body = json.dumps({"serviceName": SKYPE_ID, "realm": realm, "keys": keys})
    return {"status": 200, "headers": headers, "body": body}


def forget(key: str) -> Callable[[Lab], object]:
    """The receipt of this runbook is not here."""
    return lambda lab: lab.receipt_path(key).unlink()


def row(id_: str, runbook: str, says: str | tuple[str, ...], code: int, **more: Any) -> Falsehood:
    """A row of this table: ids start with the runbook."""
    says = (says,) if isinstance(says, str) else says
    return Falsehood(f"{runbook}-{id_}", runbook, says, code, **more)


def unread(runbook: str, command: str, says: str = FAILED, code: int = 4, **more: Any) -> Falsehood:
    """A read that fails never looks like none found."""
    return row(f"unread-{command}", runbook, says, code, fails=command, **more)


PREFLIGHT = "exchange-preflight"
ORGANIZATION = "exchange-preflight"
NETWORK = "exchange-preflight"
GUARDS = (
    row("version", ORGANIZATION, ("Exchange Server 2016 (15.1), found is '", "'15.2.1544'"), 2,
        change=build_number(2, 1544)),
    row("no-exchange", ORGANIZATION, ("Exchange Server 2016 (15.1), found is '", "is ''"), 2,
        change=lambda state: state["hosts"][HOST]["registry"].clear()),
    row("2013", ORGANIZATION, "Exchange Server 2013 (15.0), found is '", 2,
        inventory={"exchange.version": "2013"}),
    row("2019", ORGANIZATION, "Exchange Server 2019 (15.2), found is '", 2,
        inventory={"exchange.version": "2019"}),
    row("2019-is-se", ORGANIZATION, "'15.2.2562'", 2, change=build_number(2, 2562),
        inventory={"exchange.version": "2019"}),
    row("se", ORGANIZATION, "Exchange Server SE (15.2.2562), found is '", 2,
        inventory={"exchange.version": "SE"}),
    row("se-is-2019", ORGANIZATION, "'15.2.1544'", 2, change=build_number(2, 1544),
        inventory={"exchange.version": "SE"}),
    row("all-signed", PREFLIGHT, ("MachinePolicy", "enforces AllSigned: the Exchange shell"), 2,
        change=lambda state: state["hosts"][HOST].update(policy="AllSigned")),
    row("shell-signer", PREFLIGHT, ("RemoteExchange.ps1", "O=Microsoft Corporation"), 2,
        env={"LAB_SIGNATURE": "Valid|CN=A, O=A", "LAB_SIGNED": "RemoteExchange.ps1"}),
    row("dead-shell", PREFLIGHT, "shell does not answer", 2, env={"LAB_FLAGS": "dead-shell"}),
    row("dead-session", PREFLIGHT, "the WinRM shell was closed", 2,
        env={"LAB_FLAGS": "dead-session"}),
    row("rights", ORGANIZATION, ("New-MailUser", "Mail Recipient Creation"), 2,
        env={"LAB_FLAGS": "few-rights"}),
)  # fmt: skip

DOMAINS = (
    row("realm", ORGANIZATION, "litwareinc.com is no accepted domain of its own", 4,
        change=exchange(acceptedDomains=[{"Name": "other.com", "DomainName": "other.com"}])),
    row("wildcard", ORGANIZATION,
        ("is no accepted domain of its own", "count: '*.litwareinc.com'"), 4,
        change=exchange(
            acceptedDomains=[{"Name": "litwareinc.com", "DomainName": "*.litwareinc.com"}])),
    row("test-mailbox", ORGANIZATION,
        ("mail.litwareinc.com is no accepted domain", "-DomainName 'mail.litwareinc.com'"), 4,
        inventory={"skype.test_mailbox": "kenmyer@mail.litwareinc.com"}),
    row("first-name", ORGANIZATION,
        ("named 'Default', which is no SMTP domain",
         "New-MailUser -Name 'LyncEnterprise-ApplicationAccount'"), 4,
        change=exchange(acceptedDomains=[{"Name": "Default", "DomainName": "litwareinc.com"}])),
    unread(ORGANIZATION, "Get-AcceptedDomain"),
    unread(ORGANIZATION, "Get-User"),
)  # fmt: skip

APPLICATIONS = (
    row("online", ORGANIZATION,
        ("SfBLegacy", "is the trust to Skype or Teams online. If it stays"), 4,
        change=there(application("SfBLegacy", AuthMetadataUrl="", Realm="", UseAuthServer=True))),
    row("twice", ORGANIZATION, "have Skype's identifier both", 4,
        change=there(application(), application("LyncEnterprise-" + "1" * 32, Realm="x"))),
    row("other-url", ORGANIZATION, ("If that pool is gone:", "trusts 'https://old"), 4,
        change=there(application(AuthMetadataUrl="https://old.litwareinc.com/metadata/json/1"))),
    row("odd", ORGANIZATION, ("If that pool is gone:", "trusts ''"), 4,
        change=there(application(AuthMetadataUrl=""))),
    row("disabled", ORGANIZATION, "is switched off: Exchange refuses Skype's tokens", 4,
        change=there(application(Enabled=False))),
    row("no-certificate", ORGANIZATION, "has no certificate, so no token can be checked", 4,
        change=there(application(CertificateStrings=[]))),
    row("by-hand", ORGANIZATION, "was not made by Microsoft's script", 4,
        change=there(application("SfB"))),
    row("other-account", ORGANIZATION, ("with 'Ken Myer'", "was not made by Microsoft's script"), 4,
        change=there(application(LinkedAccount="litwareinc.com/Users/Ken Myer"))),
    row("no-sid", ORGANIZATION, "was not made by Microsoft's script", 4,
        change=there(application(AcceptSecurityIdentifierInformation=False))),
    row("no-roles", ORGANIZATION,
        ("is gone, or lacks a role that Skype works with", "-Role 'MeetingGraphApplication'"), 4,
        change=both(there(application()), account)),
    row("no-account", ORGANIZATION, "is gone, or lacks a role that Skype works with", 4,
        change=there(application())),
    unread(ORGANIZATION, "Get-PartnerApplication"),
)  # fmt: skip

SERVERS = (
    row("edge", PREFLIGHT, "Correct its roles in the inventory", 4,
        change=exchange(servers={HOST: {"ServerRole": "Edge"}})),
    row("no-directory", PREFLIGHT, "has no such virtual directory to set", 4,
        change=exchange(noDirectories=["EWS"])),
    row("ews-off", PREFLIGHT, ("OAuth is off for", "EWS (Default Web Site)' -OAuth"), 4,
        change=exchange(oauthOff=["EWS"])),
    row("autodiscover-off", PREFLIGHT,
        ("OAuth is off for", "Set-AutodiscoverVirtualDirectory -Identity 'ATL-EXCHANGE"), 4,
        change=exchange(oauthOff=["Autodiscover"])),
    row("uri-blank", PREFLIGHT,
        ("publishes the Autodiscover address ''", "Set-ClientAccessService -Identity"), 4,
        change=exchange(internalUris={HOST: None})),
    row("uri-svc", PREFLIGHT, "It must end in autodiscover.xml:", 4,
        change=exchange(internalUris={HOST: f"{SERVER}/autodiscover/autodiscover.svc"})),
    row("uri-host", PREFLIGHT, "Exchange does not publish is refused", 4,
        change=exchange(internalUris={HOST: f"{SERVER}/autodiscover/autodiscover.xml"})),
    unread(PREFLIGHT, "Get-ExchangeServer#2"),
    unread(PREFLIGHT, "Get-WebServicesVirtualDirectory"),
    unread(PREFLIGHT, "Get-AutodiscoverVirtualDirectory"),
    unread(PREFLIGHT, "Get-ClientAccessService"),
)  # fmt: skip


def stored(**changes: Any) -> Callable[[State], object]:
    """The certificate in the store of the server."""
    usual = {"Thumbprint": THUMBPRINT, "NotAfter": "2031-01-01T00:00:00Z", "HasPrivateKey": True}
    return exchange(certificates=[{**usual, "Subject": "CN=Auth", **changes}])


CERTIFICATES = (
    row("no-thumbprint", PREFLIGHT, "Exchange has no Auth certificate.", 4,
        change=exchange(authConfig={"CurrentCertificateThumbprint": ""})),
    row("not-here", PREFLIGHT, "is not on this server. Export it on another one", 4,
        change=stored(Thumbprint="AB" * 20)),
    row("no-key", PREFLIGHT, "has no private key here. Import it again", 4,
        change=stored(HasPrivateKey=False)),
    row("expired", PREFLIGHT, ("expired on", "Renew it as a change of its own"), 4,
        change=stored(NotAfter="2027-01-01T00:00:00Z")),
    row("expires", PREFLIGHT, "expires in", 4, change=stored(NotAfter="2027-04-01T00:00:00Z")),
    row("service-name", PREFLIGHT, "Exchange calls itself '", 4,
        change=exchange(authConfig={"ServiceName": "mine"})),
    unread(PREFLIGHT, "Get-AuthConfig"),
    unread(PREFLIGHT, "Get-ChildItem"),
)  # fmt: skip

NETWORKS = (
    row("name", NETWORK, "unresolved is 'atl-cs-001.litwareinc.com'", 4,
        change=lambda state: state["dns"].pop("atl-cs-001.litwareinc.com"),
        wanted=("names.unresolved",)),
    row("not-trusted", NETWORK, "This server does not trust its certificate", 4,
        change=web(SKYPE_URL, failure="TrustFailure")),
    row("500", NETWORK, "Its signing certificate is missing or expired", 4,
        change=exchange(authConfig={"CurrentCertificateThumbprint": "CD" * 20})),
    row("404", NETWORK, ("DNS, the firewall and the web site, from this server", "answers 404"), 4,
        change=web(EXCHANGE_URL, status=404)),
    row("nobody", NETWORK, "DNS, the firewall and the web site, from this server", 4,
        change=web(SKYPE_URL, failure="ConnectFailure")),
    row("garbage", NETWORK, "Something else answers there", 4,
        change=web(SKYPE_URL, status=200, body="<html>It works</html>", headers={})),
    row("no-key-published", NETWORK, "Something else answers there", 4,
        change=web(SKYPE_URL, **document())),
    row("other-realm", NETWORK, "which is right before Exchange learns it", 4,
        change=web(SKYPE_URL, **document("litware.net", key=KEY))),
    row("clock", NETWORK, "seconds behind this one. Beyond 300", 4,
        change=exchange(clockBehind=400)),
    row("no-date", NETWORK, "is an unknown number of seconds behind this one", 4,
        change=web(SKYPE_URL, **document(date="none"))),
    row("proxy", NETWORK, ("is reached through the proxy", "http://proxy:8080"), 4,
        env={"https_proxy": "http://proxy:8080"}),
    row("vendor-script", NETWORK, "Configure-EnterprisePartnerApplication.ps1 is signed by", 4,
        env={"LAB_SIGNATURE": "Valid|CN=A, O=A", "LAB_SIGNED": "PartnerApplication.ps1"}),
)  # fmt: skip

URI = "exchange-prerequisites"
OTHER_URI = "https://other.litwareinc.com/autodiscover/autodiscover.xml"
URIS = (
    row("other", URI, "and only a blank address is filled in", 2, inventory=PREREQUISITES,
        change=exchange(internalUris={HOST: OTHER_URI})),
    row("changed", URI, "was left as", 2, inventory=PREREQUISITES, done=True,
        change=exchange(internalUris={HOST: OTHER_URI}), wanted=(f"autodiscover-uri.{HOST}",)),
    row("behind", URI, "behind is 'DC02.litwareinc.com for ATL", 4, inventory=PREREQUISITES,
        env={"LAB_FLAGS": "behind"}, wanted=("autodiscover-replicated.behind",)),
    unread(URI, "Get-ClientAccessService", "Lab: fault before", 1, inventory=PREREQUISITES),
)  # fmt: skip

PARTNER = "exchange-partner-application"
UNDO = "undo-exchange-partner-application"
WANTED = {
    "application": ours(UseAuthServer=True),
    "url": ours(AuthMetadataUrl="https://other.litwareinc.com/metadata/json/1"),
    "enabled": ours(Enabled=False),
    "acceptsSid": ours(AcceptSecurityIdentifierInformation=False),
    "certificate": ours(CertificateStrings=[]),
    "account": ours(LinkedAccount="litwareinc.com/Users/Ken Myer"),
    "roles": lambda state: state["exchange"]["roleAssignments"].pop(),
}
PARTNERS = (
    *(row(name, PARTNER, f"{name} was left as", 2, done=True, change=change,
          wanted=(f"partner-application.{name}",)) for name, change in WANTED.items()),
    row("foreign", PARTNER, "has Skype's identifier already, made another way", 2,
        change=there(application("SfB"))),
    row("signer", PARTNER, "Configure-EnterprisePartnerApplication.ps1 is signed by", 2,
        env={"LAB_SIGNATURE": "Valid|CN=A, O=A", "LAB_SIGNED": "PartnerApplication.ps1"}),
    row("script-fails", PARTNER, "Configure-EnterprisePartnerApplication.ps1 ended with 1", 1,
        env={"LAB_FLAGS": "vendor-fails"}),
    *(unread(PARTNER, command, "Lab: fault before", 1)
      for command in ("Get-PartnerApplication", "Get-User", "Get-ExchangeServer#2")),
    row("account-in-use", UNDO, "by now. Its owner gives it another one", 2,
        change=there(application("Other", ApplicationIdentifier="x"))),
)  # fmt: skip

DIRECTORY = "exchange-restart"
DIRECTORIES = (
    row("behind", DIRECTORY, "behind is 'DC02.litwareinc.com'", 4, env={"LAB_FLAGS": "behind"},
        wanted=("directory.behind",)),
    row("undo-behind", f"undo-{DIRECTORY}", "behind is 'DC02.litwareinc.com'", 4,
        change=exchange(views={"DC02.litwareinc.com": [application()]})),
    row("no-receipt", DIRECTORY, "There is no receipt of 10-001", 2,
        prepare=forget(PARTNER)),
    row("skipped-receipt", DIRECTORY, "behind is 'unknown: no receipt says what to look for'", 4,
        prepare=forget(PARTNER), words=(*YES, f"-SkipReceipt=10-001-{PARTNER}_{HOST}")),
    row("no-controller", DIRECTORY, "Exchange names no domain controller", 4,
        change=exchange(servers={HOST: {
            "CurrentDomainControllers": [], "CurrentGlobalCatalogs": [],
            "CurrentConfigDomainController": ""}})),
)  # fmt: skip

RESTART = "exchange-restart"
RESTARTS = (
    row("stopped", RESTART, (), 0, words=("-WhatIf",),
        change=lambda state: state["hosts"][HOST]["iis"].update(running=False),
        wanted=("restart-iis.WAS", "restart-iis.W3SVC")),
    row("fails", RESTART, "iisreset ended with 1", 1, env={"LAB_IIS": "fails"}),
    row("not-drained", RESTART, "hold point needs -Reason", 3, words=("-Unattended",),
        inventory={"exchange.load_balanced": True}),
    row("unhealthy", RESTART, "web is 'HTTP 503'", 4, wanted=("health.web",),
        change=web(f"{SERVER}/autodiscover/metadata/json/1", status=503)),
    row("silent", RESTART, "web is 'ConnectFailure", 4,
        change=web(f"{SERVER}/autodiscover/metadata/json/1", failure="ConnectFailure")),
)  # fmt: skip

PROVEN = "exchange-verification"
VERIFIED = "exchange-verification"
PROOFS = (
    row("gone", PROVEN, "application is nothing", 4, wanted=("application.application",),
        change=lambda state: state["exchange"]["applications"].pop()),
    row("disabled", PROVEN, "enabled is 'False'", 4, wanted=("application.enabled",),
        change=ours(Enabled=False)),
    row("realm", PROVEN, "realm is 'other.com'", 4, wanted=("application.realm",),
        change=ours(Realm="other.com")),
    row("account", PROVEN, "account is 'Ken Myer'", 4, wanted=("application.account",),
        change=ours(LinkedAccount="litwareinc.com/Users/Ken Myer")),
    row("roles", PROVEN, "roles is ", 4, wanted=("application.roles",),
        change=lambda state: state["exchange"]["roleAssignments"].pop()),
    row("stale-certificate", PROVEN, "Exchange does not hold the certificate that Skype", 4,
        change=ours(CertificateStrings=["MIIC"])),
    row("unreachable", PROVEN, "does not answer 200 but", 4,
        change=web(SKYPE_URL, failure="ConnectFailure")),
    row("clock", PROVEN, "seconds behind this one. Beyond 300", 4,
        change=web(SKYPE_URL, **document(date="Sat, 06 Mar 2027 20:00:00 GMT"))),
    row("tenant", PROVEN, "domains is nothing", 4, wanted=("tenants.domains",),
        change=exchange(acceptedDomains=[{"Name": "a.b", "DomainName": "*.litwareinc.com"}])),
    *(unread(PROVEN, command) for command in (
        "Get-PartnerApplication", "Get-PartnerApplication#2", "Get-ManagementRoleAssignment",
        "Get-AcceptedDomain")),
    row("no-directory", VERIFIED, "has no such virtual directory to set", 4,
        change=exchange(noDirectories=["Autodiscover"])),
    row("ews-off", VERIFIED, "OAuth is off for", 4, change=exchange(oauthOff=["EWS"])),
    row("404", VERIFIED, "does not answer 401 but", 4,
        change=web(f"{SERVER}/autodiscover/autodiscover.svc", status=404)),
    row("no-bearer", VERIFIED, "offers no Bearer. The check oauth-authentication", 4,
        change=exchange(oauthOff=["Autodiscover"])),
    row("not-trusted", VERIFIED, "that does not help, the verification of the organization", 4,
        change=ours(Realm="other.com")),
    *(unread(VERIFIED, command) for command in (
        "Get-WebServicesVirtualDirectory", "Get-AutodiscoverVirtualDirectory")),
)  # fmt: skip

FALSEHOODS: tuple[Falsehood, ...] = (
    *GUARDS, *DOMAINS, *APPLICATIONS, *SERVERS, *CERTIFICATES, *NETWORKS, *URIS, *PARTNERS,
    *DIRECTORIES, *RESTARTS, *PROOFS,
)  # fmt: skip
