"""Every guard, check and wanted value is shown to say its sentence when it is false."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab.falsehood import PREREQUISITES, Falsehood, Sentence, sentences, wanted_names
from lab.falsehoods_exchange import FALSEHOODS as EXCHANGE
from lab.falsehoods_skype import FALSEHOODS as SKYPE
from lab.fixtures import PROJECT, shared
from lab.lab import Lab, Script, Scripts, Stages
from programs import pwsh

from generator.output.bundle import write
from generator.pipeline import build
from generator.templating.templates import TemplateTree

FALSEHOODS = (*EXCHANGE, *SKYPE)
Organization = Callable[[Mapping[str, Any]], Stages]


@pytest.fixture(scope="session")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Organization:
    """Labs for litwareinc with some keys changed, built once for all workers' rows."""
    made: dict[str, Stages] = {}

    def make(changes: Mapping[str, Any]) -> Stages:
        key = hashlib.sha256(json.dumps(dict(changes), sort_keys=True).encode()).hexdigest()[:12]
        if key not in made:
            scripts = Scripts(built(changes, tmp_path_factory.mktemp("falsehoods")))
            made[key] = Stages(shared(tmp_path_factory) / f"falsehoods-{key}", scripts)
        return made[key]

    return make


def built(changes: Mapping[str, Any], folder: Path) -> Path:
    """The runbooks of litwareinc with these keys changed."""
    values = yaml.load((PROJECT / "inventories" / "litwareinc.yml").read_text(), yaml.BaseLoader)
    for path, value in changes.items():
        place = values
        *parents, name = path.split(".")
        for parent in parents:
            place = place[parent]
        place[name] = value
    source = folder / "litwareinc.yml"
    source.write_text(yaml.safe_dump(values))
    tree = TemplateTree.for_project()
    return write(build(source, tree), folder / "out", tree).folder


def sampled(rows: tuple[Falsehood, ...]) -> Iterator[Any]:
    """Of each runbook every second row, and of its reads that fail the first; the soak has all."""
    seen: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        kind = (row.runbook, bool(row.fails))
        later = seen[kind] > 0 if row.fails else seen[kind] % 2 > 0
        seen[kind] += 1
        yield pytest.param(row, id=row.id, marks=[pytest.mark.soak] if later else [])


@pytest.mark.parametrize("row", list(sampled(FALSEHOODS)))
def test_what_is_false_is_said(row: Falsehood, organization: Organization, tmp_path: Path) -> None:
    pwsh()
    lab = lab_for(row, organization(row.inventory), tmp_path / "lab")
    if row.fails:
        name, _, count = row.fails.partition("#")
        again = Lab(tmp_path / "again", lab.scripts, copy_of=lab)
        again.run(row.runbook, *row.words, **row.env)
        call = again.call(name, int(count or 1))
        code = lab.run(row.runbook, *row.words, **row.env, LAB_FAIL=f"{call}:before")
    else:
        lab.alter(row.change)
        row.prepare(lab)
        code = lab.run(row.runbook, *row.words, **row.env)
    shown = "\n".join(lab.reasons())
    for words in row.says:
        assert words in shown, lab.out
    assert code == row.code, lab.out
    for name in row.wanted:
        step, _, value = name.partition(".")
        told = (f"{step}: {value} is ", f"{step}: {value} was left as ")
        assert any(words in lab.out for words in told), lab.out
    shutil.rmtree(tmp_path, ignore_errors=True)


def lab_for(row: Falsehood, stages: Stages, folder: Path) -> Lab:
    """The organization in which everything in front of the row's runbook was run."""
    script = stages.scripts.find(row.runbook)
    earlier = stages.scripts.before(script)
    last = script if row.done else earlier[-1] if earlier else None
    lab = Lab(folder, stages.scripts, copy_of=stages.after(last))
    lab.carry(script)
    return lab


@pytest.mark.parametrize("changes", [{}, PREREQUISITES], ids=["litwareinc", "prerequisites"])
def test_every_wanted_value_has_a_row(changes: Mapping[str, Any], tmp_path: Path) -> None:
    scripts = Scripts(built(changes, tmp_path))
    assert scripts.all
    rows = {(row.runbook.partition("@")[0], name) for row in FALSEHOODS for name in row.wanted}
    missing = [
        f"{script.action} {name}"
        for script in scripts.forward
        for name in wanted_names(script)
        if (script.action, name) not in rows
    ]
    assert missing == []


@pytest.mark.parametrize("changes", [{}, PREREQUISITES], ids=["litwareinc", "prerequisites"])
def test_every_sentence_is_expected_by_a_row(changes: Mapping[str, Any], tmp_path: Path) -> None:
    scripts = Scripts(built(changes, tmp_path))
    assert scripts.all
    missing = [
        f"{script.action} {sentence}"
        for script in scripts.all
        for sentence in sentences(script)
        if not any(row_says(row, script, sentence) for row in FALSEHOODS)
    ]
    assert missing == []


def row_says(row: Falsehood, script: Script, sentence: Sentence) -> bool:
    """Guards of a product are the same text everywhere: any runbook of it may prove them."""
    if sentence.block == "Product":
        same = row.runbook.removeprefix("undo-").startswith(script.product)
    else:
        same = row.runbook.partition("@")[0] == script.action
    return same and any(sentence.is_said_by(words) for words in row.says)


def test_rows_are_named_once() -> None:
    ids = [row.id for row in FALSEHOODS]
    assert sorted(set(ids)) == sorted(ids)


def test_sentences_are_found_with_their_values_left_out(tmp_path: Path) -> None:
    path = tmp_path / "10-001-toy_HOST.ps1"
    path.write_text(
        '\n    Check = {\n        $saw += "this is what the check saw here"\n'
        "        $problems += \"$name is off ($(Get-X -Y 'z')). Turn \" +\n"
        "        'it on: Set-X ''a b'''\n    }\n\n# Engine - \n 'not a sentence of this part'\n"
    )
    script = Scripts(tmp_path).all[0]
    assert [one.pieces for one in sentences(script)] == [("is off (", "). Turn it on: Set-X 'a b'")]


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path) -> Iterator[None]:
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)
