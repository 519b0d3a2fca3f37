"""Recognition of the Keras version of a notebook."""

from pathlib import Path
from typing import Any

import pytest

from grader.intake.notebook import OUTPUT_SIGNS
from grader.intake.recognise import expects_frames, recognise_dialect, uses_torch

OUTPUTS = {
    "history-tensorflow-python": b"<tensorflow.python.keras.callbacks.History at 0x7f8>",
    "history-keras2": b"<keras.callbacks.History at 0x7f8>",
    "history-keras3": b"<keras.src.callbacks.history.History at 0x7f8>",
    "backend-banner": b"Using TensorFlow backend.\\n",
    "table-keras2": b"conv2d_3 (Conv2D)            (None, 26, 26, 8)         80        \\n",
    "table-keras3": rb"\u2503\u001b[1m \u001b[0m\u001b[1mLayer (type)                   \u001b[0m",
    "bar-keras2": b"1875/1875 [==============================] - 5s 3ms/step",
    "bar-keras3": rb"\u001b[1m469/469\u001b[0m \u001b[32m\u2501\u2501\u2501\u2501\u2501\u2501\u2501\u2501\u2501",
}


def book(*sources: str, **metadata: Any) -> dict[str, Any]:
    cells = [{"cell_type": "code", "source": source, "metadata": {}} for source in sources]
    return {"cells": cells, "metadata": metadata}


@pytest.mark.parametrize(
    "source",
    [
        "opt = keras.optimizers.SGD(lr=0.1)",
        "model.compile(Adam(lr=1e-3), 'mse')",
        "opt = tf.keras.optimizers.Adam(decay=1e-6)",
        "model.fit_generator(gen, epochs=3)",
        "from keras.utils import np_utils",
        "import keras.utils.np_utils",
        "from keras.layers.normalization import BatchNormalization",
        "from tensorflow.keras.layers.convolutional import Conv2D",
        "plt.plot(history.history['acc'])",
        "plt.plot(hist['val_acc'])",
        "rates = history.history['lr']",
        "stop = EarlyStopping(monitor='val_acc', patience=3)",
        "from tensorflow.python.keras import layers",
        "from keras.preprocessing.image import ImageDataGenerator",
        "keras.optimizers.legacy.Adam(0.1)",
        "sess = tf.Session()",
        "K.set_value(model.optimizer.lr, 0.1)",
        "K.set_value(model.optimizer.learning_rate, 0.1)",
        "tf.keras.backend.set_value(self.model.optimizer.learning_rate, 0.1)",
        "%matplotlib inline\nmodel.predict_classes(x)",
        "model.fit(x, y, nb_epoch=3)",
        "Dense(3, W_regularizer=l2(0.1))",
        "opt = keras.optimizers.adamax(0.1)",
        "model.compile('nadam', 'categorical_crossentropy', ['accuracy'])",
        "model.compile('adam', 'mse', metrics='accuracy')",
        "model.add(layers.AveragePooling2D())",
        "import keras.backend.tensorflow_backend as KTF",
        "print 'hello'\nmodel.compile(SGD(lr=0.1))",
    ],
)
def test_forms_of_keras_2_are_recognised(source: str) -> None:
    guess = recognise_dialect(book("import keras", source))
    assert guess.dialect == "keras2"
    assert any("cell 2" in reason for reason in guess.reasons)


@pytest.mark.parametrize(
    "source",
    [
        "import tensorflow as tf\nmodel = tf.keras.Sequential()",
        "torch.optim.Adam(p, lr=0.1)",
        "optimizer = optim.SGD(p, lr=0.1)",
        "# opt = SGD(lr=0.1)",
        "text = 'SGD(lr=0.1)'",
        "from tensorflow.keras.preprocessing.image import ImageDataGenerator",
        "model.compile(metrics=['acc'])\nplt.plot(history.history['acc'])",
        "scores['acc'] = 1",
        "model.compile('adam', 'mse', metrics=['accuracy'])\nlayers.AveragePooling2D(2)",
        "hist = {'loss': [], 'acc': []}\nhist['acc'].append(0.9)",
        "%%bash\npython train.py lr=0.1",
        "def broken(:",
    ],
)
def test_without_a_sign_keras_3_is_assumed(source: str) -> None:
    assert recognise_dialect(book(source)).dialect == "keras3"


def test_keras_3s_own_modules_outweigh_an_old_habit() -> None:
    guess = recognise_dialect(book("from keras import ops", "model.compile(Adam(lr=0.1))", "m.reset_states()"))
    assert guess.dialect == "keras3"
    assert guess.reasons == ("it imports `keras.ops` (cell 1)",)


@pytest.mark.parametrize(("sign", "content"), OUTPUTS.items())
def test_each_sign_in_outputs_is_seen_in_real_bytes_and_decides(sign: str, content: bytes) -> None:
    assert [name for name, pattern in OUTPUT_SIGNS.items() if pattern.search(content)] == [sign]
    guess = recognise_dialect(book("import keras", grader={"output_signs": [sign]}))
    assert guess.dialect == ("keras3" if sign.endswith("keras3") else "keras2")


def test_a_notebook_that_ran_on_keras_3_is_for_keras_3_however_old_its_habits() -> None:
    guess = recognise_dialect(book("SGD(lr=0.1)", "m.fit_generator(g)", grader={"output_signs": ["table-keras3"]}))
    assert guess.dialect == "keras3"


@pytest.mark.parametrize(
    "source",
    [
        "rates = history.history['learning_rate']",
        "from keras import ops",
        "x = keras.ops.mean(y)",
        "layers.InputLayer(shape=(28, 28, 1))",
        "LeakyReLU(negative_slope=0.1)",
        "keras.random.uniform((2,))",
        "import keras.saving",
    ],
)
@pytest.mark.parametrize("sign", ["table-keras2", "history-tensorflow-python", "bar-keras2"])
def test_modern_code_overrides_outputs_that_are_older(source: str, sign: str) -> None:
    guess = recognise_dialect(book("import keras", source, grader={"output_signs": [sign]}))
    assert guess.dialect == "keras3"


def test_old_and_modern_code_together_leave_the_choice_to_the_outputs() -> None:
    sources = ("SGD(lr=0.1)", "rates = history.history['learning_rate']")
    assert recognise_dialect(book(*sources, grader={"output_signs": ["table-keras2"]})).dialect == "keras2"
    assert recognise_dialect(book(*sources, grader={"output_signs": ["table-keras3"]})).dialect == "keras3"


FETCH = "mnist = fetch_openml('mnist_784')"


@pytest.mark.parametrize(
    ("sources", "version", "expected"),
    [
        ((FETCH, "x = mnist['data'][0].reshape(28, 28)"), "3.6.9", False),
        ((FETCH, "x = mnist.data[:100]", "keras.optimizers.SGD(lr=0.1)"), None, False),
        ((FETCH, "x = mnist.data.to_numpy()"), "3.7.3", True),
        ((FETCH, "x = mnist.data.iloc[0]", "keras.optimizers.SGD(lr=0.1)"), None, True),
        ((FETCH, "x = mnist.data.values / 255", "SGD(lr=0.1)"), None, True),
        ((FETCH, "x = mnist.data[:100]"), "3.11.2", True),
        ((FETCH, "x = mnist.data[:100]"), None, True),
        ((FETCH, "for x in d.values():\n    pass", "SGD(lr=0.1)"), None, False),
    ],
)
def test_a_notebook_of_2019_expects_arrays_from_openml(
    sources: tuple[str, ...], version: str | None, *, expected: bool
) -> None:
    metadata = {} if version is None else {"language_info": {"version": version}}
    assert expects_frames(book(*sources, **metadata)) is expected


@pytest.mark.parametrize(
    ("version", "dialect"), [("3.6.9", "keras2"), ("3.7", "keras2"), ("3.11.2", "keras3"), ("", "keras3")]
)
def test_the_python_it_was_saved_with_tells(version: str, dialect: str) -> None:
    assert recognise_dialect(book("import keras", language_info={"version": version})).dialect == dialect


def test_every_sign_that_is_noted_has_a_meaning() -> None:
    assert set(OUTPUTS) == set(OUTPUT_SIGNS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch", True),
        ("%matplotlib inline\nfrom torch import nn", True),
        ("import torchvision.transforms as T\nprint 'old'", True),
        ("import tensorflow as tf\n# import torch", False),
        ("name = 'torch'", False),
    ],
)
def test_torch_is_recognised_by_its_import(source: str, *, expected: bool) -> None:
    assert uses_torch(book(source)) is expected


def test_intake_imports_only_schemas_and_the_modules_of_messages() -> None:
    folder = Path(__file__).parents[2] / "grader" / "intake"
    lines = [line for path in folder.glob("*.py") for line in path.read_text().splitlines() if "grader." in line]
    imports = [line for line in lines if line.startswith(("from grader.", "import grader."))]
    assert imports
    modules = ("damaged", "language", "nearest", "refusal", "times")
    messages = tuple(f"from grader.facts.{module} import" for module in modules)
    assert all(line.startswith(("from grader.schema", "from grader.intake", *messages)) for line in imports)


@pytest.mark.parametrize("piece", ["\n", " ", "\t\n", "hist", "?", "% ", "metrics ", "{ "])
def test_code_of_any_length_costs_no_time(piece: str) -> None:
    source = f"x = (\n{piece * (150_000 // len(piece))}"
    notebook = {"metadata": {}, "cells": [{"cell_type": "code", "source": source, "outputs": []}]}
    assert recognise_dialect(notebook).dialect == "keras3"
    assert not uses_torch(notebook)
