"""Render several executions of one notebook: a table of attempts, and a plot of their accuracies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from grader.facts.language import Language
from grader.report.intervals import Interval, interval_plot
from grader.report.text import DASH, ENGLISH, duration, percent, points
from grader.schema.grade import AccuracyGrade, AttemptGrade, AttemptsGrade, Spread
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["OUTCOMES", "AttemptLine", "AttemptsView", "attempts_view"]

OUTCOMES: Final[Mapping[str, Message]] = {
    "completed": say("completed"),
    "cell_error": say("completed with errors"),
    "timeout": say("out of time"),
    "memory": say("out of memory"),
    "died": say("kernel died"),
}
"""How an execution ended, in a table."""
_STATUS: Final = {"not_graded": say("not graded"), "skipped": say("not executed"), "graded": say("graded")}
_Column = tuple[str, str]
"""A role or a model's name, and its data."""


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One attempt in the form that the template shows."""

    number: int
    seed: str
    taken: bool
    outcome: Message
    score: str
    accuracies: tuple[tuple[str, str], ...]
    """Accuracy and interval for each column; the interval is empty if there is no accuracy."""
    seconds: str


@dataclass(frozen=True, slots=True)
class AttemptsView:
    """Section about the attempts."""

    head: Message
    """Sentence for the head of the page."""
    why: str
    headings: tuple[Message, ...]
    lines: tuple[AttemptLine, ...]
    spread: AttemptLine | None
    """Range of each column; None if fewer than two attempts were graded."""
    plot: Markup


def attempts_view(attempts: AttemptsGrade | None, language: Language = ENGLISH) -> AttemptsView | None:
    """Create the section about the attempts; None if only one execution was requested.

    Args:
        attempts: The attempts in the grade.
        language: The language of the figures.
    """
    if attempts is None:
        return None
    columns = _columns(attempts.tried)
    graded = [one for one in attempts.tried if one.status == "graded"]
    return AttemptsView(
        head=_head(attempts, len(graded)),
        why=attempts.why,
        headings=tuple(say("{model} on {data}", model=role, data=key) for role, key in columns),
        lines=tuple(_line(one, columns, language, taken=one.number == attempts.taken) for one in attempts.tried),
        spread=_spread(attempts, columns, language) if len(graded) > 1 else None,
        plot=_plot(graded, columns, attempts.taken, language),
    )


def _head(attempts: AttemptsGrade, graded: int) -> Message:
    if attempts.taken is None:
        return say_count(
            "The only attempt could not be graded.", "None of the {count} attempts could be graded.", attempts.asked
        )
    shown = say("This page shows attempt {number} of {asked}.", number=attempts.taken, asked=attempts.asked)
    if attempts.score is None or graded == 1:
        return shown
    if attempts.score.low == attempts.score.high:
        scores = say("All {graded} graded attempts score {score:points}.", graded=graded, score=attempts.score.low)
    else:
        scores = say(
            "The {graded} graded attempts score from {low:points} to {high:points}.",
            graded=graded,
            low=attempts.score.low,
            high=attempts.score.high,
        )
    return sentences(shown, scores)


def _columns(tried: Sequence[AttemptGrade]) -> tuple[_Column, ...]:
    columns = ((role, key) for one in tried for role, by_data in one.accuracy.items() for key in by_data)
    return tuple(dict.fromkeys(columns))


def _fact(one: AttemptGrade, column: _Column) -> AccuracyGrade | None:
    return one.accuracy.get(column[0], {}).get(column[1])


def _line(one: AttemptGrade, columns: Sequence[_Column], language: Language, *, taken: bool) -> AttemptLine:
    facts = [_fact(one, column) for column in columns]
    return AttemptLine(
        number=one.number,
        seed=DASH if one.seed is None else str(one.seed),
        taken=taken,
        outcome=OUTCOMES.get(one.execution or "", _STATUS[one.status]),
        score=points(one.score, language),
        accuracies=tuple(
            (DASH, "") if fact is None else (percent(fact.value, language), language.text(_interval(fact)))
            for fact in facts
        ),
        seconds=duration(one.seconds, language),
    )


def _interval(fact: AccuracyGrade) -> Message:
    return say("{low:percent} to {high:percent}", low=fact.low, high=fact.high)


def _spread(attempts: AttemptsGrade, columns: Sequence[_Column], language: Language) -> AttemptLine:
    ranges = [attempts.accuracy.get(role, {}).get(key) for role, key in columns]
    return AttemptLine(
        number=0,
        seed="",
        taken=False,
        outcome=Message(id=""),
        score=_range(attempts.score, points, language),
        accuracies=tuple((_range(one, percent, language), "") for one in ranges),
        seconds="",
    )


def _range(spread: Spread | None, write: Callable[[float, Language], str], language: Language) -> str:
    if spread is None:
        return DASH
    low, high = write(spread.low, language), write(spread.high, language)
    return low if low == high else language.text(say("{low} to {high}", low=low, high=high))


def _plot(graded: Sequence[AttemptGrade], columns: Sequence[_Column], taken: int | None, language: Language) -> Markup:
    """Draw the accuracy of the first model in each attempt."""
    rows = []
    for one in graded:
        fact = _fact(one, columns[0]) if columns else None
        if fact is not None:
            series = "student" if one.number == taken else "other"
            label = say("Attempt {number}", number=one.number)
            rows.append(Interval(label, series, fact.value, fact.low, fact.high))
    return interval_plot(rows, "attempts-plot", language) if len(rows) > 1 else Markup()
