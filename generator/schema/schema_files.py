"""The schema files of the template tree, themselves judged before anything is judged by them."""

from __future__ import annotations

from collections.abc import Iterator

from generator.findings import Finding, FindingsError, show
from generator.schema import patterns, references
from generator.schema.messages import did_you_mean
from generator.schema.references import (
    LISTS,
    MAPPINGS,
    ONE,
    Path_,
    Registry,
    Schema,
    parts,
    resolve,
)
from generator.schema.yaml_source import Document, load_template
from generator.templating.templates import SPINE, TemplateTree

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The name of the one version of JSON Schema that is used; nothing is read from there."""

_PLAIN = {"$comment", "$ref", "$schema", "const", "default", "dependentRequired",
          "deprecated", "description", "enum", "examples", "exclusiveMaximum",
          "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength", "maxProperties",
          "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum",
          "multipleOf", "pattern", "required", "title", "type", "uniqueItems", "x-expects",
          "x-hints"}  # fmt: skip
_KEYWORDS = ONE | LISTS | MAPPINGS | _PLAIN


def load_registry(tree: TemplateTree) -> dict[str, Schema]:
    """The schema files of the spine and of every product that has one, themselves checked.

    Raises FindingsError with every misspelt keyword and every `$ref` that points at nothing.
    """
    names = [f"{SPINE}/schema.yml", *(f"{product}/schema.yml" for product in tree.products())]
    documents: dict[str, Document] = {}
    findings: list[Finding] = []
    for name in names:
        try:
            document = load_template(tree, name)
            if document is not None:
                documents[name] = document
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
        findings += _dialect(document, path, part)
        findings += _words(document, path, part)
    findings += (
        document.finding(code, path, message)
        for code, path, message in references.faults(document.data, name, registry)
    )
    findings += _not_a_schema(document)
    return findings


def _dialect(document: Document, path: Path_, part: Schema) -> Iterator[Finding]:
    """Another version of JSON Schema would give references and keywords another meaning."""
    if part.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        message = f"$schema {show(part['$schema'])} is another version of JSON Schema"
        yield document.finding("T124", (*path, "$schema"), message, f"write {DIALECT}")


def _words(document: Document, path: Path_, part: Schema) -> Iterator[Finding]:
    """Our own annotations, which no validator judges."""
    if not isinstance(part.get("x-expects", ""), str):
        yield document.finding("T124", (*path, "x-expects"), "x-expects is text")
    hints = part.get("x-hints", [])
    if not isinstance(hints, list):
        yield document.finding("T124", (*path, "x-hints"), "x-hints is a list")
        return
    for index, entry in enumerate(hints):
        words = entry if isinstance(entry, dict) else {}
        if not all(isinstance(words.get(key), str) for key in ("pattern", "hint")):
            message = "an entry of x-hints has the texts 'pattern' and 'hint'"
            yield document.finding("T124", (*path, "x-hints", index), message)
        else:
            place = (*path, "x-hints", index, "pattern")
            yield from _pattern(document, place, words["pattern"])


def _not_a_schema(document: Document) -> Iterator[Finding]:
    import jsonschema_rs  # noqa: PLC0415

    # Not jsonschema_rs.meta: that asks the network for a `$schema` that it does not know.
    judge = jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, offline=True)
    sound = True
    for error in judge.iter_errors(document.data):
        sound = False
        message = f"not a JSON Schema: {error.message}"
        yield document.finding("T124", tuple(error.instance_path), message)
    if not sound:
        return
    for path, part in parts(document.data):
        if "pattern" in part:
            yield from _pattern(document, (*path, "pattern"), part["pattern"])
        for pattern in part.get("patternProperties", ()):
            yield from _pattern(document, (*path, "patternProperties", pattern), pattern)


def _pattern(document: Document, path: Path_, pattern: str) -> Iterator[Finding]:
    fault = patterns.fault(pattern)
    if fault is not None:
        code, message, hint = fault
        yield document.finding(code, path, f"{show(pattern)} {message}", hint)


def _keywords(schema: Schema, at: Path_, document: Document) -> Iterator[Finding]:
    for path, part in parts(schema, at):
        for key in part:
            if key not in _KEYWORDS:
                meant = did_you_mean(key, _KEYWORDS)
                hint = f"did you mean '{meant}'?" if meant else ""
                if key == "$id":
                    hint = "leave it out; a $ref is relative to the file that it stands in"
                message = f"unknown keyword {show(key)}"
                yield document.finding("T122", (*path, key), message, hint, key=True)
        known = part.get("properties")
        required = part.get("required")
        if isinstance(known, dict) and isinstance(required, list):
            for index, key in enumerate(required):
                if isinstance(key, str) and key not in known:
                    message = f"required names {show(key)}, which is no property"
                    yield document.finding("T125", (*path, "required", index), message)
