"""Analyze the criteria of a class: verdicts, difficulty and discrimination of each one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import StatisticsError, correlation, fmean
from typing import Final

from grader.facts.points import UNJUDGED
from grader.report.bars import VERDICTS
from grader.report.classrow import ClassRow, CriterionCell

__all__ = ["FEWEST", "Item", "analyzed", "discrimination"]

FEWEST: Final = 20
"""Fewest judged submissions for a discrimination; with fewer, its standard error exceeds about 0.23."""


@dataclass(frozen=True, slots=True)
class Item:
    """Results of one criterion over the class."""

    id: str
    title: str
    max_points: float
    counts: Mapping[str, int]
    pass_rate: float | None
    """Part of the judged submissions that got full marks; None if none was judged."""
    mean_share: float | None
    """Mean part of the points of the judged submissions: the item's difficulty index."""
    discrimination: float | None
    """Corrected item-total correlation; None if it is undefined."""
    missed: tuple[ClassRow, ...]
    """The judged submissions without full marks, those without any points first."""


def analyzed(rows: Sequence[ClassRow]) -> tuple[Item, ...]:
    """Analyze each criterion, the hardest first; criteria that nobody was judged on come last.

    Args:
        rows: The class.
    """
    pairs: dict[str, list[tuple[ClassRow, CriterionCell]]] = {}
    for row in rows:
        for cell in row.criteria:
            pairs.setdefault(cell.id, []).append((row, cell))
    totals = {id(row): _points(row.criteria) for row in rows}
    items = [_item(several, totals) for several in pairs.values()]
    return tuple(sorted(items, key=lambda item: (item.mean_share is None, item.mean_share or 0.0)))


def _points(cells: Sequence[CriterionCell]) -> float:
    return sum(cell.points for cell in cells if cell.status not in UNJUDGED)


def _item(pairs: Sequence[tuple[ClassRow, CriterionCell]], totals: Mapping[int, float]) -> Item:
    cell = pairs[0][1]
    counted = Counter[str](cell.status for _, cell in pairs)
    judged = [(row, cell) for row, cell in pairs if cell.status not in UNJUDGED]
    shares = [cell.points / cell.max_points for _, cell in judged if cell.max_points]
    rest = [totals[id(row)] - cell.points for row, cell in judged if cell.max_points]
    missed = sorted(((row, cell) for row, cell in judged if cell.status != "passed"), key=lambda pair: pair[1].points)
    return Item(
        id=cell.id,
        title=cell.title,
        max_points=cell.max_points,
        counts={status: counted[status] for status in VERDICTS},
        pass_rate=counted["passed"] / len(judged) if judged else None,
        mean_share=fmean(shares) if shares else None,
        discrimination=discrimination(shares, rest),
        missed=tuple(row for row, _ in missed),
    )


def discrimination(shares: Sequence[float], rest: Sequence[float]) -> float | None:
    """Compute how well a criterion separates strong submissions from weak ones.

    This is the corrected item-total correlation: Pearson's correlation between the part of the criterion's points and
    the points of all *other* criteria. For a criterion with two verdicts it equals the corrected point-biserial
    correlation. The criterion itself is left out of the total, because it would correlate with itself.

    Source: S. Henrysson, "Correction of item-total correlations in item analysis", Psychometrika 28 (1963), 211-218;
    for its use see R. L. Ebel and D. A. Frisbie, "Essentials of Educational Measurement", 5th ed. (1991), ch. 13.

    Args:
        shares: Part of the criterion's points for each judged submission.
        rest: Points of the other criteria, in the same order.

    Returns:
        A correlation from -1 to 1; None if there are fewer than `FEWEST` submissions, or if one side is constant.
    """
    if len(shares) < FEWEST:
        return None
    try:
        return correlation(shares, rest)
    except StatisticsError:
        return None
