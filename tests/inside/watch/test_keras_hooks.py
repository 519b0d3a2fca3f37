"""A recorded training computes exactly what it would compute without a recorder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.recorded import Record, named, only

pytestmark = pytest.mark.tensorflow

# The plain training first; then the hooks go into a Keras that is imported already, as in a warm kernel.
SCRIPT = """
import hashlib, json, os, random, sys, time
from pathlib import Path
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

tf.config.experimental.enable_op_determinism()
rng = np.random.default_rng(0)
x = rng.random((256, 12, 12, 1)).astype("float32"); y = rng.integers(0, 10, 256)

class Noisy(layers.Dropout):
    def call(self, inputs, training=None):
        return super().call(inputs, training=True)

def train():
    keras.backend.clear_session()
    keras.utils.set_random_seed(11)
    model = keras.Sequential([keras.Input((12, 12, 1)), layers.Conv2D(3, 3), layers.BatchNormalization(),
        layers.Flatten(), Noisy(0.3), layers.Dropout(0.2), layers.Dense(10, activation="softmax")])
    late = keras.Sequential([layers.Flatten(), layers.Dropout(0.5), layers.Dense(10)])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    first = model.fit(x, y, epochs=2, verbose=0, validation_split=0.2)
    variables = model.optimizer.variables
    moments = [np.asarray(v).tolist() for v in (variables() if callable(variables) else variables)]
    cell_end()
    second = model.fit(x, y, epochs=2, verbose=0)
    cell_end()
    late.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    late.fit(x, y, epochs=1, verbose=0)
    outputs = np.asarray(model(x[:4], training=True))
    opt = keras.optimizers.Adam()
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(late(x[:32], training=True) ** 2)
        opt.apply_gradients(zip(tape.gradient(loss, late.trainable_variables), late.trainable_variables))
    cell_end()
    evaluated = model.evaluate(x, y, verbose=0)
    digest = hashlib.sha256()
    for weight in [*model.get_weights(), *late.get_weights(), outputs]:
        digest.update(np.asarray(weight).tobytes())
    return {
        "weights": digest.hexdigest(), "history": [first.history, second.history], "moments": moments,
        "evaluated": [float(v) for v in evaluated], "python": random.random(), "numpy": float(np.random.rand()),
        "tensorflow": float(tf.random.uniform(())), "layer": layers.Dense(1).name,
        "stateful": np.asarray(keras.initializers.GlorotUniform()((2, 2))).tolist(),
    }

cell_end = lambda: None
plain = train()
from inside.record.recorder import Recorder
from inside.record.session import Session
from inside.watch import keras_hooks
recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
watch = keras_hooks.install(recorder)
recorder.cell_started()
cell_end = lambda: recorder.cell_ended(ok=True, seconds=0.0)
recorded = train()
recorder.finish()
print(json.dumps({"plain": plain, "recorded": recorded}))
"""


@pytest.fixture(scope="module", params=["keras3", pytest.param("keras2", marks=pytest.mark.slow)])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small_mnist: Path, kernel_tools: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Results of the same training without and with a recorder, and the record."""
    folder = tmp_path_factory.mktemp(request.param)
    session = kernel_tools.write_session(folder, small_mnist, request.param)
    environment = kernel_tools.environment(session) | {"PYTHONHASHSEED": "0"}
    if request.param == "keras2":
        environment["TF_USE_LEGACY_KERAS"] = "1"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1]), kernel_tools.read_events(folder / "out")


@pytest.mark.parametrize(
    "what",
    ["weights", "history", "moments", "evaluated", "python", "numpy", "tensorflow", "stateful", "layer"],
)
@pytest.mark.slow
def test_recording_changes_nothing_that_the_student_computes(both: Any, what: str) -> None:
    results, _ = both
    assert results["recorded"][what] == results["plain"][what]


def test_the_training_was_really_recorded_and_both_forms_kept(both: Any) -> None:
    _, events = both
    kinds = [event["kind"] for event in events]
    assert kinds.count("fit_end") == 4
    assert "gap" not in kinds
    assert {event["format"] for event in events if event["kind"] == "kept"} == {"keras", "saved_model"}


def test_freezing_a_whole_model_is_one_change(record: Record) -> None:
    change = only(record.of("trainable", "transfer"))
    assert (change["layer"], change["after"]) == ("base", False)


def test_evaluation_and_prediction_are_recorded(record: Record) -> None:
    evaluated = only(record.of("evaluate", "freeze"))
    assert list(evaluated["results"].values()) == pytest.approx(record.noted["evaluate"], rel=1e-6)
    assert set(evaluated["results"]) == {"loss", "accuracy"}
    predicted = only(record.of("predict", "freeze"))
    assert predicted["output_shape"] == [400, 10]
    assert predicted["x"]["array"] == evaluated["x"]["array"]


def test_validation_inside_fit_is_no_evaluation_but_a_callbacks_is(record: Record) -> None:
    assert only(record.of("evaluate", "metrics inside"))["x"]["shape"] == [100, 28, 28, 1]
    start, _ = only(record.fits("metrics inside"))
    assert only(start["callbacks"])["custom"] == "Probe"


def test_saving_loading_and_copying_are_recorded(record: Record) -> None:
    events = {event["action"]: event for event in record.of("save", "copies")}
    loaded, copy = named(record, "loaded")["id"], named(record, "copy")["id"]
    assert events["save"]["model"] == "m1"
    assert events["save"]["path"] == "saved.keras"
    assert (events["load"]["model"], events["load"]["path"]) == (loaded, "saved.keras")
    assert (events["clone"]["model"], events["clone"]["other"]) == (copy, "m1")
    assert (events["set_weights"]["model"], events["set_weights"]["other"]) == (copy, "m1")
