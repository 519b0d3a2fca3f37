"""Render several executions of one notebook: a table of attempts, and a plot of their accuracies."""

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
"""A role or a model's name, and its data."""


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One attempt in the form that the template shows."""

    number: int
    seed: str
    taken: bool
    outcome: str
    score: str
    accuracies: tuple[tuple[str, str], ...]
    """Accuracy and interval for each column; the interval is empty if there is no accuracy."""
    seconds: str


@dataclass(frozen=True, slots=True)
class AttemptsView:
    """Section about the attempts."""

    head: str
    """Sentence for the head of the page."""
    why: str
    headings: tuple[str, ...]
    lines: tuple[AttemptLine, ...]
    spread: AttemptLine | None
    """Range of each column; None if fewer than two attempts were graded."""
    plot: Markup


def attempts_view(told: AttemptsGrade | None) -> AttemptsView | None:
    """Create the section about the attempts; None if only one execution was requested.

    Args:
        told: The attempts in the grade.
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


def _head(grade: AttemptsGrade, graded: int) -> str:
    if grade.taken is None:
        return f"None of {grade.asked} attempts could be graded."
    sentence = f"Attempt {grade.taken} of {grade.asked} is graded here"
    if grade.score is None or graded == 1:
        return f"{sentence}."
    if grade.score.low == grade.score.high:
        return f"{sentence}; all {graded} that were graded score {points(grade.score.low)}."
    return (
        f"{sentence}; the {graded} that were graded score from {points(grade.score.low)} to {points(grade.score.high)}."
    )


def _columns(tried: Sequence[AttemptGrade]) -> tuple[_Column, ...]:
    columns = ((role, key) for one in tried for role, by_data in one.accuracy.items() for key in by_data)
    return tuple(dict.fromkeys(columns))


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


def _spread(attempts: AttemptsGrade, columns: Sequence[_Column]) -> AttemptLine:
    ranges = [attempts.accuracy.get(role, {}).get(key) for role, key in columns]
    return AttemptLine(
        number=0,
        seed="",
        taken=False,
        outcome="",
        score=DASH if attempts.score is None else _range(points(attempts.score.low), points(attempts.score.high)),
        accuracies=tuple((DASH if one is None else _range(percent(one.low), percent(one.high)), "") for one in ranges),
        seconds="",
    )


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _plot(graded: Sequence[AttemptGrade], columns: Sequence[_Column], taken: int | None) -> Markup:
    """Draw the accuracy of the first model in each attempt."""
    rows = []
    for one in graded:
        fact = _fact(one, columns[0]) if columns else None
        if fact is not None:
            series = "student" if one.number == taken else "other"
            rows.append(Interval(f"Attempt {one.number}", series, fact.value, fact.low, fact.high))
    return interval_plot(rows, key="attempts-plot") if len(rows) > 1 else Markup()
