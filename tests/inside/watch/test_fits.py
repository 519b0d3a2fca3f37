"""Trainings by `fit`: data, history, rates, frozen layers, and how each of them ended."""

import numpy as np
import pytest

from tests.support.recorded import Record, only

pytestmark = pytest.mark.tensorflow


def test_a_training_is_recorded_from_its_data_to_its_history(record: Record) -> None:
    start, end = only(record.fits("timed fit"))
    assert (start["type"], start["epochs"], start["batch_size"], start["steps"]) == ("fit", 2, 64, 29)
    assert (start["validation"], start["validation_split"]) == ("split", 0.1)
    assert (start["x"]["names"], start["x"]["shape"], start["x"]["high"]) == (["x_train"], [2000, 28, 28, 1], 1.0)
    assert start["y"]["classes"]["7"] == int((np.load(record.data / "mnist" / "y_train.npy") == 7).sum())
    assert only(start["callbacks"])["config"]["patience"] == 5
    assert start["compiled"] == only(record.of("compile", "build"))["n"]
    assert (end["status"], end["epochs"], end["steps"], end["rates"]) == ("completed", 2, 58, [0.001, 0.001])
    assert end["history"] == record.noted["history"]
    assert all(end["digests"][name] != digest for name, digest in start["digests"].items())
    assert [event["epoch"] for event in record.of("epoch", "timed fit")] == [1, 2]


def test_the_students_history_object_is_as_it_would_be(record: Record) -> None:
    assert record.noted["params"] == {"verbose": 0, "epochs": 2, "steps": 29}
    assert record.noted["same"] is True


def test_a_frozen_layer_is_recorded_as_such_and_does_not_change(record: Record) -> None:
    change = only(record.of("trainable", "freeze"))
    assert (change["layer"], change["model"], change["before"], change["after"]) == ("conv", "m1", True, False)
    start, end = only(record.fits("freeze"))
    assert start["trainable"]["conv"] is False
    assert start["digests"]["conv"] == end["digests"]["conv"]
    assert start["digests"]["out"] != end["digests"]["out"]
    assert start["validation"] == "data"
    assert start["val_x"]["names"] == ["x_test"]
    assert start["compiled"] == only(record.of("compile", "freeze"))["n"]


def test_a_rate_that_changes_by_step_is_recorded_by_step(record: Record) -> None:
    _, end = only(record.fits("rates"))
    assert end["step_rates"] == pytest.approx(record.noted["cycle"], rel=1e-6)
    assert end["rates"] == pytest.approx([record.noted["cycle"][9], record.noted["cycle"][19]], rel=1e-6)


def test_a_schedule_is_evaluated_at_each_step(record: Record) -> None:
    _, end = only(record.fits("schedule"))
    assert end["step_rates"] == pytest.approx([0.1 * 0.5 ** (step / 10) for step in range(20)], rel=1e-5)
    compiled = only(record.of("compile", "schedule"))
    assert compiled["optimizer"]["learning_rate"] is None
    assert compiled["optimizer"]["config"]["learning_rate"]["class_name"] == "ExponentialDecay"


def test_steps_that_run_in_one_call_are_counted_each(record: Record) -> None:
    start, end = only(record.fits("several steps in one call"))
    assert (start["steps"], end["steps"]) == (10, 20)


def test_a_rate_that_changes_by_epoch_is_recorded_by_epoch(record: Record) -> None:
    _, end = only(record.fits("plateau"))
    assert end["rates"] == pytest.approx([0.1, 0.05, 0.1 / 3], rel=1e-6)
    assert end["step_rates"] == []


def test_a_training_over_its_budget_ends_at_an_epochs_end(record: Record) -> None:
    start, end = only(record.fits("three hundred epochs"))
    assert (start["epochs"], end["status"]) == (100_000, "stopped_by_budget")
    # Each epoch takes 0.3 s of a budget of 1 s, by the clock of this training.
    assert end["epochs"] == 3
    assert end["steps"] == end["epochs"] * start["steps"]
    noted = record.noted["long"]
    assert (noted["epochs"], noted["history"], noted["stopped_epoch"]) == (end["epochs"], end["epochs"], 0)


def test_one_epoch_far_over_the_budget_is_cut_and_fit_still_returns(record: Record) -> None:
    start, end = only(record.fits("one endless epoch"))
    assert (end["status"], end["epochs"], record.noted["endless"]) == ("stopped_by_budget", 1, 1)
    assert 0 < end["steps"] < start["steps"] == 10**7


def test_a_training_stopped_by_a_callback_is_stopped_early(record: Record) -> None:
    _, end = only(record.fits("early"))
    assert (end["status"], end["epochs"]) == ("stopped_early", 2)


def test_a_training_that_fails_or_is_interrupted_has_an_end(record: Record) -> None:
    _, wrong = only(record.fits("wrong call"))
    assert (wrong["status"], wrong["steps"]) == ("error", 0)
    assert wrong["error"].startswith("ValueError")
    _, interrupted = only(record.fits("interrupt"))
    assert (interrupted["status"], interrupted["steps"]) == ("interrupted", 2)


def test_the_rate_a_callback_sets_is_read_at_every_step(record: Record) -> None:
    _, end = only(record.fits("one cycle"))
    assert end["step_rates"] == pytest.approx([0.01 * min(step, 11 - step) for step in range(1, 11)])


def test_the_rows_of_a_part_of_a_pipeline_are_those_of_the_part(record: Record) -> None:
    shapes = [
        (start["x"]["shape"], (start["val_x"] or {}).get("shape")) for start, _ in record.fits("parts of a pipeline")
    ]
    images = [[part and part[0] for part in pair] for pair in shapes]
    assert images == [[240, 80], [80, 80], [320, None]]
    # Nobody knows which rows come after some of a shuffled pipeline, only how many.
    assert [start["x"].get("drawn") for start, _ in record.fits("parts of a pipeline")] == [None, None, 240]


def test_the_batch_size_is_that_of_the_data_and_not_an_ignored_argument(record: Record) -> None:
    assert [start["batch_size"] for start, _ in record.fits("real batches")] == [80, 48, 40, 20]


def test_the_optimizer_of_mixed_precision_is_the_one_in_the_wrapper(record: Record) -> None:
    compiled = only(record.of("compile", "mixed precision"))["optimizer"]
    assert (compiled["cls"], compiled["learning_rate"], compiled["config"]["clipnorm"]) == ("Adam", 0.002, 1.0)
    (_, fitted), (loop, looped) = record.fits("mixed precision")
    assert fitted["rates"] == [0.002]
    assert (loop["type"], loop["optimizer"]["cls"], loop["optimizer"]["learning_rate"]) == (
        "custom_loop",
        "Nadam",
        0.003,
    )
    assert looped["steps"] == 2
