"""The check `beats`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Number, Params, Whole
from grader.checks.support.stopped import allow_for_stop
from grader.facts.case import Case
from grader.facts.lineage import TAKES_WEIGHTS
from grader.facts.metrics import metric_in, metric_of
from grader.facts.recognition import known_rows
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import EvaluateFact, Evidence, FitFact, ModelFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["BeatsParams", "Reading", "beats", "readings"]

_Side = Literal["tested", "validation", "training"]
_ORDER: tuple[_Side, ...] = ("tested", "validation", "training")
"""The kinds of images on which accuracies are compared, the most meaningful first."""


class BeatsParams(Params):
    """Parameters of `beats`."""

    model: str
    """A role of this rubric: the model that should be more accurate."""
    than: str
    """A role of this rubric: the model to compare with."""
    within_steps: Annotated[Whole, Field(ge=1)] | None = None
    """Compare only accuracies that were reached within this number of training steps."""
    within_epochs: Annotated[Whole, Field(ge=1)] | None = None
    """Compare only accuracies that were reached within this number of epochs."""
    by: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    """The smallest difference, as a fraction of 1."""
    dataset: MeasuredOn | None = None
    """Data set of the verified accuracies; the default is the rubric's data set."""

    @property
    def needs_dataset(self) -> bool:
        """Whether the check uses the rubric's `dataset`."""
        return self.dataset is None


@dataclass(frozen=True, slots=True)
class Reading:
    """An accuracy of a model at one moment of its training.

    Attributes:
        value: 0 to 1.
        side: The kind of images.
        steps: Training steps up to this moment; None if unknown.
        epochs: Epochs up to this moment; None if unknown.
        images: Number of test images; None for the other kinds.
        assurance: How far the value can be trusted.
    """

    value: float
    side: _Side
    steps: int | None
    epochs: int | None
    images: int | None = None
    assurance: Assurance = Assurance.RECORDED


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "ours": measure(say("Accuracy of the model"), "percent"),
    "theirs": measure(say("Accuracy of the other model"), "percent"),
    "gain": measure(say("Difference of the accuracies"), "percent"),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("beats", measures=_MEASURES)
def beats(case: Case, params: BeatsParams) -> Finding:
    """One model is more accurate than another, optionally within a number of training steps or epochs.

    What it does:
        Compares accuracies on the same kind of images. If the whole training is within the limit, it uses the accuracy
        that the grader verified on the test images. Otherwise it uses the results of `evaluate` and of each epoch.
        Nothing is recorded within an epoch. Results of `evaluate` on test images only count if both models were tested
        on as many of them. If no accuracy of both models is within the limit, a person must judge it.

    Why it matters:
        An architecture is better if it reaches more with the same training, and not if it was trained for longer.

    Example:
        `{check: beats, with: {model: cnn, than: mlp, within_steps: 500}}`
    """
    models = []
    for role in (params.model, params.than):
        model, _ = case.model(role)
        if model is None:
            return missing_model(case, role)
        models.append(model)
    dataset = params.dataset or case.rubric.dataset
    recorded = [[r for r in readings(case.evidence, m, dataset) if _within(r, params)] for m in models]
    for side in _ORDER:
        ours, theirs = _comparable([[r for r in of_model if r.side == side] for of_model in recorded])
        if ours and theirs:
            best = [max(of_model, key=lambda r: r.value) for of_model in (ours, theirs)]
            finding = _compared((models[0], best[0]), (models[1], best[1]), params)
            return allow_for_stop(case, finding, models[0].id, models[1].id)
    return _unseen(case.evidence, models, recorded, params)


def _comparable(recorded: Sequence[list[Reading]]) -> Sequence[list[Reading]]:
    """Keep the accuracies on the largest number of images on which all models were tested."""
    common = set.intersection(*({reading.images for reading in of_model} for of_model in recorded))
    most = max(common, key=lambda images: images or 0, default=None)
    return [[reading for reading in of_model if common and reading.images == most] for of_model in recorded]


def readings(evidence: Evidence, model: ModelFact, dataset: str) -> tuple[Reading, ...]:
    """List the accuracies of a model with the training up to each of them.

    Args:
        evidence: The evidence of one execution.
        model: The model.
        dataset: The data set of the verified accuracy.
    """
    fits = evidence.fits_of(model.id)
    accuracies = [reading for place, fit in enumerate(fits) for reading in _of_epochs(fits[:place], fit)]
    fact = evidence.accuracy(model.id, dataset, "test")
    if fact is not None:
        accuracies.append(Reading(fact.value, "tested", _steps(fits), _epochs(fits), fact.total, fact.assurance))
    for evaluation in evidence.evaluations:
        value = metric_in(evaluation.results, "accuracy")
        images = _test_images(evaluation, dataset)
        if evaluation.model == model.id and value is not None and images:
            before = tuple(fit for fit in fits if fit.event < evaluation.event)
            accuracies.append(Reading(value, "tested", _steps(before), _epochs(before), images))
    return tuple(accuracies)


def _test_images(evaluation: EvaluateFact, dataset: str) -> int:
    """Count the test images of an `evaluate`; 0 if it used other images, too, or if they are unknown."""
    rows = known_rows(evaluation.x)
    if rows is None or rows.dataset != dataset:
        return 0
    test = rows.counts.get("test", 0)
    return test if test == sum(rows.counts.values()) else 0


def _of_epochs(before: tuple[FitFact, ...], fit: FitFact) -> list[Reading]:
    steps, epochs = _steps(before), _epochs(before)
    per_epoch = fit.steps or (fit.total_steps // fit.epochs_done if fit.total_steps and fit.epochs_done else None)
    accuracies = []
    sides: tuple[tuple[_Side, str], ...] = (("validation", "val_accuracy"), ("training", "accuracy"))
    for side, metric in sides:
        for place, value in enumerate(metric_of(fit, metric), start=1):
            done = None if steps is None or per_epoch is None else steps + place * per_epoch
            accuracies.append(Reading(value, side, done, None if epochs is None else epochs + place))
    return accuracies


def _steps(fits: tuple[FitFact, ...]) -> int | None:
    counts = [fit.total_steps for fit in fits]
    return None if None in counts else sum(count or 0 for count in counts)


def _epochs(fits: tuple[FitFact, ...]) -> int | None:
    if any(fit.kind == "custom_loop" and not fit.epochs_done for fit in fits):
        return None
    return sum(fit.epochs_done for fit in fits)


def _within(reading: Reading, params: BeatsParams) -> bool:
    limits = ((reading.steps, params.within_steps), (reading.epochs, params.within_epochs))
    return all(limit is None or (done is not None and 0 < done <= limit) for done, limit in limits)


def _limit(params: BeatsParams) -> Message | None:
    limits = [
        *([] if params.within_steps is None else [_count_of_steps(params.within_steps)]),
        *([] if params.within_epochs is None else [_count_of_epochs(params.within_epochs)]),
    ]
    return say("Only the first {limits} of training count.", limits=limits) if limits else None


def _count_of_steps(steps: int) -> Message:
    return say_count("{count:number} step", "{count:number} steps", steps)


def _count_of_epochs(epochs: int) -> Message:
    return say_count("{count:number} epoch", "{count:number} epochs", epochs)


def _described(reading: Reading) -> Message:
    if reading.steps is not None:
        training = _count_of_steps(reading.steps)
    elif reading.epochs is not None:
        training = _count_of_epochs(reading.epochs)
    else:
        return say("{accuracy:percent}", accuracy=reading.value)
    return say("{accuracy:percent} after {training}", accuracy=reading.value, training=training)


def _figures(ours: tuple[ModelFact, Reading], theirs: tuple[ModelFact, Reading]) -> Message:
    (model, reading), (other, base) = ours, theirs
    if reading.side == "tested":
        return say(
            "Accuracy on the test images: {model:code} {accuracy}, {other:code} {base}.",
            model=model.name,
            accuracy=_described(reading),
            other=other.name,
            base=_described(base),
        )
    if reading.side == "validation":
        return say(
            "Accuracy on their validation images: {model:code} {accuracy}, {other:code} {base}.",
            model=model.name,
            accuracy=_described(reading),
            other=other.name,
            base=_described(base),
        )
    return say(
        "Accuracy on their training images: {model:code} {accuracy}, {other:code} {base}.",
        model=model.name,
        accuracy=_described(reading),
        other=other.name,
        base=_described(base),
    )


def _verdict(model: str, other: str, gain: float, margin: float) -> Message:
    if gain <= 0:
        return say("{model:code} is not more accurate than {other:code}.", model=model, other=other)
    if gain < margin:
        return say(
            "{model:code} is more accurate than {other:code}, but by less than {margin:percent}.",
            model=model,
            other=other,
            margin=margin,
        )
    return say("{model:code} is more accurate than {other:code}.", model=model, other=other)


def _compared(ours: tuple[ModelFact, Reading], theirs: tuple[ModelFact, Reading], params: BeatsParams) -> Finding:
    gain = ours[1].value - theirs[1].value
    passed = gain > 0 and gain >= params.by
    verified = all(r.assurance is Assurance.VERIFIED for _, r in (ours, theirs))
    return Finding.scored(
        sentences(
            _verdict(ours[0].name, theirs[0].name, gain, params.by),
            _figures(ours, theirs),
            _limit(params),
        ),
        1.0 if passed else 0.0,
        assurance=Assurance.VERIFIED if verified else Assurance.RECORDED,
        measured={"ours": ours[1].value, "theirs": theirs[1].value, "gain": gain, "side": ours[1].side},
        evidence=(Pointer(cell=ours[0].cell, event=ours[0].event), Pointer(cell=theirs[0].cell, event=theirs[0].event)),
    )


def _never_trained(evidence: Evidence, model: ModelFact) -> bool:
    """Whether a model has only new weights, neither from a training nor from another model or a file."""
    took = any(save.model == model.id and save.action in TAKES_WEIGHTS for save in evidence.saves)
    return not took and not model.shares_layers_with and not evidence.fits_of(model.id)


def _unseen(
    evidence: Evidence, models: Sequence[ModelFact], recorded: Sequence[Sequence[Reading]], params: BeatsParams
) -> Finding:
    idle = next((model for model in models if _never_trained(evidence, model)), None)
    if idle is not None:
        return Finding.failed(
            say("{model:code} was never trained in this notebook, so the models cannot be compared.", model=idle.name),
            advice=say("Train both models in this notebook."),
            assurance=Assurance.RECORDED,
            measured={"ours": None, "theirs": None},
            evidence=(Pointer(cell=idle.cell, event=idle.event),),
        )
    blind = [model.name for model, of_model in zip(models, recorded, strict=True) if not of_model]
    if blind:
        lacking = say(
            "No accuracy of {models:code or} was recorded, so a person must compare the models.", models=blind
        )
    else:
        lacking = say(
            "No accuracies of {models:code} on the same kind of images were recorded, "
            "so a person must compare the models.",
            models=[model.name for model in models],
        )
    return Finding.pending(
        sentences(lacking, _limit(params)),
        advice=say("Call `evaluate` on the same images after the same number of steps for both models."),
        measured={"ours": None, "theirs": None},
        evidence=tuple(Pointer(cell=model.cell, event=model.event) for model in models),
    )
