"""Three small runbooks around the real engine: what the engine does, apart from any product.

`10-001` changes a text, a list and an object, `50-001` checks, `undo/01-001` takes back. Parts
can be replaced, so that a test shows the one thing that it is about.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.lab import Scripts

TEMPLATES = Path(os.environ.get("LAB_TEMPLATES", Path(__file__).resolve().parents[2] / "templates"))
"""The templates that tests run; another folder when a cure is taken out of them."""

SPINE = TEMPLATES / "_runbook"
HOST = "TOY-01"
CHANGE = f"10-001-toy-change_{HOST}"
CHECK = f"50-001-toy-check_{HOST}"
UNDO = f"01-001-undo-toy-change_{HOST}"
ZERO = "0" * 64
ENGINE = ("engine_web.ps1", "engine_signer.ps1", "engine_undo.ps1", "engine.ps1")
"""The engine with all its parts."""

STATE = {"text": "", "list": ["a", "b"], "objects": [{"Guid": "g0", "Name": "theirs"}]}
"""The area `toy` of a lab's state at first."""

FACTS = """$Runbook = @{{
    Id = '{id}'
    Change = 'CHG1'
    Host = '{host}'
    Domain = 'litwareinc.com'
    ContentHash = '{zero}'
    Signer = '{signer}'
    Window = {window}
    Needs = @({needs})
    Serves = @({serves})
    Undoes = '{undoes}'
    Voids = @({voids})
    Witness = ${witness}
    Commands = @('Get-ToyValue')
    Members = @({members})
    Rights = 'Ask for the toy role.'
    Next = 'nothing, this was the last.'
    Help = 'the toy team'
    Steps = @()
}}
$Runbook.Product = {{
}}
$Runbook.Shell = {{
    Import-Module -Name 'Toy' -ErrorAction Stop
}}
$Runbook.Probe = {{
    Get-ToyValue -Name 'text'
}}
"""

TEXT = """    Number = {number}
    Id = 'text'
    Title = 'Set the text'
    Wanted = [ordered] @{ text = 'new' }
    Read = {
        [ordered] @{ text = (Get-ToyValue -Name 'text') }
    }
"""
LIST = """    Number = {number}
    Id = 'list'
    Title = 'Set the list'
    Wanted = [ordered] @{ list = 'a', 'c', 'd' }
    Read = {
        [ordered] @{ list = (Get-ToyValue -Name 'list') }
    }
"""
OBJECT = """    Number = {number}
    Id = 'object'
    Title = 'Make the object'
    Wanted = [ordered] @{ object = 'ours'; kind = 'good' }
    Read = {
        $state = [ordered] @{ object = @(); kind = '' }
        $state.Identity = @{ object = @() }
        foreach ($one in @(Get-ToyObject)) {
            if ($one.Name -eq 'ours') {
                $state.object += $one.Name
                $state.Identity.object += $one.Guid
                $state.kind = 'good'
            }
        }
        $state
    }
"""
FORWARD = {
    "text": TEXT + "    Apply = {\n        Set-ToyValue -Name 'text' -Value 'new'\n    }\n",
    "list": LIST
    + "    Apply = {\n        Set-ToyValue -Name 'list' -Value @('a', 'c')\n"
    + "        Set-ToyValue -Name 'list' -Value @('a', 'c', 'd')\n    }\n",
    "object": OBJECT + "    Apply = {\n        New-ToyObject -Name 'ours'\n    }\n",
}
BACKWARD = {
    "object": OBJECT
    + """    Apply = {
        param ($before, $present)
        foreach ($one in $present.Identity.object) {
            if ($before.Identity.object -notcontains $one) {
                Remove-ToyObject -Identity $one
            }
        }
    }
""",
    "list": LIST
    + "    Apply = {\n        param ($before)\n"
    + "        Set-ToyValue -Name 'list' -Value $before.list\n    }\n",
    "text": TEXT
    + "    Apply = {\n        param ($before)\n"
    + "        Set-ToyValue -Name 'text' -Value $before.text\n    }\n",
}
CHECKS = {
    "value": """    Number = {number}
    Id = 'value'
    Title = 'The text is there'
    Otherwise = 'Run 10-001.'
    Wanted = [ordered] @{ text = 'new' }
    Read = {
        [ordered] @{ text = (Get-ToyValue -Name 'text') }
    }
""",
    "action": """    Number = {number}
    Id = 'action'
    Title = 'The object answers'
    Check = {
        $found = @(Get-ToyObject).Count
        $problems = @()
        if ($found -lt 2) {
            $problems += 'It does not answer. Run 10-001.'
        }
        @{ Saw = "$found objects"; Problems = $problems }
    }
""",
}


def write(
    folder: Path,
    *,
    forward: dict[str, str] | None = None,
    backward: dict[str, str] | None = None,
    checks: dict[str, str] | None = None,
    window: str = "'2027-03-06T22:00:00+01:00', '2027-03-07T02:00:00+01:00'",
    signer: str = "",
    members: str = "",
    hours: int | None = None,
    witness: str = "false",
    serves: str = "",
) -> Scripts:
    """The three runbooks; `hours` lets the check's receipt of 10-001 expire, and `serves` names
    the receipts that actions of the check serve.
    """
    (folder / "undo").mkdir(parents=True, exist_ok=True)
    facts = {
        "signer": signer, "members": members, "zero": ZERO, "host": HOST, "witness": witness,
        "serves": "",
    }  # fmt: skip
    need = f"@{{ Id = '{CHANGE}'" + ("" if hours is None else f"; Hours = {hours}") + " }"
    hashes = {
        CHANGE: _script(
            folder / f"{CHANGE}.ps1",
            FORWARD if forward is None else forward,
            {**facts, "id": CHANGE, "window": window, "needs": "", "undoes": "",
             "voids": f"'{UNDO}'"},
        ),
        CHECK: _script(
            folder / f"{CHECK}.ps1",
            CHECKS if checks is None else checks,
            {**facts, "id": CHECK, "window": "$null", "needs": need, "undoes": "", "voids": "",
             "serves": serves},
        ),
        UNDO: _script(
            folder / "undo" / f"{UNDO}.ps1",
            BACKWARD if backward is None else backward,
            {**facts, "id": UNDO, "window": "$null", "needs": "", "voids": f"'{CHANGE}'",
             "undoes": CHANGE},
        ),
    }  # fmt: skip
    write_table(folder, {id_: [digest] for id_, digest in hashes.items()})
    return Scripts(folder)


def write_table(folder: Path, hashes: Mapping[str, Sequence[str]]) -> None:
    """Start-Change.ps1 as far as a runbook reads it: the content hashes that count, by id."""
    lines = ["$Plan = @("]
    for id_, counts in hashes.items():
        listed = ",\r\n        ".join(f"'{digest}'" for digest in counts)
        lines += [f"    @{{ Id = '{id_}'", f"        Counts = {listed} }}"]
    text = "\r\n".join([*lines, ")", ""])
    (folder / "Start-Change.ps1").write_bytes(text.encode("ascii"))


def hash_of(path: Path) -> str:
    """The content hash that a toy runbook carries in itself."""
    found = re.search(r"ContentHash = '([0-9a-f]{64})'", path.read_text("ascii"))
    assert found is not None
    return found.group(1)


def text_of(step: str) -> str:
    """The hash that names the text of a step in records; the same forward and in undo."""
    return hashlib.sha256(FORWARD[step].partition("    Apply")[0].encode()).hexdigest()


def _script(path: Path, steps: dict[str, str], facts: dict[str, str]) -> str:
    """Writes one and answers with its content hash."""
    text = (SPINE / "parameters.ps1").read_text() + FACTS.format(**facts)
    for number, step in enumerate(steps.values(), 1):
        # Forward and undo of a step share what stands before its Apply.
        own = hashlib.sha256(step.partition("    Apply")[0].encode()).hexdigest()
        text += "$Runbook.Steps += , @{\n" + step.replace("{number}", str(number))
        text += f"    Text = '{own}'\n}}\n"
    engine = "\n".join((SPINE / name).read_text() for name in ENGINE)
    text = (text + "\n" + engine).replace("\n", "\r\n")
    digest = hashlib.sha256(text.encode("ascii")).hexdigest()
    path.write_bytes(text.replace(f"'{ZERO}'", f"'{digest}'", 1).encode("ascii"))
    return digest
