"""The check `score_curve`."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grader.checks.accuracy import not_tried, why_untestable
from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Params, Part, Whole, WithModel
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.wording import number, percent, plural, spoken_dataset, spoken_split
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import AccuracyFact, ModelFact
from grader.schema.grade import Finding

__all__ = ["CurvePoint", "ScoreCurveParams", "height", "score_curve", "wanted_accuracy"]


class CurvePoint(Params):
    """One point of the curve: what is wanted of a network with so many parameters."""

    parameters: Annotated[Whole, Field(ge=1)]
    """Number of parameters."""
    none: Part
    """Accuracy up to which there are no points, as a part of 1."""
    full: Part
    """Accuracy for full marks, as a part of 1."""

    @model_validator(mode="after")
    def _none_below_full(self) -> Self:
        if self.none >= self.full:
            message = f"none {self.none:g} is not below full {self.full:g}"
            raise ValueError(message)
        return self


class ScoreCurveParams(WithModel):
    """Parameters of `score_curve`."""

    curve: Annotated[tuple[CurvePoint, ...], Field(min_length=1)]
    """Points of the curve with rising parameters; more parameters never want less accuracy."""
    count: Literal["all", "trainable"] = "all"
    """Which parameters count."""
    dataset: MeasuredOn | None = None
    """Data set; left out: the rubric's own."""
    split: str = "test"
    """Which split of the data set."""
    require_verified: bool = False
    """Count only what was computed outside the student's process."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for before, after in pairwise(self.curve):
            if after.parameters <= before.parameters:
                message = f"the curve's parameters do not rise from {before.parameters} to {after.parameters}"
                raise ValueError(message)
            if after.none < before.none or after.full < before.full:
                message = f"{after.parameters} parameters want less accuracy than {before.parameters}"
                raise ValueError(message)
        return self


@check("score_curve")
def score_curve(case: Case, params: ScoreCurveParams) -> Finding:
    """The network is accurate for its size.

    What it does:
        Counts the network's parameters and takes the accuracy that the grader computed itself, and compares both with
        a curve. Between two points of the curve, the accuracy `none` that earns nothing and the accuracy `full` that
        earns full marks are interpolated on a straight line over the logarithm of the number of parameters; before the
        first and behind the last point they stay as they are there. The part of the points is
        `(accuracy - none) / (full - none)`, held between 0 and 1. More right answers never earn less, and
        neither do fewer parameters. The unheld value is measured as `height`: above 1 lies above the curve.

    Why it matters:
        A network that does the same with fewer weights has understood more of what makes its images alike.

    Example:
        `{check: score_curve, with: {model: golf, curve: [{parameters: 160, none: 0.8, full: 0.91}]}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    counted = model.trainable_parameters if params.count == "trainable" else model.parameters
    dataset = params.dataset or case.rubric.dataset
    fact = case.evidence.accuracy(model.id, dataset, params.split)
    if counted is None or fact is None:
        return _unknown(case, model, counted, dataset, params)
    lower, upper = wanted_accuracy(params.curve, counted)
    reached = height(params.curve, counted, fact.value)
    assurance = min(fact.assurance, model.assurance, key=_CERTAINTY.index)
    refused = params.require_verified and assurance is not Assurance.VERIFIED
    fraction = 0.0 if refused else min(max(reached, 0.0), 1.0)
    return Finding.scored(
        _message(model, fact, counted, params, assurance),
        fraction,
        assurance=assurance,
        measured={
            "parameters": counted,
            "total_parameters": model.parameters,
            "trainable_parameters": model.trainable_parameters,
            "accuracy": fact.value,
            "low": fact.low,
            "high": fact.high,
            "none_below": lower,
            "full_from": upper,
            "height": round(reached, 6),
        },
        evidence=_where(case, model),
    )


_CERTAINTY = (Assurance.STATED, Assurance.RECORDED, Assurance.VERIFIED)


def wanted_accuracy(curve: Sequence[CurvePoint], parameters: int) -> tuple[float, float]:
    """The accuracies that earn nothing and full marks, for a number of parameters.

    Args:
        curve: Points with rising parameters.
        parameters: Number of parameters; 0 is read as 1.

    Returns:
        `none` and `full`, as parts of 1, linear in the logarithm of the parameters between two points.
    """
    for before, after in pairwise(curve):
        if before.parameters <= parameters <= after.parameters:
            span = math.log(after.parameters) - math.log(before.parameters)
            part = (math.log(parameters) - math.log(before.parameters)) / span
            return _between(before.none, after.none, part), _between(before.full, after.full, part)
    end = curve[0] if parameters < curve[0].parameters else curve[-1]
    return end.none, end.full


def height(curve: Sequence[CurvePoint], parameters: int, accuracy: float) -> float:
    """Where an accuracy lies between nothing (0) and full marks (1), and beyond.

    Args:
        curve: Points with rising parameters.
        parameters: Number of parameters.
        accuracy: As a part of 1.
    """
    lower, upper = wanted_accuracy(curve, parameters)
    return (accuracy - lower) / (upper - lower)


def _between(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


def _message(model: ModelFact, fact: AccuracyFact, counted: int, params: ScoreCurveParams, assurance: Assurance) -> str:
    lower, upper = wanted_accuracy(params.curve, counted)
    kind = "trainable parameter" if params.count == "trainable" else "parameter"
    text = (
        f"`{model.name}` has {plural(counted, kind)} and is right on {percent(fact.value)} of the "
        f"{number(fact.total)} {spoken_dataset(fact.dataset)} {spoken_split(fact.split)} images; at this size the "
        f"curve asks for {percent(upper)} and begins at {percent(lower)}."
    )
    if assurance is not Assurance.VERIFIED:
        what = "size" if model.assurance is not Assurance.VERIFIED else "accuracy"
        text += f" The grader could not verify the {what}, it was only recorded in the notebook's own process"
        text += f": {english(fact.note)}." if fact.note else "."
        if params.require_verified:
            text += " This rubric counts only verified figures."
    return text


def _unknown(case: Case, model: ModelFact, counted: int | None, dataset: str, params: ScoreCurveParams) -> Finding:
    reason = english(model.unkept_reason or "")
    where = f"{spoken_dataset(dataset)} ({spoken_split(params.split)})"
    trained = bool(case.evidence.fits_of(model.id))
    if counted is not None and trained and not reason and model.artefact is not None and _fits(case, model, dataset):
        finding = not_tried(case, model, f"The accuracy of `{model.name}` on {where} is not known")
        return finding.model_copy(update={"measured": {"parameters": counted, "accuracy": None}})
    if not trained:
        reason = "it was never trained"
    elif counted is None:
        reason = "it was never built, so its parameters are not known"
    untestable = "" if counted is None else why_untestable(case.evidence, model, dataset)
    if untestable:
        return Finding.pending(
            f"`{model.name}` cannot be placed on the curve of {where}: {english(untestable)}. A person has to look.",
            measured={"parameters": counted, "accuracy": None},
            evidence=(Pointer(cell=model.cell, event=model.event),),
        )
    return Finding.failed(
        f"`{model.name}` cannot be placed on the curve of {where}: {reason or 'its accuracy there is not known'}.",
        advice="Train the network in this notebook and leave it in a variable, so that it can be tested.",
        measured={"parameters": counted, "accuracy": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _fits(case: Case, model: ModelFact, dataset: str) -> bool:
    """Whether the network was seen to be trained on the data set, and answers with one of its classes."""
    return any(
        fit.x is not None
        and fit.x.rows is not None
        and fit.x.rows.dataset == dataset
        and fit.y is not None
        and model.output_shape == (len(fit.y.classes),)
        for fit in case.evidence.fits_of(model.id)
    )


def _where(case: Case, model: ModelFact) -> tuple[Pointer, ...]:
    fits = case.evidence.fits_of(model.id)
    last = fits[-1] if fits else None
    return (Pointer(cell=last.cell, event=last.event) if last else Pointer(cell=model.cell, event=model.event),)
