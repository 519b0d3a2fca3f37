"""Prepare the Python programs that a notebook starts: `!python train.py`, `subprocess`, `multiprocessing` with spawn.

Such a program loads the same data sets as the notebook, in the same dialect, and finds the submitted files. Its
trainings are not recorded. Instead it leaves a note, and the notebook's record gets a gap, so that nobody takes a
training in another process for a missing one.
"""

import json
import os
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

from .children import sitecustomize
from .hooking.imports import after_import, prefer
from .keras2 import dialect
from .notebook import paths
from .record.events import OTHER_PROCESS, Event, Gap
from .record.log import EventLog
from .record.recorder import Recorder
from .record.session import Session

__all__ = ["ChildRecorder", "install", "prepare"]

_FOLDER = Path(__file__).with_name("children")
_MOST_NAME = 60
_LOST = ("model", "compile", "fit_start", "epoch", "fit_end", "evaluate", "predict", "calls", "trainable", "save")
"""Kinds of events that a training in another process would have had."""


def install(recorder: Recorder) -> None:
    """Let the programs that the notebook starts import `sitecustomize`, and look for their notes after each cell.

    Args:
        recorder: Holds the session; receives the `gap` events.
    """
    session = recorder.session
    notes = Path(tempfile.mkdtemp(prefix="children-"))
    os.environ[sitecustomize.NAME] = json.dumps(
        {
            "data": str(session.data),
            "datasets": session.datasets,
            "dialect": session.dialect,
            "home": str(Path.cwd()),
            "submission": None if session.submission is None else str(session.submission),
            "notes": str(notes),
        }
    )
    folders = [str(_FOLDER), str(_FOLDER.parent.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, folders)))

    def read_notes() -> None:
        _read_notes(recorder, notes)

    recorder.at_cell_end(read_notes)


def _read_notes(recorder: Recorder, notes: Path) -> None:
    """Write a gap for each program that trained a model."""
    for note in sorted(notes.glob("*.txt")):
        program = note.read_text(encoding="utf-8", errors="replace")[:_MOST_NAME]
        note.unlink()
        recorder.log.write(Gap(kind="gap", what=program, hook=OTHER_PROCESS, lost=[*_LOST, "kept"]))


class _NoLog(EventLog):
    """Takes the place of the log where nothing is recorded."""

    def __init__(self) -> None:
        self.last = 0
        self.cell = 0

    def write(self, event: Event) -> int:
        del event
        return 0

    def close(self) -> None:
        pass


class ChildRecorder(Recorder):
    """A recorder that records nothing, for the hooks that need one."""

    def __init__(self, session: Session) -> None:
        """Store the session; no file is opened."""
        self.session = session
        self.log = _NoLog()
        self.namespace = {}
        self.arrays = None

    def gap(self, hook: str, problem: Exception, lost: Any = None) -> None:
        """Do nothing."""


def prepare(settings: str) -> None:
    """Serve the data sets and the submitted files in this process.

    Args:
        settings: The JSON text that `install` wrote.
    """
    parsed = json.loads(settings)
    submission = parsed["submission"]
    recorder = ChildRecorder(
        Session(
            version=1,
            out=Path(parsed["notes"]),
            data=Path(parsed["data"]),
            datasets=tuple(parsed["datasets"]),
            dialect=parsed["dialect"],
            seed=0,
            fit_time=0.0,
            deadline=0.0,
            reserve=0.0,
            max_models_mib=0.0,
            max_output_kib=0.0,
            graded_dataset="",
            submission=None if submission is None else Path(submission),
        )
    )
    paths.install(recorder, home=Path(parsed["home"]))
    dialect.install(recorder)
    _serve_later(recorder)
    note = partial(_note, Path(parsed["notes"]) / f"{os.getpid()}.txt")
    for module, name in (
        ("keras.src.backend.tensorflow.trainer", "TensorFlowTrainer.fit"),
        ("tf_keras.src.engine.training", "Model.fit"),
        ("tensorflow.python.eager.backprop", "GradientTape.gradient"),
    ):
        after_import(module, partial(_wrap, name, note))


def _serve_later(recorder: Recorder) -> None:
    """Serve the data sets after the import of NumPy, which takes too long for programs that do not need it."""
    served: list[bool] = []

    def serve_data(_: ModuleType | None = None) -> None:
        if not served:
            served.append(True)
            from .data import serve

            paths.places_of(recorder).provide = serve.install(recorder).cached

    class Finder:
        """Notices the import of a replaced package."""

        @staticmethod
        def find_spec(fullname: str, path: object = None, target: object = None) -> None:
            del path, target
            if fullname == "tensorflow_datasets":
                serve_data()

    wrapt.register_post_import_hook(serve_data, "numpy")
    prefer(Finder)  # type: ignore[arg-type] # a finder needs no other method


def _wrap(name: str, note: Any, module: ModuleType) -> None:
    def train(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        del instance
        note()
        return wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(module, name, train)


def _note(file: Path) -> None:
    """Leave the program's name for the notebook's process."""
    if not file.exists():
        main = sys.modules.get("__main__")
        program = Path(getattr(main, "__file__", None) or sys.argv[0] or "python").name
        with suppress(OSError):
            file.write_text("python" if program in {"-c", "-m"} else program, encoding="utf-8")
