"""JSON Schema (2020-12) over YAML files: verdicts, defaults, and the schema files themselves.

`jsonschema-rs` judges, offline. Two annotations of our own make its verdicts readable:
`x-expects` says in words what a value is to be, `x-hints` is a list of `pattern` and `hint` for
wrong forms that people write. `$ref` names a schema file relative to the file it stands in.
"""

from __future__ import annotations

from typing import Any

from generator.errors import GeneratorError
from generator.findings import Finding, FindingsError
from generator.schema import patterns, references
from generator.schema.messages import Sentences
from generator.schema.references import Registry, Schema, resolve
from generator.schema.yaml_source import Document

_BASE = "json-schema:///"

MAX_VALUES = 3_000_000
"""Keys and values of a file with its defaults: three times what may be written."""


class TooManyValuesError(GeneratorError):
    """A file that is larger with its defaults than any file may be."""


def validate(
    document: Document, schema: Schema, registry: Registry, codes: str = "E1"
) -> list[Finding]:
    """All mistakes of a document against a schema, those found while reading included.

    `schema` is one of the registry or stands alone. Codes are `codes` and two digits: 01 unknown
    key, 02 missing key, 03 wrong type, 04 not one of the choices, 05 wrong form, 06 too few or
    too many, 07 repeated, 08 wrong size, 09 another rule. Raises FindingsError for a schema that
    is none.
    """
    import jsonschema_rs  # noqa: PLC0415  - 43 ms, and `--help` does without

    if not isinstance(schema, dict):
        _refuse([("T121", (), "a schema must be a mapping")], document)
    name, registry = _named(schema, registry)
    _refuse(references.faults(schema, name, registry), document)
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema,
            registry=jsonschema_rs.Registry([(_BASE + n, item) for n, item in registry.items()]),
            base_uri=_BASE + name,
            offline=True,
            validate_formats=True,
            pattern_options=patterns.options(),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as fault:
        _refuse([("T124", (), str(getattr(fault, "message", fault)))], document)
    try:
        data = complete(document.data, schema, registry)
    except TooManyValuesError as large:
        raise FindingsError([Finding("E013", str(large), document.display)]) from None
    sentences = Sentences(document, codes)
    for error in validator.iter_errors(data):
        sentences.add(error, _faulted(error.evaluation_path, schema, name, registry))
        if sentences.full:
            break
    return [*document.findings, *sentences.findings()]


def is_valid(text: str, schema: Schema) -> bool:
    """Whether a text is what a schema without references wants."""
    import jsonschema_rs  # noqa: PLC0415

    judge = jsonschema_rs.Draft202012Validator(
        schema, offline=True, pattern_options=patterns.options()
    )
    try:
        return bool(judge.is_valid(text))
    except UnicodeEncodeError:
        # A file name with bytes that are not UTF-8 is no text.
        return False


def _refuse(faults: list[tuple[str, references.Path_, str]], document: Document) -> None:
    """Raises FindingsError for a schema that no document can be judged by."""
    hint = "`runbook lint` names its line"
    if faults:
        raise FindingsError(
            Finding(code, f"the schema of this file cannot be used: {message}", document.display,
                    hint=hint)
            for code, _, message in faults
        )  # fmt: skip


def judged(document: Document, schema: Schema) -> Document:
    """A file of the templates with its data as its schema understands it.

    Raises FindingsError with all mistakes in it.
    """
    if findings := validate(document, schema, {}, "T1"):
        raise FindingsError(findings)
    return document.with_data(complete(document.data, schema, {}))


def complete(data: Any, schema: Schema, registry: Registry) -> Any:
    """A copy of the data as the schema understands it; what does not fit stays as it is.

    Where text may stand, a whole number becomes its text (`version: 2016` is '2016'), and keys
    that are missing get their `default`. Raises TooManyValuesError where that has no end.
    """
    name, registry = _named(schema, registry)
    return _Completion(registry).of(data, schema, name)


class _Completion:
    """Copies data with its defaults; values are counted, so that defaults end."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._left = MAX_VALUES

    def of(self, data: Any, schema: Schema, file: str) -> Any:
        schema, file = _target(schema, file, self._registry)
        if isinstance(data, dict):
            return self._mapping(data, schema, file)
        if isinstance(data, list):
            self._count(len(data))
            items = schema.get("items")
            if not isinstance(items, dict):
                return list(data)
            return [self.of(value, items, file) for value in data]
        if isinstance(data, int) and not isinstance(data, bool):
            kinds = schema.get("type", ())
            if kinds == "string" or "string" in kinds:
                return str(data)
        return data

    def _mapping(self, data: dict[str, Any], schema: Schema, file: str) -> dict[str, Any]:
        properties: Schema = schema.get("properties", {})
        other = schema.get("additionalProperties")
        result = {}
        for key, value in data.items():
            known = properties.get(key, other)
            if isinstance(known, dict):
                value = self.of(value, known, file)  # noqa: PLW2901
            result[key] = value
        for key, known in properties.items():
            if key not in result and isinstance(known, dict):
                default = self._default(known, file)
                if default is not None:
                    result[key] = default
        self._count(len(result))
        return result

    def _default(self, schema: Schema, file: str) -> Any:
        """A fresh copy of the default; a mapping gets the defaults of its own keys, too."""
        target, file = _target(schema, file, self._registry)
        default = schema.get("default", target.get("default"))
        return None if default is None else self.of(default, target, file)

    def _count(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            limit = f"{MAX_VALUES:,}"
            raise TooManyValuesError(f"with its defaults the file has more than {limit} values")


def _target(schema: Schema, file: str, registry: Registry) -> tuple[Schema, str]:
    """The schema behind a chain of `$ref`, and the file that it stands in."""
    while "$ref" in schema:
        schema, file = resolve(str(schema["$ref"]), file, registry)
    return schema, file


def _faulted(keywords: list[str | int], schema: Schema, file: str, registry: Registry) -> Schema:
    """The schema whose keyword an error is about, along the path that led there."""
    part: Any = schema
    for keyword in keywords[:-1]:
        if keyword == "$ref":
            part, file = resolve(part["$ref"], file, registry)
        else:
            part = part[keyword]
    return part if isinstance(part, dict) else {}


def _named(schema: Schema, registry: Registry) -> tuple[str, Registry]:
    """The name of a schema and a registry that holds it; one that stands alone gets a name."""
    for name, item in registry.items():
        if item is schema:
            return name, registry
    return "schema.yml", {**registry, "schema.yml": schema}
