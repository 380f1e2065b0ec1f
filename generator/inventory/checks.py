"""Cross-checks of an inventory: data in checks.yml, run here without knowing any product.

A check is a mapping:

- `code`: its number, never used for anything else.
- `for`: optional path of the values to look at one by one, see `find`. The expression then knows
  `item`, `index` (its place in its list), and `parent` (the mapping that it stands in).
- `when`: an expression that is true where there is a MISTAKE. Or `unique`: an expression whose
  value no two items may share; the message then knows `first`, the path of the other one.
- `place`: where the finding points. `.netbios` is a key of the item, anything else a path from
  the top. Without it: the item.
- `message`, `hint`: texts with `{{ expressions }}`; the path of the place stands in front.

Top-level names are those of the inventory; a product that is not in it is not defined.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from generator.findings import Finding, path_text, show
from generator.schema import validator
from generator.schema.yaml_source import Document, load_template
from generator.templating import expressions
from generator.templating.expressions import ExpressionError
from generator.templating.templates import SPINE, TemplateTree

Path_: TypeAlias = tuple[str | int, ...]
Check: TypeAlias = Mapping[str, Any]

_LENGTH = 300
_LONGEST_INDEX = 10

_PART = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\*|[0-9]+|([a-z_]+)=([^\]]*))\]")


def find(pattern: str, data: Any) -> list[tuple[Path_, Any, Any]]:
    """What stands at a path: (path, value, the mapping around it), in the order of the file.

    `servers[*]` means every item, `pools[type=standard]` every mapping with that value,
    `servers[0]` one item. What is not there, or not of the kind, is passed over.
    """
    found: list[tuple[Path_, Any, Any]] = [((), data, None)]
    at = 0
    while at < len(pattern):
        part = _PART.match(pattern, at)
        if part is None:
            raise ExpressionError(f"{pattern}: not a path like servers[*].name")
        at = part.end()
        found = [hit for entry in found for hit in _step(entry, part)]
    return found


def _step(entry: tuple[Path_, Any, Any], part: re.Match[str]) -> Iterator[tuple[Path_, Any, Any]]:
    path, value, parent = entry
    name, index, key, wanted = part.groups()
    if name is not None:
        if isinstance(value, dict) and name in value:
            yield (*path, name), value[name], value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if key is not None:
                taken = isinstance(item, dict) and item.get(key) == wanted
            else:
                taken = index in ("*", str(number))
            if taken:
                yield (*path, number), item, parent


def load_checks(tree: TemplateTree, name: str) -> Document | None:
    """The checks of a file of the tree, or None where there is none. Raises FindingsError."""
    document = load_template(tree, name)
    rules = load_template(tree, f"{SPINE}/checks.schema.yml")
    if document is None or rules is None:
        return None
    return validator.judged(document, rules.data)


def run(
    checks: Document,
    values: Mapping[str, Any],
    document: Document,
    faulty: Iterable[Path_] = (),
) -> list[Finding]:
    """The mistakes that the checks find in `values`, which come from `document`.

    `faulty` are places with a finding already: what a check would say of them, of their parts or
    of what holds them is an echo and left out. A check that cannot be computed on values without
    a fault is itself a finding, in its own file.
    """
    bad = frozenset(faulty)
    # Both directions are looked up: a faulty file may have thousands of places on either side.
    around = bad | {path[:length] for path in bad for length in range(len(path))}
    findings: list[Finding] = []
    for number, check in enumerate(checks.data):
        seen: dict[Any, Path_] = {}
        try:
            for path, names in _items(check, values):
                place = _place(check, path)
                if _mistaken(check, path, names, seen) and not _echo(place, bad, around):
                    findings.append(_finding(check, place, names, document))
        except ExpressionError as error:
            if not bad:
                code = error.limit or "T110"
                findings.append(checks.finding(code, (number, "code"), str(error)))
    return findings


def _items(check: Check, values: Mapping[str, Any]) -> Iterator[tuple[Path_, dict[str, Any]]]:
    if "for" not in check:
        yield (), dict(values)
        return
    patterns = check["for"] if isinstance(check["for"], list) else [check["for"]]
    for pattern in patterns:
        for path, item, parent in find(pattern, values):
            index = path[-1] if path and isinstance(path[-1], int) else 0
            yield path, {**values, "item": item, "index": index, "parent": parent}


def _mistaken(check: Check, path: Path_, names: dict[str, Any], seen: dict[Any, Path_]) -> bool:
    if "unique" not in check:
        return bool(expressions.evaluate(check["when"], names))
    value = expressions.evaluate(check["unique"], names)
    if value is not None and not isinstance(value, str | int):
        message = f"{check['unique']}: text or a number is expected, not {show(value)}"
        raise ExpressionError(message)
    first = seen.setdefault(value, path)
    names["first"] = path_text(first)
    return first != path


def _place(check: Check, path: Path_) -> Path_:
    place = str(check.get("place", ""))
    parts: Path_ = ()
    for name, index, *_ in _PART.findall(place):
        if index and not (index.isdecimal() and len(index) < _LONGEST_INDEX):
            raise ExpressionError(f"{place}: a place is one value, like servers[0].name")
        parts += (int(index) if index else name,)
    return (*path, *parts) if not place or place.startswith(".") else parts


def _echo(place: Path_, bad: Collection[Path_], around: Collection[Path_]) -> bool:
    """Whether a place holds one of the faulty ones, or is one of them or below it."""
    return place in around or any(place[:length] in bad for length in range(len(place)))


def _finding(check: Check, place: Path_, names: Mapping[str, Any], document: Document) -> Finding:
    message = _short(expressions.text(check["message"], names))
    hint = _short(expressions.text(check.get("hint", ""), names))
    return document.finding(check["code"], place, f"{path_text(place)}: {message}", hint)


def _short(sentence: str) -> str:
    """A sentence that quotes a list of thousands stays one that can be read."""
    return sentence if len(sentence) <= _LENGTH else sentence[:_LENGTH] + "..."
