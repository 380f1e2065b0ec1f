"""Rules about .NET: types and members from the list, the clock only through Get-Date."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from generator.rules.rule import Answer, rule
from generator.syntax.calls import uses
from generator.syntax.catalogue import Catalogue, like
from generator.syntax.tree import READING, Node, Script, block_of, constant_of

_LIST = "add it to templates/_runbook/cmdlets.yml if .NET Framework 4 has it"
_CLOCK = {"Now", "UtcNow", "Today", "TickCount", "GetTimestamp", "StartNew", "Sleep"}
_WEB_TYPES = (
    "System.Net.WebClient", "System.Net.WebRequest", "System.Net.HttpWebRequest",
    "System.Net.Http.", "System.Net.Sockets.",
)  # fmt: skip
_WEB_COMMANDS = {
    "invoke-webrequest", "invoke-restmethod", "start-bitstransfer", "new-webserviceproxy",
    "iwr", "irm", "curl", "wget",
}  # fmt: skip


_TYPE_OPERATORS = {"-as", "-is", "-isnot"}


def types(script: Script, catalogue: Catalogue) -> Iterator[tuple[str, Node]]:
    """Every type that a piece names: in brackets, as -TypeName, and behind -as and -is."""
    for node in script.all("type_spec"):
        inner = node.children[0]
        # An array or a generic type is judged by the types that it is made of.
        if inner.kind in ("array_type_name", "generic_type_name"):
            inner = inner.children[0]
        yield inner.text, node
    for use in uses(script, catalogue):
        for given in use.given("TypeName"):
            if given.node is not None:
                yield _named(given.node, script), given.node
    for comparison in script.all("comparison_expression"):
        for operator, value in pairwise(comparison.children):
            named = operator.text.lower() in _TYPE_OPERATORS
            if named and value.unwrapped().kind != "type_literal":
                yield _named(value, script), value


def _named(node: Node, script: Script) -> str:
    """What a value says that is taken for the name of a type."""
    value = node.unwrapped()
    constant = constant_of(value, script) if value.kind == "variable" else ""
    return (constant or node.text).strip("'\"; ")


@rule("R120", "Web access in one place only", "script")
def web(script: Script, catalogue: Catalogue) -> Answer:
    """Only the engine's Get-WebAnswer asks other servers: with TLS 1.2, never past a
    certificate that is not trusted, and telling which proxy answered.

    Call Get-WebAnswer -Url '...' and judge its answer.
    """
    used = [(node.text, node) for node in script.all("command_name")]
    found = [one for one in used if one[0].lower() in _WEB_COMMANDS]
    found += [one for one in types(script, catalogue) if one[0].startswith(_WEB_TYPES)]
    for name, node in found:
        around = [outer for outer in node.ancestors() if outer.kind == "function_statement"]
        names = [one.text for outer in around if (one := outer.child("function_name"))]
        if "Get-WebAnswer" not in names:
            yield node.line, f"{name} asks another server", "call Get-WebAnswer"


@rule("R121", "Types and static members from the list, by full name", "script")
def known_types(script: Script, catalogue: Catalogue) -> Answer:
    """PowerShell 3.0 on .NET Framework 4 lacks types and members that newer versions have.

    The compatibility check of the analyzer knows full names only, so a short name would pass it
    unseen. Write the full name; short are the accelerators on the list only (string, int, ...).
    """
    for name, node in types(script, catalogue):
        if name in catalogue.types:
            continue
        close = [full for full in catalogue.types if full.endswith(f".{name}")]
        close = close or [full for full in catalogue.types if full.lower() == name.lower()]
        if close:
            yield node.line, f"the type {name} is not written as on the list", f"write {close[0]}"
        else:
            meant = like(name, catalogue.types)
            hint = f"did you mean {meant}? Else {_LIST}" if meant else _LIST
            yield node.line, f"the type {name} is not on the list", hint
    for node in script.all("::"):
        if node.parent is not None and node.parent.child("type_literal") is None:
            yield node.line, "the type in front of :: is computed", "write it in place: [Type]::"
    for type_name, member, node in _static_members(script):
        known = catalogue.types.get(type_name)
        if known is None or member == "new" or member in _CLOCK:
            continue
        if member not in known.reads | known.changes:
            yield node.line, f"[{type_name}]::{member} is not on the list", _LIST


@rule("R122", "Methods from the list", "script")
def known_methods(script: Script, catalogue: Catalogue) -> Answer:
    """What a method does is not in its name's form, unlike a cmdlet: so each one is named.

    The list says which methods only read. Objects of a product that came through a remote shell
    have no methods at all: prefer properties and cmdlets.
    """
    for name, node in _methods(script):
        if name not in catalogue.reading_methods | catalogue.changing_methods:
            yield node.line, f"the method .{name}() is not on the list", _LIST


@rule("R123", "The clock only through Get-Date and Start-Sleep", "script")
def clock(script: Script, _: Catalogue) -> Answer:
    """A rehearsal sets the clock by standing in for Get-Date; .NET's clock it cannot set.

    Use (Get-Date).ToUniversalTime(), and let the engine wait.
    """
    for type_name, member, node in _static_members(script):
        if member in _CLOCK:
            yield node.line, f"[{type_name}]::{member} is a clock of its own", "use Get-Date"


@rule("R145", "Reading blocks call nothing of .NET that changes", "script")
def reading_members(script: Script, catalogue: Catalogue) -> Answer:
    """Read, Require, Check, Diagnosis, Product and Probe run in a preview: they only look.

    Members that write or delete may stand in Apply and Save.
    """
    if script.engine:
        return
    for type_name, member, node in _static_members(script):
        known = catalogue.types.get(type_name)
        block = block_of(node)
        if known is not None and member in known.changes and block in READING:
            yield node.line, f"{block} calls [{type_name}]::{member}, which changes something"
    for name, node in _methods(script):
        block = block_of(node)
        if name in catalogue.changing_methods and block in READING:
            yield node.line, f"{block} calls .{name}(), which changes something"


def _static_members(script: Script) -> Iterator[tuple[str, str, Node]]:
    for node in script.all("member_access", "invocation_expression"):
        literal, member = node.child("type_literal"), node.child("member_name")
        static = any(child.kind == "::" for child in node.children)
        if static and literal is not None and member is not None:
            yield literal.text.strip("[] "), member.text, node


def _methods(script: Script) -> Iterator[tuple[str, Node]]:
    """The methods of objects that a piece calls; as an argument, the list comes apart."""
    called = [(node.parent, node) for node in script.all("argument_list")]
    for elements in script.all("command_elements"):
        for before, node in pairwise(elements.children):
            if node.kind == "argument_list":
                called.append((before.unwrapped(), node))
    for outer, node in called:
        members = [one for one in outer.children if one.kind == "member_name"] if outer else []
        if members and outer is not None and all(one.kind != "::" for one in outer.children):
            yield members[-1].text, node
