"""Training without an optimizer, by gradients and changed weights."""

import pytest

from tests.support.recorded import Record, named, only

pytestmark = pytest.mark.tensorflow


def test_a_training_without_an_optimizer_is_told_by_its_gradients_and_its_weights(record: Record) -> None:
    start, end = only(record.fits("loop by hand"))
    assert (start["type"], start["optimizer"], end["steps"]) == ("custom_loop", None, 3)
    assert start["digests"] != end["digests"]
    assert end["batch_size"] == 20
    assert record.fits("gradient looked at") == []


@pytest.mark.parametrize("cell", ["graph by hand", "graph by hand again"])
def test_its_steps_in_a_graph_are_not_counted(record: Record, cell: str) -> None:
    start, end = only(record.fits(cell))
    assert (start["model"], end["steps"]) == (named(record, "by_hand")["id"], None)
