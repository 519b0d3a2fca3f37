"""Sanitize a student's HTML and Markdown: no scripts, no loading, nothing that covers or imitates the page.

There are three passes. First nh3, which parses like a browser, reduces the input to a short list of tags in canonical
form. Then a rewriter converts headings, pictures, links and tables to the page's own forms. Finally nh3 checks the
result again, so that a mistake in the rewriter is harmless.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from grader.facts.language import Language
from grader.report.images import ImageBudget, Picture, verified_picture
from grader.report.text import ENGLISH, clean, cut
from grader.schema.message import Message, say

__all__ = ["MAX_HTML", "Pictures", "safe_html", "safe_markdown"]

MAX_HTML: Final = 400_000
"""Maximum length of HTML or Markdown; longer input is shown as plain text."""
_MOST_SPAN: Final = 30
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_PLAIN_TAGS: Final = frozenset({
    "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "hr", "i", "ins", "kbd",
    "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "u", "ul", "var",
})  # fmt: skip
_DROPPED_WHOLE: Final = frozenset({
    "applet", "audio", "base", "button", "canvas", "datalist", "dialog", "embed", "frame", "frameset", "head", "iframe",
    "link", "math", "meta", "noembed", "noframes", "noscript", "object", "option", "portal", "script", "select",
    "slot", "style", "svg", "template", "textarea", "title", "video",
})  # fmt: skip
_VOID: Final = frozenset({"br", "hr", "img"})
_EMPTY_HEADER: Final = re.compile(r"<th([^>]*)>\s*</th>")
_ALIGN: Final = re.compile(r"text-align:\s*(left|center|right)")
_DATA_IMAGE: Final = re.compile(r"data:image/(?:png|jpe?g);base64,", re.IGNORECASE)
_LINK: Final = re.compile(r"https?://", re.IGNORECASE)
_CELL_CLASSES: Final = {"md-left", "md-center", "md-right"}


@dataclass(slots=True)
class Pictures:
    """Sources of a cell's pictures: its attachments, and data URIs in its text."""

    budget: ImageBudget
    attachments: Mapping[str, str] = field(default_factory=dict)
    """Name → base64 of a PNG or JPEG."""
    cell: int | None = None
    """Index of the cell, for alternative texts and labels."""
    language: Language = ENGLISH

    def resolve(self, source: str) -> Picture | Message:
        """Return the picture at an address in the student's text, or a description of why it is not shown."""
        if source.lower().startswith("attachment:"):
            encoded = self.attachments.get(source[len("attachment:") :])
            if encoded is None:
                return say("the cell has no such attachment")
            return verified_picture(encoded, self.budget)
        match = _DATA_IMAGE.match(source)
        if match:
            return verified_picture(source[match.end() :], self.budget)
        if not source:
            return say("it has no address")
        return say("it is not part of the notebook, but at {address}", address=cut(source, 80))


def safe_html(html: str, pictures: Pictures) -> Markup:
    """Reduce a student's HTML to harmless markup.

    Args:
        html: Any text.
        pictures: Allowed sources of pictures.

    Returns:
        Markup without scripts, styles, forms, ids, or addresses other than http(s) links and verified pictures.
        All headings are of level 4. Input longer than `MAX_HTML` is returned as plain text.
    """
    if len(html) > MAX_HTML:
        return Markup("<pre>{}</pre>").format(cut(clean(html), 20_000))
    rewriter = _Rewriter(pictures)
    rewriter.feed(_reduced(clean(html)))
    rewriter.close()
    # A header cell without text names nothing, and a screen reader would announce it for each cell.
    html = _EMPTY_HEADER.sub(r"<td\1></td>", "".join(rewriter.out))
    return Markup(_checked(html))  # noqa: S704  the sanitizer's own output


def safe_markdown(source: str, pictures: Pictures) -> Markup:
    """Render a student's Markdown, including HTML in it, to harmless markup.

    Args:
        source: Markdown with tables and strikethrough.
        pictures: Allowed sources of pictures.

    Returns:
        Markup with the same guarantees as that of `safe_html`.
    """
    if len(source) > MAX_HTML:
        return Markup("<pre>{}</pre>").format(cut(clean(source), 20_000))
    return safe_html(_markdown().render(source), pictures)


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _reduced(html: str) -> str:
    """Pass 1: reduce to a short list of tags in canonical form; addresses are not checked yet."""
    return nh3.clean(
        html,
        tags={*_PLAIN_TAGS, *_HEADINGS, "a", "img"},
        clean_content_tags=set(_DROPPED_WHOLE),
        attributes={
            "a": {"href"},
            "img": {"src", "alt"},
            "td": {"colspan", "rowspan", "style"},
            "th": {"colspan", "rowspan", "style"},
        },
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "data", "attachment"},
        link_rel=None,
    )


def _checked(html: str) -> str:
    """Pass 3: keep only what the rewriter is supposed to produce."""
    return nh3.clean(
        html,
        tags={*_PLAIN_TAGS, "h4", "a", "img"},
        clean_content_tags=set(_DROPPED_WHOLE),
        attributes={
            "a": {"href"},
            "img": {"src", "alt"},
            "td": {"colspan", "rowspan"},
            "th": {"colspan", "rowspan"},
            "div": {"tabindex", "aria-label"},
        },
        tag_attribute_values={"div": {"role": {"region"}}},
        allowed_classes={
            "h4": {f"md-{name}" for name in _HEADINGS},
            "td": _CELL_CLASSES,
            "th": _CELL_CLASSES,
            "div": {"scroll"},
            "span": {"lost"},
        },
        attribute_filter=_address,
        url_schemes={"http", "https", "data"},
        link_rel="noopener noreferrer nofollow",
    )


def _address(tag: str, attribute: str, address: str) -> str | None:
    """Return an address if its tag may have an address of this kind, else None."""
    if attribute == "href":
        return address if _LINK.match(address) else None
    if attribute == "src":
        return address if tag == "img" and _DATA_IMAGE.match(address) else None
    return address


class _Rewriter(HTMLParser):
    """Pass 2: convert headings to one level, resolve pictures, keep only external links, make tables scroll."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__(convert_charrefs=True)
        self.pictures = pictures
        self.out: list[str] = []
        self.links: list[bool] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Write a start tag in the page's own form."""
        attributes = {name: text or "" for name, text in attrs}
        writer: Callable[[dict[str, str]], None] | None = {
            "img": self._image,
            "a": self._link,
            "table": self._table,
        }.get(tag)
        if writer:
            writer(attributes)
        elif tag in _HEADINGS:
            self._write("h4", {"class": f"md-{tag}"})
        elif tag in {"td", "th"}:
            self._write(tag, _cell_attributes(attributes))
        else:
            self._write(tag, {})

    def handle_endtag(self, tag: str) -> None:
        """Write the end tag that matches the rewritten start tag."""
        if tag in _VOID:
            return
        if tag in _HEADINGS:
            self.out.append("</h4>")
        elif tag == "a":
            self.out.append("</a>" if self.links and self.links.pop() else "</span>")
        else:
            self.out.append(f"</{tag}>" + ("</div>" if tag == "table" else ""))

    def handle_data(self, data: str) -> None:
        """Write text."""
        self.out.append(str(escape(data)))

    def _write(self, tag: str, attributes: Mapping[str, str]) -> None:
        rendered = "".join(f' {name}="{escape(text)}"' for name, text in attributes.items())
        self.out.append(f"<{tag}{rendered}>")

    def _table(self, _attributes: dict[str, str]) -> None:
        label = self._text(say("Table in {cell:cell}", cell=self.pictures.cell))
        self._write("div", {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": label})
        self._write("table", {})

    def _link(self, attributes: dict[str, str]) -> None:
        outside = bool(_LINK.match(attributes.get("href", "")))
        self.links.append(outside)
        self._write("a" if outside else "span", {"href": attributes["href"]} if outside else {})

    def _image(self, attributes: dict[str, str]) -> None:
        picture = self.pictures.resolve(attributes.get("src", ""))
        alt = attributes.get("alt", "").strip()
        if isinstance(picture, Picture):
            alt = alt or self._text(say("Picture in {cell:cell}", cell=self.pictures.cell))
            self._write("img", {"src": picture.uri, "alt": alt})
            return
        self._write("span", {"class": "lost"})
        if alt:
            self.handle_data(self._text(say("The picture “{text}” is not shown: {reason}.", text=alt, reason=picture)))
        else:
            self.handle_data(self._text(say("A picture is not shown: {reason}.", reason=picture)))
        self.out.append("</span>")

    def _text(self, message: Message) -> str:
        return self.pictures.language.text(message)


def _cell_attributes(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Keep small spans, and convert the alignment to a class."""
    result: dict[str, str] = {}
    for name in ("colspan", "rowspan"):
        text = str(attributes.get(name, ""))
        if text.isascii() and text.isdigit() and len(text) < 4 and 1 < int(text) <= _MOST_SPAN:  # noqa: PLR2004  digits
            result[name] = text
    match = _ALIGN.search(str(attributes.get("style", "")))
    if match:
        result["class"] = f"md-{match[1]}"
    return result
