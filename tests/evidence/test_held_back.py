"""Images that no code of a student ever saw, and the accuracy on them."""

from types import SimpleNamespace

import numpy as np
import pytest

from grader.evidence.accuracies import LARGE_DIFFERENCE, LARGE_PART, apply_predictions
from grader.evidence.held_back import MOST_SHIFT, held_back_id, held_back_plans, held_back_task, moved
from grader.evidence.prediction_plans import PredictionResult, Task, plan_inputs, whole_split
from grader.facts.tasks import held_back_parts
from grader.schema.evidence import AccuracyFact
from grader.schema.rubric import Criterion, Rubric
from grader.schema.submission import Run
from tests.support.kept_models import Indexes, array, evidence_of, only_plan
from tests.support.says import ids

WHOLE = frozenset({("mnist", None)})


def test_an_image_moves_by_little_and_differently_each_time() -> None:
    dot = np.zeros((200, 28, 28), np.uint8)
    dot[:, 12:16, 12:16] = 255
    after = moved(dot, np.random.default_rng(1)).astype(float)
    places = np.tensordot(after, np.arange(28), axes=([1], [0])).sum(axis=1) / after.sum(axis=(1, 2))
    assert np.abs(places - 13.5).max() <= MOST_SHIFT + 0.1
    assert places.std() > MOST_SHIFT / 3
    assert len(np.unique(after.reshape(200, -1), axis=0)) == 200


def test_the_edge_is_continued_and_colors_stay() -> None:
    color = np.tile(np.array([10, 200, 90], np.uint8), (20, 32, 32, 1))
    assert np.array_equal(moved(color, np.random.default_rng(1)), color)


def test_the_same_seed_gives_the_same_images_of_the_train_split(indexes: Indexes) -> None:
    one, again, other = (held_back_task(indexes["mnist"], None, seed, 300) for seed in (1, 1, 2))
    assert np.array_equal(one.images, again.images)
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.images, other.images)
    assert (one.split, one.classes, len(one.labels)) == ("train", 10, 300)
    assert set(one.labels.tolist()) == set(range(10))


def test_a_task_gets_images_of_its_classes(indexes: Indexes) -> None:
    whole = whole_split(indexes["mnist"], "test")
    part = Task("mnist", "test", whole.images[:5], whole.labels[:5], 2, name="b", members=(3, 8), binary=True)
    task = held_back_task(indexes["mnist"], part, 1, 100)
    assert (task.name, task.binary, set(task.labels.tolist())) == ("b", True, {3, 8})


def test_only_what_was_requested_is_planned(run: Run, indexes: Indexes) -> None:
    plan = only_plan(evidence_of(run, array()), indexes)
    (held,) = held_back_plans([plan], WHOLE, indexes, 5, 100)
    assert (held.id, held.held_back, held.model) == (held_back_id(plan), 5, plan.model)
    assert plan_inputs(held, indexes).shape == (100, 28, 28, 1)
    assert plan_inputs(held, indexes).max() == pytest.approx(1, abs=0.05)
    assert list(held_back_plans([plan], {("mnist", "b"), ("cifar10", None)}, indexes, 5)) == []


def judged(run: Run, indexes: Indexes, mnist: SimpleNamespace, *, wrong: int, held: int | None) -> AccuracyFact:
    """Judge a model with some wrong answers to test images and to held-back images; None if it failed on these."""
    evidence = evidence_of(run, array())
    plan = only_plan(evidence, indexes)
    (other,) = held_back_plans([plan], WHOLE, indexes, 5, 1000)
    assert other.part is not None
    answers = mnist.y_test.astype(int).copy()
    answers[:wrong] = (answers[:wrong] + 1) % 10
    new = other.part.labels.astype(int).copy()
    new[: held or 0] = (new[: held or 0] + 1) % 10
    results = [
        PredictionResult(other, None, "crashed") if held is None else PredictionResult(other, np.eye(10)[new]),
        PredictionResult(plan, np.eye(10)[answers]),
    ]
    fact = apply_predictions(evidence, results, indexes).accuracy("m1", "mnist", "test")
    assert fact is not None
    return fact


@pytest.mark.parametrize(
    ("wrong", "held", "doubt"),
    [(100, 8, False), (100, 20, False), (0, 60, True), (1000, 130, False), (1000, 180, True)],
)
def test_both_accuracies_are_known_and_a_large_difference_is_a_doubt(  # noqa: PLR0913 - fixtures and a case
    run: Run, indexes: Indexes, mnist: SimpleNamespace, *, wrong: int, held: int, doubt: bool
) -> None:
    fact = judged(run, indexes, mnist, wrong=wrong, held=held)
    assert fact.correct == 10_000 - wrong
    assert fact.held_back is not None
    assert (fact.held_back.correct, fact.held_back.total, fact.held_back.seed) == (1000 - held, 1000, 5)
    large = max(LARGE_DIFFERENCE, LARGE_PART * wrong / 10_000)
    assert (fact.low - fact.held_back.high > large) is doubt
    assert bool(fact.doubt) is doubt
    if fact.doubt:
        assert "the new images, so it may have learned" in ids(fact.doubt)[0]


def test_a_model_that_failed_on_them_has_only_the_other_accuracy(
    run: Run, indexes: Indexes, mnist: SimpleNamespace
) -> None:
    fact = judged(run, indexes, mnist, wrong=10, held=None)
    assert (fact.correct, fact.held_back, fact.doubt) == (9990, None, None)


def test_criteria_request_held_back_images_of_their_data() -> None:
    tests = [
        {"check": "accuracy", "with": {"at_least": 0.9, "held_back": True}},
        {"check": "accuracy", "with": {"at_least": 0.9, "held_back": True, "dataset": "cifar10"}},
        {"check": "accuracy", "with": {"at_least": 0.9, "held_back": False, "dataset": "fashion_mnist"}},
    ]
    criteria = tuple(
        Criterion.model_validate({"id": f"c{number}", "title": "C", "points": 1, **test})
        for number, test in enumerate(tests)
    )
    rubric = Rubric(version=1, id="r", title="R", dataset="mnist", criteria=criteria, roles={})
    assert held_back_parts(rubric) == {("mnist", None), ("cifar10", None)}
