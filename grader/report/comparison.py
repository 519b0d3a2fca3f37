"""Compare the submission with the reference: figures, intervals, and the paired test in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from grader.facts.graded_model import main_accuracy, main_model
from grader.facts.metrics import epochs_trained, seconds_trained
from grader.report.intervals import Interval, interval_plot
from grader.report.text import count, duration, percent
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.grade import Grade

__all__ = ["ComparisonRow", "ComparisonView", "comparison_view"]


_LEVEL = 0.05
"""Usual significance level; a p-value below it is not explained by chance."""
_SMALLEST_P = 0.001


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One figure of both models."""

    label: str
    student: str
    reference: str


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Content of the section."""

    rows: tuple[ComparisonRow, ...]
    plot: Markup
    sentences: tuple[str, ...]
    """The paired test and other remarks of the comparison."""


def comparison_view(
    grade: Grade, evidence: Evidence | None, reference: Evidence | None, reference_model: ModelFact | None
) -> ComparisonView | None:
    """Create the comparison from the available facts.

    Args:
        grade: The grade, with or without its `reference` part.
        evidence: The submission's evidence.
        reference: The reference's evidence.
        reference_model: The reference's model.

    Returns:
        The comparison, or None if the grade has no reference.
    """
    if grade.reference is None:
        return None
    model, known = main_model(grade), main_accuracy(grade)
    key = known[0] if known else next(iter(grade.reference.accuracy), "")
    ours, theirs = known[1] if known else None, grade.reference.accuracy.get(key)
    given = grade.reference.comparison
    student = _effort(evidence, model.id if model else None)
    other = _effort(reference, reference_model.id if reference_model else None)
    epochs = (_side(given, "epochs", "student", student[0]), _side(given, "epochs", "reference", other[0]))
    seconds = (_side(given, "seconds", "student", student[1]), _side(given, "seconds", "reference", other[1]))
    rows = (
        ComparisonRow(
            f"Accuracy on {key}" if key else "Accuracy",
            percent(ours.value if ours else None),
            percent(theirs.value if theirs else None),
        ),
        ComparisonRow("Parameters", count(model.parameters if model else None), count(grade.reference.parameters)),
        ComparisonRow("Epochs trained", *(count(None if n is None else int(n)) for n in epochs)),
        ComparisonRow("Time spent training", *(duration(n) for n in seconds)),
    )
    intervals = [
        Interval(label, who, fact.value, fact.low, fact.high)
        for label, who, fact in (("Submission", "student", ours), ("Reference", "reference", theirs))
        if fact is not None and fact.low <= fact.value <= fact.high
    ]
    return ComparisonView(rows, interval_plot(intervals), _sentences(given, key))


def _side(comparison: Mapping[str, Any], name: str, side: str, fallback: float | None) -> float | None:
    """Read one figure of the comparison, or use the figure from the evidence if it is missing."""
    figures = comparison.get(name)
    number = _number(figures.get(side)) if isinstance(figures, Mapping) else None
    return fallback if number is None else number


def _effort(evidence: Evidence | None, model: str | None) -> tuple[int | None, float | None]:
    """Return the epochs and seconds of all trainings of one model."""
    fits = evidence.fits_of(model) if evidence is not None and model is not None else ()
    return epochs_trained(fits), seconds_trained(fits)


def _sentences(comparison: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """List the paired test's result and the other texts of the comparison."""
    accuracies = comparison.get("accuracy")
    figures = accuracies.get(key) if isinstance(accuracies, Mapping) else None
    test = figures.get("mcnemar") if isinstance(figures, Mapping) else None
    sentences = [_mcnemar(test)] if isinstance(test, Mapping) else []
    sentences += [
        str(comparison[name]) for name in ("message", "note", "reason") if isinstance(comparison.get(name), str)
    ]
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))


def _mcnemar(test: Mapping[str, Any]) -> str:
    """Describe the result of McNemar's exact test on paired predictions."""
    ours, theirs, p = (_number(test.get(name)) for name in ("student_only", "reference_only", "p_value"))
    if ours is None or theirs is None or p is None:
        return ""
    if not ours and not theirs:
        return "On the same images, both networks are right and wrong on exactly the same ones."
    counts_text = (
        f"On the same images, only this network is right on {count(int(ours))}, "
        f"only the reference on {count(int(theirs))}."
    )
    p_text = "p < 0.001" if p < _SMALLEST_P else f"p = {p:.3f}"
    if p >= _LEVEL:
        return f"{counts_text} A difference of this size can well be chance (McNemar's exact test: {p_text})."
    better = "This submission" if ours > theirs else "The reference"
    return f"{counts_text} {better} is better by more than chance explains (McNemar's exact test: {p_text})."


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
