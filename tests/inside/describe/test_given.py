"""Conversion of the data that is passed to a model to arrays."""

from typing import Any

import numpy as np
import pytest

from grader.inside.describe.given import given_pair, sources_of

X = np.zeros((40, 4, 4), dtype=np.float32)
DIGITS = np.arange(40) % 10
ODD = (DIGITS % 2).astype(np.float32)
ONE_HOT = np.eye(10, dtype=np.float32)[DIGITS]


@pytest.mark.parametrize(
    ("labels", "main"),
    [
        pytest.param(DIGITS, DIGITS, id="one array"),
        pytest.param({"digit": DIGITS, "odd": ODD}, DIGITS, id="dict"),
        pytest.param({"odd": ODD, "digit": DIGITS}, DIGITS, id="dict in another order"),
        pytest.param([ODD, DIGITS], DIGITS, id="list"),
        pytest.param((ODD, ONE_HOT), ONE_HOT, id="one-hot"),
        pytest.param([X, DIGITS], DIGITS, id="images to reconstruct"),
        pytest.param([DIGITS / 10, ODD], ODD, id="a regression"),
        pytest.param([DIGITS[:, None]], DIGITS[:, None], id="a list of one"),
        pytest.param(DIGITS.tolist(), DIGITS, id="numbers in a list"),
        pytest.param([1, 2, 3], np.array([1, 2, 3]), id="few numbers in a list"),
    ],
)
def test_the_labels_with_the_most_classes_are_described(labels: Any, main: Any) -> None:
    _, given = given_pair(X, labels)
    assert given is not None
    assert given.array is not None
    assert np.array_equal(given.array, main)


class _Stage:
    """A stage of a `tf.data` pipeline with the private attributes of TensorFlow's own classes."""

    element_spec = None

    def __init__(self, *inputs: "_Stage", **settings: Any) -> None:
        self._below = inputs
        vars(self).update({f"_{name}": value for name, value in settings.items()})

    def _inputs(self) -> "tuple[_Stage, ...]":
        return self._below


def _stage(kind: str, *inputs: _Stage, **settings: Any) -> Any:
    return type(f"_{kind}Dataset", (_Stage,), {})(*inputs, **settings)


SOURCE = _stage("TensorSlice", tensors=(np.arange(40.0)[:, None, None] + X, DIGITS))
BATCHES = _stage("ParallelBatch", _stage("ParallelMap", SOURCE), batch_size=8)
SHUFFLED = _stage("Shuffle", SOURCE)


@pytest.mark.parametrize(
    ("pipeline", "rows"),
    [
        pytest.param(_stage("Take", SOURCE, count=10), range(10), id="take"),
        pytest.param(_stage("Take", SOURCE, count=-1), range(40), id="take all"),
        pytest.param(_stage("Shuffle", _stage("Skip", SOURCE, count=10)), range(10, 40), id="skip, then shuffle"),
        pytest.param(_stage("Take", _stage("Skip", SOURCE, count=10), count=5), range(10, 15), id="skip, then take"),
        pytest.param(_stage("Skip", BATCHES, count=2), range(16, 40), id="skip batches"),
        pytest.param(_stage("Take", BATCHES, count=9), range(40), id="take more batches than there are"),
        pytest.param(_stage("Shard", SOURCE, num_shards=4, index=1), range(1, 40, 4), id="shard"),
        pytest.param(_stage("Take", SHUFFLED, count=10), range(40), id="any ten"),
        pytest.param(_stage("Take", _stage("Repeat", SOURCE), count=99), range(40), id="repeat"),
    ],
)
def test_the_rows_that_a_pipeline_selects_are_described(pipeline: Any, rows: range) -> None:
    images, labels = given_pair(pipeline)
    assert images is not None
    assert labels is not None
    assert images.array is not None
    assert labels.array is not None
    assert images.array[:, 0, 0].tolist() == list(rows)
    assert labels.array.tolist() == [row % 10 for row in rows]


@pytest.mark.parametrize(
    "pipeline",
    [
        pytest.param(_stage("Skip", _stage("FlatMap", SOURCE), count=10), id="skip after a flat map"),
        pytest.param(_stage("Take", _stage("FlatMap", SOURCE), count=10), id="take after a flat map"),
        pytest.param(_stage("Filter", SOURCE), id="filter"),
        pytest.param(_stage("Shard", BATCHES, num_shards=2, index=0), id="shard of batches"),
        pytest.param(_stage("Skip", _stage("Zip", SOURCE, SOURCE), count=10), id="skip after zip"),
        pytest.param(_stage("Skip", _stage("Repeat", SOURCE), count=10), id="skip after repeat"),
    ],
)
def test_unknown_rows_of_a_pipeline_are_not_described(pipeline: Any) -> None:
    images, labels = given_pair(pipeline)
    assert images is not None
    assert (images.array, labels) == (None, None)


SHUFFLED_BATCHES = _stage("Batch", SHUFFLED, batch_size=16)


@pytest.mark.parametrize(
    ("pipeline", "drawn", "rows"),
    [
        pytest.param(_stage("Map", _stage("Take", SHUFFLED, count=10)), 10, 40, id="take"),
        pytest.param(_stage("Skip", SHUFFLED, count=10), 30, 40, id="skip"),
        pytest.param(_stage("Take", _stage("Skip", SHUFFLED, count=10), count=5), 5, 40, id="skip and take"),
        pytest.param(_stage("Take", SHUFFLED_BATCHES, count=2), 32, 40, id="take batches"),
        pytest.param(_stage("Skip", SHUFFLED_BATCHES, count=2), 8, 40, id="skip batches"),
        pytest.param(_stage("Shard", SHUFFLED, num_shards=4, index=1), 10, 40, id="shard"),
        pytest.param(
            _stage("Take", _stage("Shuffle", _stage("Skip", SOURCE, count=20)), count=5), 5, 20, id="of a part"
        ),
        pytest.param(_stage("Take", SHUFFLED, count=99), None, 40, id="more than there are"),
        pytest.param(SHUFFLED_BATCHES, None, 40, id="all"),
    ],
)
def test_rows_that_are_left_out_after_shuffling_are_counted(pipeline: Any, drawn: int | None, rows: int) -> None:
    for given in given_pair(pipeline):
        assert given is not None
        assert given.array is not None
        assert (given.drawn, len(given.array)) == (drawn, rows)


def test_selecting_rows_changes_no_pixels() -> None:
    plain, _ = given_pair(_stage("Take", SOURCE, count=10))
    mapped, _ = given_pair(_stage("Take", BATCHES, count=1))
    assert plain is not None
    assert mapped is not None
    assert (plain.mapped, mapped.mapped) == (False, True)


def _rows(stage: Any) -> list[Any]:
    """Return the number of rows of each source; None for one that cannot be read."""
    sources = [each.arrays for each in sources_of(stage)]
    return sorted((arrays and [len(array) for array in arrays] for arrays in sources), key=str)


CHOSEN = _stage("Filter", _stage("Skip", SOURCE, count=8))


@pytest.mark.parametrize(
    ("stage", "rows"),
    [
        pytest.param(_stage("Take", SOURCE, count=8), [[8, 8]], id="part"),
        pytest.param(_stage("Take", SHUFFLED, count=8), [[40, 40]], id="part after a shuffle"),
        pytest.param(_stage("Take", CHOSEN, count=2), [[32, 32]], id="choice"),
        pytest.param(_stage("Take", _stage("Concatenate", SOURCE, BATCHES), count=2), [[40, 40]] * 2, id="joined"),
        pytest.param(_stage("Zip", SOURCE, _stage("Map", _stage("Range"))), [(), [40, 40]], id="numbered"),
        pytest.param(_stage("Zip", SOURCE, _stage("TFRecord")), [None, [40, 40]], id="file"),
        pytest.param(_stage("Map", _stage("TensorSlice", tensors=(np.array(["a.png"]),))), [None], id="paths"),
        pytest.param(5, [None], id="no pipeline"),
    ],
)
def test_all_sources_of_a_pipeline_are_found(stage: Any, rows: list[Any]) -> None:
    assert _rows(stage) == rows


def test_the_functions_after_a_source_are_found_up_to_a_join() -> None:
    mapped = _stage("Map", SOURCE)
    mapped._functions = lambda: ["own"]
    joined = _stage("Map", _stage("Concatenate", mapped, SOURCE))
    joined._functions = lambda: ["of both"]
    assert sorted(each.functions for each in sources_of(joined)) == [(), ("own",)]
