"""Weights that no training made are found when a model is saved, and restored weights are not."""

import json
from pathlib import Path
from typing import Any

import pytest

from grader.inside.watch.fingerprints import Fingerprints

SCRIPT = """
import json, os
from pathlib import Path
import numpy as np
from inside.record.recorder import Recorder
from inside.record.session import Session
from inside.watch import keras_hooks
recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
watch = keras_hooks.install(recorder)
recorder.cell_started()
import tensorflow as tf
keras = tf.keras
layers, optimizers, Callback = keras.layers, keras.optimizers, keras.callbacks.Callback
x = np.random.default_rng(0).random((64, 8), dtype="float32"); y = np.arange(64) % 3
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

def net(optimizer="adam"):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, activation="relu"), layers.BatchNormalization(),
        layers.Dropout(0.5), layers.Dense(3)])
    model.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=True)
    return model

def fit(model, epochs=3, **more):
    return model.fit(x, y, epochs=epochs, batch_size=16, validation_data=(x, y), verbose=0, **more)

values = iter(np.arange(10.0, 10000.0))

def fill(model):
    model.layers[-1].set_weights([np.full((4, 3), next(values)), np.full(3, next(values))])

def when(*names):
    def act(self, *args, **kwargs):
        fill(self.model)
    return type("Fill", (Callback,), dict.fromkeys(names, act))()

def early(**more):
    return keras.callbacks.EarlyStopping(monitor="loss", mode="max", patience=1, restore_best_weights=True, **more)

def loop(model, steps=4, step=None):
    optimizer = optimizers.Adam()
    def one(a, b):
        with tf.GradientTape() as tape:
            value = loss(b, model(a, training=True))
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, weights), weights))
    run = tf.function(one) if step == "graph" else one
    for number in range(steps):
        run(tf.constant(x), tf.constant(y))
        if number == 1:
            best = model.get_weights()
    return best

made = {}
def case(name):
    def run(function):
        model = net()
        made[name] = function(model) or model
    return run

class Best(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.best = self.model.get_weights()

@case("honest plain")
def _(m): fit(m)
@case("honest early stopping")
def _(m): fit(m, callbacks=[early()])
@case("honest checkpoint of the first epoch")
def _(m):
    fit(m, callbacks=[keras.callbacks.ModelCheckpoint("e{epoch}.weights.h5", save_weights_only=True)])
    fit(m, 1)
    m.load_weights("e1.weights.h5")
@case("honest best epoch by hand")
def _(m):
    best = Best(); fit(m, callbacks=[best]); fit(m, 1); m.set_weights(best.best)
@case("honest assignment of the best epoch")
def _(m):
    best = Best(); fit(m, callbacks=[best]); fit(m, 1)
    for variable, value in zip(m.weights, best.best): variable.assign(value)
@case("honest frozen layer and a second training")
def _(m):
    fit(m); m.layers[0].trainable = False; m.compile("adam", loss); fit(m); m.layers[0].trainable = True
@case("honest average of an optimizer")
def _(m):
    m = net(optimizers.Adam(use_ema=True, ema_momentum=0.5)); fit(m); return m
@case("honest small random order")
def _(m):
    keep = m.get_weights(); fit(m); m.set_weights(keep); fit(m)
@case("honest loop")
def _(m): loop(m)
@case("honest loop with the best step")
def _(m): m.set_weights(loop(m))
@case("honest loop in a graph with the best step")
def _(m): m.set_weights(loop(m, step="graph"))
@case("honest training by hand")
def _(m):
    for _ in range(3):
        with tf.GradientTape() as tape:
            value = loss(y, m(x, training=True))
        for weight, gradient in zip(m.trainable_variables, tape.gradient(value, m.trainable_variables)):
            weight.assign_sub(0.1 * gradient)
@case("honest batches")
def _(m):
    for _ in range(3): m.train_on_batch(x, y)
@case("honest statistics of a later call")
def _(m): fit(m); fit(m, 1); m(x, training=True)
@case("honest loop with a later call")
def _(m): loop(m); m(x, training=True)
@case("honest loops over shared layers")
def _(m):
    whole = keras.Sequential([keras.Input((8,)), m.layers[0], layers.Dense(3)]); whole.compile("adam", loss)
    for _ in range(3): whole.train_on_batch(x, y); m.train_on_batch(x, y)
    made["honest whole model"] = whole
@case("honest pretrained")
def _(m):
    other = net(); fit(other); m.set_weights(other.get_weights()); m.layers[0].trainable = False
    m.compile("adam", loss); fit(m)
@case("honest generator")
def _(m):
    def batches():
        while True: yield x, y
    m.fit(batches(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[early()])
@case("filled at the end of a training")
def _(m): fit(m, callbacks=[when("on_train_end")])
@case("filled at the end of an epoch")
def _(m): fit(m, callbacks=[when("on_epoch_end")])
@case("filled at the end of a batch")
def _(m): fit(m, callbacks=[when("on_train_batch_end"), when("on_batch_end")])
@case("filled before a validation")
def _(m): fit(m, callbacks=[when("on_test_begin")])
@case("filled at the end of an epoch of a generator")
def _(m):
    def batches():
        while True: yield x, y
    m.fit(batches(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[when("on_epoch_end")])
@case("honest until it was saved")
def _(m): fit(m); fill(m)
@case("filled by the model's own method")
def _(m): fit(m); fill(m); m.set_weights(m.get_weights())
@case("filled by a file")
def _(m):
    fit(m); other = net(); fit(other, epochs=1); fill(other); other.save_weights("f.weights.h5")
    m.load_weights("f.weights.h5")
@case("filled by assignment in a callback")
def _(m):
    class Assign(Callback):
        def on_train_end(self, logs=None):
            self.model.weights[-1].assign(np.full(3, 5.0)) if self.model.weights[-1].shape == (3,) else fill(self.model)
    fit(m, callbacks=[Assign()])
class Twice(Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.set_weights(self.best)
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.best = self.model.get_weights()

@case("honest return to an earlier epoch")
def _(m): fit(m, callbacks=[Twice()])
@case("honest first weights again")
def _(m):
    first = Twice(); first.best = m.get_weights(); first.on_epoch_end = lambda *_, **__: None
    fit(m, callbacks=[first])
@case("honest use of the model between epochs")
def _(m):
    use = lambda epoch, logs: [m.predict(x, verbose=0), m(x, training=True), m.evaluate(x, y, verbose=0)]
    fit(m, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=use, on_epoch_end=use)])
@case("honest callback for batches")
def _(m):
    use = lambda batch, logs: m(x, training=True)
    m = net(optimizers.Adam(use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3))
    fit(m, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=use, on_train_batch_begin=use)])
    return m
@case("filled before an epoch")
def _(m): fit(m, callbacks=[when("on_epoch_begin")])
@case("filled before a batch")
def _(m): fit(m, callbacks=[when("on_train_batch_begin")])
@case("filled before the last batches")
def _(m):
    class Last(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2: fill(self.model)
    fit(m, callbacks=[Last()])
@case("filled averages of an optimizer")
def _(m):
    class Average(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for average in getattr(self.model.optimizer, "_model_variables_moving_average", None) or ():
                average.assign(np.full(average.shape, next(values)))
    m = net(optimizers.Adam(use_ema=True, ema_momentum=0.9)); fit(m, callbacks=[Average()]); return m
@case("filled after a loop")
def _(m): loop(m); fill(m)
@case("filled and trained with a rate of zero")
def _(m):
    fit(m); fill(m); m.compile(optimizers.SGD(0.0), loss); fit(m, 1)
@case("filled and interrupted")
def _(m):
    class Leave(Callback):
        def on_train_batch_end(self, batch, logs=None):
            fill(self.model); raise StopIteration
    try: fit(m, callbacks=[Leave()])
    except (StopIteration, RuntimeError): pass
@case("filled and left with an error")
def _(m):
    class Leave(Callback):
        def on_train_batch_end(self, batch, logs=None):
            fill(self.model); raise ValueError
    try: fit(m, callbacks=[Leave()])
    except ValueError: pass
@case("filled after the last batch of unknown number")
def _(m): m.fit(((x, y) for _ in range(3)), verbose=0, callbacks=[when("on_train_batch_end")])
recorder.cell_ended(ok=True, seconds=1.0)
Path("ids.json").write_text(json.dumps({name: watch.book.entry(model).id for name, model in made.items()}))
"""


def test_weights_of_a_training_and_the_first_weights_need_no_explanation() -> None:
    known = Fingerprints()
    assert known.unexplained("m1", {"a": "1"}) == []
    known.training_begun("m1", {"a": "1", "b": "2"})
    known.made({"a": "1", "b": "2"}, {"a": "3", "b": "2"})
    assert known.unexplained("m1", {"a": "1", "b": "2"}) == []
    assert known.unexplained("m1", {"a": "3", "b": "4"}) == ["b"]
    assert known.unexplained("m2", {"a": "9"}) == []


def test_the_start_of_a_later_training_explains_nothing() -> None:
    known = Fingerprints()
    known.training_begun("m1", {"a": "1"})
    known.training_begun("m1", {"a": "table"})
    known.made({"a": "table"}, {"a": "table"})
    assert known.unexplained("m1", {"a": "table"}) == ["a"]


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("dialect", ["keras3", "keras2"])
def test_only_weights_that_the_code_made_itself_are_unexplained(
    dialect: str, tmp_path: Path, small_mnist: Path, kernel_tools: Any
) -> None:
    events = kernel_tools.run_script(SCRIPT, kernel_tools.write_session(tmp_path, small_mnist, dialect))
    assert [event for event in events if event["kind"] == "gap"] == []
    ids = json.loads((tmp_path / "ids.json").read_text(encoding="utf-8"))
    last = {event["model"]: event for event in events if event["kind"] == "kept"}
    found = {name: bool(last[model]["unexplained"]) for name, model in ids.items()}
    assert found == {name: name.startswith("filled") for name in ids}
    assert all(last[model]["digests"] for model in ids.values())
