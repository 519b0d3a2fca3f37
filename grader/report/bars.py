"""Draw bars: the points of one grade, the scores of a class, the verdicts on one criterion."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from markupsafe import Markup

from grader.facts.language import Language
from grader.report.svg import element, picture
from grader.report.text import ENGLISH, percent
from grader.schema.grade import CriterionGrade
from grader.schema.message import Message, say

__all__ = ["VERDICTS", "amount_bar", "compared_histogram", "histogram", "points_bar", "verdict_bar"]

VERDICTS: Final[Mapping[str, Message]] = {
    "passed": say("Full marks"),
    "partial": say("Part of the points"),
    "failed": say("Missed"),
    "pending": say("Waits for a person"),
    "skipped": say("Not judged"),
}

_WIDTH = 1000.0
_GAP = 3.0
_GAP_PERCENT = 0.35
_LABELLED_PERCENT = 20.0
"""A piece of the points bar has a label from this width."""
_CHARACTERS_PER_PERCENT = 0.5
"""Length of a label that fits below a piece on a phone, where the bar is about 350 pixels wide."""


def points_bar(criteria: Sequence[CriterionGrade], max_score: float, language: Language = ENGLISH) -> Markup:
    """Draw the points of a grade as one piece per criterion, as wide as its points and filled by the earned part.

    Each piece links to its criterion, and a wide piece has its points below it. Positions are percentages, so that the
    texts keep their size at every width.

    Args:
        criteria: Criteria to show; bonus criteria and those without points have no piece.
        max_score: Points for full marks; a difference to the sum of the shown criteria remains an empty piece.
        language: The language of the texts.

    Returns:
        An `svg` that stretches to the available width; an empty string without points.
    """
    numbered = [(f"#criterion-{number}", criterion) for number, criterion in enumerate(criteria, start=1)]
    scored = [(href, criterion) for href, criterion in numbered if criterion.max_points > 0 and not criterion.bonus]
    total = max(max_score, sum(criterion.max_points for _, criterion in scored))
    if total <= 0:
        return Markup()
    parts: list[Markup] = []
    x = 0.0
    for href, criterion in scored:
        width = 100 * criterion.max_points / total
        own = (criterion.title, criterion.points, criterion.max_points, criterion.status)
        parts.append(_piece(href, own, x, width, language))
        x += width
    title = language.text(say("Points by criterion"))
    return element("svg", *parts, class_="points-bar linked", role="group", aria_label=title)


_Drawn = tuple[str, float, float, str]
"""The title, the points, the most points and the status of a criterion."""


@lru_cache(maxsize=4096)
def _piece(href: str, criterion: _Drawn, x: float, width: float, language: Language) -> Markup:
    """Draw one linked piece; `x` and `width` are percentages of the bar. Many students have the same piece."""
    title, points, max_points, status = criterion
    share = min(max(points / max_points, 0.0), 1.0)
    inner = max(width - _GAP_PERCENT, _GAP_PERCENT)
    name = language.text(
        say("{title}: {points:points} of {max_points:points} points", title=title, points=points, max_points=max_points)
    )
    parts = [element("title", name)]
    if share < 1:
        parts.append(_rectangle(x, inner, f"bar rest {status}"))
    if share:
        parts.append(_rectangle(x, inner * share, "bar earned"))
    if width >= _LABELLED_PERCENT:
        label = _label(criterion, inner, language)
        parts.append(element("text", label, x=f"{x + inner / 2:.2f}%", y=35, text_anchor="middle", class_="bar-label"))
    return element("a", *parts, href=href, aria_label=name)


def _rectangle(x: float, width: float, classes: str) -> Markup:
    return element("rect", x=f"{x:.2f}%", y=2, width=f"{width:.2f}%", height=18, class_=classes)


def _label(criterion: _Drawn, width: float, language: Language) -> str:
    """Write the points of a piece, after the criterion's title if both fit below the piece."""
    points = _earned(criterion)
    whole = language.text(say("{title}: {points}", title=criterion[0], points=points))
    return whole if len(whole) <= _CHARACTERS_PER_PERCENT * width else language.text(points)


def _earned(criterion: _Drawn) -> Message:
    _, points, max_points, status = criterion
    if status == "pending":
        return say("{max_points:points} open", max_points=max_points)
    return say("{points:points} of {max_points:points}", points=points, max_points=max_points)


def histogram(shares: Sequence[float], language: Language = ENGLISH) -> Markup:
    """Draw a histogram of scores with ten bins.

    Args:
        shares: Scores as fractions of full marks, 0 to 1; values above 1 count in the last bin.
        language: The language of the texts.

    Returns:
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
    parts += _ticks(base, language)
    counts = [
        say("{low:percent} to {high:percent}: {number}", low=index / 10, high=(index + 1) / 10, number=number)
        for index, number in enumerate(bins)
        if number
    ]
    title, description = say("Distribution of scores"), say("{counts:clauses}.", counts=counts)
    size = (440.0, 140.0)
    return picture("scores", language.text(title), language.text(description), size, *parts, class_="plot")


def compared_histogram(before: Sequence[int], after: Sequence[int], language: Language = ENGLISH) -> Markup:
    """Draw the scores of a class after a change, with the outline of those before.

    Args:
        before: Number of submissions in each bin, from 0 to 100 % of full marks.
        after: The same after the change.
        language: The language of the texts.

    Returns:
        An `svg`; an empty string without submissions.
    """
    tallest = max((*before, *after), default=0)
    if not tallest:
        return Markup()
    bins, base, width = len(after), 140.0, 400.0 / len(after)
    parts: list[Markup] = [
        element("rect", x=20, y=4, width=12, height=10, class_="column"),
        element("text", language.text(say("after")), x=37, y=13),
        element("rect", x=92, y=4, width=12, height=10, class_="was"),
        element("text", language.text(say("before")), x=109, y=13),
        element("line", x1=20, x2=420, y1=base, y2=base, class_="axis"),
    ]
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        left = 20 + width * index
        for number, inset, kind in ((new, 6.0, "column"), (old, 3.0, "was")):
            height = 88.0 * number / tallest
            if number:
                place = {"x": left + inset, "y": base - height, "width": width - 2 * inset, "height": height}
                parts.append(element("rect", **place, class_=kind))
        if new or old:
            top = base - 88.0 * max(new, old) / tallest - 5
            label = str(new) if new == old else f"{old} → {new}"
            parts.append(element("text", label, x=left + width / 2, y=top, text_anchor="middle"))
    parts += _ticks(base, language)
    counts = [
        say(
            "{low:percent} to {high:percent}: {old} before, {new} after",
            low=index / bins,
            high=(index + 1) / bins,
            old=old,
            new=new,
        )
        for index, (old, new) in enumerate(zip(before, after, strict=True))
        if old or new
    ]
    title, description = say("Scores before and after"), say("{counts:clauses}.", counts=counts)
    size = (440.0, 160.0)
    return picture("compared", language.text(title), language.text(description), size, *parts, class_="plot")


def _ticks(base: float, language: Language) -> list[Markup]:
    """Label the axis of a histogram of scores."""
    return [
        element("text", percent(tick / 100, language), x=20 + 4.0 * tick, y=base + 16, text_anchor="middle")
        for tick in range(0, 101, 20)
    ]


def verdict_bar(key: str, counts: Mapping[str, int], language: Language = ENGLISH) -> Markup:
    """Draw the verdicts on one criterion over a class.

    Args:
        key: Name that is unique on the page.
        counts: Verdict → number of submissions, in drawing order.
        language: The language of the texts.

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
    verdicts = [
        say("{verdict}: {number}", verdict=VERDICTS[status], number=number)
        for status, number in counts.items()
        if number
    ]
    return picture(
        key,
        language.text(say("Verdicts")),
        language.text(say("{verdicts:clauses}.", verdicts=verdicts)),
        (_WIDTH, 20.0),
        *parts,
        class_="points-bar",
        preserveAspectRatio="none",
    )


def amount_bar(number: int, total: int) -> Markup:
    """Draw a part of a whole next to its figure; a screen reader skips it.

    Args:
        number: The part.
        total: The whole, at least 1.
    """
    bar = element("rect", x=0, y=0, width=_WIDTH * number / total, height=20, class_="column")
    size = f"0 0 {_WIDTH:g} 20"
    return element("svg", bar, viewBox=size, class_="amount-bar", preserveAspectRatio="none", aria_hidden="true")
