"""The check `accuracy`."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Number, Part, TaskName, WithModel
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.recognition import known_rows
from grader.facts.tasks import judged_dataset, label_classes, names_classes, tasks_of
from grader.facts.wording import number, percent, plural, spoken_dataset, spoken_shape, spoken_split
from grader.schema.base import Assurance, Pointer
from grader.schema.errors import PredictorError
from grader.schema.evidence import AccuracyFact, Evidence, FitFact, ModelFact
from grader.schema.grade import Finding, FindingDetails

__all__ = ["AccuracyParams", "accuracy", "images_needed", "not_tried", "untried", "why_untestable"]


_CLASSES = {"mnist": 10, "fashion_mnist": 10, "cifar10": 10}
"""A network that was taught two of the digits has learned no other, and is not tried on all of them."""

_ONLY_RECORDED = (
    "the network could be used in the notebook's own process alone, and was not tried on these images there"
)
_UNABLE = "a trained network was kept, but the grader cannot prepare the test images as it takes them"
_UNASKED = "a trained network was kept, but it was not tried on these images when the notebook was executed"


class AccuracyParams(WithModel):
    """Parameters of `accuracy`."""

    at_least: Annotated[Number, Field(gt=0, le=1)]
    """Accuracy for full marks, as a part of 1."""
    partial_from: Part | None = None
    """Accuracy from which on points grow linearly from nothing to full marks at `at_least`."""
    dataset: MeasuredOn | None = None
    """Data set; left out: the rubric's own."""
    task: TaskName | None = None
    """Task of this rubric, on whose images alone it counts; left out: the whole split."""
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
        rounding. Where `at_least` was missed but lies inside the 95 % interval, the criterion is marked *borderline*:
        the points stay those computed, and a person should look. A pass stays a pass, however narrow; `within_noise`
        says that it was.

    Why it matters:
        A number that a notebook prints is a claim; a number that someone else can compute again is a result.

    Example:
        `{check: accuracy, with: {model: cnn, at_least: 0.99, partial_from: 0.97}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    dataset = judged_dataset(case.rubric, params.dataset, params.task)
    fact = case.evidence.accuracy(model.id, dataset, params.split, params.task)
    if fact is None and params.task is not None:
        return _unknown_on_task(case, model, params.task, dataset)
    if fact is None:
        return _unknown(case, model, dataset, params.split)
    needed = images_needed(params.at_least, fact.total)
    fraction = _fraction(fact, params, needed)
    within_noise = fact.low < params.at_least < fact.high
    pointer = next((Pointer(cell=f.cell, event=f.event) for f in reversed(case.evidence.fits_of(model.id))), None)
    details: FindingDetails = {
        "assurance": fact.assurance,
        "measured": {
            "accuracy": fact.value,
            "low": fact.low,
            "high": fact.high,
            "correct": fact.correct,
            "total": fact.total,
            "missing": max(0, needed - fact.correct),
            "at_least": params.at_least,
            "within_noise": within_noise,
        },
        "borderline": within_noise and fraction is not None and fraction < 1,
        "evidence": (pointer or Pointer(cell=model.cell, event=model.event),),
    }
    message = _message(fact, model, params, needed)
    return Finding.pending(message, **details) if fraction is None else Finding.scored(message, fraction, **details)


def images_needed(part: float, total: int) -> int:
    """The smallest number of right answers that is at least a part of all.

    Computed in decimal, as the rubric was written: 0.99 of 10,000 is 9,900 and not one more.

    Args:
        part: 0 to 1.
        total: Number of images.
    """
    return math.ceil(Decimal(str(part)) * total)


def _fraction(fact: AccuracyFact, params: AccuracyParams, needed: int) -> float | None:
    """The part of the points; None where a person has to decide."""
    reached = fact.value > (params.at_least if params.partial_from is None else params.partial_from)
    if params.require_verified and fact.assurance is not Assurance.VERIFIED and (reached or fact.correct >= needed):
        # Neither a forger's points nor an honest student's zero: a person looks at it.
        return None
    if fact.correct >= needed:
        return 1.0
    if params.partial_from is None:
        return 0.0
    earned = (fact.value - params.partial_from) / (params.at_least - params.partial_from)
    return max(0.0, earned)


def _message(fact: AccuracyFact, model: ModelFact, params: AccuracyParams, needed: int) -> str:
    task = f" of the task `{fact.task}`" if fact.task else ""
    where = f"the {number(fact.total)} {spoken_dataset(fact.dataset)} {spoken_split(fact.split)} images{task}"
    text = (
        f"`{model.name}` is right on {percent(fact.value)} of {where} ({number(fact.correct)} right; "
        f"95 % interval {percent(fact.low)} to {percent(fact.high)})"
    )
    missing = needed - fact.correct
    if missing > 0:
        text += f"; {plural(missing, 'more right answer')} would make {percent(params.at_least)}"
    text += "."
    if fact.low < params.at_least < fact.high:
        text += _noise(fact, params, missing)
    if fact.assurance is not Assurance.VERIFIED:
        because = f": {fact.note}" if fact.note else ""
        text += f" The grader could not verify it, it was only recorded in the notebook's own process{because}."
        if params.require_verified:
            text += " This rubric counts only verified accuracy, so a person has to look at it."
    return text


def _noise(fact: AccuracyFact, params: AccuracyParams, missing: int) -> str:
    """Say that the threshold lies inside the interval: a question where it was missed, else only a note."""
    told = f" {number(fact.total)} images cannot tell this accuracy from {percent(params.at_least)}"
    return f"{told}: {'this is borderline, and a person should look at it' if missing > 0 else 'it counts as reached'}."


def _unknown(case: Case, model: ModelFact, dataset: str, split: str) -> Finding:
    what = f"The accuracy of `{model.name}` on {spoken_dataset(dataset)} ({spoken_split(split)}) is not known"
    fits = case.evidence.fits_of(model.id)
    own = [fit for fit in fits if fit.x and fit.x.rows and fit.x.rows.dataset == dataset]
    later = _elsewhere(fits, dataset)
    if untried(case, model, dataset):
        return not_tried(case, model, what)
    untestable = why_untestable(case.evidence, model, dataset)
    if own and not later and _unrecorded(case, model, dataset):
        untestable = _ONLY_RECORDED
    if untestable:
        return _for_a_person(model, what, untestable)
    if model.unkept_reason:
        why = model.unkept_reason
    elif not fits:
        why = "it was never trained"
    elif not own:
        why = f"it was not seen to be trained on {spoken_dataset(dataset)}"
    elif later:
        why = f"its last training was on {spoken_dataset(later)}"
    elif model.artefact is None:
        why = "no trained network was kept"
    else:
        outputs = spoken_shape(model.output_shape)
        why = f"with inputs of {spoken_shape(model.input_shape)} and outputs of {outputs} it does not fit its images"
    return Finding.failed(
        f"{what}: {why.rstrip('.')}.",
        advice="Train the network in this notebook and leave it in a variable, so that it can be tested.",
        measured={"accuracy": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _for_a_person(model: ModelFact, what: str, why: str, measures: str = "accuracy") -> Finding:
    return Finding.pending(
        f"{what}: {why}. A person has to look at it.",
        measured={measures: None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def untried(case: Case, model: ModelFact, dataset: str, task: str | None = None) -> bool:
    """Whether the grader could have tried a network on test images and did not, through no fault of its author.

    Nobody asked for predictions that a rubric came to need after the execution; others were lost.

    Args:
        case: What is judged.
        model: A network without an accuracy there.
        dataset: The data set.
        task: A task of the rubric, whose images alone count; left out: the whole split.
    """
    fits = case.evidence.fits_of(model.id)
    if not fits or not _kept(model) or _unrecorded(case, model, dataset, task):
        return False
    if task is not None:
        settings, last = case.rubric.tasks[task], fits[-1]
        labels = label_classes(case.evidence, model.id, settings.classes)
        learned = labels is not None and _names(model, labels, binary=settings.binary)
        return learned and task in tasks_of(last, case.rubric) and _takes_its_images(model, last)
    judged = any((fact.model, fact.dataset) == (model.id, dataset) for fact in case.evidence.accuracies)
    own = (fit for fit in fits if fit.x and fit.x.rows and fit.x.rows.dataset == dataset)
    return not judged and not _elsewhere(fits, dataset) and any(_testable(model, fit, dataset) for fit in own)


def not_tried(case: Case, model: ModelFact, what: str, measures: str = "accuracy") -> Finding:
    """Leave a network that is `untried` to a person, unless its prediction was lost.

    Args:
        case: What is judged, and why a prediction is lacking there.
        model: The network.
        what: What is not known.
        measures: What the check would have measured.

    Raises:
        PredictorError: It was lost, and the next grading executes again.
    """
    again = "`grader grade` with this rubric executes the notebook again and tries it"
    if case.lacking == "lost":
        reasons = "; ".join(case.evidence.problems)
        message = f"{what} although a trained network was kept{': ' + reasons if reasons else ''}"
        raise PredictorError(message, where=f"model {model.id}", advice=again)
    if case.lacking == "unable":
        return _for_a_person(model, what, _UNABLE, measures)
    finding = _for_a_person(model, what, _UNASKED, measures)
    # Of what is pending no advice is shown.
    return finding.model_copy(update={"message": f"{english(finding.message).removesuffix('.')}, or {again}."})


def _unrecorded(case: Case, model: ModelFact, dataset: str, task: str | None = None) -> bool:
    """Whether not the network was kept but only its answers, and those to other images: the graded test images."""
    forms = {model.artefact_format, *model.fallbacks}
    return forms == {"predictions"} and (task is not None or dataset != case.rubric.dataset)


def _kept(model: ModelFact) -> bool:
    return model.artefact is not None and not model.unkept_reason


def _elsewhere(fits: Sequence[FitFact], dataset: str) -> str:
    """The other data set that a network's last training was on; empty where it was not on another."""
    rows = known_rows(next((fit.x for fit in reversed(fits) if fit.x is not None), None))
    return "" if rows is None or rows.dataset == dataset else rows.dataset


def why_untestable(evidence: Evidence, model: ModelFact, dataset: str) -> str:
    """Why the grader cannot try a trained network on a data set's images through no fault of its author; else empty.

    Args:
        evidence: All there is.
        model: A network without an accuracy.
        dataset: The data set.
    """
    fits = evidence.fits_of(model.id)
    inputs = sum(layer.cls == "InputLayer" for layer in model.layers)
    if not fits:
        return ""
    if inputs > 1:
        return f"the network takes {inputs} inputs, and the grader tests networks that take an image alone"
    given = [fit.x for fit in fits if fit.x is not None]
    if not given or any(x.rows is not None for x in given) or model.artefact is None:
        return ""
    shape = spoken_shape(given[-1].shape[1:])
    title = spoken_dataset(dataset)
    return (
        f"what it was trained on ({shape} an image) was not recognised as images of {title}, so the grader cannot "
        "prepare the test images in the same way"
    )


def _unknown_on_task(case: Case, model: ModelFact, task: str, dataset: str) -> Finding:
    """Why a network has no accuracy on a task's images."""
    what = f"The accuracy of `{model.name}` on the task `{task}` is not known"
    fits = case.evidence.fits_of(model.id)
    settings = case.rubric.tasks[task]
    labels = label_classes(case.evidence, model.id, settings.classes)
    if untried(case, model, dataset, task):
        return not_tried(case, model, what)
    if model.unkept_reason:
        why = model.unkept_reason
    elif not fits:
        why = "it was never trained"
    elif task not in tasks_of(fits[-1], case.rubric):
        why = "its last training was not seen to be on that task's images"
    elif labels is None:
        why = "what its outputs stand for could not be told from the labels of its last training"
    elif model.artefact is None:
        why = "no trained network was kept"
    elif not _names(model, labels, binary=settings.binary):
        why = f"with outputs of {spoken_shape(model.output_shape)} it cannot name the classes it was taught"
    elif _unrecorded(case, model, dataset, task):
        return _for_a_person(model, what, _ONLY_RECORDED)
    else:
        taken = f"with inputs of {spoken_shape(model.input_shape)} the grader could not try it on that task's images"
        return _for_a_person(model, what, why_untestable(case.evidence, model, dataset) or taken)
    return Finding.failed(
        f"{what}: {why.rstrip('.')}.",
        advice="Train the network on that task's images in this notebook and leave it in a variable.",
        measured={"accuracy": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _names(model: ModelFact, labels: Mapping[int, int], *, binary: bool) -> bool:
    """Whether a network's outputs can name the classes it was taught; where they are not recorded, they may."""
    if model.output_shape is None:
        return True
    return len(model.output_shape) == 1 and names_classes(model.output_shape[0] or 0, labels, binary=binary)


def _testable(model: ModelFact, fit: FitFact, dataset: str) -> bool:
    """Whether a network takes the images it was trained on and names one of the data set's classes."""
    if fit.y is None or not model.output_shape:
        return False
    classes = _CLASSES.get(dataset, len(fit.y.classes))
    return _takes_its_images(model, fit) and model.output_shape == (classes,)


def _takes_its_images(model: ModelFact, fit: FitFact) -> bool:
    """Whether a network takes images of the shape it was trained on, or as many numbers as one of them has."""
    if fit.x is None or not model.input_shape:
        return False
    if len(model.input_shape) == len(fit.x.shape) - 1 and None in model.input_shape:
        return all(axis in {None, length} for axis, length in zip(model.input_shape, fit.x.shape[1:], strict=True))
    one, given = [axis for axis in model.input_shape if axis], [axis for axis in fit.x.shape[1:] if axis]
    return math.prod(one) == math.prod(given)
