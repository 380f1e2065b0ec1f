"""JSON Schema (2020-12) over YAML files: verdicts, defaults, and the schema files themselves.

`jsonschema-rs` judges, offline. Two annotations of our own make its verdicts readable:
`x-expects` says in words what a value is to be, `x-hints` is a list of `pattern` and `hint` for
wrong forms that people write. `$ref` names a schema file relative to the file it stands in.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from generator.findings import Finding, FindingsError, show
from generator.reading.schema_sentences import Sentences, did_you_mean
from generator.reading.yaml_source import Document, load
from generator.templating.templates import SPINE, TemplateTree

Schema: TypeAlias = dict[str, Any]
Registry: TypeAlias = Mapping[str, Schema]
"""Schema files by their name in the template tree (`_runbook/schema.yml`)."""

_BASE = "json-schema:///"

# Where a schema holds further schemas: one, a list, or a mapping of them.
_ONE = {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames",
        "then", "unevaluatedItems", "unevaluatedProperties"}  # fmt: skip
_LISTS = {"allOf", "anyOf", "oneOf", "prefixItems"}
_MAPPINGS = {"$defs", "dependentSchemas", "patternProperties", "properties"}
_PLAIN = {"$comment", "$id", "$ref", "$schema", "const", "default", "dependentRequired",
          "deprecated", "description", "enum", "examples", "exclusiveMaximum",
          "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength", "maxProperties",
          "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum",
          "multipleOf", "pattern", "required", "title", "type", "uniqueItems", "x-expects",
          "x-hints"}  # fmt: skip
_KEYWORDS = _ONE | _LISTS | _MAPPINGS | _PLAIN


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

    name, registry = _named(schema, registry)
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema,
            registry=jsonschema_rs.Registry([(_BASE + n, item) for n, item in registry.items()]),
            base_uri=_BASE + name,
            offline=True,
            validate_formats=True,
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as fault:
        reason = getattr(fault, "message", str(fault))
        message = f"the schema of this file is no JSON Schema: {reason}"
        hint = "`runbook lint` names its line"
        raise FindingsError([Finding("T124", message, document.display, hint=hint)]) from None
    data = complete(document.data, schema, registry)
    sentences = Sentences(document, codes)
    for error in validator.iter_errors(data):
        sentences.add(error, _faulted(error.evaluation_path, schema, name, registry))
        if sentences.full:
            break
    return [*document.findings, *sentences.findings()]


def complete(data: Any, schema: Schema, registry: Registry) -> Any:
    """A copy of the data as the schema understands it; what does not fit stays as it is.

    Where text may stand, a whole number becomes its text (`version: 2016` is '2016'), and keys
    that are missing get their `default`.
    """
    name, registry = _named(schema, registry)
    return _complete(data, schema, name, registry)


def resolve(reference: str, file: str, registry: Registry) -> tuple[Schema, str]:
    """What a `$ref` in `file` points at, and the file that holds it.

    Raises KeyError where it points at nothing.
    """
    name, _, pointer = reference.partition("#")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(file), name)) if name else file
    target: Any = registry[file]
    for part in pointer.split("/")[1:]:
        target = target[part.replace("~1", "/").replace("~0", "~")]
    if not isinstance(target, dict):
        raise KeyError(pointer)
    return target, file


def load_registry(tree: TemplateTree) -> dict[str, Schema]:
    """The schema files of the spine and of every product that has one, themselves checked.

    Raises FindingsError with every misspelt keyword and every `$ref` that points at nothing.
    """
    names = [f"{SPINE}/schema.yml", *(f"{product}/schema.yml" for product in tree.products())]
    documents: dict[str, Document] = {}
    findings: list[Finding] = []
    for name in names:
        path = tree.find(name)
        if path is None:
            continue
        try:
            documents[name] = load(path, tree.display(path))
        except FindingsError as error:
            findings += error.findings
    registry = {name: document.data for name, document in documents.items()}
    for name, document in documents.items():
        findings += document.findings
        findings += check_schema(document, name, registry)
    if findings:
        raise FindingsError(findings)
    return registry


def check_schema(document: Document, name: str, registry: Registry) -> list[Finding]:
    """Mistakes in a schema file: a validator passes over keywords that it does not know."""
    if not isinstance(document.data, dict):
        return [document.finding("T121", (), "a schema must be a mapping")]
    findings = list(_keywords(document.data, (), document))
    for path, part in parts(document.data):
        try:
            if "$ref" in part:
                resolve(str(part["$ref"]), name, registry)
        except (KeyError, TypeError):
            message = f"$ref {show(part['$ref'])} points at nothing"
            findings.append(document.finding("T123", (*path, "$ref"), message))
    findings += _not_a_schema(document)
    return findings


def _not_a_schema(document: Document) -> Iterator[Finding]:
    import jsonschema_rs  # noqa: PLC0415

    try:
        jsonschema_rs.meta.validate(document.data)
    except jsonschema_rs.ValidationError as error:
        message = f"not a JSON Schema: {error.message}"
        yield document.finding("T124", tuple(error.instance_path), message)
        return
    for path, part in parts(document.data):
        pattern = part.get("pattern", "")
        try:
            jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True)
        except jsonschema_rs.ValidationError:
            message = f"{show(pattern)} is not a regular expression"
            yield document.finding("T126", (*path, "pattern"), message)


def _keywords(schema: Schema, at: tuple[str | int, ...], document: Document) -> Iterator[Finding]:
    for path, part in parts(schema, at):
        for key in part:
            if key not in _KEYWORDS:
                meant = did_you_mean(key, _KEYWORDS)
                hint = f"did you mean '{meant}'?" if meant else ""
                message = f"unknown keyword {show(key)}"
                yield document.finding("T122", (*path, key), message, hint, key=True)
        known = part.get("properties")
        if isinstance(known, dict):
            for index, key in enumerate(part.get("required") or ()):
                if key not in known:
                    message = f"required names {show(key)}, which is no property"
                    yield document.finding("T125", (*path, "required", index), message)


def parts(
    schema: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Schema]]:
    """Every schema in a schema, itself included, with its path."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for key, value in schema.items():
        if key in _ONE:
            yield from parts(value, (*path, key))
        elif key in _LISTS and isinstance(value, list):
            for index, item in enumerate(value):
                yield from parts(item, (*path, key, index))
        elif key in _MAPPINGS and isinstance(value, dict):
            for name, item in value.items():
                yield from parts(item, (*path, key, name))


def _complete(data: Any, schema: Schema, file: str, registry: Registry) -> Any:
    schema, file = _target(schema, file, registry)
    if isinstance(data, dict):
        properties: Schema = schema.get("properties", {})
        other = schema.get("additionalProperties")
        result = {}
        for key, value in data.items():
            known = properties.get(key, other)
            if isinstance(known, dict):
                value = _complete(value, known, file, registry)  # noqa: PLW2901
            result[key] = value
        for key, known in properties.items():
            if key not in result and isinstance(known, dict):
                default = _default(known, file, registry)
                if default is not None:
                    result[key] = default
        return result
    if isinstance(data, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return list(data)
        return [_complete(value, items, file, registry) for value in data]
    if isinstance(data, int) and not isinstance(data, bool):
        kinds = schema.get("type", ())
        if kinds == "string" or "string" in kinds:
            return str(data)
    return data


def _default(schema: Schema, file: str, registry: Registry) -> Any:
    """A fresh copy of the default; a mapping gets the defaults of its own keys, too."""
    target, file = _target(schema, file, registry)
    default = schema.get("default", target.get("default"))
    return None if default is None else _complete(default, target, file, registry)


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
