"""Measure the recorder's cost: train a small model on MNIST in fresh processes, with and without the recorder.

    python bench/recorder_cost.py [--pairs 5] [--epochs 5] [--dialect keras3]

For each pair and as medians, print the ratios of `fit`'s time, the whole process's time and its processor seconds. The
recorder runs as in a kernel: its hooks are installed before TensorFlow is imported, arrays are fingerprinted, and the
model is saved.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MNIST = ROOT / "grader" / "datasets" / "files" / "mnist.npz"

TRAINING = """
import os, sys, time
from pathlib import Path
recorder = None
if os.environ.get("GRADER_SESSION"):
    from inside.watch import keras_hooks
    from inside.record.recorder import Recorder
    from inside.record.session import Session
    recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
    keras_hooks.install(recorder)

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
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--dialect", choices=["keras3", "keras2"], default="keras3")
    options = parser.parse_args()
    for name, ratios in measure_recorder(options.pairs, options.epochs, options.dialect, print).items():
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"median with ÷ without, {name}: {statistics.median(ratios):.3f} ({spread})")


def measure_recorder(pairs: int, epochs: int, dialect: str, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Train in pairs, alternately with and without the recorder.

    Args:
        pairs: Number of pairs.
        epochs: Epochs of each training.
        dialect: `keras3` or `keras2`.
        say: Function that prints progress.

    Returns:
        Ratio of each pair, by measured quantity. Processor seconds vary less than wall time on a shared machine.
    """
    kinds = ("seconds of the fit", "seconds of the process", "processor seconds of the process")
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    for pair in range(pairs):
        # Alternate the order, so that a machine that warms up or gets busy favors neither.
        order = (False, True) if pair % 2 == 0 else (True, False)
        results = {recorded: run(epochs, dialect, recorded=recorded) for recorded in order}
        for kind, bare, recorded in zip(kinds, results[False], results[True], strict=True):
            ratios[kind].append(recorded / bare)
        summary = ", ".join(f"{kind} {values[-1]:.3f}" for kind, values in ratios.items())
        say(f"pair {pair + 1} of {pairs}, with ÷ without: {summary}")
    return ratios


def run(epochs: int, dialect: str, *, recorded: bool) -> tuple[float, float, float]:
    """Train once in a fresh process.

    Args:
        epochs: Number of epochs.
        dialect: `keras3` or `keras2`.
        recorded: Whether the recorder is active.

    Returns:
        Seconds of the training's cell, seconds of the whole process, and its processor seconds.

    Raises:
        subprocess.CalledProcessError: The training failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "GRADER_SESSION"}
        # In a kernel, only this one of the grader's packages can be imported.
        (Path(folder) / "inside").symlink_to(ROOT / "grader" / "inside")
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": folder}
        if dialect == "keras2":
            environment["TF_USE_LEGACY_KERAS"] = "1"
        if recorded:
            path = Path(folder) / "session.json"
            path.write_text(json.dumps(session(Path(folder), dialect)), encoding="utf-8")
            environment["GRADER_SESSION"] = str(path)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        process = subprocess.run(
            [sys.executable, "-c", TRAINING, str(MNIST), str(epochs)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        wall_seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(process.stdout.rpartition("FIT ")[2]), wall_seconds, spent


def session(folder: Path, dialect: str) -> dict[str, Any]:
    """Return a session with generous limits."""
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
