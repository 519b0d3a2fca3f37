"""Plot accuracies with their 95 % intervals, one per line on a common scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from grader.facts.language import Language
from grader.report.svg import Scale, element, nice_ticks, picture
from grader.report.text import ENGLISH, percent
from grader.schema.message import Message, say

__all__ = ["Interval", "interval_plot"]

_WIDTH = 400.0
_LEFT, _RIGHT, _ROW, _TOP = 84.0, 18.0, 32.0, 10.0
_NARROWEST = 0.002
"""Minimum width of the scale as a fraction of 1, so that rounding does not look like a difference."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One line of the plot."""

    label: Message
    who: str
    """`student`, `reference`, or `other` for another attempt of the student; selects color and mark."""
    value: float
    low: float
    high: float


def interval_plot(rows: Sequence[Interval], key: str = "intervals", language: Language = ENGLISH) -> Markup:
    """Draw each accuracy as a mark on its interval.

    Args:
        rows: Accuracies between 0 and 1 with `low <= value <= high`.
        key: Name that makes the plot's ids unique on the page.
        language: The language of the texts.

    Returns:
        An `svg`; an empty string without rows.
    """
    if not rows:
        return Markup()
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    room = max((high - low) * 0.1, _NARROWEST / 2)
    across = Scale(max(0.0, low - room), min(1.0, high + room), _LEFT, _WIDTH - _RIGHT)
    base = _TOP + _ROW * len(rows)
    parts: list[Markup] = []
    ticks = nice_ticks(across.low, across.high, 4)
    digits = 0 if len(ticks) > 1 and ticks[1] - ticks[0] >= 0.01 else 1 if ticks[-1] - ticks[0] >= 0.003 else 2  # noqa: PLR2004  steps of a per cent, of a tenth
    for tick in ticks:
        x = across(tick)
        parts.append(element("line", x1=x, x2=x, y1=_TOP, y2=base, class_="grid"))
        parts.append(element("text", percent(tick, language, digits), x=x, y=base + 16, text_anchor="middle"))
    for index, row in enumerate(rows):
        parts.extend(_row(row, language.text(row.label), across, _TOP + _ROW * (index + 0.5)))
    title = language.text(say("Accuracy with 95 % intervals"))
    description = language.text(say("{rows:clauses}.", rows=[_described(row) for row in rows]))
    return picture(key, title, description, (_WIDTH, base + 22), *parts, class_="plot")


def _described(row: Interval) -> Message:
    return say(
        "{label}: {value:percent} ({low:percent} to {high:percent})",
        label=row.label,
        value=row.value,
        low=row.low,
        high=row.high,
    )


def _row(row: Interval, label: str, across: Scale, y: float) -> Sequence[Markup]:
    start, end, at = across(row.low), across(row.high), across(row.value)
    classes = f"interval {row.who}"
    mark = (
        element("rect", x=at - 4.5, y=y - 4.5, width=9, height=9, class_=f"{classes} mark")
        if row.who == "reference"
        else element("circle", cx=at, cy=y, r=5.5, class_=f"{classes} mark")
    )
    return (
        element("text", label, x=0, y=y + 4),
        element("line", x1=start, x2=end, y1=y, y2=y, class_=classes),
        element("line", x1=start, x2=start, y1=y - 6, y2=y + 6, class_=classes),
        element("line", x1=end, x2=end, y1=y - 6, y2=y + 6, class_=classes),
        mark,
    )
