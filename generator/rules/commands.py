"""Rules about single commands: known, in this product version, with the right parameters."""

from __future__ import annotations

import re

from generator.rules.rule import Answer, rule
from generator.syntax.calls import Use, parameter_of
from generator.syntax.catalogue import Catalogue, Command, like
from generator.syntax.tree import READING

_ADD = "add it, with its source, to {file} if the version has it"
_BASE = "templates/_runbook/cmdlets.yml"
_PROGRAM = re.compile(r'"\$env:SystemRoot\\System32\\([\w.]+)"', re.IGNORECASE)


def _file(use: Use) -> str:
    product = use.command.product if use.command is not None else ""
    return f"templates/{product}/cmdlets.yml" if product else _BASE


@rule("R112", "No aliases", "call")
def aliases(use: Use, catalogue: Catalogue, _: str) -> Answer:
    """An alias can be defined anew on a server, and a reviewer should not have to know it.

    Write the command's full name.
    """
    full = catalogue.aliases.get(use.name.lower())
    if not use.operator and full is not None:
        yield use.line, f"{use.name} is an alias", f"write {full}"


@rule("R113", "No positional arguments", "call")
def positional(use: Use, catalogue: Catalogue, _: str) -> Answer:
    """A value without a name means another thing when a parameter is added in front of it.

    Give every value its parameter's name. Programs (iisreset.exe) have no names for theirs.
    """
    named = not use.operator or use.command is not None
    if named and use.positional and use.name.lower() not in catalogue.aliases:
        value = use.positional[0].split("\n")[0]
        yield use.line, f"{use.name} is given {value} without the name of a parameter"


@rule("R125", "Called by & are programs of Windows and the vendor's script only", "call")
def call_operator(use: Use, catalogue: Catalogue, _: str) -> Answer:
    """What stands behind `&` decides what runs: it must be readable in place.

    A program is written with its full path, "$env:SystemRoot\\System32\\whoami.exe", and stands on
    the list; the vendor's script stands on the list of the product, its path in the same block.
    """
    if use.operator != "&" or use.name.startswith("{"):
        return
    program = _PROGRAM.fullmatch(use.name)
    if program is None:
        allowed = use.block == "engine" and use.name.startswith("$")
        if not allowed and use.command is None:
            hint = 'a program stands in place: & "$env:SystemRoot\\System32\\whoami.exe"'
            yield use.line, f"{use.name} is called by &", hint
        return
    known = catalogue.programs.get(program.group(1).lower())
    if known is None or (known.engine and use.block != "engine"):
        yield use.line, f"the program {program.group(1)} is not on the list", f"see {_BASE}"


@rule("R130", "Only commands from the lists", "call")
def known_commands(use: Use, catalogue: Catalogue, _: str) -> Answer:
    """A misspelt command, or one that the server's version lacks, fails at 23:00.

    Commands of Windows PowerShell 3.0 and of the engine are listed in
    templates/_runbook/cmdlets.yml, those of a product in its own cmdlets.yml.
    """
    name = use.name
    if use.operator or name.lower() in catalogue.aliases:
        return
    if use.command is not None:
        if use.command.engine and use.block != "engine":
            yield use.line, f"only the engine may call {name}"
        return
    if name in catalogue.newer:
        yield use.line, f"{name} came with Windows PowerShell {catalogue.newer[name]}"
        return
    if name.lower().removesuffix(".exe") + ".exe" in catalogue.programs:
        hint = f'& "$env:SystemRoot\\System32\\{name.lower().removesuffix(".exe")}.exe"'
        yield use.line, f"the program {name} is called without its path", f"write {hint}"
        return
    meant = catalogue.like(name)
    hint = f"did you mean {meant}?" if meant else _ADD.format(file=_BASE)
    yield use.line, f"the command {name} is on no list", hint


@rule("R131", "Only parameters from the lists", "call")
def known_parameters(use: Use, catalogue: Catalogue, _: str) -> Answer:
    """A misspelt, shortened or unknown parameter stops the script when it is reached.

    Tables that are splatted (`@at`) are followed: they must be written in the same block.
    """
    if use.command is None:
        return
    for name in use.lost:
        yield use.line, f"the table {name} is not written in this block, so it cannot be checked"
    for given in use.arguments:
        known = parameter_of(use.command, given.name)
        if known is None and given.name not in catalogue.common:
            meant = like(given.name, [*use.command.parameters, *catalogue.common])
            hint = f"did you mean -{meant}?" if meant else _ADD.format(file=_file(use))
            yield given.line, f"{_shown(use)} has no parameter -{given.name}", hint


@rule("R132", "Cmdlets of this product version", "call")
def cmdlet_versions(use: Use, _: Catalogue, version: str) -> Answer:
    """Cmdlets come and go between versions of a product; the list says which has which.

    Choose by the version in the inventory, in the template.
    """
    command = use.command
    if command is not None and command.product and version not in command.versions:
        known = ", ".join(sorted(command.versions))
        yield use.line, f"{_shown(use)} is for {known}, this server is {version}", command.note


@rule("R133", "Parameters of this product version", "call")
def parameter_versions(use: Use, _: Catalogue, version: str) -> Answer:
    """A parameter that came with a later version stops the script on an earlier one.

    Choose by the version in the inventory, in the template.
    """
    for given in use.arguments if use.command is not None else ():
        known = parameter_of(use.command, given.name) if use.command is not None else None
        if known is not None and known.versions and version not in known.versions:
            versions = ", ".join(sorted(known.versions))
            what = f"-{given.name} of {_shown(use)}"
            yield given.line, f"{what} is for {versions}, this server is {version}"


@rule("R134", "One parameter set", "call")
def one_set(use: Use, _: Catalogue, __: str) -> Answer:
    """PowerShell refuses a call whose parameters belong to no common set.

    Leave out one of those that the message names.
    """
    command = use.command
    if command is None or _possible_sets(use, command):
        return
    apart = [
        f"-{given.name}"
        for given in use.arguments
        if (known := parameter_of(command, given.name)) is not None and known.sets
    ]
    yield use.line, f"{' and '.join(apart)} of {_shown(use)} exclude each other"


@rule("R135", "No mandatory parameter is missing", "call")
def mandatory(use: Use, _: Catalogue, version: str) -> Answer:
    """A missing mandatory parameter asks at the console, and fails without one."""
    command = use.command
    if command is None or use.lost or use.positional:
        return
    least: list[str] | None = None
    for name in sorted(_possible_sets(use, command)):
        missing = [
            parameter
            for parameter, known in command.parameters.items()
            if name in known.mandatory
            and (not known.versions or version in known.versions)
            and not use.given(parameter)
        ]
        if least is None or len(missing) < len(least):
            least = missing
    if least:
        yield use.line, f"{_shown(use)} needs {' and '.join(f'-{name}' for name in least)}"


def _possible_sets(use: Use, command: Command) -> frozenset[str]:
    sets = command.sets
    for given in use.arguments:
        known = parameter_of(command, given.name)
        if known is not None and known.sets:
            sets &= known.sets
    return sets


@rule("R136", "Every cmdlet of the product carries -ErrorAction Stop", "call")
def error_action(use: Use, _: Catalogue, __: str) -> Answer:
    """A read that failed must never look like "none found".

    The preference of the script does not reach the proxies of a remote shell: give
    `-ErrorAction Stop`, or `ErrorAction = 'Stop'` in a splatted table.
    """
    command = use.command
    if command is None or not command.product or not command.stop or use.operator:
        return
    given = use.given("ErrorAction")
    if not given or any(one.plain.lower() != "stop" for one in given):
        yield use.line, f"{use.name} is called without -ErrorAction Stop"


@rule("R137", "Lists are bounded on purpose", "call")
def bounded(use: Use, _: Catalogue, __: str) -> Answer:
    """Many cmdlets answer with the first 1,000 objects: a list that was cut looks complete.

    Give -ResultSize Unlimited with a -Filter, or name one object.
    """
    command = use.command
    if command is None or "ResultSize" not in command.parameters:
        return
    if not use.given("ResultSize") and not use.given("Identity"):
        yield use.line, f"{use.name} is called without -ResultSize", "give -ResultSize 'Unlimited'"


@rule("R138", "Removing asks no question of its own", "call")
def unasked(use: Use, _: Catalogue, __: str) -> Answer:
    """The engine has put the question; the cmdlet's own would be an error without a console.

    Give -Confirm:$false, or `Confirm = $false` in a splatted table.
    """
    command = use.command
    if command is None or not use.name.startswith("Remove-") or use.lost:
        return
    given = use.given("Confirm")
    asks = not given or any(one.value != "$false" for one in given)
    if "Confirm" in command.parameters and asks:
        yield use.line, f"{use.name} is called without -Confirm:$false"


@rule("R139", "Parameters that mislead", "call")
def misleading(use: Use, _: Catalogue, __: str) -> Answer:
    """Some parameters exist and answer wrongly; the list says which and why."""
    for given in use.arguments if use.command is not None else ():
        known = parameter_of(use.command, given.name) if use.command is not None else None
        if known is not None and known.avoid:
            yield given.line, f"-{given.name} of {_shown(use)} must not be used: {known.avoid}"


@rule("R140", "Reading blocks use reading commands only", "call")
def reading(use: Use, catalogue: Catalogue, _: str) -> Answer:
    """Read, Require, Check, Diagnosis, Product and Probe run in a preview: they only look.

    What changes something stands in Apply, with a record of what was there before.
    """
    if use.block not in READING or use.name.startswith("{"):
        return
    program = _PROGRAM.fullmatch(use.name)
    command = use.command
    if program is not None:
        command = catalogue.programs.get(program.group(1).lower())
    if command is not None and not command.engine and not command.reads:
        yield use.line, f"{use.block} calls {_shown(use)}, which changes something"


def _shown(use: Use) -> str:
    """How a message names what is called."""
    program = _PROGRAM.fullmatch(use.name)
    if program is not None:
        return program.group(1)
    if use.operator and use.command is not None:
        return use.command.name
    return use.name
