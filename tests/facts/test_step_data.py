"""Data of training steps that were not passed to the training raise doubts, if they may be test images."""

from typing import Any

import pytest

from grader.checks.trained import TrainedParams, trained
from grader.facts.case import Case
from grader.facts.doubts import has_doubts, with_doubts
from grader.facts.step_data import any_step_data, step_doubts, step_doubts_behind
from grader.schema.evidence import CopiesFact, FitFact, StepFact
from grader.schema.grade import Finding, RoleMatch
from tests.support.factories import a_case, a_fit, a_model, an_accuracy, an_array, an_evidence, rows
from tests.support.says import says

COPIES = CopiesFact(dataset="mnist", split="test", compared=64, copies=40, rows=1000)
HOLDS = (
    "the steps of its training hold {count:number} {split:split} image of {dataset:dataset} that the training was not "
    "given"
)
ELSEWHERE = "the steps of its training get data from elsewhere ({operations:code}), which the grader cannot see"


def doubts(step: StepFact | None, **keys: Any) -> int:
    return len(list(step_doubts([a_fit(step=step, **keys)], "mnist", lambda split: split == "test")))


@pytest.mark.parametrize(
    ("step", "count"),
    [
        (None, 0),
        (StepFact(), 0),
        (StepFact(arrays=(an_array(200, of=rows(train=200)),)), 0),
        (StepFact(arrays=(an_array(200, of=rows(test=200, dataset="other")),)), 0),
        (StepFact(arrays=(an_array(200, of=rows(test=200)),)), 1),
        (StepFact(rows=an_array(203, of=rows(train=200, test=3))), 0),
        (StepFact(rows=an_array(204, of=rows(train=200, test=4))), 1),
        (StepFact(rows=an_array(64, copies=COPIES)), 1),
        (StepFact(rows=an_array(64)), 0),
        (StepFact(arrays=(an_array(16),)), 0),
        (StepFact(arrays=(an_array(16),), numbers=1), 1),
        (StepFact(arrays=(an_array(17),)), 1),
        (StepFact(numbers=16 * 784), 0),
        (StepFact(numbers=16 * 784 + 1), 1),
        (StepFact(operations=("PyFunc",)), 1),
        (StepFact(operations=("PyFunc",), numbers=10**6, rows=an_array(10, of=rows(test=10))), 3),
    ],
)
def test_unknown_data_and_test_images_are_doubtful(step: StepFact | None, count: int) -> None:
    assert doubts(step) == count
    assert any_step_data(an_evidence(fits=(a_fit(step=step),))) is (step is not None)


def test_a_step_may_hold_constants_in_proportion_to_an_image() -> None:
    small, large = an_array(100, shape=(100, 8, 8)), an_array(100, shape=(100, 224, 224, 3))
    assert doubts(StepFact(numbers=16 * 64), x=small) == 0
    assert doubts(StepFact(numbers=16 * 64 + 1), x=small) == 1
    assert doubts(StepFact(numbers=4 * 224 * 224 * 3), x=large) == 0
    assert doubts(StepFact(numbers=16 * 784), x=None) == 0


def test_the_first_doubt_is_about_recognized_images() -> None:
    step = StepFact(operations=("PyFunc", "ReadFile"), rows=an_array(10, of=rows(test=10)))
    first, second = step_doubts([a_fit(step=step)], "mnist", lambda split: split == "test")
    assert says(first, HOLDS, count=10, split="test", dataset="mnist")
    assert says(second, ELSEWHERE, operations="PyFunc, ReadFile")


def test_images_of_a_generator_are_in_its_first_batch_or_in_the_steps() -> None:
    step = StepFact(rows=an_array(50, of=rows(test=50)))
    (only,) = step_doubts([a_fit(step=step, x=None)], "mnist", lambda split: split == "test")
    first = "the first batch or the steps of its training had {count:number} {split:split} image of {dataset:dataset}"
    assert says(only, first, count=50, split="test", dataset="mnist")


def case_of(fit: FitFact) -> Case:
    evidence = an_evidence(models=(a_model(), a_model(model_id="m2")), fits=(fit,), accuracies=(an_accuracy(),))
    return a_case(evidence, cnn=RoleMatch(role="cnn", model="m1"))


@pytest.mark.parametrize("step", [StepFact(operations=("PyFunc",)), StepFact(rows=an_array(10, of=rows(test=10)))])
def test_a_person_judges_the_accuracy_and_the_training_images(step: StepFact) -> None:
    case = case_of(a_fit(step=step))
    assert has_doubts(case)
    read = frozenset({"accuracies"})
    assert with_doubts(case, Finding.passed("good"), ["cnn"], read).status == "pending"
    assert with_doubts(case, Finding.passed("good"), ["cnn"], frozenset({"models.layers"})).status == "passed"
    assert list(step_doubts_behind(case.evidence, "m2", "mnist", "test")) == []
    assert trained(case, TrainedParams(model="cnn", dataset="mnist", only_split="train")).status == "pending"
    assert trained(case, TrainedParams(model="cnn", epochs_at_least=2)).status == "passed"


def test_only_other_splits_are_doubtful() -> None:
    case = case_of(a_fit(step=StepFact(arrays=(an_array(9, of=rows(train=9)),))))
    assert with_doubts(case, Finding.passed("good"), ["cnn"], frozenset({"accuracies"})).status == "passed"
    assert trained(case, TrainedParams(model="cnn", dataset="mnist", only_split="train")).status == "passed"
