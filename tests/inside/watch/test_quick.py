"""A quick run: few batches and rows, and a record of what the student's code asked for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grader.inside.watch.quick import ROWS, STEPS, fill_epochs, limit_validation, limited_steps, with_few_rows
from tests.support.recorded import Record, only, run_notebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "cells" / "quick.py"


def doubled(_: Any, x: Any, **keys: Any) -> Any:
    """A model that doubles its images, and remembers how many it got."""
    COUNTS.append(len(x[0] if isinstance(x, list) else next(iter(x.values())) if isinstance(x, dict) else x))
    KEYS.append(keys)
    return x * 2 if isinstance(x, np.ndarray) else x


COUNTS: list[int] = []
KEYS: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    COUNTS.clear()
    KEYS.clear()


def test_a_prediction_has_the_usual_number_of_rows() -> None:
    images = np.arange(1000.0)[:, None]
    result = with_few_rows(doubled, None, (images,), {"verbose": 0})
    assert COUNTS == [ROWS]
    assert KEYS == [{"verbose": 0}]
    assert result.shape == (1000, 1)
    assert result[:ROWS].tolist() == (2 * images[:ROWS]).tolist()
    assert result[ROWS : ROWS + 5].tolist() == result[:5].tolist()


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        (np.zeros((ROWS, 2)), {}),
        (np.zeros((1000, 2)), {"steps": 3}),
        (np.zeros((1000, 2)), {"mask": np.zeros(1000)}),
        ([[0.0]] * 1000, {}),
        (np.float64(3.0) * np.ones(()), {}),
    ],
)
def test_anything_else_is_predicted_as_it_is(given: Any, keys: dict[str, Any]) -> None:
    asked: list[Any] = []
    with_few_rows(lambda model, x, **more: asked.append((model, x, more)), "model", (given,), keys)
    assert asked[0][1] is given
    assert asked[0][2] == keys


def test_several_inputs_are_cut_alike() -> None:
    first, second = np.zeros((500, 3)), np.ones((500, 4))
    result = with_few_rows(doubled, None, ([first, second],), {})
    assert COUNTS == [ROWS]
    assert [part.shape for part in result] == [(500, 3), (500, 4)]
    result = with_few_rows(doubled, None, ({"a": first, "b": second},), {})
    assert {name: part.shape for name, part in result.items()} == {"a": (500, 3), "b": (500, 4)}
    uneven = with_few_rows(doubled, None, ([first, second[:400]],), {})
    assert [len(part) for part in uneven] == [500, 400]


def test_an_output_without_rows_stays() -> None:
    result = with_few_rows(lambda *_, **__: np.zeros(3), None, (np.zeros((500, 2)),), {})
    assert result.shape == (3,)


def test_validations_are_limited_only_where_there_is_one() -> None:
    none: dict[str, Any] = {"epochs": 3}
    limit_validation(none)
    assert none == {"epochs": 3}
    split: dict[str, Any] = {"validation_split": 0.1}
    limit_validation(split)
    assert split["validation_steps"] == STEPS
    few: dict[str, Any] = {"validation_data": (1, 2), "validation_steps": 1}
    limit_validation(few)
    assert few["validation_steps"] == 1


def test_a_history_has_all_epochs_that_were_asked_for() -> None:
    history = SimpleNamespace(epoch=[5, 6], history={"loss": [3.0, 2.0], "val_loss": [4.0]})
    recorded = {"loss": [3.0, 2.0], "val_loss": [4.0]}
    fill_epochs(history, recorded, 6)
    assert history.epoch == [5, 6, 7, 8, 9, 10]
    assert history.history == recorded == {"loss": [3.0] + [2.0] * 5, "val_loss": [4.0] * 3}
    fill_epochs(history, recorded, 6)
    assert len(history.epoch) == 6


@pytest.mark.parametrize(("epochs", "asked"), [([0], None), ([], 3), ([0, 1, 2], 2), ([0], 10**9)])
def test_a_history_that_is_whole_or_would_be_huge_stays(epochs: list[int], asked: int | None) -> None:
    history = SimpleNamespace(epoch=list(epochs), history={"loss": [1.0] * len(epochs)})
    fill_epochs(history, {}, asked)
    assert history.epoch == epochs
    assert len(history.history["loss"]) == len(epochs)


def test_an_evaluation_has_few_batches_and_wrong_arguments_reach_keras() -> None:
    def evaluate(model: Any, x: Any = None, y: Any = None, steps: Any = None, **more: Any) -> Any:
        return model, x, y, steps, more

    assert limited_steps(evaluate, "m", (1, 2), {"verbose": 0}) == ("m", 1, 2, STEPS, {"verbose": 0})
    assert limited_steps(evaluate, "m", (1,), {"steps": 1})[3] == 1
    with pytest.raises(TypeError):
        limited_steps(evaluate, "m", (1, 2, 3, 4), {})


@pytest.fixture(scope="module", params=["keras3", "keras2"])
def quick(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small_mnist: Path) -> Record:
    """The record of a quick run."""
    folder = tmp_path_factory.mktemp(f"quick-{request.param}")
    return run_notebook(folder, small_mnist, request.param, NOTEBOOK, quick=True, deadline=4e9)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_real_training_runs_its_epochs_with_few_batches(quick: Record) -> None:
    assert quick.errors == {}
    assert quick.noted["epochs"] == list(range(6))
    assert (quick.noted["curve"], quick.noted["params"]) == (6, 29)
    start, end = only(quick.fits("fit"))
    assert (start["epochs"], start["steps"], start["batch_size"]) == (6, 29, 64)
    assert (end["status"], end["epochs"], end["steps"]) == ("stopped_by_budget", 6, 6 * STEPS)
    start, end = only(quick.fits("many epochs"))
    assert (start["epochs"], end["epochs"], end["status"]) == (300, 20, "stopped_by_budget")
    assert (quick.noted["many"], quick.noted["stopped"]) == ([300, 300, 299], 2)
    start, end = only(quick.fits("fewer batches than the limit"))
    assert end["status"] == "completed"
    start, end = only(quick.fits("pipeline"))
    assert (start["epochs"], end["epochs"], quick.noted["pipeline"]) == (3, 3, 3)
    assert quick.noted["sequence"] == 3
    assert quick.noted["finished"] in {3, 4}
    assert (quick.noted["results"], quick.noted["predicted"], quick.noted["called"]) == (2, [400, 10], [400, 10])
    assert quick.noted["differ"] is True
    assert only(quick.of("predict", "predict"))["output_shape"] == [400, 10]
    start, end = only(quick.fits("loop"))
    assert (end["status"], end["steps"]) == ("stopped_by_budget", quick.noted["steps"])
