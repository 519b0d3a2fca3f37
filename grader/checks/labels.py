"""The check `labels`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.params import Whole, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.schema.base import Pointer
from grader.schema.evidence import FitFact, LabelFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count

__all__ = ["LabelsParams", "labels"]


class LabelsParams(WithModel):
    """Parameters of `labels`."""

    one_hot: bool | None = None
    """Whether each label is a row with a single 1."""
    flat: bool | None = None
    """Whether the labels have the shape (n,), and not (n, 1)."""
    classes: Annotated[Whole, Field(ge=1)] | None = None
    """The number of different classes."""
    trainings: Which = "any"
    """Which trainings of the model must match: `any`, `all`, `first` or `last`."""


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "one_hot": measure(say("One-hot encoded")),
    "shape": measure(say("Shape of the labels"), "shape"),
    "classes": measure(say("Classes in the labels"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("labels", measures=_MEASURES)
def labels(case: Case, params: LabelsParams) -> Finding:
    """The labels of a training have the required form.

    What it does:
        Looks at the labels that the training received: their shape, whether they are one-hot, and their classes. The
        grader cannot see labels from a generator or a mapped pipeline; it leaves them to a person, and so it does with
        rows that are nearly one-hot, such as smoothed labels.

    Why it matters:
        The loss must match the form of the labels. CIFAR's labels are a column, which many hand-written losses compare
        incorrectly.

    Example:
        `{check: labels, with: {model: cifar, one_hot: true, classes: 10}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    return judge(
        [_candidate(fit, params) for fit in fits],
        nothing=never_trained(case, model),
        which=params.trainings,
        lacks="training",
    )


def _candidate(fit: FitFact, params: LabelsParams) -> Candidate:
    pointer = Pointer(cell=fit.cell, event=fit.event)
    if fit.y is None or (fit.x is not None and fit.x.mapped):
        subject = say("The labels of the training in {cell:cell}", cell=fit.cell)
        return Candidate(subject, (), pointer, unseen=(say("their form"),))
    unknown = _is_soft(fit.y) and (params.one_hot or params.classes is not None)
    return Candidate(
        subject=_described(fit.y, fit.cell),
        faults=tuple(_faults(fit.y, params)),
        pointer=pointer,
        unseen=(say("the class of each row"),) if unknown else (),
        measured={"one_hot": fit.y.one_hot, "shape": list(fit.y.shape), "classes": len(fit.y.classes)},
    )


def _is_soft(labels: LabelFact) -> bool:
    """Whether labels are rows of numbers that are not one-hot, such as smoothed one-hot labels."""
    return not labels.one_hot and not labels.classes and len(labels.shape) > 1 and labels.shape[-1] != 1


def _described(labels: LabelFact, cell: int | None) -> Message:
    if _is_soft(labels):
        return say("The training in {cell:cell} used labels of shape {shape:shape}", cell=cell, shape=labels.shape)
    if labels.one_hot:
        return say_count(
            "The training in {cell:cell} used one-hot labels of shape {shape:shape} with {count:number} class",
            "The training in {cell:cell} used one-hot labels of shape {shape:shape} with {count:number} classes",
            len(labels.classes),
            cell=cell,
            shape=labels.shape,
        )
    return say_count(
        "The training in {cell:cell} used numeric labels of shape {shape:shape} with {count:number} class",
        "The training in {cell:cell} used numeric labels of shape {shape:shape} with {count:number} classes",
        len(labels.classes),
        cell=cell,
        shape=labels.shape,
    )


def _faults(labels: LabelFact, params: LabelsParams) -> Iterator[Message]:
    soft = _is_soft(labels)
    if params.one_hot is not None and labels.one_hot != params.one_hot and not soft:
        yield say("they must be one-hot") if params.one_hot else say("they must be plain numbers")
    if params.flat is not None and (len(labels.shape) == 1) != params.flat:
        yield say("they must have the shape (n,)") if params.flat else say("they must not have the shape (n,)")
    if params.classes is not None and len(labels.classes) != params.classes and not soft:
        yield say_count("there must be {count:number} class", "there must be {count:number} classes", params.classes)
