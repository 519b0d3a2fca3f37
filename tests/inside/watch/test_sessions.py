"""A notebook that switches to graphs and sessions, as in TensorFlow 1, is recorded like any other."""

from pathlib import Path

import pytest

from tests.support.recorded import Record, only, run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "cells" / "sessions.py"

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory, small_mnist: Path) -> Record:
    return run_notebook(tmp_path_factory.mktemp("sessions"), small_mnist, "keras2", NOTEBOOK)


def test_the_notebook_runs(sessions: Record) -> None:
    assert sessions.errors == {}


def test_a_training_has_its_curve_its_data_and_its_weights(sessions: Record) -> None:
    start, end = only(sessions.fits("fit"))
    assert (end["status"], end["epochs"], end["history"]) == ("completed", 2, sessions.noted["history"])
    assert (start["x"]["shape"], start["validation"]) == ([2000, 28, 28, 1], "data")
    assert start["digests"].keys() == end["digests"].keys() == {"conv", "out"}
    assert all(start["digests"][name] != end["digests"][name] for name in ("conv", "out"))
    assert end["rates"] == [0.002, 0.002]


def test_the_compile_and_the_frozen_layer_are_recorded(sessions: Record) -> None:
    assert only(sessions.of("compile", "build"))["optimizer"]["cls"] == "Adam"
    assert only(sessions.of("trainable", "freeze"))["layer"] == "conv"
    start, end = only(sessions.fits("freeze"))
    assert start["compiled"] == only(sessions.of("compile", "freeze"))["n"]
    assert start["digests"]["conv"] == end["digests"]["conv"]
    assert start["digests"]["out"] != end["digests"]["out"]


def test_the_trained_model_is_kept(sessions: Record) -> None:
    kept = sessions.of("kept", "on batches")[-1]
    assert (kept["format"], kept["custom"]) == ("keras", False)
    assert (sessions.out / kept["path"]).stat().st_size > 1000


def test_evaluations_and_predictions_are_recorded(sessions: Record) -> None:
    evaluated, predicted = only(sessions.of("evaluate", "use")), only(sessions.of("predict", "use"))
    assert evaluated["results"]["loss"] == pytest.approx(sessions.noted["evaluated"])
    assert predicted["output_shape"] == [5, 10]


def test_steps_on_batches_are_a_training(sessions: Record) -> None:
    _, end = only(sessions.fits("on batches"))
    assert (end["status"], end["steps"]) == ("completed", 12)


def test_a_loop_of_the_notebooks_own_session_is_a_gap_and_nothing_else_is(sessions: Record) -> None:
    gap = only(sessions.of("gap"))
    assert (gap["cell"], gap["hook"]) == (sessions.cells["in a session"], "Session.run")
    assert {"model", "fit_start"} <= set(gap["lost"])
