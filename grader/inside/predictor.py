"""`python -m inside.predictor REQUEST.json`: predicts with saved models, in a sandbox without student code and labels.

`docs/events.md` describes the request and the results. Each job's line is written before the next job starts, so a
model that crashes the process loses only its own result.
"""

import io
import json
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ablation import IMAGES, idle_layers
from .describe.models import describe_model, numbers
from .model_files import foreign_part
from .record.events import ModelStructure
from .record.log import plain
from .record.predictions import (
    MAX_DESCRIPTION,
    MAX_ERROR,
    MAX_IDLE,
    MAX_OUTPUTS,
    MAX_PARTS,
    REQUEST_VERSION,
    JobRequest,
    JobResult,
    PredictedOutput,
    Request,
)

__all__ = ["main", "run_job"]

Predict = Callable[[NDArray[Any]], Any]
Answer = Callable[[JobResult, NDArray[np.float32] | None], None]
"""Writes the result of a job, and its predictions if there are any."""


def main(arguments: list[str] | None = None) -> int:
    """Run every job of a request.

    Args:
        arguments: The request's path; by default from the process's arguments.

    Returns:
        0; the error of a failed job is in its result line.

    Raises:
        ValueError: The request has another version.
    """
    path = Path((sys.argv[1:] if arguments is None else arguments)[0])
    request: Request = json.loads(path.read_text(encoding="utf-8"))
    if request.get("version") != REQUEST_VERSION:
        msg = f"request version {request.get('version')!r}, expected {REQUEST_VERSION}"
        raise ValueError(msg)
    answer = _through_socket() if request.get("socket") else _into(Path(request["out"]))
    for job in request["jobs"]:
        answer(*run_job(job))
    return 0


def _through_socket() -> Answer:
    """Return a function that writes results to the socket at descriptor 0."""
    channel = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)

    def answer(result: JobResult, rows: NDArray[np.float32] | None) -> None:
        line, content = json.dumps(result, allow_nan=False).encode(), io.BytesIO()
        if rows is not None:
            np.save(content, rows, allow_pickle=False)
        left = memoryview(struct.pack(">II", len(line), len(content.getbuffer())) + line + content.getvalue())
        while left:
            left = left[os.write(channel, left) :]

    return answer


def _into(out: Path) -> Answer:
    """Return a function that writes results to a folder."""
    out.mkdir(parents=True, exist_ok=True)

    def answer(result: JobResult, rows: NDArray[np.float32] | None) -> None:
        if rows is not None:
            np.save(out / f"{result['id']}.npy", rows, allow_pickle=False)
        with (out / "results.jsonl").open("a", encoding="utf-8") as results:
            results.write(json.dumps(result, allow_nan=False) + "\n")
            results.flush()
            os.fsync(results.fileno())

    return answer


def run_job(job: JobRequest) -> tuple[JobResult, NDArray[np.float32] | None]:
    """Load one model, and predict.

    Args:
        job: The model and its images.

    Returns:
        The result line and the predictions; None without predictions.
    """
    rows = None
    began = time.monotonic()
    result = JobResult(id=job["id"], ok=False, error=None, model=None, seconds=0.0)
    try:
        predict, result["model"], model = _load(job)
        inputs = job.get("inputs")
        if inputs is not None:
            rows, result["outputs"] = _predict(predict, Path(inputs), int(job.get("batch_size", 256)))
            idle = None if model is None else _idle(model, Path(inputs))
            if idle is not None:
                result["idle"] = idle[:MAX_IDLE]
        result["ok"] = True
    except Exception as problem:
        result["error"] = f"{type(problem).__name__}: {problem}"[:MAX_ERROR]
    result["seconds"] = round(time.monotonic() - began, 4)
    return result, rows


def _idle(model: Any, inputs: Path) -> list[str] | None:
    """Find the layers without influence; None if it is unknown, also because the model cannot be tried in parts."""
    images = np.load(inputs, mmap_mode="r", allow_pickle=False)
    try:
        return idle_layers(model, np.asarray(images[:IMAGES]))
    except Exception:
        return None


def _load(job: JobRequest) -> tuple[Predict, ModelStructure | None, Any]:
    """Load a model.

    Returns:
        The function that predicts, the description, and the Keras model; None for a SavedModel.
    """
    if job["format"] == "saved_model":
        return _load_saved_model(Path(job["model"])), None, None
    model = _load_keras(Path(job["model"]), job["dialect"])
    described: ModelStructure = plain(describe_model(model), 40)
    small = len(json.dumps(described, allow_nan=False)) <= MAX_DESCRIPTION
    return lambda batch: model(batch, training=False), described if small else None, model


def _load_keras(path: Path, dialect: str) -> Any:
    """Load a model in Keras's safe mode, without its optimizer and loss.

    Raises:
        ValueError: The file contains a part that may carry code.
    """
    foreign = foreign_part(path)
    if foreign is not None:
        raise ValueError(foreign)
    if dialect == "keras2":
        import tf_keras as keras
    else:
        import keras
    return keras.models.load_model(str(path), compile=False)


def _load_saved_model(path: Path) -> Predict:
    import tensorflow as tf

    # TensorFlow would exchange a function for another one of the same kind that no function calls.
    tf.config.optimizer.set_experimental_options({"implementation_selector": False})
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures.get("serving_default") if hasattr(loaded, "signatures") else None
    if hasattr(loaded, "serve"):
        return lambda batch: loaded.serve(_cast(batch, signature, tf))
    if signature is None:
        msg = "the SavedModel has neither `serve` nor a default signature"
        raise ValueError(msg)
    name = next(iter(signature.structured_input_signature[1]))
    # Keep the loaded object alive, since its signature needs it.
    return lambda batch: (signature(**{name: _cast(batch, signature, tf)}), loaded)[0]


def _cast(batch: NDArray[Any], signature: Any, tf: Any) -> Any:
    """Convert a batch to the type that the graph requires."""
    specs = list(signature.structured_input_signature[1].values()) if signature is not None else []
    return tf.constant(batch, dtype=specs[0].dtype if specs else tf.float32)


def _parts(outputs: Any) -> dict[str, Any]:
    """Map the name of each output to its tensor; outputs without keys are named by their positions."""
    if isinstance(outputs, dict):
        named = {str(key): value for key, value in outputs.items()}
    elif isinstance(outputs, (list, tuple)):
        named = {str(position): value for position, value in enumerate(outputs)}
    else:
        named = {"0": outputs}
    if len(named) > MAX_PARTS:
        msg = f"the model has {len(named)} outputs"
        raise ValueError(msg)
    return named


def _predict(predict: Predict, inputs: Path, batch_size: int) -> tuple[NDArray[np.float32], list[PredictedOutput]]:
    """Return one row of outputs per image, in the order of the images, and the columns of each output.

    If a model has several outputs, those that are too large are left out.

    Raises:
        ValueError: The model's outputs are not one row of at most 1,000 numbers per image.
    """
    images = np.load(inputs, mmap_mode="r", allow_pickle=False)
    rows: list[NDArray[np.float32]] = []
    described: list[PredictedOutput] = []
    for start in range(0, len(images), batch_size):
        batch = np.ascontiguousarray(images[start : start + batch_size])
        parts = {name: np.asarray(numbers(tensor), np.float32) for name, tensor in _parts(predict(batch)).items()}
        described = described or _describe(parts, len(batch))
        kept = [parts[part["name"]].reshape(len(batch), -1) for part in described if part["start"] is not None]
        rows.append(np.concatenate(kept, axis=1))
    return (np.concatenate(rows) if rows else np.empty((0, 0), np.float32)), described


def _describe(parts: dict[str, NDArray[np.float32]], images: int) -> list[PredictedOutput]:
    """List the outputs with their columns in the predictions.

    Raises:
        ValueError: An output is not one row per image, or no output is small enough.
    """
    described: list[PredictedOutput] = []
    column = 0
    for name, output in parts.items():
        if output.ndim == 0 or len(output) != images:
            msg = f"the model returned outputs of shape {output.shape} for {images} images"
            raise ValueError(msg)
        size = output.size // images
        fits = column + size <= MAX_OUTPUTS
        described.append(PredictedOutput(name=name, shape=list(output.shape[1:]), start=column if fits else None))
        column += size if fits else 0
    if not column:
        size = max(output.size // images for output in parts.values())
        msg = f"the model has {size} outputs per image, more than the maximum of {MAX_OUTPUTS}"
        raise ValueError(msg)
    return described


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The results are on disk. Exit at once, since TensorFlow's normal exit takes longer than the predictions.
    os._exit(ended)
