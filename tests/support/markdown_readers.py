"""What readers make of Markdown: real parsers, and the elements and texts of what they answer.

CommonMark is read by markdown-it-py, the dialect of GitHub (GFM) by cmark-gfm itself and by
markdown-it-py with what it knows of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt


@dataclass(frozen=True)
class Part:
    """A piece of a document: where an element begins or ends, or the text between two such."""

    element: str
    text: str = ""


class _Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Part] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = [f"{name}={value}" for name, value in attrs]
        self.found.append(Part(" ".join([tag, *told])))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(Part(f"/{tag}"))

    def handle_comment(self, data: str) -> None:
        self.found.append(Part(f"!{data}"))

    def handle_data(self, data: str) -> None:
        self.found.append(Part("", data))


def _gfm(text: str) -> str:
    html: str = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    return html


def _like_gfm() -> MarkdownIt:
    reader = MarkdownIt("gfm-like")
    # GFM links neither bare host names nor addresses without a scheme.
    assert reader.linkify
    reader.linkify.set({"fuzzy_link": False})
    reader.linkify.add("//", None)
    return reader


READERS: dict[str, Callable[[str], str]] = {
    "commonmark": MarkdownIt("commonmark").render,
    "gfm": _gfm,
    "gfm-like": _like_gfm().render,
}


def parts(reader: str, text: str, without: str = "") -> list[Part]:
    """Elements and texts of a document as a reader sees it, but for one kind of element.

    Blanks are left out of texts: at the borders of elements nobody counts them.
    """
    read = _Parts()
    read.feed(READERS[reader](text))
    read.close()
    found: list[Part] = []
    for part in read.found:
        if part.element:
            if part.element not in (without, f"/{without}"):
                found.append(part)
            continue
        plain = "".join(part.text.split())
        if plain and found and not found[-1].element:
            found[-1] = Part("", found[-1].text + plain)
        elif plain:
            found.append(Part("", plain))
    return found
