"""The run sheet: everything an operator needs, in the order of work, true to engine and plan."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import CHECKS, a_build, a_host, a_plan, a_runbook, a_step
from hypothesis import given
from hypothesis import strategies as st
from programs import pwsh

from generator.documents import runsheet
from generator.findings import FindingsError
from generator.model.build import Build
from generator.model.plan import Plan
from generator.output import bundle
from generator.templating.templates import TemplateTree

PROJECT = Path(__file__).resolve().parents[3]
SPINE = PROJECT / "templates" / "_runbook"


def sheet(build: Build | None = None) -> str:
    return runsheet.render(build or a_build())


def section(text: str, heading: str) -> str:
    """The part below a heading, up to the next one of the same depth or above."""
    depth = heading.count("#")
    _, _, rest = text.partition(f"{heading}")
    return re.split(rf"^#{{1,{depth}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def about(text: str, number: str) -> str:
    """The part about one runbook."""
    (heading,) = re.findall(rf"^### {re.escape(number)} on .*$", text, flags=re.MULTILINE)
    return section(text, heading)


class TestTitle:
    def test_it_names_change_window_counts_and_servers(self) -> None:
        top = sheet().partition("## Before you begin")[0]
        assert top.startswith("# Run sheet CHG0012345: Two servers learn of each other\n")
        assert "| Window | 2027-03-06T22:00:00+01:00 to 2027-03-07T02:00:00+01:00 |" in top
        assert "| Runbooks | 4 make the change; 3 in `undo` take it back |" in top
        assert "| Servers | APP01 (app01.contoso.com), WEB01 (web01.contoso.com) |" in top

    def test_it_adds_up_the_minutes(self) -> None:
        top = sheet().partition("## Before you begin")[0]
        assert "about 10 minutes of checks" in top
        assert "| In the window | about 30 minutes |" in top
        assert "| The way back | at most about 30 minutes |" in top
        assert "| Back out until | 2027-03-07 01:30+01:00;" in top
        assert "too short" not in top

    def test_it_says_so_when_the_window_is_too_short(self) -> None:
        window = {"from": "2027-03-06T22:00:00+01:00", "until": "2027-03-06T22:59:00+01:00"}
        text = sheet(a_build(a_plan(window=window)))
        assert "it has 59 minutes, they\ntake about 60" in text

    def test_without_a_window_no_times_are_promised(self) -> None:
        text = sheet(a_build(a_plan(window=None)))
        for words in ("| Window |", "| Back out until |", "Begin no later", "Latest time"):
            assert words not in text

    def test_many_servers_are_counted_not_listed(self) -> None:
        hosts = [a_host(f"APP{at:02d}") for at in range(20)]
        runbooks = tuple(
            a_runbook(number=f"10-{at:03d}", host=host) for at, host in enumerate(hosts)
        )
        text = sheet(a_build(Plan(a_plan().inventory, runbooks, ())))
        assert "| Servers | 20, see the table |" in text


class TestOrder:
    def test_the_table_is_the_order_of_work(self) -> None:
        rows = re.findall(r"^\| ([\d-]+) \| (\w+) \|", section(sheet(), "## Order of work"), re.M)
        assert rows == [
            ("00-001", "APP01"), ("10-001", "APP01"), ("20-001", "APP01"), ("30-001", "WEB01"),
        ]  # fmt: skip

    def test_undo_has_its_own_order_apart(self) -> None:
        text = sheet()
        assert "undo/0" not in section(text, "## Order of work")
        rows = re.findall(r"^\| (undo/[\d-]+) \|", section(text, "## Taking the change back"), re.M)
        assert rows == ["undo/01-001", "undo/02-001", "undo/03-001"]

    def test_a_row_has_minutes_and_stop_point(self) -> None:
        assert "| 00-001 | APP01 | Look first | 10 | You may stop after it. |   |" in section(
            sheet(), "## Order of work"
        )

    def test_a_change_without_undo_says_so(self) -> None:
        plan = a_plan()
        text = sheet(a_build(Plan(plan.inventory, plan.forward[:1], ())))
        assert "No runbook of this change alters anything" in text


class TestRunbook:
    def test_command_line_and_preview(self) -> None:
        command = "powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File "
        part = about(sheet(), "10-001")
        name = ".\\10-001-directory-set-address_APP01.ps1"
        assert f"Preview: `{command}{name} -WhatIf`\n\nRun: `{command}{name}`\n" in part

    def test_undo_is_called_in_its_folder(self) -> None:
        part = about(sheet(), "undo/02-001")
        assert "-File .\\undo\\02-001-undo-directory-set-address_APP01.ps1`" in part
        assert "**Takes back:** 10-001" in part

    def test_what_only_reads_needs_no_preview(self) -> None:
        assert "Preview" not in about(sheet(), "00-001")

    def test_team_rights_duration_effect_help(self) -> None:
        part = about(sheet(), "10-001")
        assert "- **Team:** the directory team\n" in part
        assert (
            "- **Rights:** Directory administrators\n- **No rights?** Ask the directory team"
            in part
        )
        assert "- **Takes:** about 10 minutes\n" in part
        assert "- **Users:** None for users.\n" in part
        assert "- **If it goes wrong, call:** the directory team, with the evidence file\n" in part

    def test_receipts_to_have_at_hand_and_where_from(self) -> None:
        part = about(sheet(), "30-001")
        assert (
            "- **Have at hand:** `10-001-directory-set-address_APP01.receipt.json`\n"
            "  of 10-001, carried here from APP01\n"
        ) in part
        assert "of 10-001, written on this server\n" in about(sheet(), "20-001")

    def test_a_receipt_that_expires_says_when_and_what_then(self) -> None:
        assert "not older than 72 hours (else run 00-001 again)" in about(sheet(), "10-001")

    def test_receipts_to_carry_afterwards(self) -> None:
        text = sheet()
        name = "10-001-directory-set-address_APP01.receipt.json"
        assert f"carry `{name}`\n  to WEB01\n" in about(text, "10-001")
        assert "carry" not in about(text, "30-001").partition("Have at hand")[0]

    def test_latest_begin_leaves_room_for_itself_and_the_way_back(self) -> None:
        part = about(sheet(), "10-001")
        assert "- **Begin no later than:** 2027-03-07 01:20+01:00\n" in part
        assert "- **Latest time to back out:** 2027-03-07 01:30+01:00\n" in part
        assert "Begin no later" not in about(sheet(), "00-001")
        assert "Begin no later" not in about(sheet(), "undo/01-001")

    def test_the_undo_that_takes_it_back(self) -> None:
        assert "- **Taken back by:** undo/02-001\n" in about(sheet(), "10-001")
        assert "Taken back by" not in about(sheet(), "20-001")

    def test_steps_with_reason_result_and_values(self) -> None:
        part = about(sheet(), "10-001")
        assert "1. **Set the address**\n   - Why: The other server finds" in part
        assert "   - Done when: The address is read back.\n" in part
        assert "   - Sets:\n\n         address = 'https://app01.contoso.com'\n" in part
        assert "   - Takes back:\n\n         address" in about(sheet(), "undo/02-001")
        assert "   - Must hold:\n\n         address" in about(sheet(), "00-001")
        assert "   - Passed when: " in about(sheet(), "00-001")

    def test_a_name_that_the_product_makes_up_is_shown_as_the_log_shows_it(self) -> None:
        build = a_build()
        pattern = "account = @{ Pattern = '^it''s-[0-9]{3}$'; Text = 'its-<number>' }\nurl = 'x'"
        rendered = tuple(
            replace(one, summary=replace(one.summary, wanted=(pattern,) * len(one.runbook.steps)))
            for one in build.rendered
        )
        part = about(sheet(replace(build, rendered=rendered)), "10-001")
        assert "         account = its-<number>\n         url = 'x'\n" in part

    def test_a_gate_of_the_way_back_says_when_it_has_nothing_to_do(self) -> None:
        words = '- **Leave it out when:** undo/02-001 ended with "nothing to undo"\n'
        assert words in about(sheet(), "undo/03-001")
        assert "Leave it out" not in about(sheet(), "20-001")

    def test_a_hold_point_shows_question_and_who_answers(self) -> None:
        part = about(sheet(), "20-001")
        assert "   - It asks: Is it out?\n   - To answer: network team\n" in part

    def test_a_check_says_what_to_do_when_it_does_not_pass(self) -> None:
        step = a_step("Look", CHECKS, otherwise="Ask who runs DNS.")
        runbook = a_runbook(steps=[step])
        text = sheet(a_build(Plan(a_plan().inventory, (runbook,), ())))
        assert "   - If not: Ask who runs DNS.\n" in text

    def test_a_hash_for_every_file_and_the_engine(self) -> None:
        build = a_build()
        part = section(sheet(build), "## Hashes")
        for rendered in build.rendered:
            assert f"- `{rendered.runbook.file}`\n  `{rendered.content_hash}`\n" in part
        assert f"`{build.engine_hash}`" in part


class TestTrueToTheEngine:
    def test_every_status_of_the_log_is_explained(self) -> None:
        """R45: statuses were explained nowhere."""
        engine = (SPINE / "engine.ps1").read_text("utf-8")
        statuses = set(re.findall(r"Status (?:= )?'(\w+)'", engine))
        for chosen in re.findall(r"[sS]tatus = @\(([^)]*)\)\[", engine):
            statuses |= set(re.findall(r"'(\w+)'", chosen))
        explained = set(re.findall(r"^\| `(\w+)` \|", sheet(), re.M))
        assert explained == statuses

    def test_every_parameter_is_explained(self) -> None:
        parameters = re.findall(
            r"^    \[[\w\[\]]+\] \$(\w+)", (SPINE / "parameters.ps1").read_text("utf-8"), re.M
        )
        assert len(parameters) == 7
        for name in (*parameters, "WhatIf"):
            assert f"`-{name}" in sheet()

    def test_every_exit_code_is_explained_with_what_to_do(self) -> None:
        rows = re.findall(r"^\| (\d) \| [^|]+ \| ([^|]+) \|$", sheet(), re.M)
        assert [code for code, _ in rows] == list("01234")
        assert all(action.strip().endswith(".") for _, action in rows)

    def test_the_line_that_checks_the_copy_works(self, tmp_path: Path) -> None:
        folder = bundle.write(a_build(), tmp_path).folder
        (line,) = re.findall(r"`(Get-Content .*)`", (folder / "RUNSHEET.md").read_text("utf-8"))
        command = [pwsh(), "-NoProfile", "-Command", line]

        def checked() -> str:
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
            return run.stdout.strip()

        assert checked() == ""
        damaged = "undo/02-001-undo-directory-set-address_APP01.ps1"
        (folder / damaged).write_bytes(b"cut")
        assert checked().endswith(f"  {damaged}")


class TestText:
    def test_plain_letters_lines_feeds_and_no_html(self) -> None:
        text = sheet()
        assert text.isascii()
        assert "\r" not in text
        assert not re.search(r"</?[a-z]+[ />]", text)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")

    def test_lines_fit_the_page_but_for_tables_and_commands(self) -> None:
        for line in sheet().splitlines():
            assert len(line) <= 100 or line.startswith(("|", "Run: ", "Preview: ", "   `")), line

    @given(st.text(st.sampled_from("|`*_<>[]\\#\n\r a1\u202e\u2028é")))
    def test_no_value_breaks_the_tables(self, value: str) -> None:
        plan = a_plan(title=value)
        runbooks = tuple(
            replace(one, title=value, effect=value, texts={**one.texts, "stop": value})
            for one in plan.forward
        )
        text = sheet(a_build(Plan(plan.inventory, runbooks, plan.undo)))
        table = section(text, "## Order of work")
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len(rows) == 2 + len(runbooks)
        assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {7}

    def test_the_same_build_gives_the_same_text(self) -> None:
        assert sheet() == sheet()


class TestTemplate:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        (tmp_path / "_runbook").mkdir()
        return tmp_path

    def test_a_project_overlays_it(self, own: Path) -> None:
        (own / "_runbook" / "runsheet_entry.md.j2").write_text("Only {{ entry.number }}.\n")
        text = runsheet.render(a_build(), TemplateTree.for_project(own))
        assert "Only 10-001.\n" in text
        assert "## Order of work" in text

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("\n{{ entry.nunber }}\n", r"runsheet_entry\.md\.j2:2:1: error\[T226\] .*nunber"),
            ("\n\n{% if %}\n", r"runsheet_entry\.md\.j2:3:1: error\[T202\] "),
            ("{% include 'no.j2' %}", r"error\[T201\] there is no file templates/no\.j2"),
            ("\n{{ entry.texts.team + 1 }}", r"runsheet_entry\.md\.j2:2:1: error\[T220\] "),
        ],
    )
    def test_a_faulty_one_is_named_with_its_line(
        self, own: Path, source: str, message: str
    ) -> None:
        (own / "_runbook" / "runsheet_entry.md.j2").write_text(source)
        with pytest.raises(FindingsError, match=message):
            runsheet.render(a_build(), TemplateTree.for_project(own))
