"""The canary: a tiny notebook that uses every hook of the recorder, and the facts that its record must contain.

The recorder hooks private names of Keras and TensorFlow. If a new release moves one of them, every record lacks facts,
and students would lose points. Therefore the canary is executed before a class is graded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode

from grader.facts.metrics import CURVES

__all__ = ["CANARY_DATASET", "EXPECTED", "NOT_EXPECTED", "Expected", "canary_notebook", "missing_facts"]

Dialect = Literal["keras3", "keras2"]
Event = Mapping[str, Any]

CANARY_DATASET = "mnist"
"""Data set that the notebook loads; any images of the same shape work."""

_CELLS = (
    """\
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from tensorflow import keras
""",
    """\
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train[..., None] / 255.0, x_test[..., None] / 255.0
""",
    """\
def build():
    return keras.Sequential([
        keras.layers.Input(shape=(28, 28, 1)),
        keras.layers.Conv2D(2, 3, activation="relu", name="convolution"),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(10, activation="softmax", name="classes"),
    ])

model = build()
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)
history = model.fit(
    x_train, y_train, epochs=2, batch_size=50, validation_data=(x_test, y_test), verbose=0,
    callbacks=[keras.callbacks.EarlyStopping(patience=9)],
)
""",
    """\
model.evaluate(x_test, y_test, verbose=0)
for _ in range(2):
    outputs = model.predict(x_test, verbose=0)
batch = x_test[:8]
for _ in range(2):
    outputs = model(batch, training=True)
""",
    """\
passes = [model(batch, training=True) for _ in range(3)]
labels = np.argmax(sum(passes) / len(passes), axis=1)
""",
    """\
model.get_layer("convolution").trainable = False
model.save("canary.keras")
model.save_weights("canary.weights.h5")
loaded = keras.models.load_model("canary.keras")
loaded.load_weights("canary.weights.h5")
clone = keras.models.clone_model(model)
clone.set_weights(model.get_weights())
""",
    """\
looped = build()
loss_function = keras.losses.SparseCategoricalCrossentropy()
optimizer = keras.optimizers.SGD(learning_rate=0.1)
for images, labels in tf.data.Dataset.from_tensor_slices((x_train, y_train)).batch(100):
    with tf.GradientTape() as tape:
        value = loss_function(labels, looped(images, training=True))
    gradients = tape.gradient(value, looped.trainable_variables)
    optimizer.apply_gradients(zip(gradients, looped.trainable_variables))
""",
    """\
by_hand = build()
with tf.GradientTape() as tape:
    value = tf.reduce_mean(by_hand(x_train[:50], training=True) ** 2)
for weight, gradient in zip(by_hand.trainable_variables, tape.gradient(value, by_hand.trainable_variables)):
    weight.assign_sub(0.1 * gradient)
""",
    """\
batched = build()
batched.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
for start in (0, 50):
    batched.train_on_batch(x_train[start:start + 50], y_train[start:start + 50])
""",
    """\
plt.plot(history.history["loss"], label="loss")
plt.xlabel("epoch")
plt.legend()
plt.show()
""",
    """\
from google.colab import drive
drive.mount("/content/drive")
""",
)
_KERAS_3_CELLS = (
    """\
optimizer = keras.optimizers.SGD(learning_rate=0.1)
optimizer.lr = 0.2
""",
)


def canary_notebook(dialect: Dialect) -> NotebookNode:
    """Make the canary notebook.

    Args:
        dialect: The version of Keras that `tensorflow.keras` is.
    """
    sources = _CELLS + (_KERAS_3_CELLS if dialect == "keras3" else ())
    cells = [nbformat.v4.new_code_cell(source, id=f"canary-{place}") for place, source in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=cells)


@dataclass(frozen=True, slots=True)
class Expected:
    """One kind of fact that the record must contain."""

    kind: str
    """Kind of the event."""
    hook: str
    """Name of the hooked function or attribute."""
    what: str
    """Description of the fact."""
    holds: Callable[[Event], bool]
    """Whether an event of that kind is this fact, with every value that the checks read."""
    dialects: tuple[Dialect, ...] = ("keras3", "keras2")


def _has(*names: str) -> Callable[[Event], bool]:
    """Make a test that none of the keys is missing or empty."""
    return lambda event: all(event.get(name) not in (None, "", [], {}) for name in names)


def _inner(event: Event, *path: str) -> Any:
    value: Any = event
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _is_fit(event: Event) -> bool:
    return (
        event.get("type") == "fit"
        and _has("model", "epochs", "batch_size", "steps", "compiled", "trainable", "digests", "callbacks")(event)
        and all(_inner(event, name, "file") for name in ("x", "y", "val_x", "val_y"))
        and event.get("validation") == "data"
    )


def _is_fit_end(event: Event) -> bool:
    history = event.get("history")
    names = set(CURVES)
    return (
        isinstance(history, Mapping)
        and names <= set(history)
        and all(len(history[name]) == event.get("epochs") for name in names)
        and event.get("status") == "completed"
        and _has("steps", "digests", "rates")(event)
        and None not in event.get("rates", [])
    )


def _is_loop(event: Event) -> bool:
    return event.get("type") == "custom_loop" and _has("model", "trainable", "digests")(event)


def _is_loop_end(event: Event) -> bool:
    return event.get("history") == {} and event.get("steps") == 2 and _has("digests", "batch_size")(event)  # noqa: PLR2004


def _is_model(event: Event) -> bool:
    layers = _inner(event, "model", "layers")
    return (
        isinstance(layers, list)
        and {"Conv2D", "Flatten", "Dropout", "Dense"} <= {layer.get("cls") for layer in layers}
        and all(layer.get("output_shape") and layer.get("config") for layer in layers if layer["cls"] != "InputLayer")
        and _inner(event, "model", "name") == "model"
        and _inner(event, "model", "input_shape") == [28, 28, 1]
        and _inner(event, "model", "output_shape") == [10]
        and bool(_inner(event, "model", "parameters"))
    )


def _is_compile(event: Event) -> bool:
    return (
        _inner(event, "optimizer", "cls") == "Adam"
        and bool(_inner(event, "optimizer", "learning_rate"))
        and _inner(event, "loss", "name") == "sparse_categorical_crossentropy"
        and _has("model", "metrics", "trainable")(event)
    )


def _saved(action: str, *names: str) -> Callable[[Event], bool]:
    return lambda event: event.get("action") == action and _has("model", *names)(event)


def _is_figure(event: Event) -> bool:
    axes = _inner(event, "figure", "axes")
    return (
        bool(axes)
        and bool(axes[0]["xlabel"])
        and any(len(line["y"]) > 1 and line["label"] for line in axes[0]["lines"])
    )


def _has_arrays(event: Event) -> bool:
    arrays, labels = event.get("arrays") or [], event.get("labels") or []
    known = {array.get("rows_of") for array in arrays if array.get("file")}
    return f"{CANARY_DATASET}/train" in known and any(label.get("file") for label in labels)


EXPECTED: tuple[Expected, ...] = (
    Expected("start", "inside.kernel", "the start of the record", _has("versions", "dialect")),
    Expected("versions", "import of tensorflow", "the versions", lambda e: bool(_inner(e, "versions", "tensorflow"))),
    Expected("cell_start", "IPython's pre_run_cell", "the start of a cell", _has("cell")),
    Expected("cell_end", "IPython's post_run_cell", "the end of a cell", lambda e: e.get("ok") is True),
    Expected("dataset", "keras.datasets.mnist.load_data", "a loaded data set", lambda e: e.get("served") is True),
    Expected("model", "Model.__new__", "a model with its layers", _is_model),
    Expected("compile", "Model.compile", "a compile with its optimizer and loss", _is_compile),
    Expected("fit_start", "Model.fit", "a training with its arrays, labels and digests", _is_fit),
    Expected("epoch", "Callback.on_epoch_end", "an epoch with its figures", _has("fit", "epoch", "logs", "rate")),
    Expected("fit_end", "Model.fit", "the end of a training with its history and digests", _is_fit_end),
    Expected(
        "fit_start",
        "Optimizer.apply and Loss.__call__",
        "a custom loop with its optimizer and loss",
        lambda e: _is_loop(e) and _has("optimizer", "loss")(e),
    ),
    Expected(
        "fit_end",
        "tf.data.Dataset.__iter__",
        "the end of a custom loop with its data",
        lambda e: _is_loop_end(e) and _has("x", "y")(e),
    ),
    Expected(
        "fit_start",
        "Model.train_on_batch",
        "a training by train_on_batch",
        lambda e: _is_loop(e) and _has("compiled")(e),
    ),
    Expected(
        "fit_start",
        "GradientTape.gradient",
        "a training without an optimizer",
        lambda e: _is_loop(e) and e.get("optimizer") is None,
    ),
    Expected("evaluate", "Model.evaluate", "an evaluation", _has("model", "x", "results")),
    Expected(
        "predict",
        "Model.predict",
        "two predictions on one input",
        lambda e: e.get("pass_number") == 2 and e.get("outputs_differ") is False and _has("x", "output_shape")(e),  # noqa: PLR2004
    ),
    Expected(
        "calls",
        "Model.__call__",
        "two calls with training=True on one input",
        lambda e: e.get("training") is True and e.get("repeats") == 2 and e.get("outputs_differ") is True,  # noqa: PLR2004
    ),
    Expected(
        "repeated_passes",
        "sys.setprofile",
        "the mean of three passes, which is in no variable",
        lambda e: (e.get("average"), e.get("averaged"), e.get("differ")) == ("mean", 3, True),
    ),
    Expected(
        "trainable",
        "Layer.trainable",
        "a frozen layer",
        lambda e: e.get("layer") == "convolution" and (e.get("before"), e.get("after")) == (True, False),
    ),
    Expected("save", "saving_api.save_model", "a saved model", _saved("save", "path")),
    Expected("save", "saving_api.load_model", "a loaded model", _saved("load", "path", "digests")),
    Expected("save", "cloning.clone_model", "a cloned model", _saved("clone", "other")),
    Expected("save", "Model.set_weights", "copied weights", _saved("set_weights", "other", "digests")),
    Expected("save", "Model.save_weights", "saved weights", _saved("save_weights", "path")),
    Expected("save", "Model.load_weights", "loaded weights", _saved("load_weights", "path", "digests")),
    Expected("kept", "Keeper", "a trained model in a file", lambda e: e.get("format") == "keras" and _has("path")(e)),
    Expected("figure", "FigureCanvasBase.print_figure", "a figure with its line and labels", _is_figure),
    Expected("arrays", "the notebook's variables", "the variables' arrays and labels", _has_arrays),
    Expected("emulated", "google.colab", "a replaced call", _has("form", "message")),
    Expected("ignored", "Optimizer.__setattr__", "an ignored setting", _has("form"), ("keras3",)),
    Expected("end", "%grader_finish", "the end of the record", lambda _: True),
)
"""Facts that the record of the canary must contain."""

NOT_EXPECTED: Mapping[str, str] = {
    "unkept": "the canary's models can be saved",
    "stopped": "the canary's trainings end before their budget",
    "progress": "the canary's training loops are too short",
    "gap": "a gap is a failure of the recorder",
    "unhooked": "a Keras that is not hooked is a failure of the recorder",
}
"""Kinds of events that the canary does not produce, each with the reason."""


def missing_facts(events: Sequence[Event], dialect: Dialect) -> tuple[str, ...]:
    """Find the facts that the record of the canary lacks.

    Args:
        events: The record's events.
        dialect: The dialect of the executed notebook.

    Returns:
        One description per missing fact, with the hook; empty if the recorder sees everything.
    """
    problems = []
    for event in events:
        if event.get("kind") == "unhooked":
            problems.append(f"`{event.get('package')}` is not hooked: {event.get('reason')}"[:400])
        elif event.get("kind") == "gap":
            problems.append(f"the hook `{event.get('hook')}` failed: {event.get('what')}"[:400])
        elif event.get("kind") == "unkept":
            problems.append(f"the hook `Keeper` saved no model: {event.get('reason')}"[:400])
    problems.extend(
        f"the hook `{expected.hook}` recorded no `{expected.kind}` event: {expected.what}"
        for expected in EXPECTED
        if dialect in expected.dialects and not any(_is(expected, event) for event in events)
    )
    return tuple(dict.fromkeys(problems))


def _is(expected: Expected, event: Event) -> bool:
    try:
        return event.get("kind") == expected.kind and expected.holds(event)
    except (AttributeError, IndexError, KeyError, TypeError):
        # The event is malformed.
        return False
