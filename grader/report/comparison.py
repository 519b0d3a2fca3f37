"""Compare the submission with the reference: figures, intervals, and the paired test in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from grader.facts.graded_model import main_accuracy, main_model
from grader.facts.language import Language
from grader.facts.metrics import epochs_trained, seconds_trained
from grader.report.intervals import Interval, interval_plot
from grader.report.text import ENGLISH, count, duration, percent
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.grade import Grade
from grader.schema.message import Message, MessageLike, say, sentences

__all__ = ["ComparisonRow", "ComparisonView", "comparison_view"]


_LEVEL = 0.05
"""Usual significance level; a p-value below it is not explained by chance."""
_SMALLEST_P = 0.001
_PLACES = 3


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One figure of both models."""

    label: Message
    student: str
    reference: str


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Content of the section."""

    rows: tuple[ComparisonRow, ...]
    plot: Markup
    sentences: tuple[MessageLike, ...]
    """The paired test and other remarks of the comparison."""


def comparison_view(
    grade: Grade,
    evidence: Evidence | None,
    reference: Evidence | None,
    reference_model: ModelFact | None,
    language: Language = ENGLISH,
) -> ComparisonView | None:
    """Create the comparison from the available facts.

    Args:
        grade: The grade, with or without its `reference` part.
        evidence: The submission's evidence.
        reference: The reference's evidence.
        reference_model: The reference's model.
        language: The language of the figures.

    Returns:
        The comparison, or None if the grade has no reference.
    """
    if grade.reference is None:
        return None
    model, accuracy = main_model(grade), main_accuracy(grade)
    key = accuracy[0] if accuracy else next(iter(grade.reference.accuracy), "")
    ours, theirs = accuracy[1] if accuracy else None, grade.reference.accuracy.get(key)
    comparison = grade.reference.comparison
    student = _effort(evidence, model.id if model else None)
    other = _effort(reference, reference_model.id if reference_model else None)
    epochs = (_side(comparison, "epochs", "student", student[0]), _side(comparison, "epochs", "reference", other[0]))
    seconds = (_side(comparison, "seconds", "student", student[1]), _side(comparison, "seconds", "reference", other[1]))
    rows = (
        ComparisonRow(
            say("Accuracy on {data}", data=key) if key else say("Accuracy"),
            *(percent(fact.value if fact else None, language) for fact in (ours, theirs)),
        ),
        ComparisonRow(
            say("Parameters"),
            *(count(n, language) for n in (model.parameters if model else None, grade.reference.parameters)),
        ),
        ComparisonRow(say("Epochs trained"), *(count(None if n is None else int(n), language) for n in epochs)),
        ComparisonRow(say("Training time"), *(duration(n, language) for n in seconds)),
    )
    intervals = [
        Interval(label, who, fact.value, fact.low, fact.high)
        for label, who, fact in (
            (say("Submission"), "student", ours),
            (say("Reference"), "reference", theirs),
        )
        if fact is not None and fact.low <= fact.value <= fact.high
    ]
    return ComparisonView(rows, interval_plot(intervals, language=language), _sentences(comparison, key))


def _side(comparison: Mapping[str, Any], name: str, side: str, fallback: float | None) -> float | None:
    """Read one figure of the comparison, or use the figure from the evidence if it is missing."""
    figures = comparison.get(name)
    number = _number(figures.get(side)) if isinstance(figures, Mapping) else None
    return fallback if number is None else number


def _effort(evidence: Evidence | None, model: str | None) -> tuple[int | None, float | None]:
    """Return the epochs and seconds of all trainings of one model."""
    fits = evidence.fits_of(model) if evidence is not None and model is not None else ()
    return epochs_trained(fits), seconds_trained(fits)


def _sentences(comparison: Mapping[str, Any], key: str) -> tuple[MessageLike, ...]:
    """List the paired test's result and the other texts of the comparison."""
    accuracies = comparison.get("accuracy")
    figures = accuracies.get(key) if isinstance(accuracies, Mapping) else None
    test = figures.get("mcnemar") if isinstance(figures, Mapping) else None
    result = _mcnemar(test) if isinstance(test, Mapping) else None
    texts = (comparison.get(name) for name in ("message", "note", "reason"))
    remarks = dict.fromkeys(text for text in texts if isinstance(text, str) and text)
    return (*([result] if result else []), *remarks)


def _mcnemar(test: Mapping[str, Any]) -> Message | None:
    """Describe the result of McNemar's exact test on paired predictions."""
    ours, theirs, p = (_number(test.get(name)) for name in ("student_only", "reference_only", "p_value"))
    if ours is None or theirs is None or p is None:
        return None
    if not ours and not theirs:
        return say("The submission and the reference classify exactly the same images correctly.")
    counts = say(
        "Images that only the submission classifies correctly: {ours}. "
        "Images that only the reference classifies correctly: {theirs}.",
        ours=int(ours),
        theirs=int(theirs),
    )
    return sentences(counts, _significance(p, better=ours > theirs))


def _significance(p: float, *, better: bool) -> Message:
    """Say whether a p-value below 1 can be explained by chance.

    Args:
        p: Result of McNemar's exact test.
        better: Whether the submission is the better one.
    """
    test = (
        say("McNemar's exact test: p < {p}", p=_SMALLEST_P)
        if p < _SMALLEST_P
        else say("McNemar's exact test: p = {p}", p=round(p, _PLACES))
    )
    if p >= _LEVEL:
        return say("A difference of this size can be due to chance ({test}).", test=test)
    if better:
        return say("The submission is better, and chance does not explain the difference ({test}).", test=test)
    return say("The reference is better, and chance does not explain the difference ({test}).", test=test)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
