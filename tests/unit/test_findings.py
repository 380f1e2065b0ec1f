"""Findings: one form for every stage."""

from __future__ import annotations

from generator.findings import SHOWN, Finding, FindingsError, path_text, show


def test_a_finding_shows_place_code_message_hint_line_and_caret() -> None:
    finding = Finding(
        code="E101",
        message="mail.servers[1].rols: unknown key",
        file="inventories/x.yml",
        line=14,
        column=19,
        hint="did you mean 'roles'?",
        source="    - {fqdn: ex2, rols: [mailbox]}",
    )
    assert finding.format() == (
        "inventories/x.yml:14:19: error[E101] mail.servers[1].rols: unknown key"
        " (did you mean 'roles'?)\n"
        "        - {fqdn: ex2, rols: [mailbox]}\n"
        "                      ^"
    )


def test_a_finding_about_a_whole_file_has_no_line() -> None:
    assert Finding("E001", "there is no such file", "x.yml").format() == (
        "x.yml: error[E001] there is no such file"
    )


def test_the_caret_stands_below_the_character_in_a_long_line() -> None:
    source = "x" * 300 + "HERE" + "y" * 300
    _, line, caret = Finding("E1", "m", "f", 1, 301, "", source).format().split("\n")
    assert line[len(caret) - 1 :].startswith("HERE")
    assert len(line) < 120


def test_the_caret_counts_wide_and_invisible_characters() -> None:
    source = "title: 日本語 \x07 here"
    _, line, caret = (
        Finding("E1", "m", "f", 1, source.index("here") + 1, "", source).format().split("\n")
    )
    assert "\\x07" in line
    # Three characters are twice as wide, one takes four places.
    assert len(caret) - 1 == line.index("here") + 3


def test_findings_come_in_the_order_of_the_text_and_once() -> None:
    late, early = Finding("E1", "late", "f", 9, 1), Finding("E2", "early", "f", 2, 1)
    assert FindingsError([late, early, late]).findings == (early, late)
    assert FindingsError([late, early]).exit_code == 1


def test_thousands_of_findings_are_counted_rather_than_printed() -> None:
    error = FindingsError(Finding("E1", f"m{n}", "f", n, 1) for n in range(1, 1001))
    assert len(str(error).splitlines()) == SHOWN + 1
    assert str(error).endswith(f"... and {1000 - SHOWN} more of 1000 findings")


def test_paths_read_as_one_would_write_them() -> None:
    assert path_text(("mail", "servers", 1, "fqdn")) == "mail.servers[1].fqdn"
    assert path_text(("mail", "a b", "c")) == "mail['a b'].c"
    assert path_text(()) == ""


def test_values_are_shown_short_and_without_control_characters() -> None:
    assert show("a\nb\x1b") == "'a\\nb\\x1b'"
    assert show("x" * 200) == "'" + "x" * 80 + "...'"
    values: list[object] = [None, True, 5, [], [1], {}]
    assert [show(v) for v in values] == [
        "nothing", "true", "5", "an empty list", "a list", "an empty mapping",
    ]  # fmt: skip


def test_nothing_that_a_message_quotes_reaches_the_terminal_as_it_is() -> None:
    finding = Finding("E1", "bad \x1b[31m", "in\u202ev.yml", hint="a\nb")
    assert finding.format() == "in\\u202ev.yml: error[E1] bad \\x1b[31m (a\\nb)"
