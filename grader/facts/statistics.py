"""Compute the confidence interval of a share, and the p-value of a difference."""

import math

__all__ = ["Z_95", "mcnemar_p_value", "wilson"]

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution: a two-sided interval of 95 %."""


def wilson(correct: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Compute the confidence interval of a share by Wilson's score method.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212. Unlike the usual `p ± z·sqrt(p(1-p)/n)` it stays inside 0 to 1
    and keeps its coverage near 1, as for good models.

    Args:
        correct: Successes, 0 to `total`.
        total: Trials; without any, the interval is 0 to 1.
        z: Standard normal quantile, above 0.

    Returns:
        Lower and upper end, from 0 to 1, with the share between them.

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
    """Compute the two-sided exact p-value of McNemar's test.

    Let n = b + c be the number of images that only one classifier has right. If both classifiers are equally good,
    min(b, c) follows a binomial distribution with n trials of probability 1/2, and
    p = min(1, 2 * sum over i <= min(b, c) of C(n, i) / 2**n). Only the last division is not in integers.
    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947) 153-157; the exact form as in A. Agresti, "Categorical Data Analysis", section on
    matched pairs.

    Args:
        b: Images that only the first classifier has right.
        c: Images that only the second classifier has right.

    Returns:
        0 to 1; 1 if they never disagree.

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
