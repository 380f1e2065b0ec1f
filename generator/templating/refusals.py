"""Why a template is refused, while it is loaded or rendered, and the code of the finding."""

from __future__ import annotations

import jinja2

from generator.templating.limits import LimitError
from generator.templating.templates import RefusedNameError

LIMITS = frozenset({"T219", "T234", "T235", "T236"})
"""Codes of what came to a limit: going on would take time, or come to the same."""


class RefusedTemplate(jinja2.TemplateSyntaxError):
    """A template that uses what no template may use; `code` is that of its finding."""

    def __init__(
        self, code: str, message: str, lineno: int, name: str | None, filename: str | None
    ) -> None:
        super().__init__(message, lineno, name, filename)
        self.code = code


class NotAvailable(jinja2.TemplateRuntimeError):
    """A call of something that templates do not have."""


class UnfilteredValue(jinja2.TemplateRuntimeError):
    """A value that did not pass one of the PowerShell filters."""


def code_of(error: Exception) -> str:
    """The code of the finding for an error in loading a template or in rendering it."""
    if isinstance(error, RefusedTemplate | LimitError):
        return error.code
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return "T220"


_CODES: tuple[tuple[type[Exception], str], ...] = (
    (jinja2.TemplateSyntaxError, "T202"),
    (jinja2.TemplateNotFound, "T201"),
    (jinja2.UndefinedError, "T226"),
    (NotAvailable, "T237"),
    (UnfilteredValue, "T221"),
    (RefusedNameError, "T217"),
    (RecursionError, "T236"),
    (MemoryError, "T235"),
)


def reason_of(error: Exception) -> str:
    """What a finding says of an error of a template."""
    if isinstance(error, RecursionError):
        return "templates include or call one another without end"
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no file templates/{error.name}"
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.message or "syntax error"
    return str(error) or type(error).__name__
