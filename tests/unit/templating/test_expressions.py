"""Expressions over an inventory: strict, sandboxed, with messages that quote them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from generator.templating.expressions import ExpressionError, evaluate, text

VALUES: dict[str, Any] = {
    "mail": {
        "version": "2016",
        "items": ["a", "b"],
        "servers": [
            {"fqdn": "ex1.contoso.com", "roles": ["mailbox"]},
            {"fqdn": "ex2.contoso.com", "roles": ["client_access"]},
        ],
    },
    "change": {"from": "2027-03-06T22:00:00+01:00", "until": "2027-03-06T22:30:00Z", "ok": True},
}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("mail.version", "2016"),
        ("mail.servers | length", 2),
        ("mail.servers[0].fqdn.split('.')[0] | upper", "EX1"),
        ("mail.servers | map(attribute='fqdn')", ["ex1.contoso.com", "ex2.contoso.com"]),
        ("mail.servers | selectattr('roles', 'contains', 'mailbox') | map(attribute='fqdn')",
         ["ex1.contoso.com"]),
        ("mail.missing | default('x')", "x"),
        ("voice is defined and voice.version == '2016'", False),
        ("(change.until | instant) > (change.from | instant)", True),
        ("mail.items", ["a", "b"]),
        ("none", None),
    ],
)  # fmt: skip
def test_an_expression_gives_its_object(expression: str, result: object) -> None:
    assert evaluate(expression, VALUES) == result


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("voice.version", "'voice' is undefined"),
        ("mail.verson", "'dict object' has no attribute 'verson'"),
        ("missing", "'missing' is undefined"),
        ("[missing]", "'missing' is undefined"),
        ("mail.servers | map(attribute='fqnd')", "'dict object' has no attribute 'fqnd'"),
        ("mail.version ==", "unexpected 'end of template'"),
        ("mail.version | shout", "No filter named 'shout'"),
        ("1 / 0", "division by zero"),
        ("'x' | instant", "Invalid isoformat string: 'x'"),
        ("'2027-01-01T00:00:00' | instant", "2027-01-01T00:00:00 has no offset from UTC"),
        ("mail.servers.append(1)", "the method 'append' is not available"),
        ("''.__class__.__mro__", "access to attribute '__class__' of 'str' object is unsafe."),
        ("mail.update({})", "the method 'update' is not available"),
        ("[1, 2] | random", "No filter named 'random'"),
        ("lipsum()", "'lipsum' is undefined"),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_quoted_with_its_reason(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, VALUES)
    assert str(caught.value) == f"{expression}: {reason}"


def test_values_are_not_changed_by_an_expression() -> None:
    with pytest.raises(ExpressionError):
        evaluate("mail.servers.pop()", VALUES)
    with pytest.raises(ExpressionError):
        text("{% do mail.clear() %}", VALUES)
    assert len(VALUES["mail"]["servers"]) == 2


def test_a_text_holds_expressions() -> None:
    assert text("Restart {{ mail.servers | length }} servers", VALUES) == "Restart 2 servers"
    assert text("Nothing to fill in", VALUES) == "Nothing to fill in"
    assert text("{{ mail.items }}: {{ change.ok }}", VALUES) == "a, b: true"
    assert text("an {angry} brace", VALUES) == "an {angry} brace"


def test_a_value_is_text_and_never_a_template() -> None:
    hostile = {"name": "{{ mail.version }}{% raw %}"}
    assert text("<{{ name }}>", hostile) == "<{{ mail.version }}{% raw %}>"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ mail.name }}", "'dict object' has no attribute 'name'"),
        ("{{ none }}", "only text, numbers, true, false and lists of these fit into a sentence"),
        ("{{ mail }}", "only text, numbers, true, false and lists of these fit into a sentence"),
        ("{{ mail.version", "unexpected end of template, expected 'end of print statement'."),
    ],
)
def test_a_wrong_text_is_quoted_with_its_reason(template: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        text(template, VALUES)
    assert str(caught.value) == f"{template}: {reason}"


def test_an_expression_is_compiled_once() -> None:
    evaluate("mail.servers | length + 1", VALUES)
    start = time.monotonic()
    for _ in range(10_000):
        evaluate("mail.servers | length + 1", VALUES)
    assert time.monotonic() - start < 3
