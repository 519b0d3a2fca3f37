"""The models that returned a tensor, and so the model whose output the loss of a loop received."""

from pathlib import Path
from typing import Any

import pytest

from grader.inside.watch.outputs import Outputs
from tests.support.recorded import make_data, run_script, write_session


class Thing:
    """A model or a tensor: anything that a weak reference can hold."""


def test_the_models_of_an_output_are_found_the_innermost_first() -> None:
    outputs, inner, outer, tensor = Outputs(), Thing(), Thing(), Thing()
    outputs.add(inner, tensor)
    outputs.add(outer, tensor)
    outputs.add(outer, tensor)
    assert outputs.models_of(tensor) == [inner, outer]
    assert outputs.models_of(Thing()) == []


def test_each_of_several_outputs_is_found() -> None:
    outputs, model, first, second = Outputs(), Thing(), Thing(), Thing()
    outputs.add(model, {"a": first})
    outputs.add(model, [second, 3])
    assert outputs.models_of(first) == outputs.models_of(second) == [model]
    assert outputs.models_of(3) == []


def test_models_and_tensors_are_not_kept_alive() -> None:
    outputs, model, tensor = Outputs(), Thing(), Thing()
    outputs.add(model, tensor)
    del model
    assert outputs.models_of(tensor) == []


def test_only_recent_outputs_are_remembered() -> None:
    outputs, model = Outputs(), Thing()
    tensors = [Thing() for _ in range(100)]
    for tensor in tensors:
        outputs.add(model, tensor)
    assert outputs.models_of(tensors[0]) == []
    assert outputs.models_of(tensors[-1]) == [model]


SCRIPT = """
import os
from pathlib import Path
from inside.record.recorder import Recorder
from inside.record.session import Session
from inside.watch import keras_hooks
recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
keras_hooks.install(recorder)
recorder.cell_started()
import tensorflow as tf
import LIBRARY as keras
from LIBRARY import layers

def on_top():
    base = keras.applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(32, 32, 3), include_top=False)
    pooled = layers.GlobalAveragePooling2D(name="pooled")(base.output)
    return keras.Model(base.input, layers.Dense(10, name="scores")(pooled))

top = on_top()
first = keras.Sequential(top.layers[:3])
nested = keras.Sequential([layers.InputLayer((32, 32, 3)), first, layers.Flatten()], name="nested")
recorder.cell_ended(ok=True, seconds=0.0)
recorder.cell_started()
critic = keras.Sequential([layers.InputLayer((4,)), layers.Dense(1)], name="critic")
maker = keras.Sequential([layers.InputLayer((2,)), layers.Dense(4, activation="sigmoid")], name="maker")
loss = keras.losses.BinaryCrossentropy(from_logits=True)
optimizers = [keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)]

@tf.function
def step(real):
    with tf.GradientTape() as maker_tape, tf.GradientTape() as critic_tape:
        fake = maker(tf.ones((3, 2)), training=True)
        right, wrong = critic(real, training=True), critic(fake, training=True)
        maker_loss = loss(tf.ones_like(wrong), wrong)
        critic_loss = loss(tf.ones_like(right), right) + loss(tf.zeros_like(wrong), wrong)
    for tape, value, model, optimizer in (
        (maker_tape, maker_loss, maker, optimizers[0]), (critic_tape, critic_loss, critic, optimizers[1])
    ):
        optimizer.apply_gradients(zip(tape.gradient(value, model.trainable_variables), model.trainable_variables))

step(tf.zeros((3, 4)))
step(tf.zeros((3, 4)))
recorder.cell_ended(ok=True, seconds=0.0)
recorder.cell_started()
head = keras.Sequential([layers.InputLayer((4,)), layers.Dense(1)], name="head")
with tf.GradientTape() as tape:
    value = loss(tf.ones((3, 1)), 2 * head(tf.ones((3, 4)), training=True))
optimizers[0] = keras.optimizers.SGD(0.1)
optimizers[0].apply_gradients(zip(tape.gradient(value, head.trainable_variables), head.trainable_variables))
recorder.cell_ended(ok=True, seconds=0.0)
recorder.finish()
"""


@pytest.fixture(scope="module", params=["keras", pytest.param("tf_keras", marks=pytest.mark.slow)])
def events(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The record of the script, in both dialects."""
    folder: Path = tmp_path_factory.mktemp("ready")
    dialect = "keras3" if request.param == "keras" else "keras2"
    session = write_session(folder, make_data(folder / "data"), dialect)
    return run_script(SCRIPT.replace("LIBRARY", request.param), session)


def flat(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List layers with the layers of nested models in their places."""
    return [inner for each in layers for inner in (flat(each["layers"]) or [each])]


@pytest.mark.tensorflow
def test_layers_of_a_model_from_applications_are_marked_also_in_another_model(events: list[dict[str, Any]]) -> None:
    models = [event["model"] for event in events if event["kind"] == "model"]
    top = next(model for model in models if model["layers"] and model["layers"][-1]["name"] == "scores")
    own = {layer["name"] for layer in flat(top["layers"]) if not layer.get("ready_made")}
    assert own == {"pooled", "scores"}
    nested = next(model for model in models if model["name"] == "nested")
    marked = [bool(layer.get("ready_made")) for layer in flat(nested["layers"]) if layer["parameters"]]
    assert marked
    assert all(marked)


@pytest.mark.tensorflow
def test_the_loss_of_an_adversarial_loop_belongs_to_the_model_whose_output_it_received(
    events: list[dict[str, Any]],
) -> None:
    names = {event["model"]["id"]: event["model"]["name"] for event in events if event["kind"] == "model"}
    starts = [event for event in events if event["kind"] == "fit_start"]
    received = {names[start["model"]]: [names[one] for one in start["loss_of"]] for start in starts}
    assert received == {"maker": ["critic"], "critic": ["critic"], "head": []}
    assert all(start["loss"]["from_logits"] for start in starts)
