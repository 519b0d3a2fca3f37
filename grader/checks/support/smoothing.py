"""Recognize curves that were smoothed before they were drawn."""

import math
from collections.abc import Sequence

__all__ = ["smoothed"]

_FEWEST = 3
"""One point determines the smoothing factor; the other points must confirm it."""
_FEWEST_MEANS = 2
"""The number of points alone determines the window of a moving average without shorter windows."""
_WIDEST = 50
"""Largest window of a moving average with as many points as the history."""


def smoothed(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    """Whether a drawn curve is a smoothed version of a recorded curve.

    Two methods are recognized. In exponential smoothing each point is `f` times the previous point plus `1 - f` times
    the recorded value; it starts with the first value or with 0, and the bias of that start may be corrected (as in
    pandas and TensorBoard). A moving average is the mean over a window of recorded values; at its ends the window may
    be shorter, or 0 may be added.

    Args:
        drawn: The values of the line; a moving average may start with not-a-number.
        recorded: The history, one value per epoch.
        tolerance: The largest difference of two equal values, absolute and relative to the recorded value.
    """
    numbers = [value for value in drawn if math.isfinite(value)]
    complete = all(map(math.isfinite, recorded))
    if len(numbers) < _FEWEST_MEANS or len(numbers) > len(recorded) or not complete:
        return False
    if len(numbers) < _FEWEST:
        return _is_mean(numbers, recorded, tolerance)
    last = recorded[-len(numbers) :]
    return (
        _is_exponential(numbers, last, tolerance)
        or _is_exponential_from_zero(numbers, last, tolerance)
        or _is_mean(numbers, recorded, tolerance)
        or (len(numbers) == len(recorded) and _is_mean_of_shorter_windows(numbers, recorded, tolerance))
    )


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


def _is_exponential_from_zero(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    """Whether exponential smoothing started with 0: its first points are too low, or divided by their weights."""
    if abs(recorded[0]) <= tolerance:
        return False
    if not _close(drawn[0], recorded[0], tolerance):
        return _follows(drawn, recorded, 1 - drawn[0] / recorded[0], tolerance, corrected=False)
    gap = recorded[0] - drawn[1]
    return abs(gap) > tolerance and _follows(drawn, recorded, (drawn[1] - recorded[1]) / gap, tolerance, corrected=True)


def _follows(
    drawn: Sequence[float], recorded: Sequence[float], factor: float, tolerance: float, *, corrected: bool
) -> bool:
    if not 0 < factor < 1:
        return False
    total, weight = 0.0, 0.0
    for seen, value in zip(drawn, recorded, strict=True):
        total, weight = factor * total + (1 - factor) * value, factor * weight + 1 - factor
        if not _close(seen, total / weight if corrected else total, tolerance):
            return False
    return True


def _is_mean_of_shorter_windows(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    """Whether a moving average has as many points as the history: windows at the ends are shorter, or filled with 0."""
    count = len(recorded)
    sums = [0.0]
    for value in recorded:
        sums.append(sums[-1] + value)

    def mean(place: int, window: int, before: int, *, filled: bool) -> float:
        low, high = max(0, place - before), min(count, place - before + window)
        return (sums[high] - sums[low]) / (window if filled else high - low)

    return any(
        all(_close(seen, mean(place, window, before, filled=filled), tolerance) for place, seen in enumerate(drawn))
        for window in range(2, min(count // 2 + 2, _WIDEST))
        for before in {window - 1, window // 2, (window - 1) // 2}
        for filled in (False, True)
    )


def _is_mean(drawn: Sequence[float], recorded: Sequence[float], tolerance: float) -> bool:
    window = len(recorded) - len(drawn) + 1
    if window < 2:  # noqa: PLR2004 - the mean of one value is the value
        return False
    means = (sum(recorded[start : start + window]) / window for start in range(len(drawn)))
    return all(_close(a, b, tolerance) for a, b in zip(drawn, means, strict=True))


def _close(a: float, b: float, tolerance: float) -> bool:
    return math.isclose(a, b, abs_tol=tolerance, rel_tol=tolerance)
