"""Recognize the ways in which a history is drawn: a part of it, smoothed, or on another scale."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from grader.checks.support.smoothing import smoothed

__all__ = ["drawn_as"]

Values = Sequence[float]

_FORMS: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "as it is": lambda value: value,
        "in percent": lambda value: 100 * value,
        "as error": lambda value: 1 - value,
        "as error in percent": lambda value: 100 * (1 - value),
    }
)
"""Ways to draw an accuracy."""
_LOGARITHMS: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "as it is": lambda value: value,
        "as logarithm": lambda value: math.log(value) if value > 0 else math.nan,
        "as logarithm to base 10": lambda value: math.log10(value) if value > 0 else math.nan,
    }
)
"""Ways to draw a loss or another metric."""
_FEWEST_OF_MANY = 3
"""Number of points if only every second, third … epoch is drawn."""
_MOST_DECIMALS = 4


def drawn_as(drawn: Values, recorded: Values, metric: str, tolerance: float, fewest: int) -> str | None:
    """Find out how a drawn line shows a history.

    Args:
        drawn: The values of the line.
        recorded: The history, one value per epoch.
        metric: The metric's canonical name.
        tolerance: Allowed difference of two equal values, absolute and relative.
        fewest: Smallest number of points of a curve.

    Returns:
        A short description; None if the line does not show the history.
    """
    if len(drawn) < fewest or not recorded:
        return None
    rounding = _rounding(drawn)
    for name, form in (_FORMS if metric == "accuracy" else _LOGARITHMS).items():
        scale = 100 if "percent" in name else 1
        values = [form(value) for value in recorded]
        if _shows(drawn, values, max(tolerance * scale, rounding), tolerance):
            return name
        if smoothed(_divided(drawn, scale), _divided(values, scale), max(tolerance, rounding / scale)):
            return f"{name}, smoothed"
    return None


def _divided(values: Values, scale: float) -> list[float]:
    return [value / scale for value in values]


def _shows(drawn: Values, values: Values, absolute: float, relative: float) -> bool:
    """Whether a line is a continuous half of a history or more, or all of it at equal distances.

    One more value is allowed, such as 0 for the time before the first epoch.
    """
    if len(drawn) == len(values) + 1 and len(values) > 1:
        return any(_equal(part, values, absolute, relative) for part in (drawn[1:], drawn[:-1]))
    if len(drawn) > len(values):
        return False
    if len(drawn) >= math.ceil(len(values) / 2):
        starts = range(len(values) - len(drawn) + 1)
        if any(_equal(drawn, values[start : start + len(drawn)], absolute, relative) for start in starts):
            return True
    return len(drawn) >= _FEWEST_OF_MANY and any(
        _equal(drawn, values[start::step], absolute, relative)
        for step in range(2, len(values) // _FEWEST_OF_MANY + 1)
        for start in range(step)
    )


def _equal(drawn: Values, values: Values, absolute: float, relative: float) -> bool:
    return len(drawn) == len(values) and all(
        _close(a, b, absolute, relative) for a, b in zip(drawn, values, strict=True)
    )


def _close(drawn: float, recorded: float, absolute: float, relative: float) -> bool:
    if math.isnan(drawn) or math.isnan(recorded):
        return math.isnan(drawn) and math.isnan(recorded)
    return math.isclose(drawn, recorded, abs_tol=absolute, rel_tol=relative)


def _rounding(drawn: Values) -> float:
    """Return the largest error of values that were rounded to two, three or four decimals; 0 for other values."""
    for decimals in range(2, _MOST_DECIMALS + 1):
        if all(math.isfinite(value) and abs(value - round(value, decimals)) < 10 ** -(decimals + 4) for value in drawn):
            return 0.51 / float(10**decimals)
    return 0.0
