"""Files with something wrong in them: real ones, changed by chance; a seed says which and how."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import yaml
from hostile.strings import HOSTILE

PIECES = (
    "a", "b: ", "- ", "? ", ": ", "[", "]", "{", "}", ",", "&x ", "*x", "!", "!!str ", "!<", ">",
    "|", "'", '"', "\\", "\\x", "\\u12", "%YAML 1.2\n", "%TAG ! x\n", "---\n", "...\n", "#", "@",
    "`", "<<: ", "=", "~", "null", "true", "012", "1e3", "\n", "\n  ", "\n    ", "\n\t", "\t", " ",
    "\r", "\r\n", "\0", "\x07", "\x85", "\u2028", "\ufeff", "\ud7ff", "\ue000", "\U0001f600", "ä",
    "\x7f", "-", ":", "0", "9" * 30, "[" * 50, "{a: " * 50, "x" * 5_000,
)  # fmt: skip

JINJA = (
    "{{", "}}", "{%", "%}", "{#", "#}", "{{ ", " }}", "{%- ", " -%}", "{{ x }}", "{{ x | ps }}",
    "{{ host.fqdn | ps }}", "{{ skype.pools | ps_list }}", "{{ change | ps_comment }}", "| ps",
    "| ps_comment('x', margin=9999999999)", "| default(1)", "| length", "~ 'x'", "* 9999999999",
    "** 99999", "+ 1", "% 5", "[0]", "[:5]", ".x", "()", "not ", "(" * 40, ")" * 40, "[[", "and ",
    "{% for x in exchange.servers %}", "{% for x in [1, 2, 3] %}", "{% endfor %}", "{% if x %}",
    "{% if host is defined %}", "{% elif 1 %}", "{% else %}", "{% endif %}", "{% block read %}",
    "{% block wanted %}", "{% block x %}", "{% endblock %}", "{% set x = x %}", "{% set x %}",
    "{% set loop = 1 %}", "{% set self = 1 %}", "{% macro m() %}", "{% endmacro %}", "{{ m() }}",
    "{% call m() %}", "{% endcall %}", "{% include 'skype/parts/moved.ps1.j2' %}",
    "{% include '_runbook/runsheet_entry.md.j2' %}", "{% include '../x' %}", "{% include x %}",
    "{% import 'exchange/shell.ps1.j2' as x %}", "{% from x import y %}", "{{ self.read() }}",
    "{% extends 'exchange/shell.ps1.j2' %}", "{{ super() }}", "{{ loop.index }}", " recursive",
    "{{ loop(x) }}", "{% filter ps %}", "{% endfilter %}", "{% raw %}", "{% endraw %}",
    "{% with x = 1 %}", "{% endwith %}", "{% autoescape true %}", "{% endautoescape %}",
    "{% do x %}", "{% break %}", "{% trans %}", "{{ caller() }}", "{{ varargs }}",
    "{{ ''.__class__ }}", "{{ 'x'.format(1) }}", "{{ x.append(1) }}", "{{ 9999999999999999999 }}",
    "{{ 1e999 }}", "{{ 0x" + "f" * 300 + " }}", "{{ {} }}", "{{ {1: 2} | ps }}", "{{ none | ps }}",
    "{{ x if y }}", "'", '"', "\\", "\n", "\r", "\t", "\0", "\x02", "é", "\u202e", "$x = 'y'",
    "# ", "`", "@{", "& { }", "Get-Item", "$(", "<#", "#>",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    *HOSTILE, None, True, False, 0, -1, 1, 2016, 99999, 10**14, "", " ", "x", "no", "~", "1",
    [], {}, [None], [[]], [{}], {"a": None}, {"": ""}, {"a": {"b": {"c": [1, {"d": "e"}]}}},
    ["x"] * 50, ["x", "x"], {f"k{n}": n for n in range(30)}, "x" * 200, "a.b", "-", "*", "=",
    "{{ 1 / 0 }}", "{{ nothing }}", "{{ change }}", "{{", "{% for x in [1] %}", "change", "host",
    "exchange.servers", "exchange.servers * 9999999999", "9 ** 99999", "'x' * 9999999999",
    "host.fqdn ==", "[" * 60, "servers[*]", "servers[", "servers[9999999999999]", "a[b=c].d", ".x",
    "../x", "/etc/passwd", "x.ps1.j2", "exchange.restart-iis", "skype.nothing", "05", "99", "E301",
    "same", "first", "all", "organization", "server", "2027-01-01T00:00:00Z",
    {"$ref": "#"}, {"$ref": "#/$defs/host_name"}, {"$ref": "../_runbook/schema.yml"}, "#/$defs/x",
    {"type": "string"}, {"type": 5}, {"pattern": "("}, {"pattern": "(?!a)"}, {"enum": []},
    {"anyOf": []}, {"not": {}}, {"if": {}, "then": False}, {"const": 1}, {"required": ["x"]},
    {"properties": {"x": {"default": {"y": 1}}}}, {"additionalProperties": {"$ref": "#"}},
    {"x-hints": [{"pattern": "(a+)+$", "hint": "x"}]}, {"format": "regex"}, {"items": {}},
)  # fmt: skip

KEYS = (
    "$ref", "type", "properties", "required", "default", "pattern", "enum", "x-hints", "x-expects",
    "additionalProperties", "items", "$defs", "allOf", "not", "id", "file", "when", "steps",
    "needs", "serves", "ask", "who", "back", "undo", "members", "hours", "hosts", "derived",
    "order", "title", "change", "exchange", "skype", "servers", "pools", "fqdn", "netbios",
    "window", "from", "x", "", "__class__", "items ", "\u202e", "é", "commands", "parameters",
    "versions", "for", "unique", "place", "message", "code", "repeats", "timeout", "phase", "band",
    "scope", "action",
)  # fmt: skip


_TIMES = (1, 1, 1, 1, 2, 3, 6)
"""One change leaves most of a file in order, so that the stages behind the first are reached."""


def changed_bytes(chance: random.Random, data: bytes) -> bytes:
    """Some bytes put in, taken out or altered; or the end cut off."""
    found = bytearray(data)
    for _ in range(chance.choice(_TIMES)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(4):
            case 0:
                found[at:at] = chance.randbytes(chance.randint(1, 6))
            case 1:
                del found[at : at + chance.randint(1, 40)]
            case 2:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                del found[max(at, len(found) // 2) :]
    return bytes(found)


def changed_pieces(chance: random.Random, text: str, pieces: tuple[str, ...]) -> str:
    """Some pieces put in, or stretches taken out or repeated."""
    for _ in range(chance.choice(_TIMES)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0 | 1:
                text = text[:at] + chance.choice(pieces) + text[at:]
            case 2:
                text = text[:at] + text[at + chance.randint(1, 30) :]
            case _:
                part = text[at : at + chance.randint(1, 200)]
                text = text[:at] + part * chance.randint(2, 20) + text[at:]
    return text


def changed_lines(chance: random.Random, text: str) -> str:
    """Lines left out, repeated, moved, or indented otherwise."""
    lines = text.split("\n")
    for _ in range(chance.choice(_TIMES)):
        at = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines[at:at] = [lines[at]] * chance.randint(1, 5)
            case 2:
                lines.insert(chance.randrange(len(lines)), lines.pop(at))
            case 3:
                lines[at] = " " * chance.randint(1, 5) + lines[at]
            case _:
                lines[at] = lines[at][chance.randint(0, 4) :]
        lines = lines or [""]
    return "\n".join(lines)


def changed_structure(chance: random.Random, text: str) -> str:
    """Values and keys of the data replaced, left out, renamed, moved or repeated."""
    data = yaml.load(text, Loader=yaml.BaseLoader)
    for _ in range(chance.choice(_TIMES)):
        holders = list(_holders(data))
        if not holders:
            break
        holder = chance.choice(holders)
        key = chance.choice(list(holder if isinstance(holder, dict) else range(len(holder))))
        match chance.randrange(6):
            case 0 | 1:
                holder[key] = copy.deepcopy(chance.choice(VALUES))
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[chance.choice(KEYS)] = holder.pop(key)
            case 4 if isinstance(holder, dict):
                holder[chance.choice(KEYS)] = copy.deepcopy(chance.choice(VALUES))
            case 5:
                other = chance.choice(holders)
                if isinstance(other, dict):
                    other[chance.choice(KEYS)] = copy.deepcopy(holder[key])
                elif len(other) < 1_000:
                    other += [copy.deepcopy(holder[key])] * chance.randint(1, 30)
            case _:
                holder[key] = [copy.deepcopy(holder[key])]
    width = chance.choice([80, 10_000])
    return yaml.safe_dump(_plain(data), sort_keys=False, width=width, allow_unicode=True)


def crossed(chance: random.Random, text: str, other: str) -> str:
    """Parts of another inventory in the place of one's own."""
    data, donor = (yaml.load(one, Loader=yaml.BaseLoader) for one in (text, other))
    for _ in range(chance.choice(_TIMES)):
        pairs = [(data, donor)]
        for mine, theirs in pairs:
            pairs += [
                (mine[key], theirs[key])
                for key in mine
                if isinstance(mine[key], dict) and isinstance(theirs.get(key), dict)
            ]
        mine, theirs = chance.choice(pairs)
        key = chance.choice(list(theirs))
        if isinstance(theirs[key], list) and isinstance(mine.get(key), list):
            mine[key] = chance.sample(mine[key] + theirs[key], chance.randint(1, len(theirs[key])))
        else:
            mine[key] = copy.deepcopy(theirs[key])
    return yaml.safe_dump(_plain(data), sort_keys=False, allow_unicode=True)


def _holders(data: Any) -> Any:
    if isinstance(data, dict | list) and data:
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from _holders(value)


def _plain(value: Any) -> Any:
    """`true`, `false` and short numbers as what YAML means by them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 5 else value


def inventory(seed: int, good: list[bytes], faulty: list[bytes]) -> bytes:
    """An inventory that was a good one, or one with a mistake already."""
    chance = random.Random(seed)
    data = chance.choice(faulty if chance.random() < 0.25 else good)
    way = chance.randrange(14)
    if way > 9:
        first, second = chance.choice(good), chance.choice(good)
        return crossed(chance, first.decode(), second.decode()).encode()
    if way == 0:
        return changed_bytes(chance, data)
    try:
        text = data.decode("utf-8")
        if way < 3:
            found = changed_pieces(chance, text, PIECES)
        elif way < 5:
            found = changed_lines(chance, text)
        else:
            found = changed_structure(chance, text)
    except (ValueError, yaml.YAMLError):
        return changed_bytes(chance, data)
    return found.encode("utf-8", "surrogatepass")


def template(chance: random.Random, name: str, data: bytes) -> bytes:
    """A template of this name that was a good one."""
    text = data.decode("utf-8")
    ways: list[Callable[[], bytes]] = [
        lambda: changed_bytes(chance, data),
        lambda: changed_lines(chance, text).encode("utf-8", "surrogatepass"),
    ]
    if name.endswith(".yml"):
        ways += [lambda: changed_structure(chance, text).encode("utf-8", "surrogatepass")] * 6
        ways += [lambda: changed_pieces(chance, text, PIECES + JINJA).encode("utf-8", "replace")]
    else:
        ways += [lambda: changed_pieces(chance, text, JINJA).encode("utf-8", "replace")] * 6
    return chance.choice(ways)()
