"""How sure a measured share is."""

import math

__all__ = ["Z_95", "wilson"]

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution: a two-sided interval of 95 %."""


def wilson(correct: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Interval for a share, by Wilson's score method.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212. Unlike the usual `p ± z·sqrt(p(1-p)/n)` it stays inside 0 to 1
    and keeps its coverage near 1, where good networks are.

    Args:
        correct: Successes, 0 to `total`.
        total: Trials; 0 says nothing about the share, so the interval is everything.
        z: Standard normal quantile, above 0.

    Returns:
        Lower and upper end, 0 to 1, with the share itself between them.

    Raises:
        ValueError: Negative numbers, more successes than trials, or `z` not above 0.
    """
    if total < 0 or not 0 <= correct <= total or not z > 0:
        msg = f"{correct} of {total} with z = {z} is not a share"
        raise ValueError(msg)
    if total == 0:
        return 0.0, 1.0
    share, square = correct / total, z * z
    middle = (share + square / (2 * total)) / (1 + square / total)
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    # Rounding must not push an end past the share itself; at 0 and at `total` the ends are exact.
    return max(0.0, min(share, middle - spread)), min(1.0, max(share, middle + spread))
