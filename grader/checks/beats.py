"""The check `beats`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Number, Params, Whole
from grader.facts.case import Case
from grader.facts.metrics import metric_in, metric_of
from grader.facts.wording import number, percent
from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import Evidence, FitFact, ModelFact
from grader.schema.grade import Finding

__all__ = ["BeatsParams", "Reading", "beats", "readings"]

_Side = Literal["tested", "validation", "training"]
_ORDER: tuple[_Side, ...] = ("tested", "validation", "training")
"""On which images accuracies are compared, the most telling first."""
_SAID = {
    "tested": "on the test images",
    "validation": "on their validation images",
    "training": "on their training images",
}


class BeatsParams(Params):
    """Parameters of `beats`."""

    model: str
    """A role of this rubric: the network that should be better."""
    than: str
    """A role of this rubric: the network it is compared with."""
    within_steps: Annotated[Whole, Field(ge=1)] | None = None
    """Only what the networks had reached after at most so many steps of training counts."""
    within_epochs: Annotated[Whole, Field(ge=1)] | None = None
    """The same in epochs."""
    by: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    """By how much, as a part of 1."""
    dataset: MeasuredOn | None = None
    """Data set of the verified accuracies; left out: the rubric's own."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An accuracy at a moment of a training.

    Attributes:
        value: 0 to 1.
        side: On which images.
        steps: Steps done by then; None where they are not known.
        epochs: Epochs done by then; None where they are not known.
        assurance: How sure it is.
    """

    value: float
    side: _Side
    steps: int | None
    epochs: int | None
    assurance: Assurance = Assurance.RECORDED


@check("beats")
def beats(case: Case, params: BeatsParams) -> Finding:
    """One network is more accurate than another, if asked within so many steps or epochs of training.

    What it does:
        Compares accuracies of the same kind: those the grader verified on the test images where the whole training was
        short enough, else what `evaluate` and each epoch's end gave, with the steps that had been done by then. Within
        an epoch nothing is recorded; where no accuracy of both falls within the limit, a person has to judge it.

    Why it matters:
        An architecture is better when it gets further with the same training, not when it was trained longer.

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
    seen = [[r for r in readings(case.evidence, m, dataset) if _within(r, params)] for m in models]
    for side in _ORDER:
        ours, theirs = ([r for r in found if r.side == side] for found in seen)
        if ours and theirs:
            best = [max(found, key=lambda r: r.value) for found in (ours, theirs)]
            return _compared((models[0], best[0]), (models[1], best[1]), params)
    return _unseen(models, seen, params)


def readings(evidence: Evidence, model: ModelFact, dataset: str) -> tuple[Reading, ...]:
    """Every accuracy of a network with the steps of training it had behind it.

    Args:
        evidence: What one execution showed.
        model: The network.
        dataset: Of the verified accuracy.
    """
    fits = evidence.fits_of(model.id)
    found = [reading for place, fit in enumerate(fits) for reading in _of_epochs(fits[:place], fit)]
    fact = evidence.accuracy(model.id, dataset, "test")
    if fact is not None:
        found.append(Reading(fact.value, "tested", _steps(fits), _epochs(fits), fact.assurance))
    for evaluation in evidence.evaluations:
        rows = evaluation.x.rows if evaluation.x is not None else None
        value = metric_in(evaluation.results, "accuracy")
        if evaluation.model == model.id and value is not None and rows is not None and rows.counts.get("test"):
            before = tuple(fit for fit in fits if fit.event < evaluation.event)
            found.append(Reading(value, "tested", _steps(before), _epochs(before)))
    return tuple(found)


def _of_epochs(before: tuple[FitFact, ...], fit: FitFact) -> list[Reading]:
    steps, epochs = _steps(before), _epochs(before)
    per_epoch = fit.steps or (fit.total_steps // fit.epochs_done if fit.total_steps and fit.epochs_done else None)
    found = []
    sides: tuple[tuple[_Side, str], ...] = (("validation", "val_accuracy"), ("training", "accuracy"))
    for side, metric in sides:
        for place, value in enumerate(metric_of(fit, metric), start=1):
            done = None if steps is None or per_epoch is None else steps + place * per_epoch
            found.append(Reading(value, side, done, None if epochs is None else epochs + place))
    return found


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


def _limit(params: BeatsParams) -> str:
    limits = ((params.within_steps, "steps"), (params.within_epochs, "epochs"))
    words = [f"{number(limit)} {what}" for limit, what in limits if limit is not None]
    return f" within {' and '.join(words)}" if words else ""


def _at(reading: Reading) -> str:
    if reading.steps is not None:
        return f" after {number(reading.steps)} steps"
    return "" if reading.epochs is None else f" after {number(reading.epochs)} epochs"


def _compared(ours: tuple[ModelFact, Reading], theirs: tuple[ModelFact, Reading], params: BeatsParams) -> Finding:
    gain = ours[1].value - theirs[1].value
    passed = gain > 0 and gain >= params.by
    verb = "is more accurate than" if passed else "is not more accurate than"
    if gain > 0 and not passed:
        verb = f"is less than {percent(params.by)} more accurate than"
    verified = all(r.assurance is Assurance.VERIFIED for _, r in (ours, theirs))
    return Finding.scored(
        (
            f"`{ours[0].name}` {verb} `{theirs[0].name}`{_limit(params)}: {percent(ours[1].value)}{_at(ours[1])} "
            f"and {percent(theirs[1].value)}{_at(theirs[1])}, {_SAID[ours[1].side]}."
        ),
        1.0 if passed else 0.0,
        assurance=Assurance.VERIFIED if verified else Assurance.RECORDED,
        measured={"ours": ours[1].value, "theirs": theirs[1].value, "gain": gain, "side": ours[1].side},
        evidence=(Pointer(cell=ours[0].cell, event=ours[0].event), Pointer(cell=theirs[0].cell, event=theirs[0].event)),
    )


def _unseen(models: list[ModelFact], seen: list[list[Reading]], params: BeatsParams) -> Finding:
    blind = [model.name for model, found in zip(models, seen, strict=True) if not found]
    what = f"No accuracy of `{'` and `'.join(blind)}`" if blind else "No accuracy on the same kind of images of both"
    return Finding.pending(
        f"{what}{_limit(params)} of training was recorded, so a person has to compare them.",
        advice="Call `evaluate` on the same images after the same number of steps for both networks.",
        measured={"ours": None, "theirs": None},
        evidence=tuple(Pointer(cell=model.cell, event=model.event) for model in models),
    )
