"""Create the notebooks for the measurements, in the form that each tool needs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

__all__ = ["LIGHT_RUBRIC", "TINY_RUBRIC", "as_script", "light_cells", "tiny_cells", "training_cells", "write_notebook"]

MNIST = Path(__file__).parents[1] / "grader" / "datasets" / "files" / "mnist.npz"

SERVED = "(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()"
"""Code that loads the data set in the grader."""
FROM_FILE = (
    f"with np.load({str(MNIST)!r}) as data:\n"
    "    x_train, y_train, x_test, y_test = (data[n] for n in ('x_train', 'y_train', 'x_test', 'y_test'))"
)
"""Code that loads the data set in other tools, which do not provide it."""

LIGHT_RUBRIC = """\
version: 1
id: light
title: A light notebook
dataset: mnist
run: {dialect: keras3, seed: 7, time: 30 min, fit_time: 20 min, memory: 6 GiB}
criteria:
  - {id: trained, points: 1, check: trained, with: {only_split: train}}
  - {id: accuracy, points: 2, check: accuracy, with: {split: test, at_least: 0.5, require_verified: true}}
  - {id: plot, points: 1, check: plots, with: {metric: loss}}
"""
TINY_RUBRIC = """\
version: 1
id: tiny
title: A tiny notebook
dataset: mnist
run: {time: 60 s, memory: 1 GiB}
criteria:
  - {id: runs, points: 2, check: runs}
  - {id: explained, points: 1, check: text, with: {min_words: 3}}
"""

_CELLS = """\
import numpy as np
import matplotlib.pyplot as plt
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
# %%
keras.utils.set_random_seed(SEED)
DATA
x_train, x_test = (x[..., None].astype('float32') / 255 for x in (x_train, x_test))
# %%
MODEL
model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])
# %%
history = FIT
# %%
plt.plot(history.history['loss'])
plt.xlabel('epoch')
plt.ylabel('loss')
plt.show()"""
_DENSE = """\
model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(32, activation='relu'),
    layers.Dense(10, activation='softmax')])"""
_CONVOLUTIONAL = """\
model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(16, 3, activation='relu'), layers.MaxPooling2D(),
    layers.Conv2D(32, 3, activation='relu'), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.3),
    layers.Dense(64, activation='relu'), layers.Dense(10, activation='softmax')])"""


def _cells(seed: int, data: str, model: str, fit: str) -> list[str]:
    text = _CELLS.replace("SEED", str(seed)).replace("DATA", data).replace("MODEL", model).replace("FIT", fit)
    return text.split("\n# %%\n")


def light_cells(data: str, seed: int) -> list[str]:
    """Return cells that import TensorFlow and train for about half a second.

    Args:
        data: `SERVED` or `FROM_FILE`.
        seed: Random seed, which makes the notebooks different.
    """
    return _cells(seed, data, _DENSE, "model.fit(x_train[:6000], y_train[:6000], epochs=2, batch_size=128, verbose=0)")


def training_cells(data: str, epochs: int) -> list[str]:
    """Return cells that train a convolutional model on all of MNIST and finally print their processor seconds."""
    fit = f"model.fit(x_train, y_train, epochs={epochs}, batch_size=128, validation_split=0.1, verbose=2)"
    last = "import time\nprint(model.evaluate(x_test, y_test, verbose=0))\nprint('CPU', time.process_time())"
    return [*_cells(1, data, _CONVOLUTIONAL, fit), last]


def tiny_cells(seed: int) -> list[str]:
    """Return cells that do almost nothing, without TensorFlow."""
    return [f"numbers = [{seed}, 2, 3]", "print(sum(numbers))"]


def as_script(cells: Sequence[str]) -> str:
    """Convert cells to a script that opens no window."""
    return "\n\n".join(["import matplotlib\nmatplotlib.use('Agg')", *cells]) + "\n"


def write_notebook(path: Path, cells: Sequence[str], metadata: Sequence[dict[str, Any]] | None = None) -> Path:
    """Write cells as a notebook.

    Args:
        path: The file; missing parent folders are created.
        cells: Source code of each cell.
        metadata: Metadata of each cell.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = metadata or [{} for _ in cells]
    cell_nodes = [
        nbformat.v4.new_code_cell(source, metadata=cell_metadata)
        for source, cell_metadata in zip(cells, metadata, strict=True)
    ]
    cell_nodes.append(nbformat.v4.new_markdown_cell("The loss falls from epoch to epoch."))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cell_nodes, metadata={"kernelspec": kernel})
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path
