"""The student's own training loops are stopped at the time limits, and the later code runs."""

from pathlib import Path

import pytest

from tests.support.recorded import Record, only, run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "cells" / "stopped.py"

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.fixture(scope="module", params=["keras3", "keras2"])
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small_mnist: Path) -> Record:
    """The record of endless loops with a limit of two seconds for each training."""
    folder = tmp_path_factory.mktemp(f"stopped-{request.param}")
    return run_notebook(folder, small_mnist, request.param, NOTEBOOK, fit_time=2.0, deadline=4e9)


def test_no_cell_fails_and_the_later_cells_run(stopped: Record) -> None:
    assert list(stopped.errors) == ["in a comprehension"]
    assert stopped.noted["the last cell"] is True


@pytest.mark.parametrize(
    "cell", ["while true", "epochs over batches", "in a function", "on batches", "by hand", "the graph again"]
)
def test_an_endless_loop_is_stopped_after_some_steps(stopped: Record, cell: str) -> None:
    start, end = only(stopped.fits(cell))
    assert (start["type"], end["status"]) == ("custom_loop", "stopped_by_budget")
    assert end["steps"] > 1
    assert start["digests"] != end["digests"]


def test_a_loop_ends_after_a_whole_iteration(stopped: Record) -> None:
    assert stopped.noted["while true"] == only(stopped.fits("while true"))[1]["steps"]
    epochs, last, validated, batches = stopped.noted["epochs over batches"]
    assert epochs == last == validated
    assert batches == [10]
    done, number = stopped.noted["in a function"]
    assert done == number + 1


def test_both_models_of_an_adversarial_loop_end_together(stopped: Record) -> None:
    (_, first), (_, second) = stopped.fits("adversarial")
    assert first["steps"] == second["steps"] == stopped.noted["adversarial"]
    assert "stopped_by_budget" in {first["status"], second["status"]}


def test_a_loop_over_models_goes_on_with_the_next_model(stopped: Record) -> None:
    assert stopped.noted["one model after another"] == 2
    assert [end["status"] for _, end in stopped.fits("one model after another")] == ["stopped_by_budget"] * 2


def test_loops_without_a_long_training_are_not_touched(stopped: Record) -> None:
    assert stopped.noted["no training"] == 2000
    _, end = only(stopped.fits("a limit for the other"))
    assert (end["status"], end["steps"]) == ("completed", 5)


@pytest.mark.parametrize("cell", ["a long training", "a long one by hand"])
def test_a_long_training_is_written_down_while_it_runs(stopped: Record, cell: str) -> None:
    start, end = only(stopped.fits(cell))
    noted = [event for event in stopped.of("progress", cell) if event["fit"] == start["fit"]]
    assert noted
    assert all(start["n"] < event["n"] < end["n"] for event in noted)
    assert noted[0]["digests"] != start["digests"]
    assert 0 < noted[0]["steps"] <= end["steps"]


def test_its_first_note_has_the_data(stopped: Record) -> None:
    first = stopped.of("progress", "a long training")[0]
    assert first["x"]["shape"] == [2000, 784]
    assert first["batch_size"] == 50


def test_near_the_deadline_a_training_ends_early_and_one_without_a_check_is_interrupted(stopped: Record) -> None:
    assert stopped.noted["near the deadline"] is True
    assert only(stopped.fits("near the deadline"))[1]["status"] == "stopped_by_budget"
    assert stopped.errors["in a comprehension"].startswith("KeyboardInterrupt")
    assert only(stopped.fits("in a comprehension"))[1]["status"] == "interrupted"


def test_code_that_loses_an_interruption_is_interrupted_again(stopped: Record) -> None:
    assert stopped.noted["a lost interruption"] == ["lost", "lost"]


def test_nothing_is_lost(stopped: Record) -> None:
    assert stopped.of("gap") == []
