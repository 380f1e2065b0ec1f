"""The drawing of phases and gates, for a terminal and for Mermaid."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders import a_host, a_plan, a_runbook

from generator import cli
from generator.documents import graph
from generator.model.plan import Need, Phase, Plan

ROOT = Path(__file__).resolve().parents[3]
PHASES = (
    Phase("00", "Preflight"),
    Phase("10", "Change"),
    Phase("20", "Restart"),
    Phase("30", "End"),
)


def several(count: int = 4) -> Plan:
    """A runbook on one server, then one on several, then one that waits for all of these."""
    plan = a_plan()
    hosts = [a_host(f"APP{number:02d}") for number in range(1, count + 1)]
    first = a_runbook("first", "00-001", hosts[0])
    each = [a_runbook("each", f"10-{n:03d}", h, needs=[first]) for n, h in enumerate(hosts, 1)]
    own = [
        a_runbook("own", f"20-{n:03d}", h, needs=[Need(each[n - 1].id, "directory.each")])
        for n, h in enumerate(hosts, 1)
    ]
    last = a_runbook("last", "30-001", needs=[Need(one.id, "directory.each") for one in each])
    return replace(plan, forward=(first, *each, *own, last), undo=())


def test_the_text_has_phases_runbooks_and_what_they_wait_for() -> None:
    assert (
        "\n".join([*graph.lines(a_plan(), PHASES), ""])
        == """\
00 Preflight
  00-001       directory preflight  on APP01

10 Change
  10-001       directory set-address  on APP01
                 <- 00-001

20 Restart
  20-001       directory restart  on APP01
                 <- 10-001

30 End
  30-001       directory register  on WEB01
                 <- 10-001
                 <- 20-001

Undo, in its own order of work
  undo/01-001  directory register  on WEB01
  undo/02-001  directory set-address  on APP01
                 <- undo/01-001
  undo/03-001  directory restart  on APP01
                 <- undo/02-001
"""
    )


def test_a_runbook_on_several_servers_is_drawn_once() -> None:
    lines = graph.lines(several(), PHASES)
    assert "  10-001 to 10-004  directory each  on 4 servers" in lines
    assert "                      <- 10-001 to 10-004, each on its own server" in lines
    assert "                      <- 10-001 to 10-004, all of them" in lines
    assert "                      <- 00-001" in lines


def test_a_few_servers_are_named() -> None:
    assert "directory each  on APP01, APP02, APP03" in "\n".join(graph.lines(several(3), PHASES))


def test_the_drawing_does_not_grow_with_the_servers() -> None:
    few, many = (len(graph.lines(several(count), PHASES)) for count in (4, 400))
    assert few == many


class TestMermaid:
    @pytest.mark.parametrize("plan", [a_plan(), several()], ids=["small", "several"])
    def test_every_edge_joins_two_nodes_that_are_drawn(self, plan: Plan) -> None:
        text = graph.mermaid(plan, PHASES)
        nodes = set(re.findall(r"^    ([ru][\d_]+)\[\".*\"\]$", text, re.MULTILINE))
        edges = re.findall(
            r"^  ([ru][\d_]+) -->(?:\|\"[^\"]*\"\|)? ([ru][\d_]+)$", text, re.MULTILINE
        )
        assert {end for edge in edges for end in edge} <= nodes
        # Every line is one of four kinds.
        others = len(
            re.findall(r"^(?:flowchart TD|  subgraph \w+\[\"[^\"]*\"\]|  end)$", text, re.MULTILINE)
        )
        assert len(nodes) + len(edges) + others == len(text.splitlines())

    def test_it_has_numbers_titles_servers_and_how_it_waits(self) -> None:
        text = graph.mermaid(several(), PHASES)
        assert 'r10_001["10-001 to 10-004 directory each<br>4 servers"]' in text
        assert 'r10_001 -->|"each on its own server"| r20_001' in text
        assert 'r10_001 -->|"all of them"| r30_001' in text
        assert "r00_001 --> r10_001" in text

    def test_no_title_breaks_it(self) -> None:
        title = 'a "quoted" <b>#1</b> & `more`'
        plan = replace(a_plan(), forward=(a_runbook(title=title),), undo=())
        text = graph.mermaid(plan, PHASES)
        assert "a #quot;quoted#quot; #lt;b#gt;#35;1#lt;/b#gt; #amp; #96;more#96;" in text


@pytest.mark.parametrize(
    ("form", "start"), [("text", "00 Preflight\n"), ("mermaid", "flowchart TD\n")]
)
def test_the_command_draws_the_shipped_inventory(
    form: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inventory = str(ROOT / "inventories" / "contoso.yml")
    assert cli.run(["graph", inventory, "--format", form]) == 0
    assert capsys.readouterr().out.startswith(start)
