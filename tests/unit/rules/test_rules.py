"""Each rule against its table of good and bad cases, and the judge that remembers."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import a_build
from rule_cases import MADE_UP, TABLES, TEMPLATES, Case, cases

from generator import rules
from generator.findings import Finding, FindingsError
from generator.model.build import Build, Piece
from generator.model.plan import Product
from generator.syntax.tree import parse as tree_of
from generator.templating.marks import text_of
from generator.templating.powershell import content_hash, encode, ps
from generator.templating.templates import TemplateTree


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases()])
def test_case(case: Case) -> None:
    found = case.found
    if case.good:
        assert [f"{one.code} {one.message}" for one in found] == []
        return
    mine = [one for one in found if one.code == case.code]
    assert mine, f"only {[f'{one.code} {one.message}' for one in found]}"
    assert case.says in mine[0].message
    assert case.hint in mine[0].hint


def test_every_rule_has_cases_or_a_test_of_its_own() -> None:
    by_hand = {"R102", "R103", "R104", "R150", "R151"}
    assert {table.stem for table in TABLES.glob("*.yml")} | by_hand == set(rules.RULES)


def test_every_rule_explains_itself() -> None:
    for rule in rules.RULES.values():
        assert rule.title[0].isupper(), rule.code
        assert not rule.title.endswith("."), rule.code
        assert rule.explanation.endswith("."), rule.code
    assert rules.explain("r105") is rules.RULES["R105"]
    assert rules.explain("R999") is None


# --- whole scripts -------------------------------------------------------------------

ENGINE = "# Engine\nexit 0\n"
STEP = """\
$Runbook.Steps += , @{
    Id = 'address'
    Read = {
        $found = @(Get-Thing -ErrorAction Stop)
        [ordered] @{ address = $found[0].Name }
    }
}
"""


@pytest.fixture
def tree(tmp_path: Path) -> TemplateTree:
    """Templates of a made-up product; the step file has a hole and a shared part."""
    spine = tmp_path / "_runbook"
    spine.mkdir()
    (spine / "engine.ps1").write_text(ENGINE)
    (spine / "cmdlets.yml").write_text((TEMPLATES / "_runbook" / "cmdlets.yml").read_text())
    role = tmp_path / "directory" / "main"
    role.mkdir(parents=True)
    (role / "step.ps1.j2").write_text(
        "{% block read %}\n        $found = @(Get-Thing -ErrorAction Stop)\n"
        "        $server = {{ host.fqdn | ps }} + ''\n"
        "{%     include 'directory/part.ps1.j2' %}\n{% endblock %}\n"
    )
    (tmp_path / "directory" / "part.ps1.j2").write_text("        $part = Get-Thin\n")
    return TemplateTree((tmp_path,))


def build_of(*steps: str, engine: str = ENGINE) -> Build:
    """A build whose runbooks have these step texts, one for each."""
    model = a_build()
    rendered = []
    for number, text in enumerate(steps):
        script = list(model.rendered)[number % len(model.rendered)]
        pieces = (
            Piece("step address", "directory/main/step.ps1.j2", text),
            Piece("engine", "_runbook/engine.ps1", engine),
        )
        body = encode("\n".join(text_of(piece.marked).rstrip("\n") + "\n" for piece in pieces))
        summary = replace(script.summary, content_hash=content_hash(body))
        rendered.append(replace(script, summary=summary, data=body, pieces=pieces))
    return replace(model, rendered=tuple(rendered))


PRODUCTS = (Product("directory", "Directory", 1, "", {}, (), MADE_UP),)


def check(build: Build, tree: TemplateTree) -> list[Finding]:
    values = build.plan.inventory.values
    inventory = replace(build.plan.inventory, values={**values, "directory": {"version": "2016"}})
    build = replace(build, plan=replace(build.plan, inventory=inventory))
    try:
        deque(rules.check(build, PRODUCTS, tree).rendered, maxlen=0)
    except FindingsError as error:
        return list(error.findings)
    return []


def test_a_clean_build_has_no_findings(tree: TemplateTree) -> None:
    assert check(build_of(STEP, STEP), tree) == []


def test_a_finding_names_the_line_of_the_template(tree: TemplateTree) -> None:
    text = STEP.replace("[ordered] @{ address", "$server = 'a.contoso.com' + '';\n        @{ a")
    found = check(build_of(text), tree)
    assert [(one.code, one.file, one.line) for one in found] == [
        ("R116", "templates/directory/main/step.ps1.j2", 3)
    ] or found[0].file.endswith(".ps1")
    text = STEP.replace("[ordered] @{ address", "$part = Get-Thin\n        @{ address")
    [finding] = check(build_of(text), tree)
    assert (finding.file, finding.line) == ("templates/directory/part.ps1.j2", 1)
    assert finding.hint == "did you mean Get-Thing?"
    assert finding.source == "        $part = Get-Thin"
    assert finding.column == 9


def test_a_finding_that_no_template_line_explains_names_the_output(tree: TemplateTree) -> None:
    text = STEP.replace("$found = @(Get-Thing", "$other = @(Get-Thong")
    [finding, *_] = check(build_of(text), tree)
    assert finding.file.startswith("10-") or finding.file.endswith(".ps1")
    assert finding.line == 4


def test_the_same_fault_on_many_servers_is_one_finding(tree: TemplateTree) -> None:
    text = STEP.replace("-ErrorAction Stop", "")
    assert len(check(build_of(text, text, text), tree)) == 1


def test_other_values_are_not_judged_again(tree: TemplateTree, monkeypatch: Any) -> None:
    parsed: list[str] = []

    def parse(text: str, engine: Any) -> Any:
        parsed.append(text)
        return tree_of(text, engine)

    monkeypatch.setattr(rules.checker, "parse", parse)
    texts = [STEP.replace("'address'", ps(f"address-{number}").marked) for number in range(5)]
    assert check(build_of(*texts), tree) == []
    # One step and one engine; the engine's functions before them, the launcher behind.
    assert [STEP[:8] in text for text in parsed] == [False, True, False, False]


# --- rules without a table -----------------------------------------------------------


def value(text: str) -> str:
    """A value as a template's filter writes it."""
    return ps(text).marked


def broken(change: Any) -> Build:
    build = build_of(STEP)
    [script] = build.rendered
    return replace(build, rendered=(replace(script, data=change(script.data)),))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("R102", lambda data: data.replace(b"\r\n", b"\n")),
        ("R102", lambda data: data.replace(b"\r\n", b"\n", 1)),
        ("R102", lambda data: data.replace(b"Read", b"Re\rad", 1)),
        ("R103", lambda data: b"\xef\xbb\xbf" + data),
        ("R103", lambda data: b"\xff\xfe" + data),
        ("R104", lambda data: data + b"\r\n"),
        ("R104", lambda data: data[:-2]),
        ("R104", lambda data: data[:-2] + b"\n"),
    ],
)
def test_bytes_of_a_script(code: str, change: Any, tree: TemplateTree) -> None:
    assert code in {finding.code for finding in check(broken(change), tree)}


def test_a_step_of_110_lines_is_the_longest(tree: TemplateTree) -> None:
    def step(lines: int) -> str:
        body = "\n".join("        $a = 1" for _ in range(lines - 5))
        head = "$Runbook.Steps += , @{\n    Id = 'a'\n    Apply = {\n"
        return f"{head}{body}\n    }}\n}}\n"

    assert check(build_of(step(110)), tree) == []
    assert [finding.code for finding in check(build_of(step(111)), tree)] == ["R150"]


@pytest.mark.parametrize(("before", "most"), [((), 800), ((STEP,), 320)], ids=["reads", "changes"])
def test_lines_before_the_engine_have_a_limit(
    tree: TemplateTree, before: tuple[str, ...], most: int
) -> None:
    """The first runbook of the made-up build only reads, the second changes something."""
    # The step, and an empty line behind it.
    filler = "# text\n" * (most - 8)
    assert check(build_of(*before, filler + STEP), tree) == []
    [finding] = check(build_of(*before, filler + "# text\n" + STEP), tree)
    assert finding.code == "R151"
    assert finding.message == f"{most + 1} lines stand before the engine, {most} are allowed"


def test_a_list_of_values_counts_as_its_first_entry(tree: TemplateTree) -> None:
    entries = "".join(
        f"        @{{ Hash = {value(f'h{number}')}\n"
        f"            Id = {value(f'server {number}')}; Hours = 72 }}\n"
        for number in range(300)
    )
    values = "".join(
        f"        {value(f'a{number}')}, {value(f'b{number}')}, $true,\n" for number in range(300)
    )
    lists = f"$needs = @(\n{entries})\n$names = @(\n{values}        {value('z')})\n"
    assert check(build_of(STEP, "# text\n" * 305 + lists + STEP), tree) == []
    [finding] = check(build_of(STEP, "# text\n" * 306 + lists + STEP), tree)
    assert "321 lines" in finding.message


def test_a_list_of_values_in_a_step_counts_as_its_first_entry(tree: TemplateTree) -> None:
    values = "".join(
        f"        {value(f'server{number}')} = {value(f'https://{number}')}\n"
        for number in range(300)
    )
    wanted = f"    Wanted = [ordered] @{{\n{values}    }}\n"
    step = f"$Runbook.Steps += , @{{\n    Id = 'a'\n{wanted}}}\n"
    assert check(build_of(step), tree) == []
