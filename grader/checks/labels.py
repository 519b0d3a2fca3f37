"""The check `labels`."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.params import Whole, WithModel
from grader.checks.support.verdicts import Candidate, Which, chosen_fits, judge, never_trained
from grader.facts.case import Case
from grader.facts.wording import plural, spoken_shape
from grader.schema.base import Pointer, spoken_cell
from grader.schema.evidence import FitFact, LabelFact
from grader.schema.grade import Finding

__all__ = ["LabelsParams", "labels"]


class LabelsParams(WithModel):
    """Parameters of `labels`."""

    one_hot: bool | None = None
    """Whether each label is a row with a single 1."""
    flat: bool | None = None
    """Whether the labels are one number a row, shape (n,) and not (n, 1)."""
    classes: Annotated[Whole, Field(ge=1)] | None = None
    """How many different classes there are."""
    trainings: Which = "any"
    """Which of the network's trainings: `any`, `all`, `first` or `last`."""


@check("labels")
def labels(case: Case, params: LabelsParams) -> Finding:
    """The labels that a training was given have the form asked for.

    What it does:
        Looks at the labels as the training was given them: their shape, whether they are one-hot, and which classes
        occur. Labels that a generator or a mapped pipeline makes cannot be seen and are left to a person.

    Why it matters:
        The form of the labels and the loss belong together, and CIFAR's labels come as a column that many losses of
        one's own compare wrongly.

    Example:
        `{check: labels, with: {model: cifar, one_hot: true, classes: 10}}`
    """
    model, fits, missing = chosen_fits(case, params.model)
    if missing is not None:
        return missing
    return judge([_candidate(fit, params) for fit in fits], nothing=never_trained(model), which=params.trainings)


def _candidate(fit: FitFact, params: LabelsParams) -> Candidate:
    where = f"the labels of the training in {spoken_cell(fit.cell)}"
    pointer = Pointer(cell=fit.cell, event=fit.event)
    if fit.y is None or (fit.x is not None and fit.x.mapped):
        return Candidate(where, (), pointer, unseen=("their form",))
    kind = "one-hot" if fit.y.one_hot else "numbers"
    classes = plural(len(fit.y.classes), "class", "classes")
    return Candidate(
        subject=f"{where} are {kind} of shape {spoken_shape(fit.y.shape)} with {classes}",
        faults=tuple(_faults(fit.y, params)),
        pointer=pointer,
        measured={"one_hot": fit.y.one_hot, "shape": list(fit.y.shape), "classes": len(fit.y.classes)},
    )


def _faults(found: LabelFact, params: LabelsParams) -> Iterator[str]:
    if params.one_hot is not None and found.one_hot != params.one_hot:
        yield "and not one-hot" if params.one_hot else "and not plain numbers"
    if params.flat is not None and (len(found.shape) == 1) != params.flat:
        yield "and not flat" if params.flat else "and flat"
    if params.classes is not None and len(found.classes) != params.classes:
        yield f"instead of {params.classes}"
