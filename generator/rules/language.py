"""Rules over the syntax: what Windows PowerShell 3.0 knows, and what a reviewer can follow."""

from __future__ import annotations

from itertools import islice

from generator.rules.rule import Answer, rule
from generator.syntax.catalogue import Catalogue
from generator.syntax.tree import Node, Script, enclosing_block

_FALSE_ERRORS = (
    "if PowerShell itself accepts it, write it over several lines: this parser stumbles over a "
    "function, a switch or two attributes on one line, and over labeled loops"
)


@rule("R110", "Every piece parses", "script")
def parses(script: Script, _: Catalogue) -> Answer:
    """A script that does not parse does nothing at 23:00.

    The parser at build time is a fast net and stumbles over a few forms that PowerShell accepts:
    one-line functions with parameters, one-line switch statements, labeled loops, two attributes
    on one line. Write those over several lines. The tests ask the real parser.
    """
    if script.root.kind == "ERROR":
        yield 1, "this does not parse as PowerShell", _FALSE_ERRORS
        return
    for node in script.all("ERROR"):
        if not any(outer.kind == "ERROR" for outer in node.ancestors()):
            shown = node.text.strip().split("\n")[0][:40]
            yield node.line, f"this does not parse as PowerShell: {shown}", _FALSE_ERRORS
    for nodes in script.by_kind.values() if script.faulty else ():
        for node in nodes:
            if node.missing and not any(outer.kind == "ERROR" for outer in node.ancestors()):
                yield node.line, f"PowerShell expects {node.kind} here", _FALSE_ERRORS


_NEWER = {
    "ternary_expression": "the ternary operator came with 7.0",
    "ternary_argument_expression": "the ternary operator came with 7.0",
    "null_coalesce_expression": "the operator ?? came with 7.0",
    "null_coalesce_argument_expression": "the operator ?? came with 7.0",
    "??=": "the operator ??= came with 7.0",
    "pipeline_chain_tail": "&& and || between commands came with 7.0",
    "class_statement": "classes came with 5.0",
    "enum_statement": "enums came with 5.0",
    "using_statement": "using came with 5.0",
    "foreach_parameter": "foreach -parallel exists in workflows only",
    "invocation_where_expression": "the method .Where() came with 4.0; use Where-Object",
    "invocation_foreach_expression": "the method .ForEach() came with 4.0; use ForEach-Object",
    "parallel_statement": "workflows do not exist after 5.1",
    "sequence_statement": "workflows do not exist after 5.1",
    "inlinescript_statement": "workflows do not exist after 5.1",
    "workflow": "workflows do not exist after 5.1",
    "data_statement": "a data section is not needed",
    "trap_statement": "trap hides where an error came from; use try and catch",
    "stop_parsing": "--% passes text on as it is; use a list of arguments",
}


@rule("R111", "Windows PowerShell 3.0 syntax", "script")
def old_syntax(script: Script, _: Catalogue) -> Answer:
    """The scripts run in the Windows PowerShell of the server, 3.0 on Windows Server 2012.

    Its parser refuses a whole script for one newer operator. The message names the version that
    the form came with; write it out with if, Where-Object or New-Object.
    """
    for kind, why in _NEWER.items():
        for node in script.all(kind):
            yield node.line, why
    for node in script.all("member_name"):
        if node.text == "new" and _is_static(node):
            yield node.line, "[Type]::new() came with 5.0; use New-Object"
    for node in script.all("requires_statement"):
        if node.text.lower().replace(" ", "") != "#requires-version3.0":
            yield node.line, f"{node.text.strip()}: only '#Requires -Version 3.0' is known to 3.0"


def _is_static(member: Node) -> bool:
    parent = member.parent
    return parent is not None and any(child.kind == "::" for child in parent.children)


@rule("R115", "No string over several lines", "script")
def one_line_strings(script: Script, _: Catalogue) -> Answer:
    """A here-string, or any string over several lines, changes with the line ends of the file.

    Join lines with `+`, or give a list.
    """
    for node in script.all("string_literal"):
        if "\n" in node.text or node.text.startswith("@"):
            yield node.line, "a string goes over several lines"


@rule("R116", "One statement on a line", "script")
def semicolons(script: Script, _: Catalogue) -> Answer:
    """A statement behind a semicolon is overlooked by a reviewer, and a diff shows both.

    Only tables and lists written in one line have semicolons, and the head of a for loop.
    """
    for node in script.all(";"):
        kinds = (outer.kind for outer in node.ancestors())
        around = (kind for kind in kinds if kind not in ("pipeline", "empty_statement"))
        lists = list(islice(around, 2))
        if lists[0] in ("for_statement", "hash_entry", "hash_literal_body"):
            continue
        if lists == ["statement_list", "array_expression"]:
            continue
        yield node.line, "two statements stand on one line"


@rule("R118", "A dot only for the product's shell", "script")
def dot(script: Script, _: Catalogue) -> Answer:
    """What is run with a dot can change every variable of the runbook.

    The engine runs the block `Shell` so, because the commands of a product's shell live in the
    scope that loads it. Everywhere else use the call operator `&`.
    """
    for node in script.all("command_invocation_operator"):
        if node.text == ".":
            target = node.parent.child("command_name_expr") if node.parent else None
            name = target.text if target is not None else ""
            if not (script.engine and name == "$Runbook.Shell"):
                yield node.line, f"{name or 'something'} is run with a dot"


@rule("R119", "Exit only at the top level", "script")
def exits(script: Script, _: Catalogue) -> Answer:
    """Inside a function or block, exit ends the whole run: no receipt, no last words.

    A block that cannot go on throws; a block that refuses answers with a sentence.
    """
    for node in script.all("exit"):
        if enclosing_block(node) is not None:
            yield node.line, "exit stands inside a function or block", "throw a sentence instead"


@rule("R124", "No redirection", "script")
def redirections(script: Script, _: Catalogue) -> Answer:
    """`>` writes a file in another encoding on every version, and `2>&1` turns what a program
    says into an error that ends the run on 5.1.

    Judge programs by $LASTEXITCODE, and let the engine write files. The engine alone collects
    with `*>&1` what the vendor's script says.
    """
    for node in script.all("redirection"):
        if not (script.engine and node.text.strip() == "*>&1"):
            yield node.line, f"{node.text.strip()} redirects output"


@rule("R126", "Nothing outside the block is assigned", "script")
def assignments(script: Script, _: Catalogue) -> Answer:
    """Blocks answer with values; what they assign elsewhere outlives them unseen.

    Allowed are $global:LASTEXITCODE before a program runs, and in the first lines the entries of
    $Runbook.
    """
    if script.engine:
        return
    for node in script.all("left_assignment_expression"):
        target = node.text
        scope = target.partition(":")[0].lstrip("$").lower() if ":" in target else ""
        inside = enclosing_block(node) is not None
        if target.lower() == "$global:lastexitcode":
            continue
        if scope in ("global", "script", "env", "variable", "function", "alias"):
            yield node.line, f"{target} is assigned: it outlives the block"
        elif inside and target.startswith("$Runbook"):
            yield node.line, f"{target} is assigned inside a block: it belongs to the engine"
        elif _preference(target):
            yield node.line, f"{target} is assigned: preferences belong to the engine"


def _preference(target: str) -> bool:
    name = target.lstrip("$").lower()
    return name.endswith("preference") or name in ("psdefaultparametervalues", "ofs")
