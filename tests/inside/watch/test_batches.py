"""The arrays that the batches of a training were taken from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.inside.watch.batches import BatchSource, DataWatch
from tests.support.recorded import Record, only


@pytest.mark.tensorflow
def test_a_mapped_data_set_is_followed_to_its_tensors_and_said_to_be_mapped(record: Record) -> None:
    start, end = only(record.fits("mapped"))
    assert (start["x"]["source"], start["x"]["mapped"], start["x"]["low"]) == ("tf.data", True, None)
    assert start["x"]["shape"] == [2000, 28, 28, 1]
    plain, _ = only(record.fits("timed fit"))
    with np.load(record.out / start["x"]["file"]) as one, np.load(record.out / plain["x"]["file"]) as other:
        assert np.array_equal(one["fingerprints"], other["fingerprints"])
    assert end["status"] == "completed"


@pytest.mark.tensorflow
@pytest.mark.parametrize("cell", ["eager loop", "graph loop again", "sliced loop"])
def test_what_a_loop_took_its_batches_from_is_found(record: Record, cell: str) -> None:
    _, end = only(record.fits(cell))
    assert end["x"]["shape"][0] == 2000
    assert end["batch_size"] == 32
    assert end["x"]["source"] == ("array" if cell == "sliced loop" else "tf.data")
    if cell != "sliced loop":
        assert sum(end["y"]["classes"].values()) == 2000


@given(st.integers(0, 900), st.integers(1, 64))
def test_batches_lead_to_the_smallest_variable_that_holds_them_all(start: int, size: int) -> None:
    images = np.zeros((1000, 4, 4))
    parts = {"all": images, "valid": images[:100], "train": images[100:], "other": np.zeros((1000, 4, 4)), "n": 3}
    source = BatchSource()
    for begin in (start, max(0, start - size)):
        source.add(images[begin : begin + size], DataWatch())
    low, high = max(0, start - size), min(1000, start + size)
    expected = "train" if low >= 100 else "valid" if high <= 100 else "all"
    assert source.find(parts) is parts[expected]
    assert source.rows == min(size, high - low)


def test_batches_of_two_owners_lead_nowhere() -> None:
    one, other, source = np.zeros((10, 4)), np.zeros((10, 4)), BatchSource()
    source.add(one[:5], DataWatch())
    source.add(other[:5], DataWatch())
    assert source.find({"one": one, "other": other}) is None
