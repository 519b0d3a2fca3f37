"""Sums of points, rounded as in a grade."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

__all__ = ["UNJUDGED", "fraction_of", "total_of"]

UNJUDGED: Final = frozenset({"pending", "skipped"})
"""Statuses of criteria whose points nobody has decided; they are unknown, not 0."""
_CENT = Decimal("0.01")


def total_of(points: Iterable[float]) -> float:
    """Add points, and round the sum to two decimals."""
    return float(sum((Decimal(str(p)) for p in points), Decimal(0)).quantize(_CENT, ROUND_HALF_UP))


def fraction_of(points: float, fraction: float) -> float:
    """Take a fraction of points, and round it to two decimals."""
    return float((Decimal(str(points)) * Decimal(str(fraction))).quantize(_CENT, ROUND_HALF_UP))
