"""Rules about what filters write: a value stays a value, text of a comment stays in its comment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.rules.rule import Answer, rule
from generator.syntax.catalogue import Catalogue
from generator.syntax.tree import Node, Script
from generator.templating.marks import VALUE, WORDS

_FILTERED = re.compile(f"[{VALUE}{WORDS}]")
_ALONE = re.compile(f"'{VALUE},?'")
_JOIN = "join it with +"


@rule("R127", "A value stands by itself", "script")
def alone(script: Script, _: Catalogue) -> Answer:
    """What the filters ps and ps_list write is a whole expression, and rules judge a script without
    looking into it. Inside of a string, a word or a comment it would be something else.

    Join it with +, and write comments with ps_comment, behind `#` and a blank.
    """
    if not _FILTERED.search(script.text):
        return
    for node in script.all("string_literal"):
        if _FILTERED.search(node.text):
            yield from _in_a_string(node)
    for node in script.all("comment"):
        if VALUE in node.text:
            yield node.line, "a value stands in a comment", "write it with the filter ps_comment"
        elif WORDS in node.text and not node.text.startswith("# "):
            yield node.line, "text of a comment stands right behind #", "write a blank behind it"
    for number, line in enumerate(script.code.split("\n"), 1):
        if WORDS in line:
            yield number, "text of a comment stands in code", "write it with the filter ps"
        elif VALUE in line:
            yield number, "a value stands inside of a word or a string", _JOIN


def _in_a_string(node: Node) -> Iterator[tuple[int, str, str]]:
    if WORDS in node.text:
        yield node.line, "text of a comment stands in a string", "write it with the filter ps"
    elif not _ALONE.fullmatch(node.text):
        # The string around one that stands in it by itself, in "$(...)", tells both.
        if not any(_ALONE.fullmatch(one.text) for one in _strings_in(node)):
            yield node.line, "a value stands inside of a string", _JOIN
    elif any(outer.kind == "string_literal" for outer in node.ancestors()):
        yield node.line, "a value stands inside of a string", _JOIN
    elif node.parent is not None and node.parent.kind == "concatenated_command_argument":
        yield node.line, "a value stands inside of a word or a string", _JOIN


def _strings_in(node: Node) -> Iterator[Node]:
    return (one for one in node.walk() if one is not node and one.kind == "string_literal")
