"""The session: the host's settings for the recorder, in a file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from .events import Dialect

__all__ = ["SESSION_VERSION", "Session", "SessionFile"]

SESSION_VERSION = 1


class SessionFile(TypedDict):
    """The JSON file at the path in `GRADER_SESSION`."""

    version: int
    """1"""
    out: str
    """Writable folder for the record: `events.jsonl`, `models/`, `arrays/`, `predictions/`."""
    data: str
    """Read-only folder: `<dataset>/{x_train,y_train,x_test,y_test}.npy` and `<dataset>/fingerprints.npy`."""
    datasets: list[str]
    """Names of the data sets to serve: `mnist`, `fashion_mnist`, `cifar10` …"""
    dialect: Dialect
    """The version of Keras that the notebook was written for."""
    seed: int
    """Seed of every random generator."""
    fit_time: float
    """Time limit of one training in seconds."""
    deadline: float
    """Latest end of the notebook's time limit, as Unix time."""
    time: NotRequired[float]
    """The notebook's time limit in seconds from the start of its first cell."""
    reserve: float
    """Seconds before the deadline at which trainings stop, so that later cells still run."""
    max_models_mib: float
    """Limit for all saved models together, in MiB."""
    max_output_kib: float
    """Limit for the printed text of one cell, in KiB."""
    graded_dataset: str
    """The data set whose test images are used if predictions must be made in the kernel."""
    submission: NotRequired[str]
    """Folder of the submission, which contains the working folder; the working folder if it is left out."""
    openml_frames: NotRequired[bool]
    """Whether `fetch_openml` returns data frames by default, as since scikit-learn 0.24; without the key, it does."""
    quick: NotRequired[bool]
    """Whether trainings, evaluations and predictions are cut down to their first steps; by default not."""


@dataclass(frozen=True, slots=True)
class Session:
    """The settings of a `SessionFile`, parsed."""

    version: int
    out: Path
    data: Path
    datasets: tuple[str, ...]
    dialect: Dialect
    seed: int
    fit_time: float
    deadline: float
    reserve: float
    max_models_mib: float
    max_output_kib: float
    graded_dataset: str
    time: float | None = None
    submission: Path | None = None
    openml_frames: bool = True
    quick: bool = False

    @classmethod
    def load(cls, path: Path) -> "Session":
        """Read the session file.

        Args:
            path: The path in the environment variable `GRADER_SESSION`.

        Raises:
            ValueError: The file has another version, or a key is missing.
        """
        raw: SessionFile = json.loads(path.read_text(encoding="utf-8"))
        if raw.get("version") != SESSION_VERSION:
            msg = f"session version {raw.get('version')!r}, expected {SESSION_VERSION}"
            raise ValueError(msg)
        missing = SessionFile.__required_keys__ - raw.keys()
        if missing:
            msg = f"the session lacks {', '.join(sorted(missing))}"
            raise ValueError(msg)
        return cls(
            version=raw["version"],
            out=Path(raw["out"]),
            data=Path(raw["data"]),
            datasets=tuple(raw["datasets"]),
            dialect=raw["dialect"],
            seed=raw["seed"],
            fit_time=raw["fit_time"],
            deadline=raw["deadline"],
            reserve=raw["reserve"],
            max_models_mib=raw["max_models_mib"],
            max_output_kib=raw["max_output_kib"],
            graded_dataset=raw["graded_dataset"],
            time=raw.get("time"),
            submission=Path(raw["submission"]) if "submission" in raw else None,
            openml_frames=raw.get("openml_frames", True),
            quick=raw.get("quick", False),
        )
