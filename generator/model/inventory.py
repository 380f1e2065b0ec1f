"""What is read: an inventory and its servers. `plan.py` and `build.py` have what follows.

Frozen values without behavior beyond names derived from their own fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Values: TypeAlias = Mapping[str, Any]
"""Validated data of an inventory or a role: text, whole numbers, booleans, lists, mappings."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """One environment, validated, with defaults and derived values filled in.

    `name` is the folder under out/, `display` the path as the user gave it, `values` maps
    `change` and each product named in the file to its data.
    """

    name: str
    display: str
    values: Values
    within: Mapping[str, Values] = field(default_factory=dict)
    """Full name of a server -> the mapping of the inventory that lists it (a pool, say)."""


@dataclass(frozen=True, slots=True)
class Host:
    """A server that runs runbooks; `values` is its own mapping in the inventory.

    `within` is the mapping that lists it, where that is not the product itself.
    """

    fqdn: str
    netbios: str
    ad_domain: str
    values: Values
    within: Values | None = None

    @property
    def names(self) -> dict[str, Any]:
        """What expressions and templates may say about it: its own keys, and these."""
        own = {"fqdn": self.fqdn, "netbios": self.netbios, "domain": self.ad_domain}
        return {**self.values, **own, "within": self.within}
