"""Layers whose removal changes nothing are found in real models of both dialects, and no others."""

import json
from pathlib import Path

import pytest

from tests.support.forked_python import forked_python

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

PROGRAM = """
import json, sys
import numpy as np
if sys.argv[1] == "keras2":
    import tf_keras as keras
else:
    import keras
from inside.ablation import idle_layers
layers = keras.layers
images = np.random.default_rng(0).random((16, 12, 12, 1), dtype=np.float32)
found = {}


def chain():
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.BatchNormalization()]
    parts += [layers.Dropout(0.3), layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((12, 12, 1)), *parts])


def branch(scale):
    inputs = keras.Input((12, 12, 1))
    side = layers.Dropout(0.2, name="d")(layers.Conv2D(4, 3, name="c")(inputs))
    side = layers.Rescaling(scale, name="r")(layers.Dense(10, name="s")(layers.Flatten(name="f")(side)))
    main = layers.Dense(10, name="m")(layers.Flatten(name="g")(inputs))
    return keras.Model(inputs, layers.Add()([main, side]))


def saturated():
    # With other weights, one of three such models gives all images the same answer.
    keras.utils.set_random_seed(4)
    return zeroed(chain(), 1e6)


def zeroed(model, factor):
    model.layers[-1].set_weights([weights * factor for weights in model.layers[-1].get_weights()])
    return model


def residual():
    inputs = keras.Input((12, 12, 1))
    after = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    for _ in range(4):
        after = layers.Add()([after, layers.Conv2D(4, 3, padding="same", activation="relu")(after)])
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(after)))


def random():
    inputs = keras.Input((12, 12, 1))
    return keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.5)(layers.Flatten()(inputs), training=True)))


def nested():
    inputs = keras.Input((12, 12, 1))
    return keras.Model(inputs, layers.Dense(3)(branch(0.0)(inputs)))


copy = layers.Conv2D(1, 1, kernel_initializer="ones", name="copy")
models = {
    "chain": chain(),
    "residual": residual(),
    "branch": branch(1.0),
    "zero branch": branch(0.0),
    "tiny branch": branch(1e-9),
    "nested": nested(),
    "copy": keras.Sequential([keras.Input((12, 12, 1)), copy, layers.Dropout(0.1), layers.Flatten(), layers.Dense(10)]),
    "recurrent": keras.Sequential([keras.Input((12, 12, 1)), layers.Reshape((12, 12)), layers.LSTM(8)]),
    "saturated": saturated(),
    "constant": zeroed(chain(), 0),
    "random": random(),
}
for name, model in models.items():
    before = np.asarray(model(images, training=False))
    found[name] = idle_layers(model, images, 60.0)
    if name != "random":
        assert np.allclose(before, np.asarray(model(images, training=False))), name
found["no time"] = idle_layers(models["zero branch"], images, 0.0)
found["one image"] = idle_layers(models["zero branch"], images[:1], 60.0)
print(json.dumps(found))
"""


@pytest.mark.parametrize("dialect", ["keras3", "keras2"])
def test_only_layers_without_influence_are_found(dialect: str, tmp_path: Path) -> None:
    done = forked_python(dialect, ["-c", PROGRAM, dialect], {"TF_CPP_MIN_LOG_LEVEL": "3"}, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # Keras 3 lets the argument of the whole model decide whether this `Dropout` drops anything.
    assert found.pop("random") in (None, [])
    side = ["c", "d", "f", "r", "s"]
    assert found == {
        "chain": [],
        "residual": [],
        "branch": [],
        "zero branch": side,
        "tiny branch": side,
        "nested": side,
        "copy": ["copy"],
        "recurrent": [],
        "saturated": [],
        "constant": None,
        "no time": [],
        "one image": None,
    }
