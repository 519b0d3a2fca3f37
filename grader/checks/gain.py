"""The check `gain`."""

from typing import Annotated

from pydantic import Field

from grader.checks.accuracy import not_tried, untried
from grader.checks.registry import check
from grader.checks.support.no_model import missing_model
from grader.checks.support.params import MeasuredOn, Number, RoleName, TaskName, WithModel
from grader.facts.case import Case
from grader.facts.statistics import mcnemar_p_value
from grader.facts.tasks import judged_dataset
from grader.facts.wording import decimal, number, percent, plural, spoken_dataset, spoken_split
from grader.schema.base import Assurance, Json, Pointer
from grader.schema.evidence import AccuracyFact, ModelFact
from grader.schema.grade import Finding

__all__ = ["GainParams", "gain"]

_WEAKEST_FIRST = (Assurance.STATED, Assurance.RECORDED, Assurance.VERIFIED)


class GainParams(WithModel):
    """Parameters of `gain`."""

    over: RoleName
    """Role of the network it is compared with."""
    at_least: Annotated[Number, Field(ge=-1, le=1)] = 0.0
    """Smallest difference of the accuracies for the points, as a part of 1; 0: it is not the less accurate one."""
    require_significant: bool = False
    """Whether the difference must also be more than chance, by the exact paired test."""
    level: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """From which p-value on a difference counts as chance."""
    dataset: MeasuredOn | None = None
    """Data set; left out: the rubric's own, or the task's."""
    task: TaskName | None = None
    """Task of this rubric, on whose images the two are compared; left out: the whole split."""
    split: str = "test"
    """Which split of the data set."""


@check("gain")
def gain(case: Case, params: GainParams) -> Finding:
    """One network is more accurate than another on the same images, and it is said how sure that is.

    What it does:
        Takes the accuracies of both networks that the grader computed itself, and goes through the images that only
        one of them has right. If the networks were equally good, each such image would be as likely the one's as the
        other's; McNemar's exact test says how likely so lopsided a count is by chance. A difference inside the noise is
        called that in the message, whatever the points.

    Why it matters:
        Two trainings of the very same network differ, too. A gain that another random seed may turn round has not been
        shown.

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
        return _unknown(model, f"it would be compared with itself: both roles mean `{model.name}`")
    dataset = judged_dataset(case.rubric, params.dataset, params.task)
    facts = [case.evidence.accuracy(m.id, dataset, params.split, params.task) for m in (model, other)]
    ours, theirs = facts
    if ours is None or theirs is None or ours.total != theirs.total:
        lacking = model if ours is None else other
        if None in facts and untried(case, lacking, dataset, params.task):
            what = f"The accuracy of `{lacking.name}` on the images of the comparison is not known"
            return not_tried(case, lacking, what, "gain")
        return _unknown(model, f"the accuracy of `{lacking.name}` on the images of the comparison is not known")
    return _compared(params, (model, ours), (other, theirs))


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
        advice="" if passed else "Compare both networks after trainings of the same length on the same images.",
        assurance=min(fact.assurance, base.assurance, key=_WEAKEST_FIRST.index),
        measured=measured,
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )


def _pair(ours: AccuracyFact, theirs: AccuracyFact) -> tuple[int, int] | None:
    """Images that only the one and only the other has right; None where the single answers were not kept."""
    if ours.wrong is None or theirs.wrong is None:
        return None
    return len(set(theirs.wrong) - set(ours.wrong)), len(set(ours.wrong) - set(theirs.wrong))


def _message(
    params: GainParams,
    ours: tuple[ModelFact, AccuracyFact],
    theirs: tuple[ModelFact, AccuracyFact],
    pair: tuple[int, int] | None,
    p_value: float | None,
) -> str:
    (model, fact), (other, base) = ours, theirs
    task = f" of the task `{fact.task}`" if fact.task else ""
    where = f"{number(fact.total)} {spoken_dataset(fact.dataset)} {spoken_split(fact.split)} images{task}"
    difference = (fact.correct - base.correct) / fact.total if fact.total else 0.0
    points = f"{decimal(abs(100 * difference))} percentage points {'more' if difference >= 0 else 'less'}"
    text = f"`{model.name}` is right on {percent(fact.value)} of the {where}, `{other.name}` on {percent(base.value)}: "
    text += "no difference." if fact.correct == base.correct else f"{points}."
    if params.at_least > 0:
        text += f" At least {decimal(100 * params.at_least)} points more are wanted."
    if pair is None or p_value is None:
        return f"{text} Whether that is more than chance could not be tested: the single answers were not kept."
    split = f"Of the {plural(sum(pair), 'image')} that only one of them has right it has {number(pair[0])}"
    chance = f"(exact paired test: p = {p_value:.2g})"
    if p_value < params.level:
        return f"{text} {split} {chance}, which chance does not explain."
    noise = f"{text} {split} {chance}: the difference lies inside the noise, another random seed could turn it round."
    return noise + (" This rubric asks for a difference beyond it." if params.require_significant else "")


def _unknown(model: ModelFact, why: str) -> Finding:
    return Finding.failed(
        f"The gain of `{model.name}` is not known: {why}.",
        advice="Both networks have to be trained in this notebook and left in variables, so that they can be tested.",
        measured={"gain": None},
        evidence=(Pointer(cell=model.cell, event=model.event),),
    )
