"""The predictor's request and its results: the definition that `grader.execution.predict` and the predictor share."""

from typing import Literal, NotRequired, TypedDict

from .events import Dialect, ModelStructure

__all__ = ["MAX_DESCRIPTION", "MAX_ERROR", "MAX_OUTPUTS", "REQUEST_VERSION", "JobRequest", "JobResult", "Request"]

REQUEST_VERSION = 1
MAX_OUTPUTS = 1000
"""Columns of predictions."""
MAX_DESCRIPTION = 4 << 20
"""Bytes of a described model in the results; a larger one is left out."""
MAX_ERROR = 1000
"""Characters of an `error`."""


class JobRequest(TypedDict):
    """One model and the images it is given."""

    id: str
    """Names the result."""
    model: str
    """Path of a `.keras` file, or of a SavedModel's folder."""
    format: Literal["keras", "saved_model"]
    """How the model is loaded."""
    dialect: Dialect
    """Which Keras loads it."""
    inputs: NotRequired[str | None]
    """Path of the images' `.npy`; without it the model is only loaded."""
    batch_size: NotRequired[int]
    """Rows of one batch; 256 when left out."""


class Request(TypedDict):
    """The file that the predictor is started with."""

    version: int
    """1"""
    out: str
    """Writable folder for the results."""
    jobs: list[JobRequest]
    """Tried in order."""


class JobResult(TypedDict):
    """A line of `results.jsonl`."""

    id: str
    """The job's."""
    ok: bool
    """Whether the model could be loaded and, with `inputs`, has predicted."""
    error: str | None
    """The exception of a job that failed."""
    model: ModelStructure | None
    """The loaded model; null for a SavedModel and where its description is too large."""
    seconds: float
    """How long the job took."""
