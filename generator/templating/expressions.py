"""Jinja expressions and texts over the values of an inventory, sandboxed and strict.

Used by checks.yml, product.yml and role.yml. Nothing that these files say can change a value or
reach into Python, and a name that does not exist is an error, never an empty text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import safe_range

from generator.errors import GeneratorError
from generator.findings import Finding, FindingsError, show
from generator.templating import operations, refusals
from generator.templating.sandbox import Sandbox

_QUOTED = 2_000
"""Characters of an expression that a message quotes whole."""


class ExpressionError(GeneratorError):
    """An expression or text that is wrong or does not fit the values; the message quotes it.

    `limit` is the code of the finding where it came to a limit of templates, else nothing.
    """

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


def _shown(value: Any) -> Any:
    """What stands in a sentence: text and numbers, true and false, a list with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        _ENVIRONMENT.meter.weigh(value)
        return ", ".join(str(_shown(item)) for item in value)
    if value is None or isinstance(value, Mapping):
        raise TypeError("only text, numbers, true, false and lists of these fit into a sentence")
    return value


_ENVIRONMENT = Sandbox(
    operations.FILTERS, operations.TESTS, globals_={"range": safe_range}, finalize=_shown
)


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """The object that an expression stands for; a generator comes back as a list.

    Raises ExpressionError.
    """
    _ENVIRONMENT.meter.start()
    try:
        result = _expression(expression)(values)
        if isinstance(result, Iterator):
            result = list(result)
        # A value that is made of others again and again is as large as all of them.
        _ENVIRONMENT.meter.weigh(result)
        for part in result if isinstance(result, list) else [result]:
            if isinstance(part, jinja2.Undefined):
                # A bare name: nothing has used the undefined value yet.
                part._fail_with_undefined_error()
        return result
    except Exception as error:
        raise _error(expression, error) from None


def located(expression: str, values: Mapping[str, Any], file: str, line: int) -> Any:
    """The same for an expression of a role; raises FindingsError with its place instead."""
    try:
        return evaluate(expression, values)
    except ExpressionError as error:
        raise FindingsError([Finding(error.limit or "T304", str(error), file, line, 1)]) from None


def text(template: str, values: Mapping[str, Any]) -> str:
    """A sentence with its `{{ expressions }}` filled in. Raises ExpressionError."""
    if "{" not in template:
        return template
    _ENVIRONMENT.meter.start()
    try:
        return _text(template).render(values)
    except Exception as error:
        raise _error(template, error) from None


def syntax(template: str) -> nodes.Template:
    """The syntax tree of a text.

    Raises ExpressionError for faulty syntax and for what no template may use.
    """
    try:
        tree = _ENVIRONMENT.parse(template)
    except jinja2.TemplateSyntaxError as error:
        raise ExpressionError(error.message or "this is no expression", _limit(error)) from None
    for code, message, _ in _ENVIRONMENT.refusals(tree):
        raise ExpressionError(message, code if code in refusals.LIMITS else "")
    return tree


@functools.lru_cache(maxsize=4096)
def names_in(template: str) -> frozenset[str]:
    """The names that a text uses: with the same values for them it is the same text.

    Empty for one that cannot be read; rendering it tells why.
    """
    try:
        return frozenset(meta.find_undeclared_variables(syntax(template)))
    except ExpressionError:
        return frozenset()


@functools.lru_cache(maxsize=4096)
def _expression(expression: str) -> Callable[[Mapping[str, Any]], Any]:
    return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False)


@functools.lru_cache(maxsize=4096)
def _text(template: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(template)


def _error(source: str, error: Exception) -> ExpressionError:
    quoted = source if len(source) <= _QUOTED else show(source)
    return ExpressionError(f"{quoted}: {refusals.reason_of(error)}", _limit(error))


def _limit(error: Exception) -> str:
    """The code of the limit that an expression came to, else nothing."""
    code = refusals.code_of(error)
    return code if code in refusals.LIMITS else ""
