"""Nothing that a template says goes on without end or eats the machine; the finding says where."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
from builders import a_build
from jinja2 import nodes
from organizations import large
from security.projects import ENTRY, READ, STEP, STEP_TEXT, Project

from generator import pipeline
from generator.documents import runsheet
from generator.findings import Finding, FindingsError
from generator.rendering.blocks import Blocks
from generator.templating import environment, expressions, limits, markdown, shape
from generator.templating.expressions import ExpressionError
from generator.templating.limits import LimitError, Meter
from generator.templating.templates import TemplateTree

pytestmark = pytest.mark.usefixtures("watchdog")

SERVERS = [
    {"fqdn": f"ex{n}.contoso.com", "netbios": f"EX{n}", "roles": ["mailbox"]} for n in range(60)
]
NAMES: dict[str, Any] = {
    "servers": SERVERS,
    "name": "EX01",
    "text": "x" * 2_000,
    "number": 7,
    "skype": {"test_user": "sip:kenmyer@litwareinc.com"},
}

FOUR_LOOPS = "".join(f"{{% for s{n} in servers %}}" for n in range(5)) + "{% endfor %}" * 5
THREE_LOOPS = (
    "{{% set long = text * 50 %}}"
    + "".join(f"{{{{% for t{n} in servers %}}}}" for n in range(3))
    + "{}"
    + "{{% endfor %}}" * 3
)
DIGITS = "{% for a in [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] %}"
DOUBLED = "{% set x = 'xy' %}" + "{% set x = x + x %}" * 60
NESTED = "{% set x = [servers, servers] %}" + "{% set x = [x, x] %}" * 60

ANYWHERE = [
    # Loops inside loops, over values of the inventory and over constants.
    ("T234", FOUR_LOOPS),
    ("T234", DIGITS * 8 + "{% endfor %}" * 8),
    # Few rounds, each of which looks at all of a value.
    ("T234", THREE_LOOPS.format("{% if servers == servers %}{% endif %}")),
    ("T234", THREE_LOOPS.format("{% if 1 in servers %}{% endif %}")),
    ("T234", THREE_LOOPS.format("{% if long[1:] %}{% endif %}")),
    # Equal parts, of which the hash is made of all hashes.
    ("T234", "{% set x = (1, 1) %}" + "{% set x = (x, x) %}" * 22 + "{% set y = {x: 1} %}"),
    # Repetition and arithmetic.
    ("T235", "{% if 'x' * 20000000000 %}{% endif %}"),
    ("T235", "{% if 20000000000 * 'x' %}{% endif %}"),
    ("T235", "{% if [1] * 20000000000 %}{% endif %}"),
    ("T235", "{% if (1, 2) * 20000000000 %}{% endif %}"),
    ("T235", "{% if name * (9999 * 9999) %}{% endif %}"),
    ("T235", "{% if 9 ** 9999999999 %}{% endif %}"),
    ("T235", "{% set x = 10 ** 30 %}{% set x = x * x %}{% if x * x %}{% endif %}"),
    ("T235", "{% if " + "9" * 50 + " %}{% endif %}"),
    ("T202", "{% if " + "9" * 5_000 + " %}{% endif %}"),
    ("T235", "{% if 0x" + "F" * 5_000 + " %}{% endif %}"),
    ("T235", DOUBLED),
    ("T235", DOUBLED.replace("'xy'", "[1, 2]").replace("x + x", "x + x")),
    ("T234", NESTED + "{% if x == x %}{% endif %}"),
    ("T234", NESTED.replace("[x, x]", "(x, x)") + "{% if x in [x] %}{% endif %}"),
    ("T234", NESTED.replace("[x, x]", "{'a': x, 'b': x}") + "{% if x == x %}{% endif %}"),
    # Formats, and methods that make text longer.
    ("T235", "{% if '%1000000000d' % 5 %}{% endif %}"),
    ("T235", "{% if '%*d' % (1000000000, 5) %}{% endif %}"),
    ("T235", "{% if '%.1000000000f' % 5 %}{% endif %}"),
    ("T237", "{% if '{:>1000000000}'.format(5) %}{% endif %}"),
    ("T237", "{% if '{0}'.format_map({}) %}{% endif %}"),
    ("T237", "{% if name.center(1000000000) %}{% endif %}"),
    ("T237", "{% if name.ljust(1000000000) %}{% endif %}"),
    ("T237", "{% if name.zfill(1000000000) %}{% endif %}"),
    ("T237", "{% if name.expandtabs(1000000000) %}{% endif %}"),
    ("T237", "{% if name.replace('', text) %}{% endif %}"),
    ("T237", "{% if name.join([text]) %}{% endif %}"),
    ("T237", "{% for a in servers recursive %}{{ loop(servers) }}{% endfor %}"),
    # Depth.
    ("T236", "{% if " + "(" * 3_000 + "1" + ")" * 3_000 + " %}{% endif %}"),
    ("T236", "{% if " + "[" * 40 + "1" + "]" * 40 + " %}{% endif %}"),
    ("T236", "{% if " + "not " * 3_000 + "1 %}{% endif %}"),
    ("T236", "{% if " + "not " * 100 + "1 %}{% endif %}"),
    ("T236", "{% if " + "- " * 300 + "1 %}{% endif %}"),
    ("T236", "{% if 1" + " + 1" * 3_000 + " %}{% endif %}"),
    ("T236", "{% if name" + ".a" * 3_000 + " %}{% endif %}"),
    ("T236", "{% set x = " + "1 if 1 else " * 500 + "1 %}"),
    ("T236", "{% if true %}" * 500 + "{% endif %}" * 500),
    ("T236", "{% if true %}" * 30 + "{% endif %}" * 30),
    ("T236", "{% for a in [1] %}" * 21 + "{% endfor %}" * 21),
    ("T219", "{% if true %}" + "{% set x = 1 %}" * 15_000 + "{% endif %}"),
]
"""What no template may do, with the code of the finding; a script may do it nowhere else."""

IN_SCRIPTS = [
    ("T234", NESTED + "$x = {{ x | ps }}"),
    ("T234", NESTED + "$x = {{ x | ps_list }}"),
    ("T234", NESTED + "# {{ x | ps_comment }}"),
    ("T220", "{{ servers | ps_list(1000000000) }}"),
    ("T220", "{{ name | ps_comment('x', margin=1000000000) }}"),
    ("T235", f"{DIGITS * 5}{'x' * 100}{'{% endfor %}' * 5}"),
    ("T235", DIGITS * 3 + "{{ text | ps }}" * 5 + "{% endfor %}" * 3),
    (
        "T230",
        "{% macro m() %}" + DIGITS * 5 + "x" * 99 + "{% endfor %}" * 5 + "{% endmacro %}{{ m() }}",
    ),
    ("T237", "{{ servers.append(1) | ps }}"),
]  # fmt: skip

IN_DOCUMENTS = [
    # Macros that call one another, and themselves.
    ("T236", "{% macro m() %}{% if m() %}x{% endif %}{% endmacro %}{% if m() %}x{% endif %}"),
    (
        "T236",
        "{% macro a() %}{% if b() %}{% endif %}{% endmacro %}"
        "{% macro b() %}{% if a() %}{% endif %}{% endmacro %}{% if a() %}{% endif %}",
    ),
    (
        "T234",
        "{% macro m(n) %}{% if n and m(n - 1) and m(n - 1) %}x{% endif %}"
        "{% if n and m(n - 1) %}x{% endif %}{% if n and m(n - 1) %}x{% endif %}{% endmacro %}"
        "{% if m(35) %}{% endif %}",
    ),
    ("T234", NESTED + "{{ x }}"),
    ("T234", NESTED + "{{ x | code }}"),
    ("T234", NESTED + "{{ x ~ x }}"),
    ("T235", "{% set x = 'xy' %}" + "{% set x = x ~ x %}" * 60),
    ("T235", f"{DIGITS * 6}{'x' * 99}{'{% endfor %}' * 6}"),
    ("T225", "{{ name | indent(100000) }}"),
    ("T225", "{{ name | center(100000) }}"),
    ("T225", "{{ name is escaped }}"),
]


def script(project: Project, line: str, **files: str) -> Finding:
    """The one finding of a step with this line, in its block."""
    project.write(STEP, STEP_TEXT.replace(READ, f"{READ}{line}\n"))
    for name, text in files.items():
        project.write(f"skype/{name}.ps1.j2", text)
    blocks = Blocks(TemplateTree.for_project(project.templates))
    with pytest.raises(FindingsError) as caught:  # noqa: PT012 - some are gathered
        blocks.render(STEP, ["read"], NAMES)
        blocks.raise_findings()
    (found,) = caught.value.findings
    return found


def document(project: Project, line: str) -> Finding:
    known = "{% set name = 'x' %}{% set text = 'x' * 99 %}{% set servers = [1, 2, 3, 4, 5] * 20 %}"
    project.write(ENTRY, f"{known}\n{line}\n")
    build = a_build()
    with pytest.raises(FindingsError) as caught:
        runsheet.render(build, TemplateTree.for_project(project.templates))
    (found,) = caught.value.findings
    return found


def ids(cases: list[tuple[str, str]]) -> list[str]:
    return [f"{code}-{number}" for number, (code, _) in enumerate(cases)]


@pytest.mark.parametrize(("code", "line"), ANYWHERE, ids=ids(ANYWHERE))
def test_G04_a_script_comes_to_an_end(project: Project, code: str, line: str) -> None:
    found = script(project, line)
    assert (found.code, found.file) == (code, f"templates/{STEP}"), found.format()
    assert found.line == 5, found.format()


@pytest.mark.parametrize(("code", "line"), IN_SCRIPTS, ids=ids(IN_SCRIPTS))
def test_G04_what_a_script_writes_is_bounded(project: Project, code: str, line: str) -> None:
    found = script(project, line)
    assert (found.code, found.file, found.line) == (code, f"templates/{STEP}", 5), found.format()


@pytest.mark.parametrize(
    ("code", "line"), [*ANYWHERE, *IN_DOCUMENTS], ids=ids([*ANYWHERE, *IN_DOCUMENTS])
)
def test_G04_a_document_comes_to_an_end(project: Project, code: str, line: str) -> None:
    found = document(project, line)
    assert found.code == code, found.format()
    # What is written is counted where the run sheet includes its entries.
    place = f"/{ENTRY}" if found.line == 2 else "/runsheet.md.j2"
    assert found.file.endswith(place), found.format()
    assert found.line == 2 or "writes more" in found.message, found.format()


def test_G04_templates_that_include_one_another_are_a_finding(project: Project) -> None:
    found = script(
        project,
        "{% include 'skype/a.ps1.j2' %}",
        a="{% include 'skype/b.ps1.j2' %}",
        b="\n{% include 'skype/a.ps1.j2' %}",
    )
    # The place does not depend on how deep Python was when it began.
    assert (found.code, found.file, found.line) == ("T236", f"templates/{STEP}", 5)
    assert found.message == "templates include or call one another without end"
    project.place(STEP).unlink()
    found = document(project, f"{{% include '{ENTRY}' %}}")
    assert found.code == "T236"


@pytest.mark.parametrize("tag", ["import '{0}' as x", "from '{0}' import x with context"])
def test_G04_templates_that_import_one_another_are_a_finding(project: Project, tag: str) -> None:
    name = "skype/a.ps1.j2"
    found = script(project, f"{{% {tag.format(name)} %}}", a=f"{{% {tag.format(name)} %}}")
    assert (found.code, found.line) == ("T236", 5)


def test_G04_a_block_that_calls_itself_is_a_finding(project: Project) -> None:
    assert script(project, "{% if self.read() %}{% endif %}").code == "T236"


def test_G04_a_large_template_in_a_loop_costs_what_is_in_it(project: Project) -> None:
    part = "{% if name == 'x' %}{% endif %}" * 3_000
    line = DIGITS * 4 + "{% include 'skype/part.ps1.j2' %}" + "{% endfor %}" * 4
    assert script(project, line, part=part).code == "T234"


def test_G04_a_limit_ends_the_build_at_once(project: Project) -> None:
    """The same step of the next two thousand servers would take as long."""
    project.step("{% if 'x' * 20000000000 %}{% endif %}")
    blocks = Blocks(TemplateTree.for_project(project.templates))
    with pytest.raises(FindingsError, match="T235"):
        blocks.render(STEP, ["read"], NAMES)
    assert blocks.findings == []


def test_G04_the_command_line_names_template_line_and_limit(project: Project) -> None:
    project.step(FOUR_LOOPS.replace("servers", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5] * 5"))
    said = project.build()
    assert said.code == 1
    assert said.found("T234") == [f"{project.templates}/{STEP}:5:1"]
    assert "it takes more than 10,000,000 steps, the limit (loop over less, or " in said.text
    project.step("{% set x = " + "(" * 3_000 + "1" + ")" * 3_000 + " %}")
    for said in (project.build(), project.run("lint")):
        assert said.code == 1
        assert said.found("T236") == [f"{project.templates}/{STEP}:5:1"], said.text


@pytest.mark.parametrize(
    "line",
    [
        "{% for a in [1] recursive %}{% endfor %}",
        "{% if host.fqdn.center(99) %}{% endif %}",
        "{% if exchange.servers.append(1) %}{% endif %}",
    ],
)
def test_G04_what_is_not_available_is_found_without_an_inventory(
    project: Project, line: str
) -> None:
    for name in (STEP, ENTRY):
        project.place(name).unlink(missing_ok=True)
    project.step(line)
    project.write(ENTRY, f"\n\n\n\n{line}\n")
    said = project.run("lint")
    places = {place.rpartition(":")[0] for place in said.found("T237")}
    assert places == {f"{project.templates}/{name}:5" for name in (STEP, ENTRY)}, said.text


# --- expressions and sentences ----------------------------------------------------------

EXPRESSIONS = [
    ("T235", "'x' * 20000000000"),
    ("T235", "9 ** 9999999999"),
    ("T235", "'%1000000000d' % 5"),
    ("T235", "range(100000) | join('x' * 100)"),
    ("T235", "('x' * 100000) | replace('x', 'x' * 100000)"),
    ("T235", "('x' * 100000) | replace('', 'x' * 100000)"),
    ("T235", "('F' * 4000) | int(0, 16)"),
    ("T234", "([servers * 100] * 10000) | map('length') | list"),
    ("T234", "(servers * 60000) | map(attribute='roles') | sort"),
    ("", "'{:>1000000000}'.format(5)"),
    ("", "name | center(1000000000)"),
    ("", "name | indent(100000)"),
    ("", "name | wordwrap(1)"),
    ("", "name | truncate(1000000000)"),
    ("", "servers | batch(2)"),
    ("", "servers | slice(1000000000)"),
    ("", "5 | round(1000000000)"),
    ("", "'%1000000000d' | format(5)"),
    ("", "[1] | map('~count', -100000000)"),
    ("", "[1] | map('center', 1000000000)"),
    ("", "[[1]] | sum(start=[])"),
    ("", "range(1000000000)"),
    ("", "lipsum()"),
    ("", "namespace(a=1)"),
    ("", "cycler(1, 2)"),
    ("", "dict(a=1)"),
    ("T236", "(" * 3_000 + "1" + ")" * 3_000),
    ("T236", "not " * 3_000 + "1"),
    ("T236", "1" + " + 1" * 3_000),
    ("T236", "servers" + " | list" * 3_000),
    ("T219", "'" + "x" * 1_100_000 + "'"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "expression"), EXPRESSIONS, ids=ids(EXPRESSIONS))
def test_G04_an_expression_comes_to_an_end(code: str, expression: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expressions.evaluate(expression, NAMES)
    assert caught.value.limit == code, str(caught.value)
    assert len(str(caught.value)) < 5_000
    with pytest.raises(ExpressionError):
        expressions.text("{{ " + expression + " }}", NAMES)


@pytest.mark.parametrize("text", [
    FOUR_LOOPS,
    "{% set x = 'xy' %}" + "{% set x = x ~ x %}" * 60,
    NESTED + "{{ x }}",
    DIGITS * 5 + "x" * 100 + "{% endfor %}" * 5,
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for a in servers recursive %}{{ loop(servers) }}{% endfor %}",
])  # fmt: skip
def test_G04_a_sentence_comes_to_an_end(text: str) -> None:
    with pytest.raises(ExpressionError):
        expressions.text(text, NAMES)


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("skype/product.yml", "value: hosts\n", "value: \"'x' * 20000000000\"\n", "T235"),
        ("skype/product.yml", "value: hosts\n",
         "value: \"(hosts * 1000000) | map(attribute='fqdn') | list\"\n", "T234"),
        ("skype/checks.yml", "when: exchange is not defined",
         'when: "9 ** 9999999999 > exchange"', "T235"),
        ("skype/front_end/role.yml", "hosts: skype.front_ends",
         'hosts: "skype.front_ends * 20000000000"', "T235"),
        ("skype/front_end/role.yml", "when: skype.unified_contact_store == 'deny'",
         "when: \"'%9999d' % 5\"", "T235"),
        ("skype/front_end/role.yml", "title: No other application stands for Exchange",
         "title: \"{{ 'x' * 20000000000 }}\"", "T235"),
        ("skype/front_end/role.yml", "title: No other application stands for Exchange",
         f'title: "{{{{ {"(" * 50}1{")" * 50} }}}}"', "T236"),
        ("skype/front_end/role.yml", "members: [skype.groups.server_admins]",
         "members: [\"'x' * 20000000000\"]", "T235"),
    ],
)  # fmt: skip
def test_G04_a_yaml_file_of_the_templates_names_its_line(
    project: Project, file: str, old: str, new: str, code: str
) -> None:
    path = project.change(file, (old, new))
    line = path.read_text("utf-8").split(new)[0].count("\n") + 1
    said = project.run("plan", str(project.inventory))
    assert said.code == 1
    places = said.found(code)
    # A role names the line of its runbook or step, a check that of its code.
    assert places, said.text
    assert all(place.startswith(f"{project.templates}/{file}:") for place in places)
    assert all(abs(int(place.split(":")[1]) - line) < 20 for place in places), places


# --- what is allowed --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("'-' * 70", "-" * 70),
        ("2 ** 10", 1024),
        ("'%05d' % 42", "00042"),
        ("'%s and %s' % ('a', 'b')", "a and b"),
        ("'%(a)s' % {'a': 1}", "1"),
        ("[1] + [2]", [1, 2]),
        ("'a' + 'b'", "ab"),
        ("'a' ~ 1 ~ [2]", "a1[2]"),
        ("servers[:2] | map(attribute='netbios') | join(', ')", "EX0, EX1"),
        ("servers | map(attribute='netbios') | map('lower') | first", "ex0"),
        ("servers | groupby('roles') | length", 1),
        ("'a-b' | replace('-', '+')", "a+b"),
        ("[1, 2] | sum", 3),
        ("servers[:2] | sum(attribute='number', start=1) if false else 1", 1),
        ("'ff' | int(0, 16)", 255),
        ("range(3) | list", [0, 1, 2]),
        ("range(3)", [0, 1, 2]),
        ("name.lower().startswith('ex')", True),
        ("servers[0].items() | list | length", 3),
        ("servers | selectattr('netbios', 'in', ['EX1']) | list | length", 1),
        ("('2027-01-02T00:00:00Z' | instant) - ('2027-01-01T00:00:00Z' | instant)", None),
        ("(('2027-01-02T00:00:00Z' | instant) - ('2027-01-01T00:00:00Z' | instant))"
         ".total_seconds()", 86400.0),
        ("name is defined and nothing is not defined", True),
        ("servers | map(attribute='nothing') | list | length if false else 0", 0),
    ],
)  # fmt: skip
def test_G04_what_templates_need_goes_on_working(expression: str, result: object) -> None:
    found = expressions.evaluate(expression, NAMES)
    if result is not None:
        assert (list(found) if isinstance(found, range) else found) == result


def test_G04_the_limits_are_wide_enough_for_ten_thousand_servers() -> None:
    """The facts of a runbook that waits for one on each server are the largest piece."""
    made = environment.make(TemplateTree.for_project())
    template = made.get_template("_runbook/runbook.ps1.j2")
    needs = [
        {"id": f"10-{n:05d}-exchange-partner-application_HAM-EXCH-00", "hours": n}
        for n in range(10_000)
    ]
    values: dict[str, Any] = dict.fromkeys(
        ("id", "own_hash", "ask", "next", "help", "window", "undoes", "serves", "witness"), ""
    )
    values |= {
        "change": {"id": "x"}, "host": {"netbios": "A", "domain": "b"}, "needs": needs,
        "voids": [], "commands": [], "members": [],
    }  # fmt: skip
    environment.render_block(template, "facts", environment.context(template, values))
    assert made.meter._left > limits.STEPS * 0.9
    assert made.meter._characters > limits.CHARACTERS * 0.5


@pytest.mark.soak
def test_G04_ten_thousand_servers_are_planned(tmp_path: Path) -> None:
    path = tmp_path / "large.yml"
    path.write_text(large(10_000))
    planned, _ = pipeline.order(path, TemplateTree.for_project())
    assert len(planned.runbooks) > 60_000


def test_G04_the_run_sheet_has_more_room_the_more_runbooks_there_are(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHARACTERS", 0)
    monkeypatch.setattr(limits, "STEPS", 0)
    build = a_build()
    assert len(runsheet.render(build)) < runsheet.CHARACTERS * len(tuple(build.rendered)) / 7
    monkeypatch.setattr(runsheet, "CHARACTERS", 100)
    with pytest.raises(FindingsError, match=r"T235.* writes more than 700 characters"):
        runsheet.render(build)
    monkeypatch.setattr(runsheet, "CHARACTERS", 50_000)
    monkeypatch.setattr(runsheet, "STEPS", 100)
    with pytest.raises(FindingsError, match=r"T234.* more than 700 steps"):
        runsheet.render(build)


# --- the parts --------------------------------------------------------------------------


def test_G04_a_value_weighs_what_it_would_be_written_out() -> None:
    meter = Meter()
    assert meter.weigh("x" * 160) == 11
    # A list costs one and one for each item, an item what it weighs itself.
    assert meter.weigh([1, [2, 3]]) == 9
    shared: list[Any] = ["a"] * 10
    assert meter.weigh([shared, shared]) > 2 * meter.weigh(shared) - 5
    for _ in range(60):
        shared = [shared, shared]
    with pytest.raises(LimitError):
        meter.weigh(shared)


def test_G04_a_large_value_is_not_put_on_a_list_before_it_is_weighed() -> None:
    meter = Meter()
    meter.start(steps=1_000)
    many = [0] * 1_000_000
    with pytest.raises(LimitError):
        meter.weigh([many] * 500)


def test_G04_each_piece_begins_anew() -> None:
    made = markdown.environment(TemplateTree.for_project())
    made.meter.start(steps=10)
    with pytest.raises(LimitError):
        made.from_string("{% for a in x %}{% endfor %}").render(x=[1] * 100)
    made.meter.start()
    assert made.from_string("{% for a in x %}{{ a }}{% endfor %}").render(x=[1] * 3) == "111"


def test_G04_the_filters_that_count_have_no_name_that_a_template_can_write() -> None:
    made = markdown.environment(TemplateTree.for_project())
    for name in (shape.COUNT, shape.SPEND, shape.WEIGH, shape.JOIN):
        assert name in made.filters
        assert name not in made.known_filters
        with pytest.raises(jinja2.TemplateSyntaxError):
            made.from_string(f"{{{{ 1 | {name} }}}}")
        assert not re.fullmatch(r"[A-Za-z_]\w*", name)


def test_G04_built_in_templates_use_a_tenth_of_what_they_may() -> None:
    tree = TemplateTree.for_project()
    made, documents = environment.make(tree), markdown.environment(tree)
    for name in tree.files(".j2"):
        text = tree.text(tree.roots[0] / name)
        assert len(text) < 100_000
        parsed = (made if name.endswith(".ps1.j2") else documents).parse(text)
        assert sum(1 for _ in parsed.find_all(nodes.Node)) < shape.NODES / 10
