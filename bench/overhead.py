"""What a light notebook costs beyond its own work: nbclient alone, the sandbox with a cold start, and with a warm one.

    python bench/overhead.py [--rounds 5] [--dialect keras3]

The three take turns in one process, so that what else the machine does meets them alike. The notebook imports
TensorFlow and Keras, trains a tiny network for one step, and draws a figure. nbclient runs it in a plain kernel without
sandbox and recorder. The warm process's own start is shown by itself: it is paid once, not for each submission.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from grader.execution.isolation import choose_isolation
from grader.execution.runner import ExecutionRequest, execute
from grader.execution.warm import WarmPool
from grader.schema.rubric import RunSettings

CELLS = (
    "import numpy as np\nimport tensorflow as tf\nfrom tensorflow import keras\nimport matplotlib.pyplot as plt",
    "model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(4)])\nmodel.compile('sgd', 'mse')",
    "h = model.fit(np.ones((8, 8), 'float32'), np.ones((8, 4), 'float32'), verbose=0)",
    "plt.plot(h.history['loss'])\nplt.show()",
)


def notebook() -> nbformat.NotebookNode:
    """Make the light notebook."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])


def bare() -> None:
    """Run it as a script with nbclient would."""
    NotebookClient(notebook(), timeout=600, kernel_name="python3").execute()


def sandboxed(pool: WarmPool | None, dialect: str) -> None:
    """Run it as the grader does.

    Raises:
        SystemExit: It did not complete, or not in the way that is measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        request = ExecutionRequest(
            notebook(),
            Path(folder) / "s",
            choose_isolation("bubblewrap"),
            RunSettings(time=600),
            dialect="keras2" if dialect == "keras2" else "keras3",
            start_seconds=300,
            warm=pool,
        )
        outcome = execute(request)
    if outcome.run.status != "completed" or outcome.warm != (pool is not None):
        sys.exit(f"not measured: {outcome.run.reason} {outcome.notices} {outcome.log}")


def timed(action: Callable[[], None]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    """Measure in turns and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dialect", choices=("keras3", "keras2"), default="keras3")
    chosen = parser.parse_args()
    os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": "1"}
    with WarmPool(start_seconds=300) as pool:
        first = timed(lambda: sandboxed(pool, chosen.dialect))
        ways = {
            "nbclient alone": bare,
            "grader, cold": lambda: sandboxed(None, chosen.dialect),
            "grader, warm": lambda: sandboxed(pool, chosen.dialect),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                seconds[name].append(timed(way))
    print(f"the first warm submission, with the warm process's start: {first:.2f} s")
    base = statistics.median(seconds["nbclient alone"])
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        spread = f"{min(taken):.2f} to {max(taken):.2f}"
        print(f"{name:15} {middle:6.2f} s a notebook ({spread}), {middle / base:5.2f} of nbclient alone")


if __name__ == "__main__":
    main()
