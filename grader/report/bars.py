"""Draw bars: the points of one grade, the scores of a class, the verdicts on one criterion."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from grader.report.svg import element, picture
from grader.report.text import points
from grader.schema.grade import CriterionGrade

__all__ = ["histogram", "points_bar", "verdict_bar"]

_WIDTH = 1000.0
_GAP = 3.0


def points_bar(criteria: Sequence[CriterionGrade], max_score: float) -> Markup:
    """Draw the points of a grade as one piece per criterion, as wide as its points and filled by the earned part.

    Args:
        criteria: Criteria to show; bonus criteria and those without points have no piece.
        max_score: Points for full marks; a difference to the sum of the shown criteria remains an empty piece.

    Returns:
        An `svg` that stretches to the available width; an empty string without points.
    """
    scored = [criterion for criterion in criteria if criterion.max_points > 0 and not criterion.bonus]
    total = max(max_score, sum(criterion.max_points for criterion in scored))
    if total <= 0:
        return Markup()
    parts: list[Markup] = []
    x = 0.0
    for criterion in scored:
        width = _WIDTH * criterion.max_points / total
        inner = max(width - _GAP, 1.0)
        share = min(max(criterion.points / criterion.max_points, 0.0), 1.0)
        description = f"{criterion.title}: {points(criterion.points)} of {points(criterion.max_points)}"
        title = element("title", description)
        piece = element("rect", title, x=x, y=0, width=inner, height=20, class_=f"bar rest {criterion.status}")
        earned = element("rect", title, x=x, y=0, width=inner * share, height=20, class_="bar earned")
        parts += ([piece] if share < 1 else []) + ([earned] if share else [])
        x += width
    description = "; ".join(f"{c.title}: {points(c.points)} of {points(c.max_points)} points" for c in scored)
    return picture(
        "points-bar",
        "Points by criterion",
        f"{description}.",
        (_WIDTH, 20.0),
        *parts,
        class_="points-bar",
        preserveAspectRatio="none",
    )


def histogram(shares: Sequence[float]) -> Markup:
    """Draw a histogram of scores with ten bins.

    Args:
        shares: Scores as fractions of full marks, 0 to 1; values above 1 count in the last bin.

    Returns:
        An `svg`; an empty string without shares.
        An `svg`; an empty string without shares.
    """
    if not shares:
        return Markup()
    bins = [0] * 10
    for share in shares:
        bins[min(max(int(share * 10 + 1e-9), 0), 9)] += 1
    tallest, base, width = max(bins), 120.0, 40.0
    parts: list[Markup] = [element("line", x1=20, x2=420, y1=base, y2=base, class_="axis")]
    for index, number in enumerate(bins):
        height, left = 92.0 * number / tallest, 20 + width * index
        if number:
            column = element("rect", x=left + 3, y=base - height, width=width - 6, height=height, class_="column")
            label = element("text", str(number), x=left + width / 2, y=base - height - 5, text_anchor="middle")
            parts += [column, label]
    for tick in range(0, 101, 20):
        parts.append(element("text", f"{tick} %", x=20 + 4.0 * tick, y=base + 16, text_anchor="middle"))
    description = "; ".join(f"{i * 10} to {i * 10 + 10} %: {number}" for i, number in enumerate(bins) if number)
    return picture("scores", "Distribution of scores", f"{description}.", (440.0, 140.0), *parts, class_="plot")


def verdict_bar(key: str, counts: Mapping[str, int]) -> Markup:
    """Draw the verdicts on one criterion over a class.

    Args:
        key: Name that is unique on the page.
        counts: Verdict → number of submissions, in drawing order.

    Returns:
        An `svg` that stretches to the available width; an empty string without submissions.
    """
    total = sum(counts.values())
    if not total:
        return Markup()
    parts: list[Markup] = []
    x = 0.0
    for status, number in counts.items():
        width = _WIDTH * number / total
        if number:
            parts.append(element("rect", x=x, y=0, width=max(width - _GAP, 1.0), height=20, class_=f"bar {status}"))
        x += width
    description = "; ".join(f"{status}: {number}" for status, number in counts.items() if number)
    return picture(
        key, "Verdicts", f"{description}.", (_WIDTH, 20.0), *parts, class_="points-bar", preserveAspectRatio="none"
    )
