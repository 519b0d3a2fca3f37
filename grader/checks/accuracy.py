"""The check `accuracy`."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Number, Part, TaskName, WithModel
from grader.checks.support.stopped import allow_for_stop
from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.recognition import known_rows
from grader.facts.suitability import CLASSES
from grader.facts.tasks import judged_dataset, label_classes, label_meaning, names_classes, tasks_of
from grader.facts.weights import trainings_of
from grader.schema.base import Assurance, Json, Pointer
from grader.schema.errors import PredictorError
from grader.schema.evidence import AccuracyFact, Evidence, FitFact, ModelFact
from grader.schema.grade import Finding, FindingDetails, MeasureLabel
from grader.schema.message import Message, MessageLike, say, say_count, sentences

__all__ = [
    "UNSEEN_LABELS",
    "AccuracyParams",
    "accuracy",
    "images_needed",
    "images_of",
    "labels_unseen",
    "not_tried",
    "untrained",
    "untried",
    "why_untestable",
    "why_unusable",
]


_ONLY_RECORDED = say(
    "the model could only be used in the notebook's own process, and was not tested on these images there"
)
UNSEEN_LABELS: Final = say("the grader could not see which class each label of its training stands for")
"""The reason why a model without an accuracy waits for a person."""
_UNABLE = say("a trained model was kept, but the grader cannot prepare the test images in the form that it takes")
_UNASKED = say("a trained model was kept, but it was not tested on these images when the notebook was executed")


class AccuracyParams(WithModel):
    """Parameters of `accuracy`."""

    at_least: Annotated[Number, Field(gt=0, le=1)]
    """Accuracy for full marks, as a fraction of 1."""
    partial_from: Part | None = None
    """Accuracy for 0 points; above it, points grow linearly up to full marks at `at_least`."""
    dataset: MeasuredOn | None = None
    """Data set; the default is the rubric's data set."""
    task: TaskName | None = None
    """Task of this rubric: only its images count; the default is the whole split."""
    split: str = "test"
    """Split of the data set."""
    require_verified: bool = False
    """Count only an accuracy that the grader computed outside the student's process."""
    held_back: bool = False
    """Also test the model on new images, which the grader makes from training images after the notebook has ended.
    `docs/trust.md` says how, and what they show."""

    @property
    def needs_dataset(self) -> bool:
        """Whether the check uses the rubric's `dataset`."""
        return self.dataset is None and self.task is None

    @model_validator(mode="after")
    def _partial_below_full(self) -> Self:
        if self.partial_from is not None and self.partial_from >= self.at_least:
            message = f"partial_from {self.partial_from:g} is not below at_least {self.at_least:g}"
            raise ValueError(message)
        return self


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "accuracy": measure(say("Accuracy"), "percent"),
    "low": measure(say("Lower end of the 95 % interval"), "percent"),
    "high": measure(say("Upper end of the 95 % interval"), "percent"),
    "correct": measure(say("Images classified correctly"), "number"),
    "total": measure(say("Images"), "number"),
    "missing": measure(say("Further correct images for full marks"), "number"),
    "at_least": measure(say("Accuracy for full marks"), "percent"),
    "within_noise": measure(say("Missed by less than the measurement error")),
    "held_back": measure(say("Accuracy on new images"), "percent"),
    "held_back_low": measure(say("Lower end of its 95 % interval"), "percent"),
    "held_back_high": measure(say("Upper end of its 95 % interval"), "percent"),
    "held_back_total": measure(say("New images"), "number"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("accuracy", measures=_MEASURES)
def accuracy(case: Case, params: AccuracyParams) -> Finding:
    """The model classifies enough images correctly.

    What it does:
        Uses the accuracy that the grader computed itself. It loads the trained model in a separate sandbox and
        compares its predictions with labels that the notebook never saw. It counts whole images, so that no rounding
        can decide. If the accuracy misses `at_least`, but `at_least` is within the 95 % interval, the criterion is
        *borderline*: the points do not change, and a person should look. A narrow pass remains a pass, and
        `within_noise` reports it. If the grader stopped the training while it was still improving, or has no usable
        form of the model, a person must judge a missed criterion. With `held_back: true`, the points also need an
        accuracy on new images that is not far lower; otherwise a person must judge it.

    Why it matters:
        A number that a notebook prints is a claim. A number that someone else can compute again is a result.

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
    unseen = _held_back_measures(fact) if params.held_back else {}
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
            **unseen,
        },
        "borderline": within_noise and fraction is not None and fraction < 1,
        "evidence": (pointer or Pointer(cell=model.cell, event=model.event),),
    }
    confirmed = params.held_back and (fact.held_back is not None or fraction != 0)
    message = sentences(_message(fact, model, params, needed), _on_held_back(fact) if confirmed else None)
    if fraction is None or (params.held_back and fraction > 0 and fact.held_back is None):
        return Finding.pending(message, **details)
    return allow_for_stop(case, Finding.scored(message, fraction, **details), model.id)


def images_needed(part: float, total: int) -> int:
    """Compute the smallest number of correct answers that reaches a fraction of all images.

    Decimal arithmetic gives the number that the rubric means: 0.99 of 10,000 is 9,900 and not 9,901.

    Args:
        part: 0 to 1.
        total: Number of images.
    """
    return math.ceil(Decimal(str(part)) * total)


def _fraction(fact: AccuracyFact, params: AccuracyParams, needed: int) -> float | None:
    """Compute the fraction of the points; None if a person must decide."""
    reached = fact.value > (params.at_least if params.partial_from is None else params.partial_from)
    if params.require_verified and fact.assurance is not Assurance.VERIFIED and (reached or fact.correct >= needed):
        # A recorded accuracy may be forged, or it may be honest: let a person decide.
        return None
    if fact.correct >= needed:
        return 1.0
    if params.partial_from is None:
        return 0.0
    earned = (fact.value - params.partial_from) / (params.at_least - params.partial_from)
    return max(0.0, earned)


def images_of(fact: AccuracyFact) -> Message:
    """Name the images of an accuracy with their number, such as "10,000 MNIST test images"."""
    if fact.task:
        return say_count(
            "{count:number} {dataset:dataset} {split:split} image of the task {task:code}",
            "{count:number} {dataset:dataset} {split:split} images of the task {task:code}",
            fact.total,
            dataset=fact.dataset,
            split=fact.split,
            task=fact.task,
        )
    return say_count(
        "{count:number} {dataset:dataset} {split:split} image",
        "{count:number} {dataset:dataset} {split:split} images",
        fact.total,
        dataset=fact.dataset,
        split=fact.split,
    )


def _message(fact: AccuracyFact, model: ModelFact, params: AccuracyParams, needed: int) -> Message:
    figures = say(
        "{model:code} classifies {accuracy:percent} of the {images} correctly "
        "({correct:number} images; 95 % interval {low:percent} to {high:percent}).",
        model=model.name,
        accuracy=fact.value,
        images=images_of(fact),
        correct=fact.correct,
        low=fact.low,
        high=fact.high,
    )
    missing = needed - fact.correct
    return sentences(
        figures,
        _missing(missing, params.at_least) if missing > 0 else None,
        _noise(fact, params, missing) if fact.low < params.at_least < fact.high else None,
        *([] if fact.assurance is Assurance.VERIFIED else _unverified(fact, params)),
    )


def _held_back_measures(fact: AccuracyFact) -> dict[str, Json]:
    held_back = fact.held_back
    if held_back is None:
        return {"held_back": None}
    return {
        "held_back": held_back.value,
        "held_back_low": held_back.low,
        "held_back_high": held_back.high,
        "held_back_total": held_back.total,
    }


def _on_held_back(fact: AccuracyFact) -> Message:
    """Report the accuracy on new images."""
    held_back = fact.held_back
    if held_back is None:
        return say("It could not be tested on new images made by the grader, so a person must look at it.")
    return say(
        "Of {count:number} new images, which the grader made from training images after the notebook had ended, "
        "it classifies {accuracy:percent} correctly (95 % interval {low:percent} to {high:percent}).",
        count=held_back.total,
        accuracy=held_back.value,
        low=held_back.low,
        high=held_back.high,
    )


def _missing(images: int, required: float) -> Message:
    return say_count(
        "{count:number} more correct image would make {required:percent}.",
        "{count:number} more correct images would make {required:percent}.",
        images,
        required=required,
    )


def _noise(fact: AccuracyFact, params: AccuracyParams, missing: int) -> Message:
    """Report that the threshold is within the interval."""
    if missing > 0:
        return say_count(
            "{count:number} image cannot distinguish this accuracy from {required:percent}: "
            "this is borderline, and a person should look at it.",
            "{count:number} images cannot distinguish this accuracy from {required:percent}: "
            "this is borderline, and a person should look at it.",
            fact.total,
            required=params.at_least,
        )
    return say_count(
        "{count:number} image cannot distinguish this accuracy from {required:percent}: it counts as reached.",
        "{count:number} images cannot distinguish this accuracy from {required:percent}: it counts as reached.",
        fact.total,
        required=params.at_least,
    )


def _unverified(fact: AccuracyFact, params: AccuracyParams) -> Iterator[Message]:
    if fact.note:
        yield say(
            "The grader could not verify this accuracy, which was only recorded in the notebook's own process: "
            "{reason}.",
            reason=_clause(fact.note),
        )
    else:
        yield say("The grader could not verify this accuracy, which was only recorded in the notebook's own process.")
    if params.require_verified:
        yield say("This rubric counts only verified accuracies, so a person must look at it.")


def _clause(text: MessageLike) -> MessageLike:
    """Remove the full stop of a text."""
    return text.rstrip(".") if isinstance(text, str) else text


def _unknown(case: Case, model: ModelFact, dataset: str, split: str) -> Finding:
    unknown = say(
        "The accuracy of {model:code} on {dataset:dataset} ({split:split}) is not known",
        model=model.name,
        dataset=dataset,
        split=split,
    )
    fits = case.evidence.fits_of(model.id)
    own = [fit for fit in fits if fit.x and fit.x.rows and fit.x.rows.dataset == dataset]
    unseen = any(known_rows(fit.x) is None for fit in fits)
    later = _elsewhere(fits, dataset)
    if untried(case, model, dataset):
        return not_tried(case, model, unknown)
    untestable = why_untestable(case.evidence, model, dataset)
    if own and not later:
        untestable = untestable or _why_unasked(case, model, own, dataset)
    if untestable:
        return _for_a_person(model, unknown, untestable)
    if not fits:
        reason = untrained(case.evidence, model)
    elif not own and not unseen:
        reason = say("the grader saw no training on {dataset:dataset}", dataset=dataset)
    elif later:
        reason = say("its last training was on {dataset:dataset}", dataset=later)
    elif own and (misfit := _wrong_units(model, own[-1], dataset)):
        reason = misfit
    elif lost := why_unusable(model):
        return _for_a_person(model, unknown, lost)
    elif not own:
        return _for_a_person(model, unknown, say("the grader could not see the images of its training"))
    else:
        reason = _misfit(model, own[-1], dataset)
    return Finding.failed(
        say("{unknown}: {reason}.", unknown=unknown, reason=reason),
        advice=say("Train a model with one output for each class on these images, and on no others after that.")
        if fits
        else say("Train the model in this notebook and keep it in a variable, so that the grader can test it."),
        measured={"accuracy": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
        lacks=None if fits else "training",
    )


def _why_unasked(case: Case, model: ModelFact, own: Sequence[FitFact], dataset: str) -> MessageLike:
    """Explain why the grader has no predictions of a model that fits its images, if it sees the reason; else empty."""
    if _unrecorded(case, model, dataset):
        return _ONLY_RECORDED
    return UNSEEN_LABELS if not why_unusable(model) and labels_unseen(model, own, dataset) else ""


def why_unusable(model: ModelFact) -> MessageLike:
    """Explain why the grader has no usable form of a trained model, through no fault of the student; else empty."""
    if model.unkept_reason:
        return _clause(model.unkept_reason)
    return say("no trained model was kept") if model.artefact is None else ""


def labels_unseen(model: ModelFact, fits: Iterable[FitFact], dataset: str) -> bool:
    """Whether the grader did not see the labels of a training on a data set, which the model may fit."""
    return any(
        fit.y is None and _takes_its_images(model, fit) and (_classes(fit, dataset),) in model.output_shapes
        for fit in fits
    )


def _wrong_units(model: ModelFact, fit: FitFact, dataset: str) -> Message | None:
    """Explain that a model has another number of outputs than its data set has classes; None if it has not."""
    units = model.output_shape[0] if model.output_shape is not None and len(model.output_shape) == 1 else None
    classes = _classes(fit, dataset)
    if units is not None and classes is not None and units != classes:
        return say_count(
            "its output has {count:number} unit, but {dataset:dataset} needs {classes:number}",
            "its output has {count:number} units, but {dataset:dataset} needs {classes:number}",
            units,
            dataset=dataset,
            classes=classes,
        )
    return None


def _misfit(model: ModelFact, fit: FitFact, dataset: str) -> Message:
    """Explain why a model does not fit the images of its data set."""
    if len(model.output_shapes) > 1:
        return say(
            "none of its {count:number} outputs has a number for each class of {dataset:dataset}",
            count=len(model.output_shapes),
            dataset=dataset,
        )
    return _wrong_units(model, fit, dataset) or say(
        "it takes inputs of shape {inputs:shape} and gives outputs of shape {outputs:shape}, "
        "which does not fit the images",
        inputs=model.input_shape,
        outputs=model.output_shape,
    )


def _classes(fit: FitFact, dataset: str) -> int | None:
    return CLASSES.get(dataset, len(fit.y.classes) if fit.y is not None else None)


def _for_a_person(model: ModelFact, unknown: MessageLike, reason: MessageLike, measures: str = "accuracy") -> Finding:
    return Finding.pending(
        say("{unknown}: {reason}. A person must look at it.", unknown=unknown, reason=reason),
        measured={measures: None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def untried(case: Case, model: ModelFact, dataset: str, task: str | None = None) -> bool:
    """Whether the grader could have tested a model on test images and did not, through no fault of the student.

    Either the rubric came to need the predictions only after the execution, or they were lost.

    Args:
        case: The case.
        model: A model without an accuracy on these images.
        dataset: The data set.
        task: A task of the rubric, if only its images count.
    """
    fits = case.evidence.fits_of(model.id)
    if not fits or not _kept(model) or _unrecorded(case, model, dataset, task):
        return False
    if task is not None:
        settings, last = case.rubric.tasks[task], fits[-1]
        labels = label_classes(case.evidence, model.id, settings.classes)
        learned = labels is not None and _names(model, labels, binary=settings.binary)
        return learned and task in tasks_of(last, case.rubric) and _takes_its_images(model, last)
    tested = any((fact.model, fact.dataset) == (model.id, dataset) for fact in case.evidence.accuracies)
    own = (fit for fit in fits if fit.x and fit.x.rows and fit.x.rows.dataset == dataset)
    return not tested and not _elsewhere(fits, dataset) and any(_testable(model, fit, dataset) for fit in own)


def not_tried(case: Case, model: ModelFact, unknown: MessageLike, measures: str = "accuracy") -> Finding:
    """Leave a model that is `untried` to a person, unless its predictions were lost.

    Args:
        case: The case, with the reason why a prediction is missing.
        model: The model.
        unknown: A clause about the unknown figure, such as "The accuracy of `cnn` is not known".
        measures: The figure that the check would have measured.

    Raises:
        PredictorError: The predictions were lost, and the next grading executes the notebook again.
    """
    if case.lacking == "lost":
        reasons = "; ".join(map(english, case.evidence.problems))
        message = f"{english(unknown)} although a trained model was kept{': ' + reasons if reasons else ''}"
        again = "`grader grade` with this rubric executes the notebook again and tests the model"
        raise PredictorError(message, where=f"model {model.id}", advice=again)
    if case.lacking == "unable":
        return _for_a_person(model, unknown, _UNABLE, measures)
    # The way out is part of the message, since a pending criterion shows no advice.
    message_with_way_out = say(
        "{unknown}: {reason}. A person must look at it, or `grader grade` with this rubric executes the notebook "
        "again and tests the model.",
        unknown=unknown,
        reason=_UNASKED,
    )
    return _for_a_person(model, unknown, _UNASKED, measures).model_copy(update={"message": message_with_way_out})


def _unrecorded(case: Case, model: ModelFact, dataset: str, task: str | None = None) -> bool:
    """Whether only predictions on the rubric's test images were kept, and neither the model nor other predictions."""
    forms = {model.artefact_format, *model.fallbacks}
    return forms == {"predictions"} and (task is not None or dataset != case.rubric.dataset)


def _kept(model: ModelFact) -> bool:
    return model.artefact is not None and not model.unkept_reason


def _elsewhere(fits: Sequence[FitFact], dataset: str) -> str:
    """Name the other data set of the last training; empty if it was on the given data set or an unknown one."""
    rows = known_rows(next((fit.x for fit in reversed(fits) if fit.x is not None), None))
    return "" if rows is None or rows.dataset == dataset else rows.dataset


def why_untestable(evidence: Evidence, model: ModelFact, dataset: str) -> MessageLike:
    """Explain why the grader cannot test a trained model on a data set through no fault of the student; else empty.

    Args:
        evidence: The evidence of one execution.
        model: A model without an accuracy.
        dataset: The data set.
    """
    fits = evidence.fits_of(model.id)
    inputs = sum(layer.cls == "InputLayer" for layer in model.layers)
    if not fits and (inside := trainings_of(evidence, model.id)):
        whole = evidence.model(inside[-1].model)
        return say("it was trained as a part of {model:code}", model=whole.name if whole is not None else "")
    if not fits:
        return ""
    if inputs > 1:
        return say(
            "the model takes several inputs ({inputs:number}), but the grader tests only models that take one image",
            inputs=inputs,
        )
    if (1,) in model.output_shapes and CLASSES.get(dataset, 2) == 2 and not label_meaning(evidence, model.id):  # noqa: PLR2004 - two classes
        return UNSEEN_LABELS
    arrays = [fit.x for fit in fits if fit.x is not None]
    if not arrays or any(x.rows is not None for x in arrays) or model.artefact is None:
        return ""
    return say(
        "the grader does not recognize its training images of shape {shape:shape} as {dataset:dataset}, "
        "so it cannot prepare the test images in the same way",
        shape=arrays[-1].shape[1:],
        dataset=dataset,
    )


def untrained(evidence: Evidence, model: ModelFact) -> Message:
    """Explain why a model without a training has no accuracy: a clause about the model.

    Args:
        evidence: The evidence of one execution.
        model: The model.
    """
    failed = next((fit for fit in reversed(evidence.failed_fits) if fit.model == model.id), None)
    if failed is None:
        return say("it was never trained")
    error = (failed.error or "").partition(":")[0]
    return say("{call:code} in {cell:cell} raised {error:code}", call="fit", cell=failed.cell, error=error)


def _unknown_on_task(case: Case, model: ModelFact, task: str, dataset: str) -> Finding:
    """Explain why a model has no accuracy on the images of a task."""
    unknown = say("The accuracy of {model:code} on the task {task:code} is not known", model=model.name, task=task)
    fits = case.evidence.fits_of(model.id)
    settings = case.rubric.tasks[task]
    labels = label_classes(case.evidence, model.id, settings.classes)
    if untried(case, model, dataset, task):
        return not_tried(case, model, unknown)
    if fits and task in tasks_of(fits[-1], case.rubric) and not label_meaning(case.evidence, model.id):
        return _for_a_person(model, unknown, UNSEEN_LABELS)
    if not fits:
        reason = untrained(case.evidence, model)
    elif known_rows(fits[-1].x) is None:
        return _for_a_person(model, unknown, say("the grader could not see the images of its last training"))
    elif task not in tasks_of(fits[-1], case.rubric):
        reason = say("the grader saw no images of this task in its last training")
    elif labels is None:
        reason = say("the labels of its last training do not show the meaning of its outputs")
    elif not _names(model, labels, binary=settings.binary):
        reason = say(
            "its output of shape {outputs:shape} cannot name the classes that it was trained on",
            outputs=model.output_shape,
        )
    else:
        shape = say(
            "the grader could not test inputs of shape {inputs:shape} with the images of this task",
            inputs=model.input_shape,
        )
        lost = why_unusable(model) or (_ONLY_RECORDED if _unrecorded(case, model, dataset, task) else "")
        return _for_a_person(model, unknown, lost or why_untestable(case.evidence, model, dataset) or shape)
    return Finding.failed(
        say("{unknown}: {reason}.", unknown=unknown, reason=reason),
        advice=say("Train the model on the images of this task in this notebook, and keep it in a variable."),
        measured={"accuracy": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
        lacks=None if fits else "training",
    )


def _names(model: ModelFact, labels: Mapping[int, int], *, binary: bool) -> bool:
    """Whether the outputs of a model can name the classes of its training; assumed if they are not recorded."""
    if not model.output_shapes:
        return True
    units = (shape[0] or 0 for shape in model.output_shapes if len(shape) == 1)
    return any(names_classes(count, labels, binary=binary) for count in units)


def _testable(model: ModelFact, fit: FitFact, dataset: str) -> bool:
    """Whether the model accepts the images that it was trained on, and has an output for each class of the data set."""
    if fit.y is None:
        return False
    return _takes_its_images(model, fit) and (_classes(fit, dataset),) in model.output_shapes


def _takes_its_images(model: ModelFact, fit: FitFact) -> bool:
    """Whether a model takes images of the shape of its training images, or the same number of values."""
    if fit.x is None or not model.input_shape:
        return False
    if len(model.input_shape) == len(fit.x.shape) - 1 and None in model.input_shape:
        return all(axis in {None, length} for axis, length in zip(model.input_shape, fit.x.shape[1:], strict=True))
    inputs, image = [axis for axis in model.input_shape if axis], [axis for axis in fit.x.shape[1:] if axis]
    return math.prod(inputs) == math.prod(image)
