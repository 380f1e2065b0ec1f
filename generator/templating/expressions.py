"""Jinja expressions and texts over the values of an inventory, sandboxed and strict.

Used by checks.yml, product.yml and role.yml. Nothing that these files say can change a value or
reach into Python, and a name that does not exist is an error, never an empty text.
"""

from __future__ import annotations

import datetime
import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from generator.errors import GeneratorError
from generator.findings import Finding, FindingsError


class ExpressionError(GeneratorError):
    """An expression or text that is wrong or does not fit the values; the message quotes it."""


def instant(text: str) -> datetime.datetime:
    """An ISO 8601 time with offset as a point in time, for comparing two of them."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return moment


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which `mapping.name` is the key of that name, even `items` or `values`."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _shown(value: Any) -> Any:
    """What stands in a sentence: text and numbers, true and false, a list with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(_shown(item)) for item in value)
    if value is None or isinstance(value, Mapping):
        raise TypeError("only text, numbers, true, false and lists of these fit into a sentence")
    return value


_ENVIRONMENT = _Environment(undefined=jinja2.StrictUndefined, finalize=_shown)
_ENVIRONMENT.filters["instant"] = instant
# For selectattr: Jinja has `in`, but not the other way round.
_ENVIRONMENT.tests["contains"] = operator.contains
# A choice by chance would make two builds of the same input differ.
del _ENVIRONMENT.filters["random"]
del _ENVIRONMENT.globals["lipsum"]


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """The object that an expression stands for; a generator comes back as a list.

    Raises ExpressionError.
    """
    try:
        result = _expression(expression)(values)
        if isinstance(result, Iterator):
            result = list(result)
        for part in result if isinstance(result, list) else [result]:
            if isinstance(part, jinja2.Undefined):
                # A bare name: nothing has used the undefined value yet.
                part._fail_with_undefined_error()
        return result
    except Exception as error:
        raise ExpressionError(f"{expression}: {_reason(error)}") from None


def located(expression: str, values: Mapping[str, Any], file: str, line: int) -> Any:
    """The same for an expression of a role; raises FindingsError with its place instead."""
    try:
        return evaluate(expression, values)
    except ExpressionError as error:
        raise FindingsError([Finding("T304", str(error), file, line, 1)]) from None


def text(template: str, values: Mapping[str, Any]) -> str:
    """A sentence with its `{{ expressions }}` filled in. Raises ExpressionError."""
    if "{" not in template:
        return template
    try:
        return _text(template).render(values)
    except Exception as error:
        raise ExpressionError(f"{template}: {_reason(error)}") from None


def syntax(template: str) -> nodes.Template:
    """The syntax tree of a text. Raises ExpressionError for faulty syntax and unknown filters."""
    try:
        tree = _ENVIRONMENT.parse(template)
    except jinja2.TemplateSyntaxError as error:
        raise ExpressionError(error.message or "this is no expression") from None
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        kind = "filter" if isinstance(node, nodes.Filter) else "test"
        known = _ENVIRONMENT.filters if isinstance(node, nodes.Filter) else _ENVIRONMENT.tests
        if node.name not in known:
            raise ExpressionError(f"no {kind} named '{node.name}'")
    return tree


@functools.lru_cache(maxsize=4096)
def names_in(template: str) -> frozenset[str]:
    """The names that a text uses: with the same values for them it is the same text.

    Empty for one that cannot be read; rendering it tells why.
    """
    try:
        return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(template)))
    except jinja2.TemplateSyntaxError:
        return frozenset()


@functools.lru_cache(maxsize=4096)
def _expression(expression: str) -> Callable[[Mapping[str, Any]], Any]:
    return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False)


@functools.lru_cache(maxsize=4096)
def _text(template: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(template)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
