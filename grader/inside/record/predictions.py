"""Types of the predictor's request and results, shared by `grader.execution.predict` and the predictor."""

from typing import Literal, NotRequired, TypedDict

from .events import Dialect, ModelStructure

__all__ = ["MAX_DESCRIPTION", "MAX_ERROR", "MAX_OUTPUTS", "REQUEST_VERSION", "JobRequest", "JobResult", "Request"]

REQUEST_VERSION = 1
MAX_OUTPUTS = 1000
"""Maximum number of columns of predictions."""
MAX_DESCRIPTION = 4 << 20
"""Maximum size of a model's description in the results, in bytes; a larger one is left out."""
MAX_ERROR = 1000
"""Maximum length of an `error`, in characters."""


class JobRequest(TypedDict):
    """A model and its input images."""

    id: str
    """Id of the result."""
    model: str
    """Path of a `.keras` file, or of a SavedModel's folder."""
    format: Literal["keras", "saved_model"]
    """Format of the file."""
    dialect: Dialect
    """Version of Keras to load it with."""
    inputs: NotRequired[str | None]
    """Path of the images' `.npy` file; without it the model is only loaded."""
    batch_size: NotRequired[int]
    """Rows per batch; 256 if missing."""


class Request(TypedDict):
    """The predictor's input file."""

    version: int
    """1"""
    out: str
    """Writable folder for the results."""
    jobs: list[JobRequest]
    """Jobs in the order of execution."""


class JobResult(TypedDict):
    """A line of `results.jsonl`."""

    id: str
    """Id of the job."""
    ok: bool
    """Whether the model was loaded and, with `inputs`, made predictions."""
    error: str | None
    """The exception of a failed job."""
    model: ModelStructure | None
    """The loaded model; null for a SavedModel, or if the description is too large."""
    seconds: float
    """Duration of the job."""
