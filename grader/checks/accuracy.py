"""The check `accuracy`."""

import math
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from grader.checks.missing import missing_model
from grader.checks.params import Number, Part, WithModel
from grader.checks.registry import check
from grader.checks.words import number, percent, plural, spoken_dataset, spoken_shape, spoken_split
from grader.schema.base import Assurance, Pointer
from grader.schema.errors import PredictorError
from grader.schema.evidence import AccuracyFact, FitFact, ModelFact
from grader.schema.grade import Case, CriterionStatus, Finding
from grader.schema.rubric import Slug

__all__ = ["AccuracyParams", "accuracy", "images_needed"]


class AccuracyParams(WithModel):
    """Parameters of `accuracy`."""

    at_least: Annotated[Number, Field(gt=0, le=1)]
    """Accuracy for full marks, as a part of 1."""
    partial_from: Part | None = None
    """Accuracy from which on points grow linearly from nothing to full marks at `at_least`."""
    dataset: Slug | None = None
    """Data set; left out: the rubric's own."""
    split: str = "test"
    """Which split of the data set."""
    require_verified: bool = False
    """Count only an accuracy that was computed outside the student's process."""

    @model_validator(mode="after")
    def _partial_below_full(self) -> Self:
        if self.partial_from is not None and self.partial_from >= self.at_least:
            message = f"partial_from {self.partial_from:g} is not below at_least {self.at_least:g}"
            raise ValueError(message)
        return self


@check("accuracy")
def accuracy(case: Case, params: AccuracyParams) -> Finding:
    """The network classifies enough images rightly.

    What it does:
        Takes the accuracy that the grader computed itself, by loading the trained network in a sandbox of its own and
        comparing its predictions with labels the notebook never saw. Whole images are counted, so nothing is lost to
        rounding; the 95 % interval and a threshold inside it are said.

    Why it matters:
        A number that a notebook prints is a claim; a number that someone else can compute again is a result.

    Parameters:
        model: a role of the rubric; left out: the network trained last.
        at_least: accuracy for full marks, as a part of 1.
        partial_from: points grow linearly from here; left out: all or nothing.
        dataset: the rubric's data set when left out.
        split: `test` when left out.
        require_verified: whether an accuracy that was only recorded counts as missed; it counts when left out.

    Example:
        `{check: accuracy, with: {model: cnn, at_least: 0.99, partial_from: 0.97}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    dataset = params.dataset or case.rubric.dataset
    fact = case.evidence.accuracy(model.id, dataset, params.split)
    if fact is None:
        return _unknown(case, model, dataset, params.split)
    needed = images_needed(params.at_least, fact.total)
    status, fraction = _judge(fact, params, needed)
    pointer = next((Pointer(cell=f.cell, event=f.event) for f in reversed(case.evidence.fits_of(model.id))), None)
    return Finding(
        status=status,
        fraction=fraction,
        message=_message(fact, model, params, needed),
        assurance=fact.assurance,
        measured={
            "accuracy": fact.value,
            "low": fact.low,
            "high": fact.high,
            "correct": fact.correct,
            "total": fact.total,
            "missing": max(0, needed - fact.correct),
            "at_least": params.at_least,
            "borderline": fact.low < params.at_least < fact.high,
        },
        evidence=(pointer or Pointer(cell=model.cell, event=model.event),),
    )


def images_needed(part: float, total: int) -> int:
    """The smallest number of right answers that is at least a part of all.

    Computed in decimal, as the rubric was written: 0.99 of 10,000 is 9,900 and not one more.

    Args:
        part: 0 to 1.
        total: Number of images.
    """
    return math.ceil(Decimal(str(part)) * total)


def _judge(fact: AccuracyFact, params: AccuracyParams, needed: int) -> tuple[CriterionStatus, float]:
    if params.require_verified and fact.assurance is not Assurance.VERIFIED:
        return "failed", 0.0
    if fact.correct >= needed:
        return "passed", 1.0
    if params.partial_from is None:
        return "failed", 0.0
    earned = (fact.value - params.partial_from) / (params.at_least - params.partial_from)
    return ("partial", min(earned, 1.0)) if earned > 0 else ("failed", 0.0)


def _message(fact: AccuracyFact, model: ModelFact, params: AccuracyParams, needed: int) -> str:
    where = f"the {number(fact.total)} {spoken_dataset(fact.dataset)} {spoken_split(fact.split)} images"
    text = (
        f"`{model.name}` is right on {percent(fact.value)} of {where} ({number(fact.correct)} right; "
        f"95 % interval {percent(fact.low)} to {percent(fact.high)})"
    )
    missing = needed - fact.correct
    if missing > 0:
        text += f"; {plural(missing, 'more right answer')} would make {percent(params.at_least)}"
    text += "."
    if fact.low < params.at_least < fact.high:
        text += " This is borderline: another random seed could fall on the other side."
    if fact.assurance is not Assurance.VERIFIED:
        because = f": {fact.note}" if fact.note else ""
        text += f" The grader could not verify it, it was only recorded in the notebook's own process{because}."
        if params.require_verified:
            text += " This rubric counts only verified accuracy."
    return text


def _unknown(case: Case, model: ModelFact, dataset: str, split: str) -> Finding:
    what = f"The accuracy of `{model.name}` on {spoken_dataset(dataset)} ({spoken_split(split)}) is not known"
    fits = case.evidence.fits_of(model.id)
    own = [fit for fit in fits if fit.x and fit.x.rows and fit.x.rows.dataset == dataset]
    if model.artefact is not None and not model.unkept_reason and any(_testable(model, fit) for fit in own):
        reasons = "; ".join(case.evidence.problems)
        message = f"{what} although a trained network was kept{': ' + reasons if reasons else ''}"
        raise PredictorError(message, where=f"model {model.id}")
    if model.unkept_reason:
        why = model.unkept_reason
    elif not fits:
        why = "it was never trained"
    elif not own:
        why = f"it was not seen to be trained on {spoken_dataset(dataset)}"
    elif model.artefact is None:
        why = "no trained network was kept"
    else:
        outputs = spoken_shape(model.output_shape)
        why = f"with inputs of {spoken_shape(model.input_shape)} and outputs of {outputs} it does not fit its images"
    return Finding(
        status="failed",
        message=f"{what}: {why}.",
        advice="Train the network in this notebook and leave it in a variable, so that it can be tested.",
        measured={"accuracy": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _testable(model: ModelFact, fit: FitFact) -> bool:
    """Whether a network takes the images it was trained on and names one of the classes it was taught."""
    if fit.x is None or fit.y is None or not model.input_shape or not model.output_shape:
        return False
    one, given = [axis for axis in model.input_shape if axis], [axis for axis in fit.x.shape[1:] if axis]
    return math.prod(one) == math.prod(given) and model.output_shape == (len(fit.y.classes),)
