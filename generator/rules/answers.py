"""Rules about what the blocks of a step answer with, as far as they write it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generator.rules.rule import Answer, rule
from generator.rules.steps import entries, step_tables
from generator.syntax.catalogue import Catalogue, like
from generator.syntax.tree import Node, Script, enclosing_block, key_of
from generator.templating.marks import VALUE

_BESIDES = ("Identity", "Source")
"""What Read may answer with beside the names of Wanted."""

_CHECK = ("Saw", "Problems")
_CONSTANTS = {"$true", "$false", "$null"}
_NUMBERS = ("integer_literal", "real_literal")
_AROUND_A_TABLE = {"cast_expression", "expression_with_unary_operator", "unary_expression"}
_NOTHING = {"''", '""', "$null", "$false", "@()"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a block answers with: name in small letters -> where it stands.

    Where `whole` is false, names are given to it that only a run knows.
    """

    node: Node
    names: dict[str, Node]
    ordered: bool
    whole: bool = True


@rule("R144", "Read answers with the names of Wanted", "script")
def same_names(script: Script, _: Catalogue) -> Answer:
    """Wanted and present values are compared name by name: the engine stops a run in which Read
    answers with fewer names, with others, or not with one table.

    Give Read exactly the names of Wanted, and apart from them Identity and Source if it needs them.
    """
    for step in step_tables(script):
        blocks = {key_of(entry): entry for entry in entries(step)}
        if "Wanted" not in blocks or "Read" not in blocks:
            continue
        yield from _other_forms(blocks["Read"], "Read", "one table with the names of Wanted")
        wanted = _literal(blocks["Wanted"])
        if wanted is None or any(VALUE in name for name in wanted.names):
            continue
        for table in _tables(blocks["Read"], script):
            shown = [key_of(one) for one in wanted.names.values()]
            for name, node in table.names.items():
                known = {*wanted.names, *map(str.lower, _BESIDES)}
                if VALUE not in name and name not in known:
                    said = _name_at(node)
                    meant = like(said, [one for one in shown if one.lower() not in table.names])
                    hint = f"did you mean {meant}?" if meant else f"Wanted has {', '.join(shown)}"
                    yield node.line, f"Read answers with {said}, which is not wanted", hint
            missing = [one for one in shown if one.lower() not in table.names]
            if missing and table.whole:
                message = f"Read does not answer with {' and '.join(missing)}, which Wanted has"
                yield table.node.line, message


@rule("R146", "Check answers with Saw and Problems", "script")
def check_form(script: Script, _: Catalogue) -> Answer:
    """A check answers with one table: Saw is what it saw, as evidence, Problems has one sentence
    for each problem and is empty when there is none.

    Anything else is reported as a check that could not be done. End the block with
    `@{ Saw = $saw; Problems = $problems }`, without [ordered].
    """
    for entry in script.all("hash_entry"):
        if key_of(entry) != "Check" or not _is_block(entry):
            continue
        yield from _other_forms(entry, "Check", "one table with Saw and Problems")
        for table in _tables(entry, script):
            line = table.node.line
            if table.ordered:
                yield line, "Check answers with an ordered table", "leave [ordered] out"
            for name in _CHECK:
                if name.lower() not in table.names and table.whole:
                    yield line, f"Check answers without {name}"
            for name, node in table.names.items():
                if VALUE not in name and name not in map(str.lower, _CHECK):
                    meant = like(_name_at(node), _CHECK)
                    hint = f"did you mean {meant}?" if meant else ""
                    message = f"Check answers with {_name_at(node)}, which the engine does not read"
                    yield node.line, message, hint
            saw = table.names.get("saw")
            if saw is not None and _value_of(saw) in _NOTHING:
                yield saw.line, "Saw is empty, so the evidence would not say what was checked"


def _other_forms(entry: Node, name: str, form: str) -> Answer:
    """Answers that are text, a number or a list: they never are the table that is wanted."""
    for output in _outputs(entry):
        value = output.unwrapped()
        first = value
        while first.kind == "additive_expression" and first.children:
            first = first.children[0].unwrapped()
        what = ""
        if first.kind == "string_literal":
            what = "a text"
        elif value.kind.endswith(_NUMBERS):
            what = "a number"
        elif value.kind == "array_literal_expression":
            what = "a list"
        elif value.kind == "variable" and value.text.lower() in _CONSTANTS:
            what = value.text
        if what:
            yield output.line, f"{name} answers with {what}, wanted is {form}"


def _tables(entry: Node, script: Script) -> Iterator[Table]:
    """The tables that a block answers with, each written out in place or in a variable."""
    for output in _outputs(entry):
        value = output.unwrapped()
        table = _literal(value)
        if table is None and value.kind == "variable":
            table = _in_variable(value, script)
        if table is not None:
            yield table


def _outputs(entry: Node) -> Iterator[Node]:
    """What a block writes to its caller: its statements that are values, and what is returned."""
    block = next((one for one in entry.walk() if one.kind == "script_block_expression"), None)
    stack = list(reversed(block.children)) if block is not None else []
    while stack:
        node = stack.pop()
        if node.kind == "pipeline":
            outer = node.parent.kind if node.parent is not None else ""
            returned = outer == "flow_control_statement" and _returns(node.parent)
            value = node.unwrapped()
            if (outer == "statement_list" or returned) and value.kind != "assignment_expression":
                yield node
        else:
            stack.extend(reversed(node.children))


def _returns(statement: Node | None) -> bool:
    return statement is not None and statement.children[0].kind == "return"


def _literal(value: Node) -> Table | None:
    """A table that stands in place, or as the value of an entry."""
    node: Node | None = value.child("pipeline") if value.kind == "hash_entry" else value
    ordered = False
    while node is not None:
        node = node.unwrapped()
        if node.kind == "hash_literal_expression":
            names = {key_of(one).lower(): one for one in entries(node)}
            return Table(node, names, ordered)
        if node.kind not in _AROUND_A_TABLE:
            return None
        ordered = ordered or node.text.lower().startswith("[ordered]")
        node = node.children[-1]
    return None


def _in_variable(variable: Node, script: Script) -> Table | None:
    """The table that a variable is given once in this block, with the names that it gets later."""
    table: Table | None = None
    names: dict[str, Node] = {}
    whole = True
    name = variable.text.strip("${}").lower()
    for place in script.written.get((variable.outermost, name), ()):
        target, value = _assigned(place)
        if target is None or enclosing_block(place) is not enclosing_block(variable):
            return None
        access = target.unwrapped()
        if access.kind == "variable":
            found = _literal(value.unwrapped()) if value is not None else None
            if table is not None or found is None:
                return None
            table = found
        elif (named := _member(access)) is None:
            whole = False
        else:
            names[named[0].lower()] = named[1]
    block = enclosing_block(variable)
    methods = (f"{variable.text}.Add(", f"{variable.text}.Remove(")
    if table is None or (block is not None and any(one in block.text for one in methods)):
        return None
    return Table(table.node, {**names, **table.names}, table.ordered, whole)


def _assigned(place: Node) -> tuple[Node | None, Node | None]:
    """Target and value of the assignment that a variable stands in the target of."""
    for outer in place.ancestors():
        if outer.kind == "assignment_expression":
            plain = outer.children[1].text == "=" or outer.children[0].text != place.text
            return (outer.children[0], outer.children[-1]) if plain else (None, None)
        if outer.kind in ("statement_list", "foreach_statement", "script_parameter"):
            break
    return None, None


def _member(access: Node) -> tuple[str, Node] | None:
    """The name that `$table.name`, `$table['name']` or a part of it gives a value."""
    while access.children and access.children[0].kind in ("member_access", "element_access"):
        access = access.children[0]
    for part in access.children[1:]:
        if part.kind == "member_name":
            return part.text.strip("'\""), access
        inner = part.unwrapped()
        if inner.kind == "string_literal" and "$" not in inner.text:
            return inner.text.strip("'\""), access
    return None


def _name_at(node: Node) -> str:
    """A name as the block writes it: of an entry, or of what is given a value."""
    if node.kind == "hash_entry":
        return key_of(node)
    named = _member(node)
    return named[0] if named is not None else node.text


def _value_of(node: Node) -> str:
    value = node.child("pipeline") if node.kind == "hash_entry" else None
    return value.text.rstrip("; ").lower() if value is not None else ""


def _is_block(entry: Node) -> bool:
    value = entry.child("pipeline")
    return value is not None and value.unwrapped().kind == "script_block_expression"
