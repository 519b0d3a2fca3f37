"""The check `score_curve`."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from grader.checks.accuracy import (
    UNSEEN_LABELS,
    images_of,
    labels_unseen,
    not_tried,
    untrained,
    why_untestable,
    why_unusable,
)
from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Params, Part, Whole, WithModel
from grader.checks.support.stopped import allow_for_stop
from grader.facts.case import Case
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import AccuracyFact, ModelFact
from grader.schema.grade import Finding, FindingDetails, MeasureLabel
from grader.schema.message import Message, MessageLike, say, say_count, sentences

__all__ = ["CurvePoint", "ScoreCurveParams", "height", "score_curve", "wanted_accuracy"]


class CurvePoint(Params):
    """One point of the curve: the accuracies for a number of parameters."""

    parameters: Annotated[Whole, Field(ge=1)]
    """Number of parameters."""
    none: Part
    """Accuracy up to which there are no points, between 0 and 1."""
    full: Part
    """Accuracy for full points, between 0 and 1."""

    @model_validator(mode="after")
    def _none_below_full(self) -> Self:
        if self.none >= self.full:
            message = f"none {self.none:g} is not below full {self.full:g}"
            raise ValueError(message)
        return self


class ScoreCurveParams(WithModel):
    """Parameters of `score_curve`."""

    curve: Annotated[tuple[CurvePoint, ...], Field(min_length=1)]
    """Points of the curve with rising parameters; the accuracies must never fall."""
    count: Literal["all", "trainable"] = "all"
    """The parameters that count."""
    dataset: MeasuredOn | None = None
    """Data set; by default the rubric's."""
    split: str = "test"
    """Split of the data set."""
    require_verified: bool = False
    """Whether only figures count that the grader computed outside the student's process."""

    @property
    def needs_dataset(self) -> bool:
        """Whether the check uses the rubric's `dataset`."""
        return self.dataset is None

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for before, after in pairwise(self.curve):
            if after.parameters <= before.parameters:
                message = f"the curve's parameters do not rise from {before.parameters} to {after.parameters}"
                raise ValueError(message)
            if after.none < before.none or after.full < before.full:
                message = f"{after.parameters} parameters require less accuracy than {before.parameters}"
                raise ValueError(message)
        return self


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "parameters": measure(say("Counted parameters"), "number"),
    "total_parameters": measure(say("All parameters"), "number"),
    "trainable_parameters": measure(say("Trainable parameters"), "number"),
    "accuracy": measure(say("Accuracy"), "percent"),
    "low": measure(say("Lower end of the 95 % interval"), "percent"),
    "high": measure(say("Upper end of the 95 % interval"), "percent"),
    "none_below": measure(say("No points below"), "percent"),
    "full_from": measure(say("Full marks from"), "percent"),
    "height": measure(say("Place between these two, from 0 to 1"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("score_curve", measures=_MEASURES)
def score_curve(case: Case, params: ScoreCurveParams) -> Finding:
    """The model is accurate for its size.

    What it does:
        Compares the model's parameters and the accuracy that the grader computed with a curve. The curve gives two
        accuracies for each size: `none` earns nothing, and `full` earns full points. Between two points of the curve,
        both are linear in the logarithm of the number of parameters; outside, they are constant. The part of the
        points is `(accuracy - none) / (full - none)`, limited to 0 to 1. More correct answers never earn less, and
        neither do fewer parameters. The value before the limit is measured as `height`; above 1 it beats the curve.

    Why it matters:
        A model that needs fewer weights for the same accuracy uses them better.

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
    details: FindingDetails = {
        "assurance": assurance,
        "measured": {
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
        "evidence": _where(case, model),
    }
    message = _message(model, fact, counted, params, assurance)
    if refused and reached > 0:
        # A recorded figure may be forged, or it may be honest: let a person decide.
        return Finding.pending(sentences(message, say("A person must look at it.")), **details)
    return allow_for_stop(case, Finding.scored(message, min(max(reached, 0.0), 1.0), **details), model.id)


_CERTAINTY = (Assurance.STATED, Assurance.RECORDED, Assurance.VERIFIED)


def wanted_accuracy(curve: Sequence[CurvePoint], parameters: int) -> tuple[float, float]:
    """Compute the accuracies that earn nothing and full points for a number of parameters.

    Args:
        curve: Points with rising parameters.
        parameters: Number of parameters; 0 counts as 1.

    Returns:
        `none` and `full`, between 0 and 1, linear in the logarithm of the parameters between two points.
    """
    for before, after in pairwise(curve):
        if before.parameters <= parameters <= after.parameters:
            span = math.log(after.parameters) - math.log(before.parameters)
            part = (math.log(parameters) - math.log(before.parameters)) / span
            return _between(before.none, after.none, part), _between(before.full, after.full, part)
    end = curve[0] if parameters < curve[0].parameters else curve[-1]
    return end.none, end.full


def height(curve: Sequence[CurvePoint], parameters: int, accuracy: float) -> float:
    """Compute the height of an accuracy on the curve: 0 earns nothing, 1 full points; it can be outside of that.

    Args:
        curve: Points with rising parameters.
        parameters: Number of parameters.
        accuracy: Between 0 and 1.
    """
    lower, upper = wanted_accuracy(curve, parameters)
    return (accuracy - lower) / (upper - lower)


def _between(start: float, end: float, part: float) -> float:
    return start + (end - start) * part


def _message(
    model: ModelFact, fact: AccuracyFact, counted: int, params: ScoreCurveParams, assurance: Assurance
) -> Message:
    lower, upper = wanted_accuracy(params.curve, counted)
    verified = assurance is Assurance.VERIFIED
    return sentences(
        say(
            "{model:code} has {parameters} and classifies {accuracy:percent} of the {images} correctly.",
            model=model.name,
            parameters=_parameters(counted, params),
            accuracy=fact.value,
            images=images_of(fact),
        ),
        say(
            "For this size, points start at {none:percent}, and {full:percent} earns full points.",
            none=lower,
            full=upper,
        ),
        None if verified else _unverified(model, fact.note),
        say("This rubric counts only verified figures.") if params.require_verified and not verified else None,
    )


def _parameters(count: int, params: ScoreCurveParams) -> Message:
    if params.count == "trainable":
        return say_count("{count:number} trainable parameter", "{count:number} trainable parameters", count)
    return say_count("{count:number} parameter", "{count:number} parameters", count)


def _unverified(model: ModelFact, note: MessageLike) -> Message:
    if model.assurance is not Assurance.VERIFIED:
        unverified = say("The grader could not verify the size, which was only recorded in the notebook's own process")
    else:
        unverified = say(
            "The grader could not verify the accuracy, which was only recorded in the notebook's own process"
        )
    if not note:
        return say("{unverified}.", unverified=unverified)
    reason = note.rstrip(".") if isinstance(note, str) else note
    return say("{unverified}: {reason}.", unverified=unverified, reason=reason)


def _unknown(case: Case, model: ModelFact, counted: int | None, dataset: str, params: ScoreCurveParams) -> Finding:
    reason: MessageLike = model.unkept_reason or say("its accuracy is not known")
    trained = bool(case.evidence.fits_of(model.id))
    kept = not model.unkept_reason and model.artefact is not None
    if counted is not None and trained and kept and _fits(case, model, dataset):
        accuracy = say(
            "The accuracy of {model:code} on {dataset:dataset} ({split:split}) is not known",
            model=model.name,
            dataset=dataset,
            split=params.split,
        )
        finding = not_tried(case, model, accuracy)
        return finding.model_copy(update={"measured": {"parameters": counted, "accuracy": None}})
    if not trained:
        reason = untrained(case.evidence, model)
    untestable = why_untestable(case.evidence, model, dataset)
    if trained and counted is None:
        untestable = say("the grader could not see its number of parameters")
    if not untestable and labels_unseen(model, case.evidence.fits_of(model.id), dataset):
        untestable = UNSEEN_LABELS
    untestable = untestable or (why_unusable(model) if trained and not _other_classes(case, model, dataset) else "")
    if untestable:
        return Finding.pending(
            sentences(_no_place(model, dataset, params.split, untestable), say("A person must look at it.")),
            measured={"parameters": counted, "accuracy": None},
            evidence=(Pointer(cell=model.cell, event=model.event),),
        )
    return Finding.failed(
        _no_place(model, dataset, params.split, reason),
        advice=say("Train the model in this notebook and keep it in a variable, so that the grader can test it."),
        measured={"parameters": counted, "accuracy": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
        lacks=None if trained else "training",
    )


def _no_place(model: ModelFact, dataset: str, split: str, reason: MessageLike) -> Message:
    return say(
        "{model:code} has no place on the curve of {dataset:dataset} ({split:split}): {reason}.",
        model=model.name,
        dataset=dataset,
        split=split,
        reason=reason,
    )


def _fits(case: Case, model: ModelFact, dataset: str) -> bool:
    """Whether the model was trained on the data set and has one output per class."""
    return any(
        fit.x is not None
        and fit.x.rows is not None
        and fit.x.rows.dataset == dataset
        and fit.y is not None
        and model.output_shape == (len(fit.y.classes),)
        for fit in case.evidence.fits_of(model.id)
    )


def _other_classes(case: Case, model: ModelFact, dataset: str) -> bool:
    """Whether the model's outputs are known and are not one for each class of the data set."""
    fits = [fit for fit in case.evidence.fits_of(model.id) if fit.x is not None and fit.x.rows is not None]
    own = any(fit.x is not None and fit.x.rows is not None and fit.x.rows.dataset == dataset for fit in fits)
    return bool(fits) and (not own or (bool(model.output_shape) and not _fits(case, model, dataset)))


def _where(case: Case, model: ModelFact) -> tuple[Pointer, ...]:
    fits = case.evidence.fits_of(model.id)
    last = fits[-1] if fits else None
    return (Pointer(cell=last.cell, event=last.event) if last else Pointer(cell=model.cell, event=model.event),)
