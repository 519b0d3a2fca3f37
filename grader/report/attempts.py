"""Several executions of one notebook: the table of attempts, and their accuracies on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from grader.report.intervals import Interval, interval_plot
from grader.report.text import DASH, duration, percent, points
from grader.schema.grade import AccuracyGrade, AttemptGrade, AttemptsGrade

__all__ = ["AttemptLine", "AttemptsView", "attempts_view"]

_ENDED: Final = {
    "completed": "ran to the end",
    "cell_error": "ran, with errors",
    "timeout": "out of time",
    "memory": "out of memory",
    "died": "kernel died",
}
_STATUS: Final = {"not_graded": "not graded", "skipped": "not executed", "graded": "graded"}
_Column = tuple[str, str]
"""A role, or a network's name, and its data."""


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One attempt as the template shows it."""

    number: int
    seed: str
    taken: bool
    outcome: str
    score: str
    accuracies: tuple[tuple[str, str], ...]
    """For each column the accuracy and its interval; the interval is empty where there is no accuracy."""
    seconds: str


@dataclass(frozen=True, slots=True)
class AttemptsView:
    """The section on the attempts."""

    head: str
    """One sentence for the head of the page."""
    why: str
    headings: tuple[str, ...]
    lines: tuple[AttemptLine, ...]
    spread: AttemptLine | None
    """Lowest to highest of each column; None where less than two attempts were graded."""
    plot: Markup


def attempts_view(told: AttemptsGrade | None) -> AttemptsView | None:
    """Lay out the attempts; None where one execution was asked for.

    Args:
        told: What the grade tells of them.
    """
    if told is None:
        return None
    columns = _columns(told.tried)
    graded = [one for one in told.tried if one.status == "graded"]
    return AttemptsView(
        head=_head(told, len(graded)),
        why=told.why,
        headings=tuple(f"{role} on {key}" for role, key in columns),
        lines=tuple(_line(one, columns, taken=one.number == told.taken) for one in told.tried),
        spread=_spread(told, columns) if len(graded) > 1 else None,
        plot=_plot(graded, columns, told.taken),
    )


def _head(told: AttemptsGrade, graded: int) -> str:
    if told.taken is None:
        return f"None of {told.asked} attempts could be graded."
    said = f"Attempt {told.taken} of {told.asked} is graded here"
    if told.score is None or graded == 1:
        return f"{said}."
    if told.score.low == told.score.high:
        return f"{said}; all {graded} that were graded score {points(told.score.low)}."
    return f"{said}; the {graded} that were graded score from {points(told.score.low)} to {points(told.score.high)}."


def _columns(tried: Sequence[AttemptGrade]) -> tuple[_Column, ...]:
    found = ((role, key) for one in tried for role, by_data in one.accuracy.items() for key in by_data)
    return tuple(dict.fromkeys(found))


def _fact(one: AttemptGrade, column: _Column) -> AccuracyGrade | None:
    return one.accuracy.get(column[0], {}).get(column[1])


def _line(one: AttemptGrade, columns: Sequence[_Column], *, taken: bool) -> AttemptLine:
    facts = [_fact(one, column) for column in columns]
    return AttemptLine(
        number=one.number,
        seed=DASH if one.seed is None else str(one.seed),
        taken=taken,
        outcome=_ENDED.get(one.execution or "", _STATUS[one.status]),
        score=DASH if one.score is None else points(one.score),
        accuracies=tuple(
            (DASH, "") if fact is None else (percent(fact.value), f"{percent(fact.low)} to {percent(fact.high)}")
            for fact in facts
        ),
        seconds=duration(one.seconds),
    )


def _spread(told: AttemptsGrade, columns: Sequence[_Column]) -> AttemptLine:
    found = [told.accuracy.get(role, {}).get(key) for role, key in columns]
    return AttemptLine(
        number=0,
        seed="",
        taken=False,
        outcome="",
        score=DASH if told.score is None else _range(points(told.score.low), points(told.score.high)),
        accuracies=tuple((DASH if one is None else _range(percent(one.low), percent(one.high)), "") for one in found),
        seconds="",
    )


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _plot(graded: Sequence[AttemptGrade], columns: Sequence[_Column], taken: int | None) -> Markup:
    """Draw the accuracy of the first network in each attempt."""
    rows = []
    for one in graded:
        fact = _fact(one, columns[0]) if columns else None
        if fact is not None:
            who = "student" if one.number == taken else "other"
            rows.append(Interval(f"Attempt {one.number}", who, fact.value, fact.low, fact.high))
    return interval_plot(rows, key="attempts-plot") if len(rows) > 1 else Markup()
