"""The servers of an inventory: what a host mapping leaves out, and that no two are the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeAlias

from generator.findings import Finding, path_text, show
from generator.inventory.checks import find
from generator.model.inventory import Host, Values
from generator.schema.yaml_source import Document

Path_: TypeAlias = tuple[str | int, ...]
Found: TypeAlias = tuple[Path_, dict[str, Any]]

NETBIOS_LENGTH = 15
"""What Windows keeps of a computer name (MS-NBTE; "Naming conventions in Active Directory")."""


def host(values: Values, product: Values) -> Host:
    """A host mapping as the plan uses it. `product` is the mapping of its product."""
    filled = {**values, **missing_values(values, {}, product)}
    return Host(filled["fqdn"], filled["netbios"], filled["ad_domain"], filled)


def missing_values(values: Values, parent: Values, product: Values) -> dict[str, Any]:
    """NetBIOS name, AD domain and version of a host, where its own mapping gives none.

    The NetBIOS name is the first label in capitals if it is short enough, the domain that of the
    mapping around it, of the product, or the rest of the name. An explicit NetBIOS name is
    answered in capitals.
    """
    label, _, domain = str(values["fqdn"]).partition(".")
    result: dict[str, Any] = {}
    netbios = values.get("netbios", label if len(label) <= NETBIOS_LENGTH else None)
    if isinstance(netbios, str):
        result["netbios"] = netbios.upper()
    if "ad_domain" not in values:
        result["ad_domain"] = parent.get("ad_domain", product.get("ad_domain", domain))
    if "version" not in values and "version" in product:
        result["version"] = product["version"]
    return result


def fill(name: str, product: dict[str, Any], patterns: Sequence[str]) -> list[Found]:
    """Complete the host mappings at these paths in place; answers with them in order.

    `patterns` are the `hosts` of product.yml: paths below the product's key, as `find` reads them.
    """
    found: dict[Path_, dict[str, Any]] = {}
    for pattern in patterns:
        for path, values, parent in find(pattern, product):
            if isinstance(values, dict) and isinstance(values.get("fqdn"), str):
                values.update(missing_values(values, parent or {}, product))
                found[(name, *path)] = values
    return sorted(found.items(), key=lambda entry: entry[0])


def mistakes(
    found: Sequence[Found], document: Document, faulty: Collection[Path_]
) -> Iterator[Finding]:
    """Names that are too long for NetBIOS without saying so, and names that occur twice."""
    names: dict[str, Path_] = {}
    short: dict[str, Path_] = {}
    for path, values in found:
        fqdn = str(values["fqdn"])
        if (*path, "fqdn") in faulty:
            continue
        first = names.setdefault(fqdn.lower(), path)
        if first != path:
            message = f"the server {show(fqdn)} is there twice"
            yield _at(document, "E202", (*path, "fqdn"), message, f"first at {path_text(first)}")
            continue
        if (*path, "netbios") in faulty:
            continue
        if "netbios" not in values:
            label = fqdn.partition(".")[0]
            message = f"{show(label)} is longer than {NETBIOS_LENGTH} characters"
            hint = (
                f"add 'netbios:' with the name that $env:COMPUTERNAME shows on that server, "
                f"as a rule {label[:NETBIOS_LENGTH].upper()}"
            )
            yield _at(document, "E201", (*path, "fqdn"), message, hint)
            continue
        first = short.setdefault(values["netbios"], path)
        if first != path:
            message = f"the NetBIOS name {show(values['netbios'])} belongs to two servers"
            place = (*path, "netbios")
            yield _at(document, "E203", place, message, f"first at {path_text(first)}")


def _at(document: Document, code: str, path: Path_, message: str, hint: str) -> Finding:
    return document.finding(code, path, f"{path_text(path)}: {message}", hint)
