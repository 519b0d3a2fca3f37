"""The record of transfer learning: digests, the origin of weights, and effects of shared layers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.recorded import Record, named, only

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
import LIBRARY as keras
from LIBRARY import layers

rng = np.random.default_rng(1)
x, y = rng.random((64, 28, 28), dtype="float32"), np.arange(64) % 10


def net(*parts, **keys):
    return keras.Sequential([keras.layers.InputLayer((28, 28)), layers.Flatten(), *parts], **keys)


def train(model, labels, loss):
    model.compile("sgd", loss)
    model.fit(x, labels, verbose=0)
    recorder.cell_ended(ok=True, seconds=0.0)
    recorder.cell_started()


old = net(layers.Dense(8, activation="relu", name="low"), layers.BatchNormalization(name="norm"),
          layers.Dense(10, activation="softmax", name="top"))
train(old, y, "sparse_categorical_crossentropy")
old.save("old.h5")
again = keras.models.load_model("old.h5", compile=False)
new = keras.Sequential([keras.layers.InputLayer((28, 28)), *again.layers[:-1],
                        layers.Dense(1, activation="sigmoid", name="head")])
for value in (False, True):
    for layer in new.layers[:-1]:
        layer.trainable = value
    train(new, y > 4, "binary_crossentropy")

net(layers.Dense(8, name="trunk")).save_weights("course.weights.h5")
base = net(layers.Dense(8, name="trunk"), name="base")
base.load_weights("course.weights.h5")
base.trainable = False
on_top = layers.Dense(1, activation="sigmoid", name="on_top")
nested = keras.Sequential([keras.layers.InputLayer((28, 28)), base, on_top])
train(nested, y > 4, "binary_crossentropy")


def step(model, optimizer):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x[:8], training=True) - 1.0))
    weights = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))


def looped():
    return net(layers.Dense(8, name="low"), layers.Dense(1, name="top"))


phased = looped()
for value in (False, True):
    phased.get_layer("low").trainable = value
    optimizer = keras.optimizers.SGD(0.1)
    for _ in range(3):
        step(phased, optimizer)
        phased.get_layer("low").trainable = value
recorder.cell_ended(ok=True, seconds=0.0)
recorder.cell_started()
rival, optimizer = looped(), keras.optimizers.SGD(0.1)
for _ in range(20):
    rival.trainable = True
    step(rival, optimizer)
    rival.trainable = False
recorder.cell_ended(ok=True, seconds=0.0)
recorder.cell_started()
traced, optimizer = looped(), keras.optimizers.SGD(0.1)
optimizer.build(traced.trainable_variables)


@tf.function
def in_turn():
    traced.get_layer("low").trainable = False
    step(traced, optimizer)
    traced.get_layer("low").trainable = True


for _ in range(5):
    in_turn()
recorder.cell_ended(ok=True, seconds=0.0)
recorder.cell_started()
popped = net(layers.Dense(6, name="kept"), layers.Dense(10, activation="softmax", name="taken_off"), name="popped")
popped.compile("sgd", "sparse_categorical_crossentropy")
for _ in range(3):
    popped.fit(x, y, verbose=0)
popped.pop()
popped.add(layers.Dense(1, activation="sigmoid", name="put_on"))
train(popped, y > 4, "binary_crossentropy")
grown = net(layers.Dense(1, activation="sigmoid", name="grown_from"), name="grown")
train(grown, y > 4, "binary_crossentropy")
grown.add(layers.Dense(1, activation="sigmoid", name="grown_to"))
train(grown, y > 4, "binary_crossentropy")
base = net(layers.Dense(6, name="kept_of_base"), layers.Dense(10, name="lost_of_base"), name="base_of_two")
base.set_weights([weight * 2 for weight in base.get_weights()])
base.pop()
nested_base = keras.Sequential([keras.layers.InputLayer((28, 28)), base, layers.Dense(1, activation="sigmoid")])
train(nested_base, y > 4, "binary_crossentropy")
untrained = net(layers.Dense(1, activation="sigmoid"), layers.Dense(10), name="untrained")
untrained.compile("sgd", "mse")
untrained.pop()
train(untrained, y > 4, "binary_crossentropy")
recorder.finish()
"""


@pytest.fixture(scope="module", params=["keras", pytest.param("tf_keras", marks=pytest.mark.slow)])
def events(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    small_mnist: Path,
    kernel_tools: SimpleNamespace,
) -> list[dict[str, Any]]:
    """The record of one process with all cases."""
    folder = tmp_path_factory.mktemp("transfer")
    dialect = "keras2" if request.param == "tf_keras" else "keras3"
    session = kernel_tools.write_session(folder, small_mnist, dialect)
    found: list[dict[str, Any]] = kernel_tools.run_script(SCRIPT.replace("LIBRARY", request.param), session)
    return found


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def test_reused_layers_begin_with_the_very_weights_that_were_learned(events: list[dict[str, Any]]) -> None:
    learned = of(events, "fit_end")[0]["digests"]
    begun = of(events, "fit_start")[1]["digests"]
    assert begun["low"] == learned["low"]
    assert begun["norm"] == learned["norm"]
    loaded = next(event for event in of(events, "save") if event["action"] == "load")
    assert loaded["digests"] == learned


def test_frozen_layers_and_frozen_batch_statistics_stay_and_unfrozen_ones_change(events: list[dict[str, Any]]) -> None:
    starts, ends = of(events, "fit_start"), of(events, "fit_end")
    assert starts[1]["trainable"] | {"flatten": False} == starts[1]["trainable"] | {"low": False, "norm": False}
    for name in ("low", "norm"):
        assert starts[1]["digests"][name] == ends[1]["digests"][name]
        assert starts[2]["digests"][name] != ends[2]["digests"][name]
    assert starts[1]["digests"]["head"] != ends[1]["digests"]["head"]


def test_the_network_whose_layers_were_changed_is_kept_once_more(events: list[dict[str, Any]]) -> None:
    later = [event for event in of(events, "kept") if event.get("moment") == "later"]
    loaded = next(event for event in of(events, "save") if event["action"] == "load")
    assert {event["model"] for event in later} == {loaded["model"]}
    assert all(event["path"].endswith(".later.keras") for event in later)


def test_weights_from_a_file_are_known_by_their_digests_in_a_nested_base(events: list[dict[str, Any]]) -> None:
    loaded = next(event for event in of(events, "save") if event["action"] == "load_weights")
    start, end = of(events, "fit_start")[3], of(events, "fit_end")[3]
    assert start["digests"]["trunk"] == loaded["digests"]["trunk"] == end["digests"]["trunk"]
    assert start["trainable"]["trunk"] is False


def loops(events: list[dict[str, Any]], place: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the starts and ends of the trainings of the first or second model in a loop."""
    starts = [event for event in of(events, "fit_start") if event["type"] == "custom_loop"]
    ends = {event["fit"]: event for event in of(events, "fit_end")}
    model = list(dict.fromkeys(start["model"] for start in starts))[place]
    return [(start, ends[start["fit"]]) for start in starts if start["model"] == model]


def test_a_loop_before_and_after_a_change_of_trainable_is_two_trainings(events: list[dict[str, Any]]) -> None:
    (first, halfway), (second, end) = loops(events, 0)
    assert (halfway["steps"], end["steps"]) == (3, 3)
    assert (first["trainable"]["low"], second["trainable"]["low"]) == (False, True)
    assert first["digests"]["low"] == halfway["digests"]["low"] == second["digests"]["low"] != end["digests"]["low"]


def test_a_network_that_is_frozen_at_every_step_is_not_one_training_a_step(events: list[dict[str, Any]]) -> None:
    trainings = loops(events, 1)
    assert len(trainings) <= 5
    assert sum(end["steps"] for _, end in trainings) == 20


def test_a_change_of_trainable_inside_a_graph_divides_nothing(events: list[dict[str, Any]]) -> None:
    ((_, end),) = loops(events, 2)
    assert end["steps"] == 5


def test_a_trained_network_that_lost_its_last_layer_is_another_one_and_what_it_was_is_kept(
    events: list[dict[str, Any]],
) -> None:
    described = {e["model"]["id"]: e["model"] for e in of(events, "model") if e["model"]["name"] == "popped"}
    before, after = described.values()
    assert [layer["name"] for layer in before["layers"] if layer["parameters"]] == ["kept", "taken_off"]
    assert [layer["name"] for layer in after["layers"] if layer["parameters"]] == ["kept", "put_on"]
    assert (before["formerly"], after["formerly"]) == (None, before["id"])
    assert before["id"] in after["shares_layers_with"]
    fits = {e["model"]: e for e in of(events, "fit_start") if e["model"] in described}
    assert [set(fits[model]["digests"]) for model in described] == [{"kept", "taken_off"}, {"kept", "put_on"}]
    kept = {e["model"]: (e["path"], e["after"]) for e in of(events, "kept") if e["model"] in described}
    models = {start["fit"]: start["model"] for start in of(events, "fit_start")}
    last = {models[end["fit"]]: end["n"] for end in of(events, "fit_end")}
    assert kept == {model: (f"models/{model}.keras", last[model]) for model in described}


def test_a_network_with_given_weights_that_lost_its_last_layer_is_another_one(events: list[dict[str, Any]]) -> None:
    described = [e["model"] for e in of(events, "model")]
    found = [m for m in described if any(layer["name"] == "kept_of_base" for layer in m["layers"])]
    before, after = {model["id"]: model for model in found}.values()
    assert [layer["name"] for layer in before["layers"] if layer["parameters"]] == ["kept_of_base", "lost_of_base"]
    assert [layer["name"] for layer in after["layers"] if layer["parameters"]] == ["kept_of_base"]
    assert after["formerly"] == before["id"]


@pytest.mark.parametrize("name", ["grown", "untrained"])
def test_a_network_that_only_gained_layers_or_had_learned_nothing_stays_the_same(
    events: list[dict[str, Any]], name: str
) -> None:
    assert len({e["model"]["id"] for e in of(events, "model") if e["model"]["name"] == name}) == 1


def test_nothing_of_the_recorders_own_work_failed(events: list[dict[str, Any]]) -> None:
    assert of(events, "gap") == of(events, "unkept") == []


def test_models_are_numbered_in_the_order_of_their_making(record: Record) -> None:
    assert [named(record, name)["id"] for name in ("model", "other", "never_compiled")] == ["m1", "m2", "m3"]


def test_a_nested_model_keeps_its_layers_and_both_say_what_they_share(record: Record) -> None:
    top, base = named(record, "top"), named(record, "base")
    assert [layer["name"] for layer in top["layers"][0]["layers"]][-1] == "hidden"
    assert base["id"] in top["shares_layers_with"] or top["id"] in base["shares_layers_with"]
    start, end = only(record.fits("transfer"))
    assert start["trainable"]["hidden"] is False
    assert start["digests"]["hidden"] == end["digests"]["hidden"]
    assert start["digests"]["top_out"] != end["digests"]["top_out"]
