"""An organization of any size, with names of any length, builds without a finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from organizations import large
from programs import ROOT

from generator import pipeline
from generator.templating.templates import TemplateTree

TREE = TemplateTree.for_project()
CONTOSO = (ROOT / "inventories/contoso.yml").read_text("utf-8")

VARIANTS = {
    "as it is": (),
    "restarts by itself": (("iis_restart: iisreset", "iis_restart: wait"),),
    "2016 and 2015": (
        ("  version: 2019\n  autodiscover:", "  version: 2016\n  autodiscover:"),
        ("  version: 2019\n  sip_domains:", "  version: 2015\n  sip_domains:"),
        ("hybrid: true", "hybrid: false"),
        ("unified_contact_store: allow", "unified_contact_store: deny"),
    ),
    "2013 and Lync": (
        ("  version: 2019\n  autodiscover:", "  version: 2013\n  autodiscover:"),
        ("      version: 2016\n", ""),
        ("  version: 2019\n  sip_domains:", "  version: 2013\n  sip_domains:"),
        ("unified_contact_store: allow", "unified_contact_store: deny"),
    ),
}


def with_domain(text: str, length: int) -> str:
    """The inventory with a domain of so many characters in place of contoso."""
    labels = ["x" * min(60, length - at) for at in range(0, length, 61)]
    return re.sub(r"\bcontoso\.", ".".join(labels) + ".", text)


@pytest.mark.parametrize(
    "length", [28, 90, *(pytest.param(n, marks=pytest.mark.soak) for n in (1, 20, 45, 60, 120))]
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_names_of_any_length(tmp_path: Path, variant: str, length: int) -> None:
    text = CONTOSO
    for old, new in VARIANTS[variant]:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "contoso.yml"
    path.write_text(with_domain(text, length), "utf-8")
    assert len(pipeline.build(path, TREE).rendered) > 30


@pytest.mark.parametrize("servers", [12, pytest.param(400, marks=pytest.mark.soak)])
def test_any_number_of_servers(tmp_path: Path, servers: int) -> None:
    path = tmp_path / "large.yml"
    path.write_text(large(servers), "utf-8")
    assert len(pipeline.build(path, TREE).rendered) > 3 * servers
