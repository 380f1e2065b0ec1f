"""Expressions and sentences in the YAML files of the template tree: syntax, filters, names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.findings import Finding, show
from generator.inventory import checks
from generator.lint import comparisons, known, names, vocabulary
from generator.lint.known import ANY, Known
from generator.lint.vocabulary import Vocabulary
from generator.lint.yaml_files import read
from generator.schema.yaml_source import Document
from generator.templating import expressions
from generator.templating.expressions import ExpressionError
from generator.templating.templates import SPINE, TemplateTree

Path_ = tuple[str | int, ...]

_RUNBOOK_TEXTS = ("title", "effect", "rights", "ask", "help", "stop")
_STEP_TEXTS = ("title", "why", "effect", "done", "undo", "otherwise", "ask", "who")


def check(tree: TemplateTree, sound: bool) -> Iterator[Finding]:
    """Every mistake in what the YAML files of the tree compute or say; `sound` as in scripts."""
    words = vocabulary.load(tree, sound)
    if words is None:
        return
    for name in (SPINE, *tree.products()):
        yield from _checks(read(tree, f"{name}/checks.yml"), words)
    for product in tree.products():
        yield from _product(read(tree, f"{product}/product.yml"), words)
        for role in tree.roles(product):
            yield from _role(read(tree, f"{product}/{role}/role.yml"), words, product)


class _File:
    """A file whose texts are judged one by one, where they are there."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def expression(self, path: Path_, known: Mapping[str, Known]) -> None:
        value = self._text(path)
        if value is not None:
            self._judge("{{ " + value + " }}", value, path, known)

    def sentence(self, path: Path_, known: Mapping[str, Known]) -> None:
        value = self._text(path)
        if value is not None and "{" in value:
            self._judge(value, value, path, known)

    def path(self, path: Path_) -> None:
        """A path into an inventory, `servers[*]`."""
        value = self._text(path)
        try:
            checks.find(value or "x", {})
        except ExpressionError as error:
            self.findings.append(self.document.finding("T130", path, str(error)))

    def _judge(self, source: str, shown: str, path: Path_, known: Mapping[str, Known]) -> None:
        try:
            tree = expressions.syntax(source)
        except ExpressionError as error:
            message = f"{error}, in {show(shown)}"
            self.findings.append(self.document.finding(error.limit or "T130", path, message))
            return
        walk = names.walk(tree, known)
        for unknown in walk.found:
            hint = f"did you mean '{unknown.meant}'?" if unknown.meant else ""
            message = f"'{unknown.name}' is not defined, in {show(shown)}"
            self.findings.append(self.document.finding("T131", path, message, hint))
        for one in walk.constant:
            finding = self.document.finding("T232", path, one.message, comparisons.HINT)
            self.findings.append(finding)

    def _text(self, path: Path_) -> str | None:
        value: Any = self.document.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value if isinstance(value, str) else None

    def count(self, path: Path_) -> range:
        """The places of a list, none where there is no list."""
        value: Any = self.document.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return range(0)
        return range(len(value)) if isinstance(value, list) else range(0)


def _product(document: Document | None, words: Vocabulary) -> list[Finding]:
    if document is None:
        return []
    file = _File(document)
    for index in file.count(("hosts",)):
        file.path(("hosts", index))
    for index in file.count(("derived",)):
        file.expression(("derived", index, "value"), words.in_derived())
    return file.findings


def _checks(document: Document | None, words: Vocabulary) -> list[Finding]:
    if document is None:
        return []
    file = _File(document)
    for index in file.count(()):
        names_here = words.in_checks() | {"item": _item(document.data[index], words)}
        for key in ("when", "unique"):
            file.expression((index, key), names_here)
        for key in ("message", "hint"):
            file.sentence((index, key), names_here)
        file.path((index, "for"))
        for at in file.count((index, "for")):
            file.path((index, "for", at))
    return file.findings


def _item(check: Any, words: Vocabulary) -> Known:
    """What is known of the values that a check goes through."""
    paths = check.get("for") if isinstance(check, dict) else None
    listed = paths if isinstance(paths, list) else [paths]
    whole = Known(words.inventory)
    item = known.either([known.at(whole, str(path)) for path in listed]) if paths else ANY
    # A server has a name, a domain and a version also where its mapping gives none.
    filled = dict.fromkeys(vocabulary.FILLED, ANY)
    keys = item.keys or {}
    return item.with_keys({**filled, **keys}) if "fqdn" in keys else item


def _role(document: Document | None, words: Vocabulary, product: str) -> list[Finding]:
    if document is None:
        return []
    file = _File(document)
    on_host, in_texts = words.on_host(product), words.in_texts(product)
    file.expression(("hosts",), words.inventory)
    file.sentence(("title",), in_texts)
    for index in file.count(("runbooks",)):
        at: Path_ = ("runbooks", index)
        file.expression((*at, "when"), on_host)
        for number in file.count((*at, "members")):
            file.expression((*at, "members", number), words.in_steps(product))
        for number in file.count((*at, "needs")):
            file.expression((*at, "needs", number, "hours"), on_host)
        for key in _RUNBOOK_TEXTS:
            file.sentence((*at, key), in_texts)
            file.sentence((*at, "undo", key), in_texts)
        for number in file.count((*at, "steps")):
            step = (*at, "steps", number)
            file.expression((*step, "when"), on_host)
            for key in _STEP_TEXTS:
                file.sentence((*step, key), in_texts)
                file.sentence((*step, "back", key), in_texts)
    return file.findings
