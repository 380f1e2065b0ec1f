"""Every command of a piece, with its arguments sorted out and its splatted tables followed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from generator.rules.catalogue import Catalogue, Command, Parameter
from generator.rules.syntax import Node, Script, block_of, constant_of, key_of, outermost_block


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter as it was given; `value` is source text, '' for a switch without one."""

    name: str
    value: str
    line: int

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

    def argument(self, name: str) -> Argument | None:
        """The argument of this name, as PowerShell finds it: in any case."""
        wanted = name.lower()
        return next((one for one in self.arguments if one.name.lower() == wanted), None)


def uses(script: Script, catalogue: Catalogue) -> Iterator[Use]:
    """The commands of a piece, in the order of its text."""
    tables = _tables(script)
    for node in script.all("command"):
        yield _use(node, script, catalogue, tables)


def _use(node: Node, script: Script, catalogue: Catalogue, tables: Mapping[str, list[Node]]) -> Use:
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
    tables: Mapping[str, list[Node]]
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
        self._pair("")

    def _value(self, element: Node) -> None:
        if self.waits:
            self._pair(element.text)
        elif element.text.startswith("@") and element.unwrapped().kind == "variable":
            found = _splatted(element, self.tables)
            self.arguments += found or ()
            if found is None:
                self.lost.append(element.text)
        else:
            self.positional.append(element.text)

    def _more(self, text: str) -> None:
        if self.arguments:
            given = self.arguments.pop()
            self.arguments.append(replace(given, value=given.value + text))

    def _pair(self, value: str) -> None:
        if self.waits and self.last is not None:
            self.arguments.append(Argument(self.last.text[1:], value, self.last.line))
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


def _tables(script: Script) -> dict[str, list[Node]]:
    """Variable name -> assignments of a table, or to an entry of one."""
    found: dict[str, list[Node]] = {}
    for node in script.all("assignment_expression"):
        target = re.match(r"\$(\w+)(?=$|[.\[])", node.children[0].text)
        if target:
            found.setdefault(target.group(1).lower(), []).append(node)
    return found


def _splatted(element: Node, tables: Mapping[str, list[Node]]) -> list[Argument] | None:
    """The entries of the table behind `@name`, or None when the block has no such table."""
    name = element.text[1:].lower()
    around = outermost_block(element)
    entries: dict[str, Argument] = {}
    known = False
    for node in tables.get(name, ()):
        if outermost_block(node) is not around:
            continue
        target, right = node.children[0].text, node.children[-1].unwrapped()
        if "." in target or "[" in target:
            key = re.split(r"[.\[]", target, maxsplit=1)[1].strip("]'\" ")
            entries[key] = Argument(key, right.text, node.line)
            continue
        table = _table(right)
        if table is not None:
            known = True
            for entry in table:
                key = key_of(entry)
                value = entry.child("pipeline")
                given = value.text.rstrip("; ") if value is not None else ""
                entries[key] = Argument(key, given, entry.line)
    return list(entries.values()) if known else None


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
