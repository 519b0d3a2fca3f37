"""Thresholds that leave room for other right solutions, and points in whole numbers."""

import math
from collections.abc import Sequence

__all__ = ["accuracy_thresholds", "apportion", "below", "round_up"]

_ROOM = 0.1
"""Part of the distance to guessing by which another solution may be worse."""
_MORE_ERRORS = 0.3
"""Part by which another solution may have more errors."""
_INTERVAL = 1.5
"""Factor of the distance to the lower end of the 95 % interval by which another solution may be worse."""
_CENTS = (100, 50, 25, 10, 5, 1)
"""Steps of points, in hundredths; the first that leaves every criterion at least one step is taken."""
_NEARLY_RIGHT = 0.98
"""Accuracy from which a threshold has three digits."""


def accuracy_thresholds(value: float, low: float, guessing: float) -> tuple[float, float] | None:
    """Choose the accuracies for full marks and for no points.

    The first is below the verified accuracy and its 95 % interval; the second is at least half-way from guessing to it.

    Args:
        value: The verified accuracy.
        low: The lower end of its interval.
        guessing: The accuracy of a model that knows nothing.

    Returns:
        `at_least` and `partial_from`; None if the model is not clearly better than guessing.
    """
    room = max(min(_MORE_ERRORS * (1 - value), _ROOM * (value - guessing)), _INTERVAL * (value - low))
    digits = 3 if value >= _NEARLY_RIGHT else 2
    full = _floor(value - room, digits)
    none = _floor(max(1 - 3 * (1 - full), (guessing + full) / 2), 2)
    return (full, none) if guessing < none < full and low > guessing else None


def _floor(value: float, digits: int) -> float:
    # A little is added so that 0.97 remains 0.97.
    steps: int = 10**digits
    return math.floor(value * steps + 1e-9) / steps


def below(count: int, part: float = 0.5) -> int:
    """Take a part of a count, rounded down to one significant digit; at least 1."""
    wanted = int(count * part)
    if wanted < 1:
        return 1
    step: int = 10 ** (len(str(wanted)) - 1)
    return wanted // step * step


def round_up(value: float, step: int) -> int:
    """Round a number up to a multiple of a step; at least one step."""
    return max(math.ceil(value / step), 1) * step


def apportion(weights: Sequence[int], points: float) -> tuple[float, ...]:
    """Divide points by weights into round numbers whose sum is exactly the total.

    Args:
        weights: Positive weights.
        points: The total, at most two digits after the point.

    Returns:
        The points of each weight; the largest remainders are rounded up.
    """
    total = round(points * 100)
    if not weights:
        return ()
    step = next((cents for cents in _CENTS if total >= cents * len(weights)), 1)
    steps, rest = divmod(total, step)
    shares = [weight * steps / sum(weights) for weight in weights]
    counts = [max(int(share), min(1, steps // len(weights))) for share in shares]
    _settle(counts, shares, steps)
    cents = [count * step for count in counts]
    cents[max(range(len(cents)), key=lambda place: (cents[place], weights[place]))] += rest
    return tuple(one / 100 for one in cents)


def _settle(counts: list[int], shares: Sequence[float], steps: int) -> None:
    """Add or remove single steps where they change the proportions least, until the sum is right."""
    while (missing := steps - sum(counts)) != 0:
        change = 1 if missing > 0 else -1
        places = [place for place, count in enumerate(counts) if count + change >= min(1, steps // len(counts))]
        counts[max(places, key=lambda place: change * (shares[place] - counts[place]))] += change
