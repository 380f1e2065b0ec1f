"""One self-contained JSON Schema of inventories, for the completion and help of an editor.

It is made of the schema files of the template tree. An editor reads YAML its own way, so it says
nothing about what lies beyond a schema: `runbook validate` stays the judge.
"""

from __future__ import annotations

import json
import posixpath
from typing import Any

from generator.findings import FindingsError
from generator.inventory import reader
from generator.schema import patterns, schema_files
from generator.schema.references import Schema
from generator.templating.templates import SPINE, TemplateTree

_DROPPED = {"$id", "$schema", "x-expects", "x-hints"}
_MAPS_OF_SCHEMAS = {"$defs", "dependentSchemas", "patternProperties", "properties"}
_DATA = {"const", "default", "enum", "examples", "required"}
_A_NUMBER = "12345"


def document(tree: TemplateTree) -> Schema:
    """The schema. Raises FindingsError for mistakes in the schema files."""
    tree.check()
    try:
        registry = schema_files.load_registry(tree)
    except FindingsError as error:
        raise FindingsError(tree.named(error.findings)) from None
    whole = reader.inventory_schema(tree, registry)
    registry[f"{SPINE}/schema.yml"] = whole
    parts = {name: _part(data, name) for name, data in registry.items()}
    top = parts.pop(f"{SPINE}/schema.yml")
    shared = {SPINE: {"$defs": top.pop("$defs", {})}}
    products = {posixpath.dirname(name): part for name, part in parts.items()}
    return {"$schema": schema_files.DIALECT, **top, "$defs": shared | products}


def text(tree: TemplateTree) -> str:
    """The same as a file: 7-bit ASCII, so that no code page changes it."""
    return json.dumps(document(tree), indent=2) + "\n"


def _part(node: Any, file: str) -> Any:
    """A schema with its references made local, and our own words as an editor knows them."""
    if isinstance(node, list):
        return [_part(item, file) for item in node]
    if not isinstance(node, dict):
        return node
    result: Schema = {}
    for key, value in node.items():
        if key == "$ref":
            result[key] = _reference(value, file)
        elif key in _MAPS_OF_SCHEMAS:
            result[key] = {name: _part(item, file) for name, item in value.items()}
        elif key in _DATA:
            result[key] = value
        elif key not in _DROPPED:
            result[key] = _part(value, file)
    if "pattern" in result and "x-expects" in node:
        # A word of the YAML and JSON language servers; validators pass over it.
        result["patternErrorMessage"] = f"wanted is {node['x-expects']}"
    if result.get("type") == "string" and _takes_numbers(result):
        result["type"] = ["string", "integer"]
    return result


def _reference(reference: str, file: str) -> str:
    """`../_runbook/schema.yml#/$defs/host_name` -> `#/$defs/_runbook/$defs/host_name`."""
    name, _, pointer = reference.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file), name)) if name else file
    return f"#/$defs/{posixpath.dirname(target)}{pointer}"


def _takes_numbers(part: Schema) -> bool:
    """Whether a whole number may be written without quotes: `runbook` reads it as its text."""
    if "enum" in part or "const" in part:
        return False
    return patterns.found(part.get("pattern", ""), _A_NUMBER)
