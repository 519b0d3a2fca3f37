"""Runs a recorded session: a data folder, a session file, a kernel or a script, and the record it leaves."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import grader
from grader.inside.describe.fingerprint import fingerprint
from tests.support.forked_python import forked_python
from tests.support.inside_alone import inside_alone

__all__ = [
    "Record",
    "environment",
    "make_data",
    "named",
    "only",
    "read_events",
    "run_notebook",
    "run_script",
    "write_session",
]

INSIDE = inside_alone()
MNIST = Path(grader.__file__).parent / "datasets" / "files" / "mnist.npz"
NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "cells" / "recorded.py"
DRIVER = Path(__file__).with_name("drive_kernel.py")
FIT_TIME = 600.0


@dataclass(frozen=True)
class Record:
    """The record of a kernel, and values that the notebook itself wrote for comparison."""

    out: Path
    data: Path
    events: list[dict[str, Any]]
    errors: dict[str, str]
    """Title of the cell → the error it ended with."""
    cells: dict[str, int]
    """Title of the cell → its number in the record."""
    noted: dict[str, Any] = field(default_factory=dict)
    """Values written by the notebook's own code."""

    def of(self, kind: str, cell: str | None = None) -> list[dict[str, Any]]:
        """Events of a kind, of one cell if its title is given."""
        return [
            event
            for event in self.events
            if event["kind"] == kind and (cell is None or event["cell"] == self.cells[cell])
        ]

    def model(self, model_id: str) -> dict[str, Any]:
        """A model's last description."""
        found: dict[str, Any] = [event["model"] for event in self.of("model") if event["model"]["id"] == model_id][-1]
        return found

    def fits(self, cell: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The trainings of a cell: (fit_start, fit_end)."""
        ends = {event["fit"]: event for event in self.of("fit_end")}
        return [(start, ends[start["fit"]]) for start in self.of("fit_start", cell)]


def make_data(folder: Path) -> Path:
    """A prepared data set of the first 2,000 + 400 images of MNIST."""
    target = folder / "mnist"
    target.mkdir(parents=True)
    with np.load(MNIST) as file:
        arrays = {f"{kind}_{split}": file[f"{kind}_{split}"] for kind in "xy" for split in ("train", "test")}
    arrays = {name: array[: 2000 if name.endswith("train") else 400] for name, array in arrays.items()}
    for name, array in arrays.items():
        np.save(target / f"{name}.npy", array)
    np.save(
        target / "fingerprints.npy", np.concatenate([fingerprint(arrays["x_train"]), fingerprint(arrays["x_test"])])
    )
    return folder


def write_session(folder: Path, data: Path, dialect: str, **changes: Any) -> Path:
    """A session file with the record in `folder/out`."""
    session = {
        "version": 1,
        "out": str(folder / "out"),
        "data": str(data),
        "datasets": ["mnist"],
        "dialect": dialect,
        "seed": 7,
        "fit_time": FIT_TIME,
        "deadline": time.time() + 900,
        "reserve": 10.0,
        "max_models_mib": 100.0,
        "max_output_kib": 64.0,
        "graded_dataset": "mnist",
        **changes,
    }
    path = folder / "session.json"
    path.write_text(json.dumps(session), encoding="utf-8")
    return path


def environment(session: Path) -> dict[str, str]:
    """The environment variables that a sandbox gives to the kernel."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **kept,
        "HOME": str(session.parent),
        "IPYTHONDIR": str(session.parent / "ipython"),
        "GRADER_SESSION": str(session),
        "PYTHONPATH": str(INSIDE),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "MPLBACKEND": "agg",
    }


def read_events(out: Path) -> list[dict[str, Any]]:
    """Every line of a record."""
    return [json.loads(line) for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def run_script(script: str, session: Path) -> list[dict[str, Any]]:
    """Run Python code with TensorFlow as the process of a session, in the session's folder, and return its record."""
    dialect = json.loads(session.read_text(encoding="utf-8"))["dialect"]
    done = forked_python(dialect, ["-c", script], environment(session), session.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return read_events(session.parent / "out")


def run_notebook(
    folder: Path, data: Path, dialect: str, notebook: Path = NOTEBOOK, *, cold: bool = False, **changes: Any
) -> Record:
    """Drive a real kernel through a script.

    Args:
        folder: An empty folder.
        data: Folder of the data sets.
        dialect: `keras3` or `keras2`.
        notebook: The script, whose cells begin with `# %% title`.
        cold: Start the kernel with nothing imported.
        changes: Other values of the session.
    """
    session = write_session(folder, data, dialect, **changes)
    variables = environment(session) | {"TEST_DATA": str(data / "mnist"), "TEST_NOTES": str(folder / "noted.json")}
    words = [str(DRIVER), str(notebook), str(folder / "seen.json")]
    if cold:
        command = [sys.executable, *words]
        run = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, check=False)
    else:
        run = forked_python(dialect, words, variables, folder)
    assert run.returncode == 0, f"exit code {run.returncode}\n{run.stdout}{run.stderr}"
    seen = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    notes = folder / "noted.json"
    noted = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    return Record(folder / "out", data, read_events(folder / "out"), seen["errors"], seen["cells"], noted)


def only(found: list[Any]) -> Any:
    """Return the single item of a list."""
    assert len(found) == 1, found
    return found[0]


def named(record: Record, name: str) -> dict[str, Any]:
    """The last description of the model that was bound to a variable, or has a name."""
    found: dict[str, Any] = [event["model"] for event in record.of("model") if event["model"]["name"] == name][-1]
    return found
