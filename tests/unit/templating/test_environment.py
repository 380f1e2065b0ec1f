"""Values reach a script only through the PowerShell filters; everything else is refused."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from generator.findings import FindingsError
from generator.templating import environment, marks
from generator.templating.refusals import UnfilteredValue
from generator.templating.templates import TemplateTree

NAMES = {"name": "EX01", "hosts": ["a", "b"]}


def block(tmp_path: Path, text: str, **files: str) -> str:
    (tmp_path / "step.ps1.j2").write_text(f"{{% block read %}}\n{text}\n{{% endblock %}}\n")
    for name, content in files.items():
        (tmp_path / f"{name}.j2").write_text(content)
    made = environment.make(TemplateTree((tmp_path,)))
    template = made.get_template("step.ps1.j2")
    found = environment.render_block(template, "read", environment.context(template, NAMES))
    return marks.text_of(found)


def test_a_filtered_value_becomes_a_literal(tmp_path: Path) -> None:
    assert block(tmp_path, "$x = {{ name | ps }}") == "$x = 'EX01'\n"


@pytest.mark.parametrize(
    "text",
    [
        "{{ name }}",
        "{{ 'constant' }}",
        "{{ hosts[0] }}",
        "{{ caller }}",
        "{% include 'part.j2' %}",
        "{% for host in hosts %}{{ host }}{% endfor %}",
    ],
)
def test_an_unfiltered_value_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises((UnfilteredValue, jinja2.UndefinedError)):
        block(tmp_path, text, part="{{ name }}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ (name ~ 'x') | ps }}", "operator ~"),
        ("{% filter ps %}{{ name }}{% endfilter %}", "filter block"),
        ("{% set x %}{{ name }}{% endset %}", "set block"),
        ("{% call name.format() %}{% endcall %}", "call block"),
        ("{{ name | upper }}", "No filter named 'upper'"),
        ("{% if false %}{{ name | upper }}{% endif %}", "No filter named 'upper'"),
        ("{% if name is odder %}x{% endif %}", "No test named 'odder'"),
        ("{{ name | safe }}", "No filter named 'safe'"),
        ("{{ name | default('x') | ps }}", "No filter named 'default'"),
        ("$x = {{ name | ps_comment }}", "outside of a comment"),
        ("$x = 1 # {{ name | ps_comment }}", "outside of a comment"),
        ("$x = {{ name | ps_comment('Why') }}", "outside of a comment"),
        ("$x = {{ (name | ps_comment) | ps }}", "outside of a comment"),
        ('"{{ name | ps_comment }}"', "outside of a comment"),
        ("{% macro m() %}{{ name }}{% endmacro %}{{ m() }}", "a macro"),
        ("{% macro m() %}x{% endmacro %}{{ m() }}", "a macro"),
        ("{% macro m() %}{{ name | ps }}{% endmacro %}{{ m() | ps }}", "a macro"),
    ],
)
def test_ways_round_the_filters_are_refused_when_the_template_loads(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(jinja2.TemplateSyntaxError, match=words):
        block(tmp_path, text)


def test_text_of_a_comment_stands_in_a_comment(tmp_path: Path) -> None:
    text = (
        "    # {{ name | ps_comment }} and {{ name | ps_comment }}\n{{ name | ps_comment('Why') }}"
    )
    assert block(tmp_path, text) == "    # EX01 and EX01\n# Why      EX01\n"


def test_a_name_is_letters_alone(tmp_path: Path) -> None:
    assert block(tmp_path, "{{ name | ps_name }} = 1".replace("name", "'Why'", 1)) == "Why = 1\n"
    with pytest.raises(ValueError, match="no name"):
        block(tmp_path, "{{ name | ps_name }} = 1")


def test_an_undefined_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(jinja2.UndefinedError, match="nobody"):
        block(tmp_path, "{{ nobody | ps }}")


def test_attributes_of_python_objects_are_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(jinja2.exceptions.SecurityError):
        block(tmp_path, "{{ name.__class__.__mro__ | ps }}")


def test_a_type_without_a_literal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no PowerShell literal"):
        block(tmp_path, "{{ (1.5) | ps }}")


@pytest.mark.parametrize("character", marks.CHARACTERS)
def test_a_template_with_the_character_of_a_mark_is_refused(tmp_path: Path, character: str) -> None:
    with pytest.raises(FindingsError) as refused:
        block(tmp_path, f"$x = 1\n# {character}")
    [finding] = refused.value.findings
    assert (finding.code, finding.line) == ("T227", 3)
    assert f"U+{ord(character):04X}" in finding.message
    with pytest.raises(FindingsError):
        block(tmp_path, "{% include 'part.j2' %}", part=character)


def test_a_mark_in_a_value_is_written_as_its_number(tmp_path: Path) -> None:
    text = "$x = {{ '\\x02' | ps }} # {{ '\\x02' | ps }}"
    assert block(tmp_path, text) == "$x = ('' + [char]0x0002) # ('' + [char]0x0002)\n"
