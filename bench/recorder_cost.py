"""What the recorder costs: one training of a small network on MNIST, in fresh processes, with and without it in turns.

    python bench/recorder_cost.py [--pairs 3] [--epochs 3] [--dialect keras3]

Prints, for each pair and as medians, how much longer `fit` and the whole process take with the recorder. It runs as
beside a kernel: hooks installed before TensorFlow is imported, arrays fingerprinted, the model kept, cells settled.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MNIST = ROOT / "grader" / "datasets" / "files" / "mnist.npz"

TRAINING = """
import os, sys, time
from pathlib import Path
recorder = None
if os.environ.get("GRADER_SESSION"):
    from inside import hooks
    from inside.core import Recorder, Session
    recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
    hooks.install(recorder)

def cell(source):
    if recorder:
        recorder.namespace = names
        recorder.cell_started()
    exec(source, names)
    if recorder:
        recorder.cell_ended(ok=True, seconds=0.0)

names = {}
cell('''
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers
keras.utils.set_random_seed(1)
data = np.load(sys_argv[1])
x_train, x_test = (data[n].astype("float32")[..., None] / 255 for n in ("x_train", "x_test"))
y_train, y_test = data["y_train"], data["y_test"]
'''.replace("sys_argv", repr(sys.argv)))
cell('''
model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(),
    layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.2),
    layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
''')
names["epochs"] = int(sys.argv[2])
began = time.perf_counter()
cell('model.fit(x_train, y_train, epochs=epochs, batch_size=128, validation_data=(x_test, y_test), verbose=2)')
seconds = time.perf_counter() - began
cell('print("accuracy", model.evaluate(x_test, y_test, verbose=0)[1])')
if recorder:
    recorder.finish()
print("FIT", seconds)
"""


def main() -> None:
    """Run the pairs and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--dialect", choices=["keras3", "keras2"], default="keras3")
    options = parser.parse_args()
    print(f"{'pair':>6} {'fit, s':>16} {'ratio':>7} {'process, s':>18} {'ratio':>7}")
    ratios = []
    for pair in range(options.pairs):
        # The order changes from pair to pair, so that a machine that warms up or gets busy favours neither.
        order = (False, True) if pair % 2 == 0 else (True, False)
        seen = {recorded: run(options.epochs, options.dialect, recorded=recorded) for recorded in order}
        (fit, whole), (fit_with, whole_with) = seen[False], seen[True]
        ratios.append((fit_with / fit, whole_with / whole))
        print(
            f"{pair + 1:>6} {fit:>7.2f} →{fit_with:>7.2f} {ratios[-1][0]:>7.3f} "
            f"{whole:>8.2f} →{whole_with:>8.2f} {ratios[-1][1]:>7.3f}"
        )
    fits, wholes = zip(*ratios, strict=True)
    print(f"median ratio: fit {statistics.median(fits):.3f}, whole process {statistics.median(wholes):.3f}")


def run(epochs: int, dialect: str, *, recorded: bool) -> tuple[float, float]:
    """Train once in a fresh process.

    Args:
        epochs: How many.
        dialect: `keras3` or `keras2`.
        recorded: Whether the recorder runs beside it.

    Returns:
        Seconds of the training's cell, and of the whole process.

    Raises:
        subprocess.CalledProcessError: The training failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "GRADER_SESSION"}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT / "grader" / "execution")}
        if dialect == "keras2":
            environment["TF_USE_LEGACY_KERAS"] = "1"
        if recorded:
            path = Path(folder) / "session.json"
            path.write_text(json.dumps(session(Path(folder), dialect)), encoding="utf-8")
            environment["GRADER_SESSION"] = str(path)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", TRAINING, str(MNIST), str(epochs)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        whole = time.perf_counter() - began
    return float(done.stdout.rpartition("FIT ")[2]), whole


def session(folder: Path, dialect: str) -> dict[str, Any]:
    """A session with room for everything."""
    return {
        "version": 1,
        "out": str(folder / "out"),
        "data": str(folder),
        "datasets": [],
        "dialect": dialect,
        "seed": 1,
        "fit_time": 3600,
        "deadline": time.time() + 7200,
        "reserve": 60,
        "max_models_mib": 512,
        "max_output_kib": 1024,
        "graded_dataset": "mnist",
    }


if __name__ == "__main__":
    main()
