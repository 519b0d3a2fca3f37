"""The data of training steps are read from the end of a training, and its images are recognized."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.claims import Moment, claim
from grader.evidence.provenance import DatasetIndex, make_index
from grader.evidence.trainings import TrainingLog
from grader.inside.describe.fingerprint import fingerprint
from grader.inside.record.events import FitEnd, FitStart
from grader.schema.evidence import FitFact, StepFact


def fact_of(record: Any, index: DatasetIndex, **end: Any) -> FitFact:
    (fact,) = facts_of(ArrayBook(ArtefactFolder(record.root), {"tiny": index}), [end])
    return fact


def facts_of(book: ArrayBook, ends: list[dict[str, Any]]) -> tuple[FitFact, ...]:
    log = TrainingLog(book)
    for fit, end in enumerate(ends):
        log.start(claim(FitStart, {"fit": fit, "model": "m1", "type": "custom_loop"}), Moment(2 * fit, 1))
        log.end(claim(FitEnd, {"fit": fit, "status": "completed", **end}), Moment(2 * fit + 1, 1))
    return log.facts()


def test_the_images_of_steps_are_recognized(record: Any, small_index: DatasetIndex) -> None:
    test = small_index.images["test"]
    prints, file = np.sort(fingerprint(test[:20])), "arrays/rows.npz"
    np.savez(record.root / file, fingerprints=prints)
    rows = {"shape": [20, 6, 6], "dtype": "float32", "source": "array", "file": file}
    arrays = [record.array(test[5:30] / 255.0 - 1), record.array(small_index.images["train"][:9])]
    step = {"arrays": arrays, "numbers": 7, "operations": ["PyFunc"], "rows": rows}
    fact = fact_of(record, small_index, step=step).step
    assert fact is not None
    assert (fact.numbers, fact.operations) == (7, ("PyFunc",))
    counts = [array.rows.counts for array in (*fact.arrays, fact.rows) if array is not None and array.rows is not None]
    assert counts == [{"train": 0, "test": 25}, {"train": 9, "test": 0}, {"train": 0, "test": 20}]


@pytest.mark.parametrize("step", [None, 5, {"arrays": 3, "numbers": -1, "operations": "x", "rows": []}])
def test_an_unusable_description_holds_nothing(record: Any, small_index: DatasetIndex, step: object) -> None:
    assert fact_of(record, small_index, step=step).step == StepFact()
    assert fact_of(record, small_index).step is None


@pytest.fixture
def digits(mnist: SimpleNamespace) -> DatasetIndex:
    """A small part of MNIST."""
    x, xt = mnist.x_train[:300], mnist.x_test[:100]
    return make_index("mnist", x, mnist.y_train[:300], xt, mnist.y_test[:100], fingerprint(np.concatenate([x, xt])))


def test_many_unknown_images_of_steps_and_of_models_take_nothing_from_each_other(
    record: Any, digits: DatasetIndex
) -> None:
    mean, std = (part(digits.images["train"], axis=0) for part in (np.mean, np.std))
    train, test = ((digits.images[split] - mean) / (std + 1) for split in ("train", "test"))
    strange = [record.array(np.random.default_rng(seed).normal(size=(64, 28, 28))) for seed in range(8)]
    of_steps, passed = (ArrayBook(ArtefactFolder(record.root), {"mnist": digits}) for _ in "ab")

    x = record.array(train)
    facts = facts_of(of_steps, [{"x": x, "step": {"rows": each}} for each in strange])
    assert [fact.x.rows.counts for fact in facts if fact.x and fact.x.rows] == [{"train": 300, "test": 0}] * 8
    tested = of_steps.array(record.array(test))
    assert tested is not None
    assert tested.fact.rows is not None
    assert (tested.fact.rows.method, tested.fact.rows.counts["train"]) == ("neighbour", 0)

    for each in strange:
        passed.array(each)
    (trained,) = facts_of(passed, [{"step": {"rows": record.array(test)}}])
    assert trained.step is not None
    assert trained.step.rows is not None
    assert trained.step.rows.rows is not None
    assert trained.step.rows.rows.counts["test"] > 0


def test_a_limit_of_searched_arrays_takes_nothing_away(
    record: Any, digits: DatasetIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.evidence.arraybook._MAX_SEARCHED", 2)
    strange = [record.array(np.random.default_rng(seed).normal(size=(5, 28, 28))) for seed in range(4)]
    noise = np.random.default_rng(9).normal(0, 5, (20, 28, 28))
    book = ArrayBook(ArtefactFolder(record.root), {"mnist": digits})
    ends = [{"step": {"rows": each}} for each in strange]
    *_, last = facts_of(book, [*ends, {"x": record.array(digits.images["test"][:20] + noise)}])
    assert (len(book.notices), book.problems) == (1, [])
    assert last.x is not None
    assert last.x.copies is not None


def test_an_array_whose_limit_was_reached_is_examined_again_for_another_use(record: Any, digits: DatasetIndex) -> None:
    scaled = record.array(digits.images["test"] * np.linspace(0.5, 2.0, 784).reshape(28, 28))
    strange = [record.array(np.random.default_rng(seed).normal(size=(64, 28, 28))) for seed in range(8)]
    book = ArrayBook(ArtefactFolder(record.root), {"mnist": digits})
    facts_of(book, [{"step": {"rows": each}} for each in (*strange, scaled)])
    known = book.array(scaled)
    assert known is not None
    assert known.fact.rows is not None


def numbers_of(record: Any, index: DatasetIndex, images: Any, labels: Any, *, given: bool = False) -> int:
    array = record.array(images)
    step = {"arrays": [] if given else [array], "numbers": 1, "operations": [], "labels": [record.labels(labels)]}
    fact = fact_of(record, index, step=step) if not given else loop_fact(record, index, array, step)
    assert fact.step is not None
    return fact.step.numbers


def loop_fact(record: Any, index: DatasetIndex, array: dict[str, Any], step: dict[str, Any]) -> FitFact:
    log = TrainingLog(ArrayBook(ArtefactFolder(record.root), {"tiny": index}))
    log.start(claim(FitStart, {"fit": 1, "model": "m1", "type": "custom_loop"}), Moment(1, 1))
    log.end(claim(FitEnd, {"fit": 1, "status": "completed", "x": array, "step": step}), Moment(2, 1))
    (fact,) = log.facts()
    return fact


@pytest.mark.parametrize("given", [False, True], ids=["in the graph", "given"])
def test_labels_of_recognized_images_are_no_unknown_numbers(
    record: Any, small_index: DatasetIndex, *, given: bool
) -> None:
    images, classes = small_index.images["train"], small_index.all_labels[:300]
    assert numbers_of(record, small_index, images, classes, given=given) == 1
    assert numbers_of(record, small_index, images, classes % 2, given=given) == 1
    assert numbers_of(record, small_index, images[::-1], classes[::-1], given=given) == 1


def test_other_data_do_not_count_as_labels(record: Any, small_index: DatasetIndex) -> None:
    rng, images = np.random.default_rng(1), small_index.images["train"]
    classes, pixels = small_index.all_labels[:300], small_index.images["test"].ravel()[:300]
    assert numbers_of(record, small_index, images, pixels) > 200
    assert numbers_of(record, small_index, images, rng.integers(0, 2, 300)) > 300 / 8
    assert numbers_of(record, small_index, images[:200], classes) == 301
