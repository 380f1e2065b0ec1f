"""Every value that a schema allows can be built, and PowerShell reads it back as it is.

A whole inventory of allowed values and its twin are built. PowerShell's own parser reads the
strings of both: they must be the same but for the words of the twin, and so must the syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from allowed import Pair, in_script, inventories, leaves, places, scripts
from hostile.judge import Judge, canonical
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from programs import NOW, ROOT

from generator import cli, pipeline
from generator.signing import script
from generator.templating import marks
from generator.templating.marks import WIDTH
from generator.templating.powershell import IN_A_ROW, ps, ps_comment, ps_list
from generator.templating.templates import TemplateTree

ENGINE = (ROOT / "templates/_runbook/engine.ps1").read_bytes().replace(b"\n", b"\r\n")
TREE = TemplateTree.for_project()
LITWAREINC = (ROOT / "inventories/litwareinc.yml").read_text("utf-8")
CYRILLIC = "\u0410\u0434\u043c\u0438\u043d\u0438\u0441\u0442\u0440\u0430\u0442\u043e\u0440\u044b"
SCRIPTS = (*scripts(), "UNNAMED")
OFTEN = {*SCRIPTS[::8], "LATIN", "CYRILLIC", "ARABIC", "CJK", "HANGUL", "UNNAMED"}
HASH = re.compile("[0-9A-F]{64}|[0-9a-f]{64}")


def examples(count: int) -> Any:
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        # To make an inventory small would take longer than to read the script that is named.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def written(folder: Path, name: str, data: dict[str, Any]) -> Path:
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump(data, sort_keys=False, width=1_000_000), "utf-8")
    return path


# --- one value ----------------------------------------------------------------------------


def in_place(value: str) -> str:
    """What the filters write, in a table whose lines leave as little room as R105 allows."""
    return (
        f"    'Help' = {ps(value).marked}\n"
        f"        'at' = @{{ 'Identity' = {ps(value).marked}; 'Value' = 'as long as 20' }}\n"
        f"        'all' = @({ps_list([value, 'b', value]).marked})\n"
        f"        'table' = {ps({'a': value, 'b': [value]}).marked}\n"
    )


def check_value(judge: Judge, value: str) -> None:
    text = marks.text_of(in_place(value))
    found = judge.ask("value", text=f"@{{\n{text}\n}}".replace("\n", "\r\n"))
    wanted = {
        "Help": value,
        "at": {"Identity": value, "Value": "as long as 20"},
        "all": [value, "b", value],
        "table": {"a": value, "b": [value]},
    }
    assert found == canonical(wanted)
    if not any(len(word) > 40 for word in re.findall("[ -~]+", value)):
        assert max(map(len, text.split("\n"))) <= WIDTH
    comments = marks.text_of(f"{ps_comment(value, 'Why').marked}\n")
    assert judge.ask("comment", text=comments.replace("\n", "\r\n")) == "comment"
    if " " not in value:
        assert max(map(len, comments.split("\n"))) <= max(WIDTH, 20 + len(value))


@pytest.mark.parametrize(
    "letters",
    [pytest.param(one, marks=() if one in OFTEN else pytest.mark.soak) for one in SCRIPTS],
)
def test_G05_a_group_in_every_script_of_unicode(judge: Judge, letters: str) -> None:
    value = in_script(letters, "group", 64)
    if value:
        check_value(judge, value)


@examples(20)
@given(st.text(st.characters(), min_size=1, max_size=120))
def test_G05_any_text_reads_back_over_several_lines(judge: Judge, value: str) -> None:
    check_value(judge, value)


def test_G05_an_ascii_value_is_not_broken() -> None:
    value = "x" * 300
    assert marks.text_of(ps(value).marked) == f"'{value}'"


def test_G05_words_beyond_ascii_fit_the_lines_of_a_comment() -> None:
    text = ps_comment(f"{CYRILLIC * 12} and {CYRILLIC}", "Why")
    lines = text.split("\n")
    assert len(lines) > 10
    assert all(len(line) <= 88 for line in lines)
    shown = "".join(line.removeprefix("# Why      ").removeprefix("#          ") for line in lines)
    assert re.sub(r"\\u([0-9A-F]{4})", lambda m: chr(int(m[1], 16)), shown.replace(" ", "")) == (
        f"{CYRILLIC * 12}and{CYRILLIC}"
    )
    # A reader counts letters, not escapes: the step is no longer for them.
    assert ps_comment(CYRILLIC * 4, "Why").shape.count("\n") == 0


# --- whole inventories ----------------------------------------------------------------------


class Reader:
    """What PowerShell reads in the scripts of a build."""

    def __init__(self, judge: Judge, folder: Path) -> None:
        self._judge = judge
        self._folder = folder

    def read(self, name: str, data: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
        """Of each script its name, its syntax and its strings; in the order of work."""
        path = written(self._folder, name, data)
        assert [one.format() for one in pipeline.validate(path, TREE, NOW) if not one.warning] == []
        out = self._folder / "out"
        assert cli.run(["build", str(path), "--out", str(out), "--force"]) == 0
        for file in sorted((out / name).rglob("*.ps1")):
            made = file.read_bytes()
            # The table of the change is no runbook and has no engine.
            assert made.endswith(ENGINE) or file.name == "Start-Change.ps1"
            head = self._folder / "head.ps1"
            head.write_bytes(made.removesuffix(ENGINE))
            shape = self._judge.ask("shape", path=str(head))
            strings = self._judge.ask("strings", path=str(head)).split(",")
            assert re.fullmatch("[0-9A-F]{64}", shape), shape
            yield file.name, shape, list(map(plain, strings))


def plain(shown: str) -> str:
    kind, _, units = shown.partition(" ")
    assert kind == "text", shown
    return HASH.sub("", bytes.fromhex(units).decode("utf-16-le", "surrogatepass"))


def check_pair(judge: Judge, folder: Path, pair: Pair) -> None:
    # A new key of a schema must be entered in tests/support/allowed.py.
    assert places(pair.data) == {path for path, _ in leaves()} == places(pair.twin)
    reader = Reader(judge, folder)
    pattern = re.compile("|".join(map(re.escape, sorted(pair.told, key=len, reverse=True))))
    twins = list(reader.read("twin", pair.twin))
    found = list(reader.read("allowed", pair.data))
    assert len(found) == len(twins) > 20
    for (file, shape, strings), (_, shape_of_twin, of_twin) in zip(found, twins, strict=True):
        expected = [pattern.sub(lambda word: pair.told[word[0]], text) for text in of_twin]
        assert strings == expected, file
        assert shape == shape_of_twin, file


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("allowed")


@examples(2)
@given(inventories())
def test_G05_an_inventory_of_allowed_values_builds_and_reads_back(
    judge: Judge, folder: Path, pair: Pair
) -> None:
    check_pair(judge, folder, pair)


@pytest.mark.soak
@examples(60)
@given(inventories())
def test_G05_many_inventories_of_allowed_values_build_and_read_back(
    judge: Judge, folder: Path, pair: Pair
) -> None:
    check_pair(judge, folder, pair)


# --- by the front door ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "group",
    [
        CYRILLIC,
        "\u7ba1\u7406\u54e1" * 21,
        "\U0001f600" * 64,
        "\u0416 " * 31 + "\u0416",
        "SIG # Begin signature block",
        "sig # end signature block",
    ],
)
def test_G05_a_group_of_that_name_is_built_and_can_be_signed(
    group: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = LITWAREINC + f"  groups: {{server_admins: {group!a}, user_admins: {group!a}}}\n"
    path = tmp_path / "groups.yml"
    path.write_text(text.replace("'", '"'), "utf-8")
    assert cli.run(["build", str(path), "--out", str(tmp_path / "out")]) == 0
    assert "error[" not in capsys.readouterr().err
    heads = []
    for built in (tmp_path / "out/groups").glob("*.ps1"):
        data = built.read_bytes()
        assert script.read_to_sign(data).signature is None
        heads.append(data[: -len(ENGINE)].decode("ascii"))
    assert sum(ps(group)[:20] in head for head in heads) > 1
    lines = [line for head in heads for line in head.split("\r\n")]
    assert all(len(line) <= WIDTH for line in lines if "[char]" in line or "\\u" in line)


def test_G05_a_long_value_is_no_deep_sum() -> None:
    """Each `+` of a row is a level of the tree that PowerShell makes of it, and of its stack."""
    text = str(ps("\u0416" * 5_000))
    assert text.count("[char]0x0416") == 5_000
    rounds = 0
    while "(" in text:
        rows = re.findall(r"\(([^()]*)\)", text)
        assert max(row.count("+") for row in rows) <= IN_A_ROW
        text = re.sub(r"\([^()]*\)", "x", text)
        rounds += 1
    assert 1 < rounds < 10
