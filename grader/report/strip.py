"""Draw the accuracies of a class as a strip of marks, with the rubric's threshold."""

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from grader.facts.language import Language
from grader.report.svg import Scale, element, picture
from grader.report.text import ENGLISH, percent
from grader.schema.message import Message, say, say_count

__all__ = ["accuracy_strip"]

_WIDTH, _BASE, _BOTTOM = 440.0, 120.0, 140.0
_LEFT, _RIGHT, _STEP = 26.0, 26.0, 5.0
_TALLEST = 88.0
_SMALLEST_ERROR: Final = 0.001
_HIGH_ACCURACY: Final = 0.9
_LINEAR_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_CURVED_TICKS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def accuracy_strip(values: Sequence[float], threshold: float | None, language: Language = ENGLISH) -> Markup:
    """Draw one mark for each accuracy, marks of similar accuracies above each other.

    If the best accuracy is at least 90 %, the axis shows the error on a logarithmic scale, since the differences that
    matter are then near 100 %.

    Args:
        values: Accuracies as fractions of 1.
        threshold: Accuracy for full marks; None draws no line.
        language: The language of the texts.

    Returns:
        An `svg`; an empty string without accuracies.
    """
    if not values:
        return Markup()
    curved = max(values) >= _HIGH_ACCURACY
    scale = _scale(values, threshold, curved=curved)

    def across(value: float) -> float:
        return scale(1 - value) if curved else scale(value)

    parts = [element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=_BASE, y2=_BASE, class_="axis")]
    parts += _ticks(scale, language, curved=curved)
    # One path for all marks: a mark is a line of no length with round ends.
    marks = " ".join(f"M{x:g} {y:.1f}h0" for x, y in _stacked([across(value) for value in values]))
    parts.append(element("path", d=marks, class_="strip-marks"))
    if threshold is not None:
        x = across(threshold)
        anchor = "end" if x > _WIDTH / 2 else "start"
        label = language.text(say("required: {threshold:percent}", threshold=threshold))
        parts.append(element("line", x1=x, x2=x, y1=14.0, y2=_BASE, class_="threshold"))
        parts.append(element("text", label, x=x - 5 if anchor == "end" else x + 5, y=12, text_anchor=anchor))
    title, description = language.text(say("Accuracies")), language.text(_description(values, threshold))
    return picture("strip", title, description, (_WIDTH, _BOTTOM), *parts, class_="plot")


def _scale(values: Sequence[float], threshold: float | None, *, curved: bool) -> Scale:
    if not curved:
        return Scale(0.0, 1.0, _LEFT, _WIDTH - _RIGHT)
    lowest = min([*values, *([] if threshold is None else [threshold])])
    # Begin at the tick left of the lowest accuracy, so that the marks use the width.
    largest_error = max(1 - max((tick for tick in _CURVED_TICKS if tick <= lowest), default=0.0), 10 * _SMALLEST_ERROR)
    return Scale(_SMALLEST_ERROR, largest_error, _WIDTH - _RIGHT, _LEFT, log=True)


def _ticks(scale: Scale, language: Language, *, curved: bool) -> list[Markup]:
    parts: list[Markup] = []
    end = -_STEP * 100
    for tick in _CURVED_TICKS if curved else _LINEAR_TICKS:
        if curved and 1 - tick > scale.high + 1e-9:
            continue
        x = scale(1 - tick) if curved else scale(tick)
        label = percent(tick, language)
        width = 6.4 * len(label)
        # Leave out a label that would touch the previous one; a tick without a label needs no line either.
        if x - width / 2 < end + 6:
            continue
        end = x + width / 2
        parts.append(element("line", x1=x, x2=x, y1=_BASE, y2=_BASE + 4, class_="axis"))
        parts.append(element("text", label, x=x, y=_BASE + 17, text_anchor="middle"))
    return parts


def _stacked(positions: Sequence[float]) -> list[tuple[float, float]]:
    """Put marks of the same column above each other; in high columns they overlap."""
    columns: dict[int, int] = {}
    for x in positions:
        column = round(x / _STEP)
        columns[column] = columns.get(column, 0) + 1
    step = min(6.0, _TALLEST / max(columns.values()))
    return [
        (column * _STEP, _BASE - 6 - step * place)
        for column, number in sorted(columns.items())
        for place in range(number)
    ]


def _description(values: Sequence[float], threshold: float | None) -> Message:
    figures: Mapping[str, float] = {"low": min(values), "high": max(values)}
    if threshold is None:
        return say_count(
            "One accuracy: {high:percent}.",
            "{count:number} accuracies from {low:percent} to {high:percent}.",
            len(values),
            **figures,
        )
    reached = sum(value >= threshold for value in values)
    return say_count(
        "One accuracy: {high:percent}; {threshold:percent} are required.",
        "{count:number} accuracies from {low:percent} to {high:percent}; "
        "{reached:number} of them reach the required {threshold:percent}.",
        len(values),
        threshold=threshold,
        reached=reached,
        **figures,
    )
