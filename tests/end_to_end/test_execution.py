"""One notebook through the real recorder and the real predictor, each in its own sandbox."""

from pathlib import Path

import nbformat
import numpy as np
import pytest

from grader.execution.collect import collect, read_record
from grader.execution.predict import PredictionJob, predict
from grader.execution.runner import ExecutionRequest, execute
from grader.execution.sandbox.isolation import Isolation
from grader.inside.describe.fingerprint import fingerprint
from grader.schema.rubric import RunSettings

CELLS = [
    "import keras\n(x, y), _ = keras.datasets.mnist.load_data()\nx = x[..., None] / 255.0",
    """model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, 'softmax')])
model.compile('sgd', 'sparse_categorical_crossentropy', metrics=['accuracy'])""",
    "history = model.fit(x, y, epochs=100_000, batch_size=50, verbose=0)",
    "print('after the training', len(history.history['loss']) < 100_000)",
    "model.lr",
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of 200 noisy images under the name of MNIST."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    arrays = {}
    for split, rows in (("train", 200), ("test", 50)):
        arrays[split] = rng.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        np.save(folder / f"x_{split}.npy", arrays[split])
        np.save(folder / f"y_{split}.npy", (np.arange(rows) % 10).astype(np.uint8))
    np.save(folder / "fingerprints.npy", fingerprint(np.concatenate([arrays["train"], arrays["test"]])))
    return folder.parent


@pytest.mark.bubblewrap
@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_training_over_budget_is_stopped_kept_and_predicted_with(
    bubblewrap: Isolation, data: Path, tmp_path: Path
) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    request = ExecutionRequest(
        notebook,
        tmp_path / "scratch",
        bubblewrap,
        RunSettings(time=120, fit_time=3, memory=3 << 30),
        data=data,
        datasets=("mnist",),
        graded_dataset="mnist",
    )
    outcome = execute(request)
    assert outcome.problems == ()
    assert outcome.run.status == "cell_error", outcome.log
    assert outcome.run.cell_map == (0, 1, 2, 3, 4)
    assert outcome.notebook.cells[3].outputs[0]["text"] == "after the training True\n"
    assert [error.cell for error in outcome.run.errors] == [4]

    collected = collect(outcome.out, tmp_path / "evidence")
    assert collected.problems == []
    record = read_record(tmp_path / "evidence" / "events.jsonl")
    assert record.problems == []
    events = {event["kind"]: event for event in record.events}
    assert events["fit_end"]["status"] == "stopped_by_budget"
    assert "end" in events

    np.save(tmp_path / "x.npy", np.load(data / "mnist" / "x_test.npy")[..., None].astype("float32") / 255)
    kept = events["kept"]
    job = PredictionJob("m1", tmp_path / "evidence" / kept["path"], kept["format"], "keras3", tmp_path / "x.npy")
    (result,) = predict([job], isolation=bubblewrap, scratch=tmp_path / "predictions")
    assert result.ok, result.error
    assert result.outputs is not None
    assert result.outputs.shape == (50, 10)
    assert np.allclose(result.outputs.sum(axis=1), 1, atol=1e-4)
    assert result.model is not None
    assert result.model["parameters"] == 7850
