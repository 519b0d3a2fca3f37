"""The check `gain`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import Field

from grader.checks.accuracy import images_of, not_tried, untried, why_unusable
from grader.checks.registry import check
from grader.checks.support.measures import measure
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Number, RoleName, TaskName, WithModel
from grader.checks.support.stopped import allow_for_stop
from grader.facts.case import Case
from grader.facts.statistics import mcnemar_p_value
from grader.facts.tasks import judged_dataset
from grader.schema.base import Assurance, Json, Pointer
from grader.schema.evidence import AccuracyFact, ModelFact
from grader.schema.grade import Finding, MeasureLabel
from grader.schema.message import Message, say, say_count, sentences

__all__ = ["GainParams", "gain"]

_WEAKEST_FIRST = (Assurance.STATED, Assurance.RECORDED, Assurance.VERIFIED)


class GainParams(WithModel):
    """Parameters of `gain`."""

    over: RoleName
    """Role of the model to compare with."""
    at_least: Annotated[Number, Field(ge=-1, le=1)] = 0.0
    """The smallest difference of the accuracies, as a fraction of 1; 0 means that it is not the less accurate model."""
    require_significant: bool = False
    """Whether the exact paired test must also show that the difference is more than chance."""
    level: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """The p-value from which a difference counts as chance."""
    dataset: MeasuredOn | None = None
    """Data set; the default is the data set of the task or the rubric."""
    task: TaskName | None = None
    """Task of this rubric: compare on its images; the default is the whole split."""
    split: str = "test"
    """Split of the data set."""

    @property
    def needs_dataset(self) -> bool:
        """Whether the check uses the rubric's `dataset`."""
        return self.dataset is None and self.task is None


_MEASURES: Final[Mapping[str, MeasureLabel]] = {
    "accuracy": measure(say("Accuracy of the model"), "percent"),
    "over": measure(say("Accuracy of the other model"), "percent"),
    "gain": measure(say("Difference of the accuracies"), "percent"),
    "p_value": measure(say("Exact paired test: p"), "number"),
    "only_model": measure(say("Images that only the model classifies correctly"), "number"),
    "only_over": measure(say("Images that only the other model classifies correctly"), "number"),
    "significant": measure(say("Unlikely to be chance")),
}
"""Labels and units of the measured values; values without a label repeat the message."""


@check("gain", measures=_MEASURES)
def gain(case: Case, params: GainParams) -> Finding:
    """One model is more accurate than another on the same images; a paired test shows how certain this is.

    What it does:
        Uses the accuracies of both models that the grader computed itself, and counts the images that only one of the
        models classifies correctly. If both models were equally good, either would be equally likely to have such an
        image. McNemar's exact test gives the probability of the counts by chance. The message reports a difference
        within the noise, whatever the points.

    Why it matters:
        Two trainings of the same model differ too. A gain that another random seed could reverse is not shown.

    Example:
        `{check: gain, with: {model: transferred, over: scratch, task: b, at_least: 0}}`
    """
    model, _ = case.model(params.model)
    if model is None:
        return missing_model(case, params.model)
    other, _ = case.model(params.over)
    if other is None:
        return missing_model(case, params.over)
    if other.id == model.id:
        return _unknown(model, say("both roles mean {model:code}, so there is nothing to compare", model=model.name))
    dataset = judged_dataset(case.rubric, params.dataset, params.task)
    ours, theirs = (case.evidence.accuracy(m.id, dataset, params.split, params.task) for m in (model, other))
    if ours is None or theirs is None or ours.total != theirs.total:
        lacking = model if ours is None else other
        return _unmeasured(case, params, model, lacking, tried=ours is not None and theirs is not None)
    return allow_for_stop(case, _compared(params, (model, ours), (other, theirs)), model.id, other.id)


def _unmeasured(case: Case, params: GainParams, model: ModelFact, lacking: ModelFact, *, tried: bool) -> Finding:
    """Explain why one of the models has no accuracy on the images of the comparison."""
    dataset = judged_dataset(case.rubric, params.dataset, params.task)
    if not tried and untried(case, lacking, dataset, params.task):
        unknown = say("The accuracy of {model:code} on the images of the comparison is not known", model=lacking.name)
        return not_tried(case, lacking, unknown, "gain")
    reason = say("the accuracy of {model:code} on the images of the comparison is not known", model=lacking.name)
    lost = why_unusable(lacking) if case.evidence.fits_of(lacking.id) else ""
    if not lost:
        return _unknown(model, reason)
    return Finding.pending(
        say(
            "The gain of {model:code} is not known: {reason} ({cause}). A person must look at it.",
            model=model.name,
            reason=reason,
            cause=lost,
        ),
        measured={"gain": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _compared(
    params: GainParams, ours: tuple[ModelFact, AccuracyFact], theirs: tuple[ModelFact, AccuracyFact]
) -> Finding:
    (model, fact), (_, base) = ours, theirs
    difference = (fact.correct - base.correct) / fact.total if fact.total else 0.0
    pair = _pair(fact, base)
    p_value = mcnemar_p_value(*pair) if pair is not None else None
    sure = p_value is not None and p_value < params.level
    enough = difference >= params.at_least - 1e-12
    passed = enough and (sure or not params.require_significant)
    measured: dict[str, Json] = {
        "accuracy": fact.value,
        "over": base.value,
        "gain": round(difference, 10),
        "p_value": p_value,
        "only_model": pair[0] if pair else None,
        "only_over": pair[1] if pair else None,
        "significant": sure if pair is not None else None,
    }
    return Finding.scored(
        _message(params, ours, theirs, pair, p_value),
        1.0 if passed else 0.0,
        advice="" if passed else say("Compare both models after trainings of the same length on the same images."),
        assurance=min(fact.assurance, base.assurance, key=_WEAKEST_FIRST.index),
        measured=measured,
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _pair(ours: AccuracyFact, theirs: AccuracyFact) -> tuple[int, int] | None:
    """Count the images that only one of the models has right; None if the predictions per image were not kept."""
    if ours.wrong is None or theirs.wrong is None:
        return None
    return len(set(theirs.wrong) - set(ours.wrong)), len(set(ours.wrong) - set(theirs.wrong))


def _message(
    params: GainParams,
    ours: tuple[ModelFact, AccuracyFact],
    theirs: tuple[ModelFact, AccuracyFact],
    pair: tuple[int, int] | None,
    p_value: float | None,
) -> Message:
    (model, fact), (other, base) = ours, theirs
    figures = say(
        "{model:code} classifies {accuracy:percent} of the {images} correctly, {other:code} {base:percent}.",
        model=model.name,
        accuracy=fact.value,
        images=images_of(fact),
        other=other.name,
        base=base.value,
    )
    required = say("Required: at least {points:number} percentage points more.", points=100 * params.at_least)
    return sentences(
        figures,
        _difference(fact, base),
        required if params.at_least > 0 else None,
        *_certainty(model, params, pair, p_value),
    )


def _difference(fact: AccuracyFact, base: AccuracyFact) -> Message:
    if fact.correct == base.correct:
        return say("There is no difference.")
    points = 100 * (fact.correct - base.correct) / fact.total
    if points > 0:
        return say("This is {points:number} percentage points more.", points=points)
    return say("This is {points:number} percentage points less.", points=-points)


def _certainty(
    model: ModelFact, params: GainParams, pair: tuple[int, int] | None, p_value: float | None
) -> Iterator[Message]:
    if pair is None or p_value is None:
        yield say(
            "The grader could not test whether this is more than chance, "
            "because the predictions for the single images were not kept."
        )
        return
    yield say_count(
        "Only one of the two models is right on {count:number} image; {model:code} is right on {ours:number} of them "
        "(exact paired test: p = {p:number}).",
        "Only one of the two models is right on {count:number} images; {model:code} is right on {ours:number} of them "
        "(exact paired test: p = {p:number}).",
        sum(pair),
        model=model.name,
        ours=pair[0],
        p=float(f"{p_value:.2g}"),
    )
    if p_value < params.level:
        yield say("A difference of this size is unlikely to be chance.")
        return
    yield say("The difference is within the noise: another random seed could reverse it.")
    if params.require_significant:
        yield say("This rubric requires a difference beyond the noise.")


def _unknown(model: ModelFact, reason: Message) -> Finding:
    return Finding.failed(
        say("The gain of {model:code} is not known: {reason}.", model=model.name, reason=reason),
        advice=say("Train both models in this notebook and keep them in variables, so that the grader can test them."),
        measured={"gain": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )
