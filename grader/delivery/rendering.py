"""Render a letter as HTML and as text, in the language of its reader."""

import re
import textwrap
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from babel.dates import format_date
from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from grader.delivery.letter import Letter
from grader.delivery.picture import WIDTH, curves_png, curves_say
from grader.facts.language import Language
from grader.report.templating import Templates, translate_templates
from grader.report.text import clean, cut, unbroken
from grader.schema.message import Message, MessageLike, say

__all__ = ["LARGEST_HTML", "TEXT_WIDTH", "Rendered", "render", "wrapped"]

LARGEST_HTML = 20_000
"""Limit of the HTML part in bytes; Gmail cuts off messages of more than 102 kB."""
TEXT_WIDTH = 78
_MOST_PROSE = 420
_MOST_CODE = 90
_SENTENCE = re.compile(r"[.!?](?= )")
_MARK = re.compile(r"- |\d+\. ")
"""The start of an item; its further lines are indented."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message to a reader, before it has an address."""

    subject: str
    text: str
    html: str
    picture: bytes | None
    """A PNG with the content id `CURVES`."""


def render(letter: Letter, language: Language, templates: Templates, *, picture: str) -> Rendered:
    """Render a letter.

    Args:
        letter: The contents.
        language: The language of the reader.
        templates: The shipped templates and the course's own.
        picture: Source of the picture in the HTML part, such as `cid:curves@example.org`.
    """
    drawn = curves_png(letter.curves, language) if letter.curves is not None else None
    view: dict[str, Any] = {
        "letter": letter,
        "picture": picture if drawn is not None else "",
        "picture_says": curves_say(letter.curves) if letter.curves is not None else Message(id=""),
        "picture_width": WIDTH,
        "until": "" if letter.object_until is None else format_date(letter.object_until, "long", language.locale),
    }
    engine = _engine(templates, language)
    html = engine.get_template("mail.html.j2").render(view)
    text = engine.get_template("mail.txt.j2").render(view)
    subject = language.text(say("{title}: your feedback", title=cut(" ".join(letter.title.split()), 120)))
    return Rendered(clean(subject), wrapped(text), _squeezed(html), drawn)


def wrapped(text: str) -> str:
    """Wrap paragraphs at 78 columns, keep the indentation, and leave web addresses whole.

    Args:
        text: Text whose lines are paragraphs; a line that starts with `- ` is an item.
    """
    lines: list[str] = []
    for line in text.splitlines():
        body = line.strip()
        if not body:
            if lines and lines[-1]:
                lines.append("")
            continue
        indent = line[: len(line) - len(line.lstrip())]
        mark = _MARK.match(body)
        hanging = indent + " " * (len(mark[0]) if mark else 0)
        lines += textwrap.wrap(
            unbroken(body),
            TEXT_WIDTH,
            initial_indent=indent,
            subsequent_indent=hanging,
            break_on_hyphens=False,
            break_long_words="://" not in body,
        )
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ").strip() + "\n"


@lru_cache(maxsize=8)
def _engine(templates: Templates, language: Language) -> Environment:
    engine = Environment(
        loader=templates.loader,
        autoescape=select_autoescape(("html.j2",), default_for_string=False),
        undefined=StrictUndefined,
        finalize=lambda value: _shown(value, language),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    translate_templates(engine, language)
    engine.filters |= {
        "points": language.points,
        "say": language.text,
        "plain": partial(_plain, language=language),
        "prose": partial(_prose, language=language),
        "code": lambda text: cut(clean(text), _MOST_CODE),
    }
    return engine


def _shown(value: Any, language: Language) -> Any:
    if isinstance(value, Message):
        value = language.text(value)
    return clean(value) if type(value) is str else value


def _plain(message: MessageLike, most: int = _MOST_PROSE, *, language: Language) -> str:
    text = language.text(message) if isinstance(message, Message) else message
    return _cut_at_sentence(clean(" ".join(text.split())), most)


def _cut_at_sentence(text: str, most: int) -> str:
    """Keep the sentences that fit; an ellipsis cuts a sentence only if no sentence fits."""
    if len(text) <= most:
        return text
    ends = [match.end() for match in _SENTENCE.finditer(text[:most])]
    return text[: ends[-1]] if ends and ends[-1] >= most // 3 else cut(text, most)


def _prose(message: MessageLike, most: int = _MOST_PROSE, *, language: Language) -> Markup:
    """Render a message for HTML, names in backticks as code."""
    parts = _plain(message, most, language=language).split("`")
    if len(parts) % 2 == 0:
        return Markup(escape("`".join(parts)))  # noqa: S704 - escaped in the same expression
    pieces = [
        escape(part)
        if index % 2 == 0
        else Markup('<code style="font-family:Consolas,Menlo,monospace">{}</code>').format(part)
        for index, part in enumerate(parts)
    ]
    return Markup("").join(pieces)


def _squeezed(html: str) -> str:
    """Drop the indentation of the templates."""
    return "\n".join(line for line in (line.strip() for line in html.splitlines()) if line) + "\n"
