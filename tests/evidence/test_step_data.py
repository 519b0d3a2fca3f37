"""The data of training steps are read from the end of a training, and its images are recognized."""

from typing import Any

import numpy as np
import pytest

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.claims import Moment, claim
from grader.evidence.provenance import DatasetIndex
from grader.evidence.trainings import TrainingLog
from grader.inside.describe.fingerprint import fingerprint
from grader.inside.record.events import FitEnd, FitStart
from grader.schema.evidence import FitFact, StepFact


def fact_of(record: Any, index: DatasetIndex, **end: Any) -> FitFact:
    log = TrainingLog(ArrayBook(ArtefactFolder(record.root), {"tiny": index}))
    log.start(claim(FitStart, {"fit": 1, "model": "m1", "type": "fit"}), Moment(1, 1))
    log.end(claim(FitEnd, {"fit": 1, "status": "completed", **end}), Moment(2, 1))
    (fact,) = log.facts()
    return fact


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
