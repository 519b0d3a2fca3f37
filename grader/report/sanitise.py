"""A student's HTML and Markdown brought down to what can neither run, load, cover nor forge anything.

Three passes: nh3 (a browser's own parser) reduces whatever came to a short list of tags in canonical form; a rewriter
turns headings, pictures, links and tables into the page's own forms; nh3 passes the result once more, so that the last
word is the sanitiser's and not the rewriter's.
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

from grader.report.images import ImageBudget, Picture, verified_picture
from grader.report.text import clean, cut

__all__ = ["MAX_HTML", "Pictures", "safe_html", "safe_markdown"]

MAX_HTML: Final = 400_000
"""Longer HTML or Markdown is shown as text."""
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
_ALIGN: Final = re.compile(r"text-align:\s*(left|center|right)")
_DATA_IMAGE: Final = re.compile(r"data:image/(?:png|jpe?g);base64,", re.IGNORECASE)
_LINK: Final = re.compile(r"https?://", re.IGNORECASE)
_CELL_CLASSES: Final = {"md-left", "md-center", "md-right"}


@dataclass(slots=True)
class Pictures:
    """Where a cell's pictures may come from: its attachments, and data URIs in its text."""

    budget: ImageBudget
    attachments: Mapping[str, str] = field(default_factory=dict)
    """Name → base64 of a PNG or JPEG."""
    place: str = "this cell"
    """Names the cell in alternative texts and labels."""

    def resolve(self, source: str) -> Picture | str:
        """Find a picture by the address a student's text gives; or say why it is not shown."""
        if source.lower().startswith("attachment:"):
            encoded = self.attachments.get(source[len("attachment:") :])
            return "the cell has no such attachment" if encoded is None else verified_picture(encoded, self.budget)
        match = _DATA_IMAGE.match(source)
        if match:
            return verified_picture(source[match.end() :], self.budget)
        return f"it lies outside the notebook, at {cut(source, 80)}" if source else "it has no address"


def safe_html(html: str, pictures: Pictures) -> Markup:
    """Reduce a student's HTML to harmless markup.

    Args:
        html: Anything.
        pictures: What its pictures may be.

    Returns:
        Markup without scripts, styles, forms, ids, or addresses other than http(s) links and verified pictures.
        Headings are all of level 4. Longer input than `MAX_HTML` comes back as text.
    """
    if len(html) > MAX_HTML:
        return Markup("<pre>{}</pre>").format(cut(clean(html), 20_000))
    rewriter = _Rewriter(pictures)
    rewriter.feed(_reduced(clean(html)))
    rewriter.close()
    return Markup(_checked("".join(rewriter.out)))  # noqa: S704  the sanitiser's own output


def safe_markdown(source: str, pictures: Pictures) -> Markup:
    """Render a student's Markdown, the HTML in it included, to harmless markup.

    Args:
        source: Markdown with tables and strikethrough.
        pictures: What its pictures may be.

    Returns:
        As `safe_html`.
    """
    if len(source) > MAX_HTML:
        return Markup("<pre>{}</pre>").format(cut(clean(source), 20_000))
    return safe_html(_markdown().render(source), pictures)


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _reduced(html: str) -> str:
    """Pass 1: a short list of tags in canonical form, addresses still unjudged."""
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
    """Pass 3: only what the rewriter is meant to write."""
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


def _address(tag: str, attribute: str, given: str) -> str | None:
    """Keep an address only where it is of the kind its tag may have."""
    if attribute == "href":
        return given if _LINK.match(given) else None
    if attribute == "src":
        return given if tag == "img" and _DATA_IMAGE.match(given) else None
    return given


class _Rewriter(HTMLParser):
    """Pass 2: headings to one level, pictures resolved, links outside only, tables in a box that scrolls."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__(convert_charrefs=True)
        self.pictures = pictures
        self.out: list[str] = []
        self.links: list[bool] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Write a start tag in the page's own form."""
        given = {name: text or "" for name, text in attrs}
        writer: Callable[[dict[str, str]], None] | None = {
            "img": self._image,
            "a": self._link,
            "table": self._table,
        }.get(tag)
        if writer:
            writer(given)
        elif tag in _HEADINGS:
            self._write("h4", {"class": f"md-{tag}"})
        elif tag in {"td", "th"}:
            self._write(tag, _cell_attributes(given))
        else:
            self._write(tag, {})

    def handle_endtag(self, tag: str) -> None:
        """Write the end tag that belongs to what its start tag became."""
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
        given = "".join(f' {name}="{escape(text)}"' for name, text in attributes.items())
        self.out.append(f"<{tag}{given}>")

    def _table(self, _given: dict[str, str]) -> None:
        self._write(
            "div",
            {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": f"Table of {self.pictures.place}"},
        )
        self._write("table", {})

    def _link(self, given: dict[str, str]) -> None:
        outside = bool(_LINK.match(given.get("href", "")))
        self.links.append(outside)
        self._write("a" if outside else "span", {"href": given["href"]} if outside else {})

    def _image(self, given: dict[str, str]) -> None:
        found = self.pictures.resolve(given.get("src", ""))
        alt = given.get("alt", "").strip()
        if isinstance(found, Picture):
            self._write("img", {"src": found.uri, "alt": alt or f"Picture in {self.pictures.place}"})
            return
        self._write("span", {"class": "lost"})
        self.handle_data(f"Picture not shown{f' (“{alt}”)' if alt else ''}: {found}.")
        self.out.append("</span>")


def _cell_attributes(given: Mapping[str, Any]) -> dict[str, str]:
    """Keep small spans, and the alignment as a class."""
    kept: dict[str, str] = {}
    for name in ("colspan", "rowspan"):
        text = str(given.get(name, ""))
        if text.isascii() and text.isdigit() and len(text) < 4 and 1 < int(text) <= _MOST_SPAN:  # noqa: PLR2004  digits
            kept[name] = text
    match = _ALIGN.search(str(given.get("style", "")))
    if match:
        kept["class"] = f"md-{match[1]}"
    return kept
