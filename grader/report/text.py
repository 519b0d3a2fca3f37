"""Make untrusted text safe to show on a page, and format numbers for readers."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from grader.facts.controls import visible
from grader.facts.language import TIMES, Language, language
from grader.schema.message import MessageLike

__all__ = [
    "DASH",
    "ENGLISH",
    "bdi",
    "clean",
    "count",
    "cut",
    "duration",
    "figure",
    "percent",
    "points",
    "prose",
    "rendered",
    "settled",
    "shape",
    "terminal",
    "unbroken",
    "value",
]

DASH = "\u2013"
"""Replacement for an unknown figure."""
ENGLISH: Final = language("en")
_MOST_PROSE = 1_200
_MOST_VALUE = 300
_FRACTION_KEYS = frozenset({"accuracy", "value", "low", "high", "at_least", "partial_from"})
"""Keys of measured values that are fractions of 1 and are shown in percent."""

_COMBINING = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_STACKED = re.compile(f"([{_COMBINING}]{{4}})[{_COMBINING}]+")

_UNITS = "%|s|min|h|B|KiB|MiB|GiB"
_BREAKABLE = re.compile(rf"(?<=\d) (?=(?:{_UNITS})(?!\w))|(?<=\d) (?={TIMES.strip()} )|(?<=\d{TIMES[:-1]}) ")
"""Spaces inside a figure: before a unit, and around a multiplication sign."""

_SGR = re.compile("\x1b\\[([0-9;]*)m")
_ESCAPE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-ln-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\^_])")
_BOLD, _FIRST_COLOUR, _LAST_COLOUR, _FIRST_BRIGHT, _LAST_BRIGHT, _DEFAULT_COLOUR = 1, 30, 37, 90, 97, 39


def clean(text: str) -> str:
    """Make text harmless to the layout around it; it still has to be escaped.

    Characters that control the terminal or the writing direction become visible (`⟦U+202E⟧`), so that a reader sees the
    real content. Lone surrogates become `U+FFFD`. More than four combining marks on a letter are dropped.

    Args:
        text: Any text.

    Returns:
        Text that can be encoded as UTF-8 and neither reorders nor overlaps its neighbors.
    """
    return visible(text if text.isascii() else _STACKED.sub(r"\1", text))


def cut(text: str, limit: int) -> str:
    """Cut text to at most `limit` characters; an ellipsis replaces the rest."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def bdi(text: object, limit: int = 200) -> Markup:
    """Escape a text, isolate its writing direction from the surrounding text, and cut it to `limit` characters."""
    return Markup(f"<bdi>{escape(clean(cut(str(text), limit)))}</bdi>")  # noqa: S704  it was escaped


def prose(text: str) -> Markup:
    """Escape a message, isolate it, and format the text between backticks as code.

    Args:
        text: A message of a check, which may contain names from the student's notebook; cut to 1,200 characters.

    Returns:
        Markup that contains no tags except `bdi` and `code`.
    """
    pieces = clean(cut(text, _MOST_PROSE)).split("`")
    if len(pieces) % 2 == 0:
        return bdi(text, _MOST_PROSE)
    inner = "".join(
        f"<code>{escape(piece)}</code>" if i % 2 else escape(unbroken(piece)) for i, piece in enumerate(pieces)
    )
    return Markup(f"<bdi>{inner}</bdi>")  # noqa: S704  every piece was escaped


def rendered(message: MessageLike, language: Language = ENGLISH) -> str:
    """Render a message in a language; a plain text stays as it is."""
    return message if isinstance(message, str) else language.text(message)


def unbroken(text: str) -> str:
    """Put a non-breaking space between a number and its unit, and around multiplication signs."""
    return _BREAKABLE.sub("\u00a0", text)


def points(number: float | None, language: Language = ENGLISH) -> str:
    """Format points: `10`, `7.5`, `3.33`; return a dash for an unknown number."""
    return DASH if number is None or not math.isfinite(number) else language.points(number)


def count(number: int | None, language: Language = ENGLISH) -> str:
    """Format an integer with its thousands separated; return a dash for None."""
    return DASH if number is None else language.whole(number)


def percent(fraction: float | None, language: Language = ENGLISH, places: int | None = None) -> str:
    """Format a fraction of 1 in percent; return a dash for an unknown number.

    Args:
        fraction: The fraction.
        language: The language of the page.
        places: The number of decimals; None for at most two.
    """
    return DASH if fraction is None or not math.isfinite(fraction) else language.percent(fraction, places)


def figure(number: float, language: Language = ENGLISH) -> str:
    """Format a measured number with at most four significant digits."""
    return language.word("infinite") if math.isinf(number) else language.number(number)


def duration(seconds: float | None, language: Language = ENGLISH) -> str:
    """Format seconds: `8.4 s`, `3 min 05 s`, `1 h 02 min`; return a dash for an unknown number."""
    return DASH if seconds is None or not math.isfinite(seconds) else language.seconds(seconds)


def shape(sizes: Sequence[int | None] | None, language: Language = ENGLISH) -> str:
    """Format a shape: `28 × 28 × 1`; return a dash for an unknown shape."""
    return DASH if sizes is None else language.shape(sizes)


def value(name: str, measurement: object, language: Language = ENGLISH) -> str:
    """Format one measured value.

    Args:
        name: Its key, which distinguishes shapes and fractions from other numbers.
        measurement: Any JSON value.
        language: The language of the page.

    Returns:
        Plain text of at most 300 characters.
    """
    match measurement:
        case None:
            return DASH
        case bool():
            return language.plain(measurement)
        case int() | float():
            return _number(name, measurement, language)
        case list() | tuple() | dict():
            text = _several(name, measurement, language) if measurement else language.word("none")
            return cut(text, _MOST_VALUE)
        case _:
            return cut(str(measurement), _MOST_VALUE)


def _number(name: str, number: float, language: Language) -> str:
    if isinstance(number, int):
        return count(number, language)
    is_fraction = name in _FRACTION_KEYS and 0 <= number <= 1
    return percent(number, language) if is_fraction else figure(number, language)


def _several(name: str, values: Sequence[object] | Mapping[str, object], language: Language) -> str:
    """Format a list or a mapping; use JSON for nested values."""
    if isinstance(values, Mapping):
        return "; ".join(f"{key}: {value(str(key), item, language)}" for key, item in values.items())
    items: list[Any] = list(values)
    if "shape" in name and all(size is None or type(size) is int for size in items):
        return shape(items, language)
    if all(item is None or isinstance(item, (str, int, float)) for item in items):
        return ", ".join(value(name, item, language) for item in items)
    return json.dumps(items, ensure_ascii=False, default=str)


def terminal(text: str) -> Markup:
    """Convert the colors of printed text to CSS classes.

    Color sequences become `span`s with the classes `ansi-0` to `ansi-7` and `ansi-bold`; all other escape sequences are
    dropped.

    Args:
        text: Printed text of a cell, processed by `settled`.

    Returns:
        Escaped markup that contains no tag except `span`.
    """
    pieces = _SGR.split(_ESCAPE.sub("", text))
    colour: int | None = None
    bold = False
    out: list[Markup] = []
    for index, piece in enumerate(pieces):
        if index % 2:
            colour, bold = _styled(piece, colour, bold=bold)
        elif piece:
            out.append(_span(clean(piece), colour, bold=bold))
    return Markup().join(out)


def settled(text: str) -> str:
    """Apply carriage returns and backspaces, so that a progress bar leaves only its last line.

    Args:
        text: Printed text of a cell.

    Returns:
        The text without these characters. A new text replaces the whole line, even a longer one.
    """
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(_settled_line(line) for line in text.split("\n"))


def _settled_line(line: str) -> str:
    if "\b" in line:
        letters: list[str] = []
        for letter in line:
            if letter != "\b":
                letters.append(letter)
            elif letters:
                letters.pop()
        line = "".join(letters)
    return next((written for written in reversed(line.split("\r")) if written), "")


def _styled(codes: str, colour: int | None, *, bold: bool) -> tuple[int | None, bool]:
    """Apply the codes of one color sequence to the current style."""
    numbers = [int(code) if code else 0 for code in codes.split(";")[:8] if len(code) < 4]  # noqa: PLR2004  3 digits
    if 38 in numbers or 48 in numbers:  # noqa: PLR2004  palettes of 256 colors and more are not supported
        return None, bold
    for number in numbers:
        if number == 0:
            colour, bold = None, False
        elif number == _BOLD:
            bold = True
        elif _FIRST_COLOUR <= number <= _LAST_COLOUR:
            colour = number - _FIRST_COLOUR
        elif _FIRST_BRIGHT <= number <= _LAST_BRIGHT:
            colour = number - _FIRST_BRIGHT
        elif number == _DEFAULT_COLOUR:
            colour = None
    return colour, bold


def _span(text: str, colour: int | None, *, bold: bool) -> Markup:
    classes = " ".join(
        part for part in (f"ansi-{colour}" if colour is not None else "", "ansi-bold" if bold else "") if part
    )
    return Markup('<span class="{}">{}</span>').format(classes, text) if classes else escape(text)
