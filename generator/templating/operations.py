"""What an expression may compute with: operators, filters, tests and methods, each bounded.

The filters and tests are those of Jinja whose results are as large as what goes in. What is not
here (`center`, `indent`, `format`, ...) could make any amount of text from a number.
"""

from __future__ import annotations

import datetime
import functools
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import filters, tests
from jinja2.environment import Environment
from jinja2.runtime import LoopContext
from jinja2.utils import pass_environment

from generator.templating import limits
from generator.templating.limits import LimitError, Meter

INTERCEPTED = frozenset({"+", "*", "**", "%"})
"""Operators that can make a value larger than what goes in."""

_LONGEST_FIELD = 3
"""Digits of the width of a field in `'%05d' % number`."""

_WIDE = re.compile(rf"[0-9]{{{_LONGEST_FIELD + 1},}}|\*")

METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(
        {
            "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha",
            "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle",
            "isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind",
            "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith",
            "strip", "swapcase", "title", "upper",
        }
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
    datetime.datetime: frozenset({"isoformat", "isoweekday", "timestamp", "weekday"}),
    datetime.timedelta: frozenset({"total_seconds"}),
    LoopContext: frozenset({"changed", "cycle"}),
}  # fmt: skip
"""Methods that a template may call, by the type of the value that has them."""

KNOWN_METHODS = frozenset().union(*METHODS.values())
REFUSED_METHODS = (
    frozenset(
        name
        for kind in (str, dict, list, tuple, set, int, float)
        for name in dir(kind)
        if not name.startswith("_")
    )
    - KNOWN_METHODS
)
"""Methods of Python's values that no template may call, whatever the value."""


def is_known_method(function: object) -> bool:
    """Whether it is a method of a value that a template may call."""
    own = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    return any(name in names for kind, names in METHODS.items() if isinstance(own, kind))


def compute(meter: Meter, sign: str, left: Any, right: Any) -> Any:
    """The result of an operator of INTERCEPTED; raises LimitError for one that is too large."""
    if sign == "%":
        return _formatted(meter, left, right) if isinstance(left, str) else left % right
    if sign == "**":
        return _power(left, right)
    if sign == "+":
        for kind, name in ((str, "text"), (list, "list"), (tuple, "list")):
            if isinstance(left, kind) and isinstance(right, kind):
                meter.size(len(left) + len(right), name)
        return limits.number(left + right)
    for several, times in ((left, right), (right, left)):
        if isinstance(several, str | list | tuple) and isinstance(times, int):
            name = "text" if isinstance(several, str) else "list"
            meter.size(len(several) * max(times, 0), name)
    return limits.number(left * right)


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int):
        if abs(base) > 1 and exponent > limits.NUMBER_BITS:
            raise limits.large_number()
        return limits.number(base**exponent)
    return base**exponent


def _formatted(meter: Meter, template: str, values: Any) -> str:
    """`'%s' % value`; a field that names its value may name it again and again."""
    if _WIDE.search(template):
        message = f"a field of {10**_LONGEST_FIELD:,} characters or more is too large"
        raise LimitError("T235", message, "use a smaller width")
    fields = template.count("%")
    meter.spend(fields * 10**_LONGEST_FIELD // limits.CHARACTERS_A_STEP)
    meter.spend(fields * meter.weigh(values))
    text: str = template % values
    meter.size(len(text))
    return text


@pass_environment
def _join(
    environment: Environment, value: Iterable[Any], d: str = "", attribute: str | None = None
) -> str:
    """The items as one text, with `d` between them; of each item only the attribute, if given."""
    if attribute is not None:
        value = map(filters.make_attrgetter(environment, attribute), value)
    parts = [str(item) for item in value]
    _meter(environment).size(sum(map(len, parts)) + len(str(d)) * len(parts))
    return str(d).join(parts)


@pass_environment
def _replace(
    environment: Environment, s: object, old: str, new: str, count: int | None = None
) -> str:
    """The text with `new` in the place of `old`."""
    text, old, new = str(s), str(old), str(new)
    places = text.count(old)
    _meter(environment).size(len(text) + places * len(new))
    return text.replace(old, new, -1 if count is None else count)


@pass_environment
def _sum(
    environment: Environment,
    iterable: Iterable[Any],
    attribute: str | None = None,
    start: float = 0,
) -> Any:
    """The sum of numbers."""
    if not isinstance(start, int | float):
        raise TypeError("sum adds numbers only")
    return limits.number(filters.sync_do_sum(environment, iterable, attribute, start))


def _int(value: Any, default: int = 0, base: int = 10) -> Any:
    """The whole number that a text stands for."""
    return limits.number(filters.do_int(value, default, base))


def _meter(environment: Any) -> Meter:
    """That of the sandbox that a filter works in."""
    meter: Meter = environment.meter
    return meter


def instant(text: str) -> datetime.datetime:
    """An ISO 8601 time with offset as a point in time, for comparing two of them."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return moment


_OF_JINJA = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "groupby", "items", "last",
    "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select",
    "selectattr", "sort", "string", "title", "trim", "unique", "upper",
)  # fmt: skip

FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: filters.FILTERS[name] for name in _OF_JINJA},
    "instant": instant,
    "int": _int,
    "join": _join,
    "replace": _replace,
    "sum": _sum,
}
"""Filters of expressions."""

COMPARING = frozenset(
    {
        "!=", "<", "<=", "==", ">", ">=", "contains", "divisibleby", "eq", "equalto", "ge",
        "greaterthan", "gt", "in", "le", "lessthan", "lower", "lt", "ne", "upper",
    }
)  # fmt: skip
"""Tests that look at all of a value."""

_LOOKING = frozenset(
    {
        "boolean", "defined", "even", "false", "float", "integer", "iterable", "mapping", "none",
        "number", "odd", "sameas", "sequence", "string", "true", "undefined",
    }
)  # fmt: skip
_TESTS_OF_JINJA: Mapping[str, Any] = tests.TESTS

TESTS: Mapping[str, Callable[..., Any]] = {
    **{name: _TESTS_OF_JINJA[name] for name in sorted(COMPARING - {"contains"} | _LOOKING)},
    # For selectattr: Jinja has `in`, but not the other way round.
    "contains": operator.contains,
}
"""Tests of expressions and scripts."""


def metered(function: Callable[..., Any], meter: Meter) -> Callable[..., Any]:
    """A filter or test that spends the steps of its values, and answers with lists only.

    A generator of Jinja would do its work, and meet its mistakes, somewhere else.
    """
    small = limits.SMALL

    @functools.wraps(function)
    def plain(value: Any, *args: Any, **kwargs: Any) -> Any:
        if (type(value) is not str or len(value) > small) and type(value) is not int:
            meter.weigh(value)
        if args or kwargs:
            for given in (*args, *kwargs.values()):
                kind = type(given)
                if kind is not int and (kind is not str or len(given) > small):
                    meter.weigh(given)
        result = function(value, *args, **kwargs)
        return result if isinstance(result, str) else _listed(meter, result)

    @functools.wraps(function)
    def with_context(context: Any, *args: Any, **kwargs: Any) -> Any:
        meter.weigh(args)
        meter.weigh(kwargs)
        return _listed(meter, function(context, *args, **kwargs))

    return plain if getattr(function, "jinja_pass_arg", None) is None else with_context


def _listed(meter: Meter, result: Any) -> Any:
    if isinstance(result, Iterator):
        return list(meter.counted(result, 1))
    if isinstance(result, list):
        meter.spend(len(result))
    return result
