"""Pieces of any length: the work of the judge and of the search for lines grows with them alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from security.projects import Project

from generator.files import named
from generator.rules import base_commands, checker, locate
from generator.rules.locate import Locator
from generator.syntax import catalogue
from generator.templating.templates import TemplateTree

pytestmark = pytest.mark.usefixtures("watchdog")

TREE = TemplateTree.for_project()


def calls(work: Callable[[], object]) -> int:
    """How many functions are called: the same count on every machine."""
    count = 0

    def hear(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(hear)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("line", ["#", "        # a comment", "        # {n}", "    $a{n} = 'x'"])
def test_G14_judging_twice_as_many_lines_takes_twice_the_calls(line: str) -> None:
    known = catalogue.load(base_commands(TREE))

    def judged(lines: int) -> Callable[[], object]:
        text = "\n".join(line.format(n=n) for n in range(lines))
        return lambda: checker.problems(text, known, "2016")

    judged(10)()
    first, second = calls(judged(2_000)), calls(judged(4_000))
    assert second < 2.2 * first


def test_G14_a_template_is_read_once_for_all_its_problems(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"$line{n} = {{{{ skype.realm | ps }}}} + 'x{n}'" for n in range(5_000)]
    project.write("skype/long.ps1.j2", "\n".join(lines))
    locator = Locator(TemplateTree.for_project(project.templates))
    read: list[Path] = []
    real = named.read

    def counted(path: Path, limit: int) -> bytes:
        read.append(path)
        return real(path, limit)

    monkeypatch.setattr(named, "read", counted)
    for number in range(0, 5_000, 50):
        found = locator.template_line("skype/long.ps1.j2", f"$line{number} = 'a.com' + 'x{number}'")
        assert found == ("templates/skype/long.ps1.j2", number + 1, lines[number])
    assert len(read) == 1


def test_G14_finding_a_line_takes_the_same_time_in_any_file(project: Project) -> None:
    counts = []
    for lines in (100, 10_000):
        name = f"skype/long{lines}.ps1.j2"
        own = [f"$line{n} = {{{{ skype.realm | ps }}}} + 'x{n}'" for n in range(lines)]
        project.write(name, "\n".join([*own, "the last line"]))
        locator = Locator(TemplateTree.for_project(project.templates))
        locator.template_line(name, "anything")

        def found(name: str = name, locator: Locator = locator) -> None:
            for _ in range(20):
                assert locator.template_line(name, "  the last line ")
                assert locator.template_line(name, "$line 'nothing'") is None

        counts.append(calls(found))
    assert counts[1] <= counts[0]


@pytest.mark.parametrize(
    ("line", "text", "fits"),
    [
        ("$x = {{ a | ps }} + {{ b | ps }}", "$x = 'a' + 'b'", True),
        ("$x = {{ a | ps }} + {{ b | ps }}", "$x = 'a' - 'b'", False),
        ("$x ={{ a | ps }}", "$x = ", True),
        ("abc{{ a }}bcd", "abcd", False),
        ("{{ a }}tail", "long tail", True),
        ("{% if a %}{{ b }}x{% endif %}yzw", "abxyzw", True),
        ("{{ a }", "{{ a }", True),
        ("{{ a }}", "anything", False),
        ("x{{ a }}x" * 30, "x" * 2_000 + "y", False),
        ("a{{ b }}" * 40, "a" * 5_000 + "!", True),
        ("{" * 100_000, "x", False),
        ("{{" * 50_000 + "}}", "x", False),
        ("{%" * 50_000 + "rest", "x", False),
    ],
)
def test_G14_a_line_with_holes_is_compared_from_left_to_right(
    project: Project, line: str, text: str, fits: bool
) -> None:
    project.write("skype/one.ps1.j2", f"{line}\n")
    found = Locator(TemplateTree.for_project(project.templates)).template_line(
        "skype/one.ps1.j2", text
    )
    assert (found is not None) == fits


@pytest.mark.parametrize("braces", ["{{", "{%", "{#"])
def test_G14_what_no_brace_closes_is_looked_for_once(braces: str) -> None:
    assert locate._parts(braces * 10) == [braces * 10]
    line = braces * 10_000
    assert calls(lambda: locate._parts(line)) < 2.5 * line.count("{")


def test_G14_names_that_are_refused_are_passed_over_in_the_search(project: Project) -> None:
    text = "".join(f"{{% include '../x{n}' %}}{{% include 'none{n}' %}}" for n in range(5_000))
    project.write("skype/one.ps1.j2", text)
    locator = Locator(TemplateTree.for_project(project.templates))
    count = calls(lambda: locator.template_line("skype/one.ps1.j2", "nothing"))
    assert count < 100_000
    assert calls(lambda: locator.template_line("skype/one.ps1.j2", "nothing")) < 100
