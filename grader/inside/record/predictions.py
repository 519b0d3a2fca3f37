"""Types of the predictor's request and results, shared by `grader.execution.predict` and the predictor."""

from typing import Literal, NotRequired, TypedDict

from .events import Dialect, ModelStructure, Shape

__all__ = [
    "MAX_DESCRIPTION",
    "MAX_ERROR",
    "MAX_IDLE",
    "MAX_OUTPUTS",
    "MAX_PARTS",
    "REQUEST_VERSION",
    "JobRequest",
    "JobResult",
    "PredictedOutput",
    "Request",
]

REQUEST_VERSION = 1
MAX_OUTPUTS = 1000
"""Maximum number of columns of predictions."""
MAX_PARTS = 64
"""Maximum number of outputs of a model."""
MAX_DESCRIPTION = 4 << 20
"""Maximum size of a model's description in the results, in bytes; a larger one is left out."""
MAX_IDLE = 200
"""Maximum number of layers in `idle`."""
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
    socket: NotRequired[bool]
    """Whether the results go to a socket at descriptor 0 instead: for each job the sizes of its line and of its `.npy`
    file as two numbers of 4 bytes, highest first, then the line, then the content of the file."""
    jobs: list[JobRequest]
    """Jobs in the order of execution."""


class PredictedOutput(TypedDict):
    """One output of a model in its predictions."""

    name: str
    """Its key in a dict of outputs, else its position from 0."""
    shape: Shape
    """Without the batch axis."""
    start: int | None
    """First column of its values; null if the predictions do not contain it, because it has too many values."""


class JobResult(TypedDict):
    """The line of a job."""

    id: str
    """Id of the job."""
    ok: bool
    """Whether the model was loaded and, with `inputs`, made predictions."""
    error: str | None
    """The exception of a failed job."""
    model: ModelStructure | None
    """The loaded model; null for a SavedModel, or if the description is too large."""
    outputs: NotRequired[list[PredictedOutput]]
    """The outputs of the predictions; missing without predictions."""
    idle: NotRequired[list[str]]
    """Names of layers without influence on the outputs; missing if it is unknown."""
    seconds: float
    """Duration of the job."""
