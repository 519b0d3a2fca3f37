"""Recognize curves that were smoothed before they were drawn."""

import math
from collections.abc import Sequence

__all__ = ["smoothed"]

_FEWEST = 4
"""Two points determine the smoothing factor; the other points must confirm it."""


def smoothed(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    """Whether a drawn curve is a smoothed version of a recorded curve.

    Two methods are recognized. Exponential smoothing starts with the first value; each further point is `f` times the
    previous point plus `1 - f` times the recorded value. A moving average is the mean over a window of recorded values.

    Args:
        drawn: The values of the line; a moving average may start with not-a-number.
        recorded: The history, one value per epoch.
        tolerance: The largest difference of two equal values, absolute and relative to the recorded value.
    """
    numbers = [value for value in drawn if math.isfinite(value)]
    complete = all(map(math.isfinite, recorded))
    if len(numbers) < _FEWEST or len(numbers) > len(recorded) or not complete:
        return False
    return _is_exponential(numbers, recorded[-len(numbers) :], tolerance) or _is_mean(numbers, recorded, tolerance)


def _is_exponential(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    if not _close(drawn[0], recorded[0], tolerance):
        return False
    before, now, values = drawn[:-1], drawn[1:], recorded[1:]
    widest = max(range(len(now)), key=lambda place: abs(before[place] - values[place]))
    gap = before[widest] - values[widest]
    if abs(gap) <= tolerance:
        return False
    factor = (now[widest] - values[widest]) / gap
    if not 0 < factor < 1:
        return False
    expected = (factor * a + (1 - factor) * b for a, b in zip(before, values, strict=True))
    return all(_close(a, b, tolerance) for a, b in zip(now, expected, strict=True))


def _is_mean(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    window = len(recorded) - len(drawn) + 1
    if window < 2:  # noqa: PLR2004 - the mean of one value is the value
        return False
    means = (sum(recorded[start : start + window]) / window for start in range(len(drawn)))
    return all(_close(a, b, tolerance) for a, b in zip(drawn, means, strict=True))


def _close(a: float, b: float, tolerance: float) -> bool:
    return math.isclose(a, b, abs_tol=tolerance, rel_tol=tolerance)
