"""Keras 2 without eager execution: its functions and callbacks still work together."""

from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.tensorflow

SCRIPT = """
import os
from pathlib import Path
from inside.record.recorder import Recorder
from inside.record.session import Session
from inside.watch import keras_hooks
recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
keras_hooks.install(recorder)
recorder.cell_started()
import numpy as np
import tensorflow as tf
tf.compat.v1.disable_eager_execution()
import tf_keras as keras
from tf_keras import backend as K

x, y = np.random.default_rng(1).random((64, 28, 28), dtype="float32"), np.arange(64) % 10
model = keras.Sequential([keras.layers.Flatten(input_shape=(28, 28)), keras.layers.Dense(10, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
run = K.function([model.input], [model.output])
assert run([x])[0].shape == (64, 10)
assert len(run.outputs) == 1 and run.fetches == []
board = keras.callbacks.TensorBoard("logs", histogram_freq=1)
model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[board])
recorder.cell_ended(ok=True, seconds=0.0)
recorder.finish()
"""


def test_a_function_and_a_callback_that_looks_into_one_work(
    tmp_path: Path, small_mnist: Path, kernel_tools: SimpleNamespace
) -> None:
    session = kernel_tools.write_session(tmp_path, small_mnist, "keras2")
    events = kernel_tools.run_script(SCRIPT, session)
    # Weights have no values there that Python could read, so steps are a gap; functions are none.
    assert not [event for event in events if event["kind"] == "gap" and "FunctionWatch" in str(event)]
