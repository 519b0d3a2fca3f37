"""Curves that were smoothed before they were drawn."""

import math
from collections.abc import Sequence

__all__ = ["smoothed"]

_FEWEST = 4
"""Two of the points fix the smoothing; the others have to bear it out."""


def smoothed(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    """Whether a drawn curve is a recorded one, smoothed.

    Two ways are known: exponential smoothing, where each point is `f` times the point before and `1 - f` times the
    recorded value, for one `f` and beginning with the first value; and the mean over a window of recorded values.

    Args:
        drawn: What the line shows; a moving average may begin with not-a-number.
        recorded: The history, one value an epoch.
        tolerance: How far values may lie apart, absolutely and relative to the recorded one.
    """
    numbers = [value for value in drawn if math.isfinite(value)]
    known = all(map(math.isfinite, recorded))
    if len(numbers) < _FEWEST or len(numbers) > len(recorded) or not known:
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
