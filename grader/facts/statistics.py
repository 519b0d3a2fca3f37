"""How sure a measured share is, and how likely a difference of two is by chance."""

import math

__all__ = ["Z_95", "mcnemar_p_value", "wilson"]

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


def mcnemar_p_value(b: int, c: int) -> float:
    """Two-sided exact p-value of McNemar's test.

    If both classifiers are equally good, each of the n = b + c images that only one of them has right is as likely to
    be the one's as the other's: min(b, c) follows a binomial distribution with n trials of probability 1/2, and
    p = min(1, 2 * sum over i <= min(b, c) of C(n, i) / 2**n). Computed in whole numbers up to the last division.
    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947) 153-157; the exact form as in A. Agresti, "Categorical Data Analysis", section on
    matched pairs.

    Args:
        b: Images that only the first classifier has right.
        c: Images that only the second classifier has right.

    Returns:
        0 to 1; 1 when they never disagree.

    Raises:
        ValueError: A count is negative.
    """
    if b < 0 or c < 0:
        message = "counts are not negative"
        raise ValueError(message)
    n, smaller = b + c, min(b, c)
    term = total = 1
    for i in range(1, smaller + 1):
        term = term * (n - i + 1) // i
        total += term
    return min(1.0, (2 * total) / (1 << n)) if 2 * total < 1 << n else 1.0
