"""Errors of templates as findings, each at the line of the template that it comes from."""

from __future__ import annotations

import traceback

import jinja2

from generator.errors import GeneratorError
from generator.findings import Finding, FindingsError
from generator.templating import refusals
from generator.templating.templates import TemplateTree


def loading(error: Exception, name: str) -> list[Finding]:
    """The findings for a template that cannot be loaded; `name` is how it was asked for."""
    if isinstance(error, FindingsError):
        return list(error.findings)
    line, file = 1, f"templates/{name}"
    if isinstance(error, jinja2.TemplateSyntaxError):
        line = error.lineno
        file = error.filename or file
    return [Finding(refusals.code_of(error), refusals.reason_of(error), file, line, 1)]


def rendering(error: Exception, template: jinja2.Template, tree: TemplateTree) -> list[Finding]:
    """The findings for an error while a template was rendered, at the template's line.

    That is the last line of a template that was running; where templates call one another
    without end, the first one.
    """
    if isinstance(error, FindingsError | jinja2.TemplateSyntaxError):
        # Of a template that this one includes.
        return loading(error, template.name or "")
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith("templates/")
    ]
    file, line = template.filename or "templates", 1
    if frames:
        frame = frames[0 if isinstance(error, RecursionError) else -1]
        file, line = frame.filename, frame.lineno or 1
    code, message = refusals.code_of(error), refusals.reason_of(error)
    source = _source(tree, file, line)
    return [Finding(code, message, file, line, 1, getattr(error, "hint", ""), source)]


def _source(tree: TemplateTree, file: str, line: int) -> str:
    try:
        path = tree.find(file.removeprefix("templates/"))
        lines = tree.text(path).splitlines() if path is not None else []
    except GeneratorError:
        # It has become another one meanwhile; the finding itself says enough.
        return ""
    return lines[line - 1] if line <= len(lines) else ""
