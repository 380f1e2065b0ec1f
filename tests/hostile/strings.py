"""Forty values that somebody could write to break out of a script, a comment or a tool."""

from __future__ import annotations

SINGLE_QUOTES = "\u2018\u2019\u201a\u201b"
DOUBLE_QUOTES = "\u201c\u201d\u201e"

HOSTILE = (
    # Out of a string: PowerShell takes curly quotes for straight ones.
    "'",
    '"',
    "'; calc.exe; '",
    "' + (calc.exe) + '",
    '"; calc.exe; "',
    "\u2019; calc.exe; \u2018",
    SINGLE_QUOTES,
    f"{DOUBLE_QUOTES}$(calc.exe){DOUBLE_QUOTES}",
    "'); calc.exe #",
    "'@\ncalc.exe\n@'",
    '@"\n$(calc.exe)\n"@',
    # Code inside a string.
    "$(calc.exe)",
    "${env:PATH}",
    "`",
    "`n`0`$",
    "-Confirm:$false",
    "& calc.exe | Out-Null",
    "@{ a = { calc.exe } }",
    "--% calc.exe",
    # Out of a line, and out of a comment.
    "a\0b",
    "a\ncalc.exe",
    "a\r\ncalc.exe",
    "a\u0085calc.exe\u2028calc.exe\u2029calc.exe",
    "a\vb\fc\td\x1b[2Je",
    "#> calc.exe <#",
    "#requires -Modules Evil",
    "SIG # Begin signature block",
    f"ContentHash = '{'0' * 64}'",
    # What a reader does not see.
    "\u202eexe.clac\u2066 \u2069",
    "\u200b\u200d\u2060\ufeff\u00ad",
    "\ud800 and \udfff",
    "\U0001f600\U000e0041",
    "\u0130\u0131\u017f\u212a",
    # For the tools on the way: templates, YAML, file names, Markdown, sheer size.
    "{{ 7 * 7 }}{% raw %}{# #}",
    "{{ host.__class__.__mro__ }}",
    "!!python/object:os.system &a *a",
    "..\\..\\..\\Windows\\System32\\calc.exe",
    "<script>alert(1)</script> [x](javascript:1) | a |",
    "x" * 10_000,
    "\u4e00'" * 5_000,
)
