"""Training loops of the student's own, eager and in graphs."""

import pytest

from tests.support.recorded import Record, only

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(("cell", "steps"), [("eager loop", 7), ("graph loop", 5), ("graph loop again", 6)])
def test_a_loop_of_the_students_own_is_one_training_a_cell(record: Record, cell: str, steps: int) -> None:
    start, end = only(record.fits(cell))
    assert (start["type"], start["model"], end["status"], end["steps"]) == ("custom_loop", "m2", "completed", steps)
    assert end["history"] == {}
    assert start["digests"].keys() == end["digests"].keys()
    assert all(start["digests"][name] != digest for name, digest in end["digests"].items())


@pytest.mark.parametrize("cell", ["eager loop", "graph loop", "graph loop again"])
def test_a_loop_of_the_students_own_says_its_optimizer_and_the_loss_it_called(record: Record, cell: str) -> None:
    start, _ = only(record.fits(cell))
    assert start["optimizer"]["cls"] == "Adam"
    assert start["optimizer"]["learning_rate"] == pytest.approx(0.001)
    assert (start["loss"]["name"], start["loss"]["from_logits"]) == ("sparse_categorical_crossentropy", True)
    assert start["loss_of"] == ["m2"]


def test_a_loop_whose_optimizer_lived_only_in_a_function_is_followed_to_its_end(record: Record) -> None:
    start, end = only(record.fits("loop in a function"))
    assert (start["optimizer"]["cls"], end["status"], end["steps"]) == ("SGD", "completed", 9)
    assert end["x"]["shape"] == [2000, 28, 28, 1]
    assert end["digests"] != start["digests"]


def test_fit_itself_names_no_loss_of_a_loop(record: Record) -> None:
    start, _ = only(record.fits("mapped"))
    assert start.get("loss") is None


def test_steps_of_one_loop_follow_each_other(record: Record) -> None:
    (_, first), (second, _) = only(record.fits("eager loop")), only(record.fits("graph loop"))
    assert first["digests"] == second["digests"]


def test_train_on_batch_is_a_loop_of_the_students_own(record: Record) -> None:
    start, end = only(record.fits("batches"))
    assert (start["type"], end["steps"]) == ("custom_loop", 4)
