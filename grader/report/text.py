"""Make untrusted text safe to show on a page, and format numbers for readers."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from grader.facts.wording import spoken_shape

__all__ = [
    "DASH",
    "bdi",
    "clean",
    "count",
    "cut",
    "duration",
    "figure",
    "percent",
    "points",
    "prose",
    "settled",
    "shape",
    "terminal",
    "value",
]

DASH = "\u2013"
"""Replacement for an unknown figure."""
_NARROW = "\u202f"
_MOST_PROSE = 1_200
_MOST_VALUE = 300
_FRACTION_KEYS = frozenset({"accuracy", "value", "low", "high", "at_least", "partial_from"})
"""Keys of measured values that are fractions of 1 and are shown in percent."""

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069]")
"""Control characters and characters that reorder the text around them (the "Trojan Source" family)."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_COMBINING = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_STACKED = re.compile(f"([{_COMBINING}]{{4}})[{_COMBINING}]+")

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
    if not text.isascii():
        text = _STACKED.sub(r"\1", _SURROGATE.sub("\ufffd", text))
    elif text.isprintable():
        return text
    return _STEERING.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text)


def cut(text: str, limit: int) -> str:
    """Cut text to at most `limit` characters; an ellipsis replaces the rest."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def bdi(text: object, limit: int = 200) -> Markup:
    """Escape a name, isolate its writing direction from the surrounding text, and cut it to `limit` characters."""
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
    inner = "".join(f"<code>{escape(piece)}</code>" if i % 2 else escape(piece) for i, piece in enumerate(pieces))
    return Markup(f"<bdi>{inner}</bdi>")  # noqa: S704  every piece was escaped


def points(number: float) -> str:
    """Format points without unnecessary decimals: `10`, `7.5`, `3.33`."""
    return f"{number:.2f}".rstrip("0").rstrip(".") if math.isfinite(number) else DASH


def count(number: int | None) -> str:
    """Format an integer with narrow spaces between thousands; return a dash for None."""
    return DASH if number is None else f"{number:,}".replace(",", _NARROW)


def percent(fraction: float | None) -> str:
    """Format a fraction as percent with two decimals; return a dash for None."""
    return DASH if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:.2f}{_NARROW}%"


def figure(number: float) -> str:
    """Format a measured number with at most five significant digits."""
    if not math.isfinite(number):
        return "not a number" if math.isnan(number) else "infinite"
    if number == int(number) and abs(number) < 1e15:  # noqa: PLR2004  larger floats do not represent every integer
        return count(int(number))
    return f"{number:.5g}"


def duration(seconds: float | None) -> str:
    """Format seconds in usual units: `8.4 s`, `3 min 05 s`, `1 h 02 min`."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    if seconds < 60:  # noqa: PLR2004  seconds of a minute
        return f"{seconds:.1f}{_NARROW}s"
    minutes, remaining_seconds = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004  minutes of an hour
        return f"{minutes}{_NARROW}min {remaining_seconds:02d}{_NARROW}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{_NARROW}h {minutes:02d}{_NARROW}min"


def shape(sizes: Sequence[int | None] | None) -> str:
    """Format a shape as 28 × 28 × 1; an unknown size is `?`, an unknown shape a dash."""
    return spoken_shape(sizes, unknown=DASH, open_axis="?", axis=count)


def value(name: str, given: object) -> str:
    """Format one measured value.

    Args:
        name: Its key, which distinguishes shapes and fractions from other numbers.
        given: Any JSON value.

    Returns:
        Plain text of at most 300 characters.
    """
    match given:
        case None:
            return DASH
        case bool():
            return "yes" if given else "no"
        case int() | float():
            return _number(name, given)
        case str():
            return cut(given, _MOST_VALUE)
        case list() | tuple() | dict():
            return cut(_several(name, given), _MOST_VALUE) if given else "none"
        case _:
            return cut(str(given), _MOST_VALUE)


def _number(name: str, number: float) -> str:
    if isinstance(number, int):
        return count(number)
    return percent(number) if name in _FRACTION_KEYS and 0 <= number <= 1 else figure(number)


def _several(name: str, given: Sequence[object] | Mapping[str, object]) -> str:
    """Format a list or a mapping; use JSON for nested values."""
    if isinstance(given, Mapping):
        return "; ".join(f"{key}: {value(str(key), item)}" for key, item in given.items())
    items: list[Any] = list(given)
    if "shape" in name and all(size is None or type(size) is int for size in items):
        return shape(items)
    if all(item is None or isinstance(item, (str, int, float)) for item in items):
        return ", ".join(value(name, item) for item in items)
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
