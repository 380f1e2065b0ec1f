"""A made-up product without a mistake, for tests that break it: a directory with an address."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from generator.templating.templates import TemplateTree, built_in

PRODUCT = """\
title: Directory
order: 1
team: directory team
hosts: ["servers[*]"]
derived:
  - {name: address, value: "'https://' + directory.servers[0].fqdn"}
"""
SCHEMA = """\
type: object
description: The directory.
additionalProperties: false
required: [servers]
properties:
  servers:
    description: Its servers.
    type: array
    items:
      type: object
      additionalProperties: false
      properties:
        fqdn: {type: string, description: Its name.}
        site: {type: string, description: Where it stands.}
"""
ROLE = """\
title: Directory servers
hosts: directory.servers
runbooks:
  - action: set-address
    phase: "10"
    scope: server
    title: "Set the address of {{ host.netbios }}"
    effect: None for users.
    rights: Directory administrators
    minutes: 5
    steps:
      - id: set-address
        title: Set the address
        back: {title: Take the address back}
"""
STEP = """\
{% block wanted %}
        address = {{ directory.address | ps }}
{% endblock %}
{% block read %}
{%     for server in directory.servers %}
        # {{ server.fqdn | ps_comment }}
{%     endfor %}
        [ordered] @{ address = '' }
{% endblock %}
{% block apply %}
{%     if backward %}
        Write-Verbose -Message {{ host.site | ps }}
{%     endif %}
{% endblock %}
{% block undo_apply %}
{% endblock %}
"""
SHELL = "".join(
    f"{{% block {name} %}}\n{{% endblock %}}\n" for name in ("product", "shell", "probe", "save")
)
CHECKS = """\
- code: E901
  for: directory.servers[*]
  when: item.site == 'x'
  message: "the site {{ item.site }} is wrong"
"""
FILES = {
    "product.yml": PRODUCT,
    "schema.yml": SCHEMA,
    "checks.yml": CHECKS,
    "shell.ps1.j2": SHELL,
    "main/role.yml": ROLE,
    "main/set_address.ps1.j2": STEP,
}
"""A made-up product without a mistake."""


def templates(
    folder: Path, files: Mapping[str, str] = FILES, product: str = "directory"
) -> TemplateTree:
    """The spine with this product alone, in a folder that may hold others already."""
    shutil.copytree(built_in() / "_runbook", folder / "_runbook", dirs_exist_ok=True)
    for name, text in files.items():
        path = folder / product / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return TemplateTree((folder,))


def change(tree: TemplateTree, name: str, old: str, new: str) -> None:
    """Replace text in a file of the product; it must be there."""
    path = tree.roots[0] / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, -1 if old.startswith("hours") else 1))
