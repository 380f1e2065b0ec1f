"""The sandbox of every template: scripts, documents, sentences and expressions.

Nothing that a template says reaches into Python, changes a value, reads a file outside of the
tree, or goes on without end: what it does is counted by a `Meter`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import CodeType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import BlockReference, Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from generator.errors import GeneratorError
from generator.templating import operations, shape
from generator.templating.limits import LimitError, Meter
from generator.templating.refusals import NotAvailable, RefusedTemplate
from generator.templating.templates import MAX_BYTES, TemplateTree

OPTIONS: dict[str, Any] = {
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
    "autoescape": False,
    "auto_reload": False,
    "cache_size": -1,
}
"""How every template of the tree is read: lines of tags leave no trace."""


_BATCH = 4_096
"""So many parts, most of them words, are joined at once."""


class Fields(dict[type, frozenset[str]]):
    """Type -> its fields that are data, which needs no judgement: here none of any type."""

    def __missing__(self, kind: type) -> frozenset[str]:
        self[kind] = found = self.of(kind)
        return found

    def of(self, kind: type) -> frozenset[str]:  # noqa: ARG002
        """The fields of a type that was not met before."""
        return frozenset()


class Sandbox(ImmutableSandboxedEnvironment):
    """A sandbox with the filters and tests given; `meter` counts what its templates do.

    Without a tree of templates it knows no files. `fields` says which attributes of values are
    data.
    """

    intercepted_binops = operations.INTERCEPTED
    fields = Fields()

    def __init__(
        self,
        filters: Mapping[str, Callable[..., Any]],
        tests: Mapping[str, Callable[..., Any]],
        tree: TemplateTree | None = None,
        globals_: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        loader = jinja2.FunctionLoader(_loader(tree)) if tree is not None else None
        super().__init__(undefined=jinja2.StrictUndefined, loader=loader, **options)
        self.meter = Meter()
        self._line = 1
        self.known_filters, self.known_tests = frozenset(filters), frozenset(tests)
        self.filters = {
            name: operations.metered(function, self.meter) for name, function in filters.items()
        }
        self.filters |= _counting(self.meter)
        self.tests = {
            name: operations.metered(test, self.meter) if name in operations.COMPARING else test
            for name, test in tests.items()
        }
        self.globals = dict(globals_ or {})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping or a field of a value first: what nearly every template asks for."""
        kind = type(obj)
        if kind is dict and attribute in obj:
            return obj[attribute]
        if attribute in self.fields[kind]:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """A template knows what it is given and what every template has."""
        return dict(self.globals) if d is None else d

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        """An operator that can make a value larger than what goes in."""
        return operations.compute(self.meter, operator, left, right)

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A filter that another one names, such as `map`."""
        if name not in self.known_filters:
            raise NotAvailable(f"No filter named '{name}'")
        return super().call_filter(name, *args, **kwargs)

    def is_safe_callable(self, obj: Any) -> bool:
        """Macros, blocks, and the few methods and functions that are known to end."""
        return (
            isinstance(obj, Macro | BlockReference)
            or operations.is_known_method(obj)
            or any(obj is known for known in self.globals.values())
        )

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """A call in a template; the names are Jinja's, so that no keyword can be one of them."""
        if isinstance(__obj, jinja2.Undefined):
            # Its own error names what is missing.
            return __obj()
        if not __self.is_safe_callable(__obj):
            name = getattr(__obj, "__name__", type(__obj).__name__)
            raise NotAvailable(f"'{name}' is not available in templates")
        meter = __self.meter
        meter.weigh(args)
        meter.weigh(kwargs)
        meter.weigh(getattr(__obj, "__self__", None))
        meter.spend(shape.APART)
        meter.enter()
        try:
            result = __context.call(__obj, *args, **kwargs)
        finally:
            meter.leave()
        if isinstance(result, list):
            meter.spend(len(result))
        return result

    def concat(self, parts: Iterable[str]) -> str:
        """The text of a template, block or macro."""
        iterator = iter(parts)
        found = batch = self._batch(iterator)
        while len(batch) == _BATCH:
            batch = self._batch(iterator)
            found += batch
        return "".join(found)

    def batches(self, parts: Iterable[str]) -> Iterator[list[str]]:
        """What a template writes, in lists of parts, before they become one text."""
        iterator = iter(parts)
        while batch := self._batch(iterator):
            yield batch

    def _batch(self, iterator: Iterator[str]) -> list[str]:
        batch = list(itertools.islice(iterator, _BATCH))
        try:
            self.meter.written(sum(map(len, batch)))
        except LimitError as error:
            if isinstance(iterator, Generator):
                # The error comes from the line that the template is at.
                iterator.throw(error)
            raise
        return batch

    def refusals(self, tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
        """Code, message and line of everything that no template may use.

        Of a tree that is too deep nothing else is said: to look for it would go as deep.
        """
        try:
            shape.judge(tree)
        except shape.DepthError as error:
            yield error.code, str(error), error.line
        else:
            yield from self.unavailable(tree)

    def unavailable(self, tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
        """The same for filters, tests, loops and methods, in a tree that is not too deep."""
        for node in tree.find_all((nodes.Filter, nodes.Test)):
            kind = "filter" if isinstance(node, nodes.Filter) else "test"
            known = self.known_filters if isinstance(node, nodes.Filter) else self.known_tests
            if node.name not in known:
                yield "T225", f"No {kind} named '{node.name}'", node.lineno
        for loop in tree.find_all(nodes.For):
            if loop.recursive:
                yield "T237", "a loop that is recursive is not available", loop.lineno
        modules = {node.target for node in tree.find_all(nodes.Import)}
        for call in tree.find_all(nodes.Call):
            method = call.node
            if isinstance(method, nodes.Getattr) and method.attr in operations.REFUSED_METHODS:
                own = isinstance(method.node, nodes.Name) and method.node.name in modules
                if not own:
                    message = f"the method '{method.attr}' is not available"
                    yield "T237", message, method.lineno

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        if len(source) > MAX_BYTES:
            raise shape.DepthError(1, f"more than {MAX_BYTES:,} characters", "T219")
        stream = super()._tokenize(source, name, filename, state)
        return TokenStream(self._read(stream), name, filename)

    def _read(self, stream: TokenStream) -> Iterator[Token]:
        for token in shape.bracketed(stream):
            self._line = token.lineno
            yield token

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        self._line = 1
        with self._refusing(name, filename):
            return super()._parse(source, name, filename)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        with self._refusing(name, filename):
            for code, message, line in self.refusals(source):
                raise RefusedTemplate(code, message, line, name, filename)
            made = shape.instrumented(source, self)
            return super()._generate(made, name, filename, defer_init=defer_init)

    def _compile(self, source: str, filename: str) -> CodeType:
        with self._refusing(None, filename):
            return super()._compile(source, filename)

    @contextmanager
    def _refusing(self, name: str | None, filename: str | None) -> Iterator[None]:
        """Whatever Jinja and Python say of a source text becomes an error with its place."""
        try:
            yield
        except (jinja2.TemplateSyntaxError, GeneratorError):
            raise
        except shape.DepthError as error:
            raise RefusedTemplate(error.code, str(error), error.line, name, filename) from None
        except (RecursionError, MemoryError):
            message = "tags, brackets or operators are nested too deep"
            raise RefusedTemplate("T236", message, self._line, name, filename) from None
        except Exception as error:
            # Numbers of thousands of digits, names that Python refuses: a mistake in the template.
            raise RefusedTemplate("T202", str(error), self._line, name, filename) from None


def _counting(meter: Meter) -> dict[str, Callable[..., Any]]:
    """The filters that `shape.instrumented` writes.

    They take the context because a filter that does is never computed ahead, while compiling.
    """

    def weigh(_: Context, value: Any) -> Any:
        meter.weigh(value)
        return value

    def join(_: Context, parts: list[Any]) -> str:
        texts = [str(part) for part in parts]
        meter.size(sum(map(len, texts)))
        return "".join(texts)

    return {
        shape.COUNT: pass_context(lambda _, items, steps: meter.counted(items, steps)),
        shape.SPEND: pass_context(lambda _, steps: meter.spend(steps)),
        shape.WEIGH: pass_context(weigh),
        shape.JOIN: pass_context(join),
    }


def _loader(
    tree: TemplateTree,
) -> Callable[[str], tuple[str, str, Callable[[], bool]] | None]:
    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        path = tree.find(name)
        if path is None:
            return None
        return tree.text(path), tree.display(path), lambda: True

    return load
