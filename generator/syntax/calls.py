"""Every command of a piece, with its arguments sorted out and its splatted tables followed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from generator.syntax.catalogue import Catalogue, Command, Parameter
from generator.syntax.tree import Node, Script, block_of, constant_of, key_of


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter as it was given; `value` is source text, '' for a switch without one.

    `node` is where the value stands, None for a switch without one.
    """

    name: str
    value: str
    line: int
    node: Node | None = None

    @property
    def plain(self) -> str:
        """The value without quotes."""
        return self.value.strip("'\"")


@dataclass(frozen=True, slots=True)
class Use:
    """One call: `operator` is '', '&' or '.'; `command` is None when nothing is known of it.

    `name` is the command's name, or the source text behind the operator. `positional` are values
    without a parameter's name, `lost` the splatted tables that could not be found.
    """

    name: str
    operator: str
    command: Command | None
    arguments: tuple[Argument, ...]
    positional: tuple[str, ...]
    lost: tuple[str, ...]
    block: str
    line: int
    node: Node

    def given(self, name: str) -> list[Argument]:
        """The arguments of this name, as PowerShell finds it: in any case.

        There are several when the block gives a splatted table several values for it.
        """
        wanted = name.lower()
        return [one for one in self.arguments if one.name.lower() == wanted]


def uses(script: Script, catalogue: Catalogue) -> tuple[Use, ...]:
    """The commands of a piece, in the order of its text: the one truth about what it calls."""
    known = script.notes.get("uses")
    if known is None or known[0] is not catalogue:
        tables = _tables(script)
        found = (_use(node, script, catalogue, tables) for node in script.all("command"))
        known = script.notes["uses"] = catalogue, tuple(found)
    uses_of_it: tuple[Use, ...] = known[1]
    return uses_of_it


def _use(node: Node, script: Script, catalogue: Catalogue, tables: _Tables) -> Use:
    operator = node.child("command_invocation_operator")
    named = node.child("command_name_expr" if operator else "command_name")
    name = named.text if named is not None else ""
    command = _command(named, operator is not None, script, catalogue)
    sorter = _Sorter(command, tables)
    elements = node.child("command_elements")
    for element in elements.children if elements is not None else ():
        sorter.take(element)
    sorter.close()
    return Use(
        name=name,
        operator=operator.text if operator is not None else "",
        command=command,
        arguments=tuple(sorter.arguments),
        positional=tuple(sorter.positional),
        lost=tuple(sorter.lost),
        block=block_of(node, script.engine),
        line=node.line,
        node=node,
    )


@dataclass
class _Sorter:
    """Takes the elements of a command one by one, and pairs parameters with their values."""

    command: Command | None
    tables: _Tables
    arguments: list[Argument] = field(default_factory=list)
    positional: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    last: Node | None = None
    waits: bool = False

    def take(self, element: Node) -> None:
        if element.kind == "command_parameter":
            self.close()
            self.last = element
            self.waits = not _is_switch(self.command, element.text[1:])
            if not self.waits:
                self.arguments.append(Argument(element.text[1:], "", element.line))
        elif element.kind == "command_argument_sep":
            # `-Name:value` gives even a switch a value.
            if element.text.strip() == ":" and not self.waits and self.last is not None:
                self.arguments.pop()
                self.waits = True
        elif element.kind == "argument_list":
            # `$text.Trim()` as an argument comes as two elements without a blank between.
            self._more(element.text)
        elif element.kind not in ("redirection", "redirections"):
            self._value(element)

    def close(self) -> None:
        """A parameter at the end, or before another one, has no value."""
        self._pair(None)

    def _value(self, element: Node) -> None:
        if self.waits:
            self._pair(element)
        elif element.text.startswith("@") and element.unwrapped().kind == "variable":
            found = self.tables.get((element.outermost, element.text[1:].lower()))
            self.arguments += found or ()
            if found is None:
                self.lost.append(element.text)
        else:
            self.positional.append(element.text)

    def _more(self, text: str) -> None:
        if self.arguments:
            given = self.arguments.pop()
            self.arguments.append(replace(given, value=given.value + text))

    def _pair(self, value: Node | None) -> None:
        if self.waits and self.last is not None:
            text = value.text if value is not None else ""
            self.arguments.append(Argument(self.last.text[1:], text, self.last.line, value))
        self.waits = False


def _command(
    named: Node | None, called: bool, script: Script, catalogue: Catalogue
) -> Command | None:
    if named is None or not called:
        return catalogue.commands.get(named.text) if named is not None else None
    # A vendor's script is called through a variable that holds its path.
    path = constant_of(named, script) if named.text.startswith("$") else ""
    found = (vendor for name, vendor in catalogue.scripts.items() if f"\\{name}'" in path)
    return next(found, None)


_COMMON_SWITCHES = {"debug", "verbose"}


def parameter_of(command: Command, name: str) -> Parameter | None:
    """The parameter of this name in any case; abbreviations do not count."""
    found = command.parameters.get(name)
    if found is None:
        wanted = name.lower()
        for known, parameter in command.parameters.items():
            if known.lower() == wanted:
                return parameter
    return found


def _is_switch(command: Command | None, name: str) -> bool:
    if name.lower() in _COMMON_SWITCHES:
        return True
    parameter = parameter_of(command, name) if command is not None else None
    return parameter is not None and parameter.switch


_Tables: TypeAlias = "dict[tuple[Node | None, str], list[Argument] | None]"


def _tables(script: Script) -> _Tables:
    """Outermost block and variable -> what is written into the table of this name there.

    None where the block gives the variable entries, and no table.
    """
    entries: dict[tuple[Node | None, str], dict[tuple[str, str], Argument]] = {}
    known: set[tuple[Node | None, str]] = set()
    for node in script.all("assignment_expression"):
        target, right = node.children[0].text, node.children[-1].unwrapped()
        variable = _TARGET.match(target)
        if variable is None:
            continue
        key = node.outermost, variable[1].lower()
        found = entries.setdefault(key, {})
        if target != variable[0]:
            name = re.split(r"[.\[]", target, maxsplit=1)[1].strip("]'\" ")
            found.setdefault((name, right.text), Argument(name, right.text, node.line, right))
            continue
        table = _table(right)
        if table is not None:
            known.add(key)
            for entry in map(_entry, table):
                found.setdefault((entry.name, entry.value), entry)
    return {key: [*found.values()] if key in known else None for key, found in entries.items()}


_TARGET = re.compile(r"\$(\w+)(?=$|[.\[])")


def _entry(node: Node) -> Argument:
    value = node.child("pipeline")
    given = value.text.rstrip("; ") if value is not None else ""
    return Argument(key_of(node), given, node.line, value)


_AROUND_A_TABLE = {
    "unary_expression", "expression_with_unary_operator", "cast_expression", "type_literal",
    "[", "]", "type_spec", "type_name", "type_identifier",
}  # fmt: skip


def _table(value: Node) -> list[Node] | None:
    for node in value.walk():
        if node.kind == "hash_literal_expression":
            body = node.child("hash_literal_body")
            return [one for one in body.children if one.kind == "hash_entry"] if body else []
        if node.kind not in _AROUND_A_TABLE:
            return None
    return None


def own_functions(script: Script) -> list[Command]:
    """The functions that a piece defines for itself, with their parameters."""
    found: list[Command] = []
    for name, node in script.functions.items():
        parameters: dict[str, Parameter] = {}
        # `function f ($a) { }` or `function f { param ($a) }`
        kinds = ("function_parameter_declaration", "param_block")
        block = next((one for one in node.walk() if one.kind in kinds), None)
        for one in block.walk() if block is not None else ():
            variable = one.child("variable") if one.kind == "script_parameter" else None
            if variable is not None:
                switch = "[switch]" in one.text.lower()
                parameters[variable.text.lstrip("$")] = Parameter(switch=switch)
        found.append(Command(name, parameters=parameters))
    return found
