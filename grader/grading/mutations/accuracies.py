"""Models that are not accurate enough."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from grader.facts.tasks import judged_dataset
from grader.grading.mutations.base import NotApplicable, Target, always, mutation
from grader.grading.mutations.editing import scored
from grader.schema.evidence import AccuracyFact, Evidence, ModelFact

__all__ = ()

_CLASSES = 10


def _rescored(evidence: Evidence, model: str, correct: dict[str, int]) -> Evidence:
    """Change the numbers of correct images of a model, by the key of the accuracy."""
    return evidence.model_copy(
        update={
            "accuracies": tuple(
                scored(fact, correct[fact.key]) if fact.model == model and fact.key in correct else fact
                for fact in evidence.accuracies
            )
        }
    )


def _judged(target: Target, params: Any, fact: AccuracyFact) -> bool:
    """Whether a test with these parameters judges an accuracy."""
    task = getattr(params, "task", None)
    dataset = judged_dataset(target.rubric, getattr(params, "dataset", None), task)
    split = getattr(params, "split", "test")
    return (fact.dataset, fact.split, fact.task, fact.moment) == (dataset, split, task, "trained")


@mutation("accuracy-below-threshold", concerns={"accuracy": always})
def _accuracy_below_threshold(evidence: Evidence, model: ModelFact, target: Target) -> Evidence | NotApplicable:
    """The accuracy misses the lowest threshold of the rubric by one image."""
    correct = {}
    for fact in (fact for fact in evidence.accuracies if fact.model == model.id):
        parts = [
            test.params.model_dump()["at_least"]
            for test in target.tests_of("accuracy", model.id)
            if _judged(target, test.params, fact)
        ]
        if parts:
            correct[fact.key] = min(fact.correct, math.ceil(Decimal(str(min(parts))) * fact.total) - 1)
    if not correct:
        return NotApplicable(f"no threshold for an accuracy of `{model.name}` in the rubric")
    return _rescored(evidence, model.id, correct)


@mutation(
    "guessing",
    concerns={"accuracy": always, "score_curve": always, "beats": always, "gain": always},
)
def _guessing(evidence: Evidence, model: ModelFact, target: Target) -> Evidence | NotApplicable:
    """The model is no better than guessing."""
    facts = [fact for fact in evidence.accuracies if fact.model == model.id]
    if not facts:
        return NotApplicable(f"no accuracy of `{model.name}` is known")
    classes = {fact.key: len(target.rubric.tasks[fact.task].classes) if fact.task else _CLASSES for fact in facts}
    return _rescored(evidence, model.id, {fact.key: fact.total // classes[fact.key] for fact in facts})


@mutation("not-better-than-other-model", concerns={"beats": always, "gain": always})
def _not_better(evidence: Evidence, model: ModelFact, target: Target) -> Evidence | NotApplicable:
    """The model misses the required advantage over another model by one image."""
    correct: dict[str, int] = {}
    for test in (test for test in target.tests if test.model == model.id and test.check in {"beats", "gain"}):
        for fact, other in _pairs(evidence, model.id, target, test.params):
            advantage = float(getattr(test.params, "by" if test.check == "beats" else "at_least"))
            most = math.ceil(other.correct + advantage * other.total) - 1
            correct[fact.key] = min(fact.correct, correct.get(fact.key, fact.total), most)
    if not correct:
        return NotApplicable(f"the rubric compares `{model.name}` with no other model")
    return _rescored(evidence, model.id, correct)


def _pairs(evidence: Evidence, model: str, target: Target, params: Any) -> Iterator[tuple[AccuracyFact, AccuracyFact]]:
    """Pair the judged accuracies of a model with the accuracies of the other model of the comparison."""
    over = target.compared(params)
    for fact in evidence.accuracies:
        if fact.model != model or not _judged(target, params, fact):
            continue
        for other in evidence.accuracies:
            if (other.model, other.key) == (over, fact.key):
                yield fact, other
