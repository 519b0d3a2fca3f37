"""What a student handed to a model, brought to NumPy without running anything of the student's.

A `tf.data` pipeline is followed back to the tensors it was made from, a generator to the array it holds; neither is
ever iterated.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record.events import Source

__all__ = ["Given", "given_pair"]

_UNCHANGED = (
    "Shuffle",
    "Batch",
    "Prefetch",
    "Repeat",
    "Cache",
    "Options",
    "Model",
    "ParallelBatch",
    "TensorSlice",
    "Tensor",
)
"""`tf.data` stages that leave each row's numbers as they are."""
_ARRAY_ATTRIBUTES = ("x", "x_set", "images")
_LABEL_ATTRIBUTES = ("y", "y_set", "labels", "classes")
_MOST_INPUTS = 8


@dataclass(frozen=True, slots=True)
class Given:
    """One array a model was given.

    Attributes:
        array: Its numbers; None where they cannot be had without running the student's code.
        anchor: The student's own object, for recognising it again.
        source: `array`, `tf.data` or `generator`.
        mapped: Whether something between the array and the model may change the numbers.
    """

    array: NDArray[Any] | None
    anchor: Any
    source: Source = "array"
    mapped: bool = False


def given_pair(x: Any, y: Any = None) -> tuple[Given | None, Given | None]:
    """Find images and labels in what `fit`, `evaluate` or `predict` was given.

    Args:
        x: Array, tensor, list, data frame, data set, generator …
        y: Labels, where `x` does not bring its own.

    Returns:
        Images and labels; None for what was not given.
    """
    if x is None:
        return None, None
    if hasattr(x, "_inputs") and hasattr(x, "element_spec"):
        return _from_dataset(x)
    if not _is_array_like(x):
        return _from_generator(x)
    return Given(_numpy(x), x), None if y is None else Given(_numpy(y), y)


def _is_array_like(value: Any) -> bool:
    return isinstance(value, (np.ndarray, list, tuple, dict)) or (
        hasattr(value, "shape") and (hasattr(value, "numpy") or hasattr(value, "to_numpy"))
    )


def _numpy(value: Any) -> NDArray[Any] | None:
    """An array-like's numbers; the first input's, where a model with several inputs was given a list or dict."""
    try:
        if isinstance(value, np.ndarray):
            return value
        if isinstance(value, dict):
            return _numpy(next(iter(value.values())))
        if isinstance(value, (list, tuple)):
            several = 0 < len(value) <= _MOST_INPUTS and all(len(getattr(item, "shape", ())) > 1 for item in value)
            return _numpy(value[0]) if several else np.asarray(value)
        if hasattr(value, "_numpy"):
            return np.asarray(value._numpy())
        return np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value.numpy())
    except Exception:
        return None


def _from_dataset(dataset: Any) -> tuple[Given | None, Given | None]:
    """Walk a `tf.data.Dataset` back to the tensors it was sliced from."""
    mapped = False
    stage = dataset
    for _ in range(64):
        kind = type(stage).__name__.strip("_").removesuffix("Dataset").removesuffix("V2")
        mapped = mapped or not kind.startswith(_UNCHANGED)
        tensors = getattr(stage, "_tensors", None)
        if tensors:
            return _sliced(tensors, mapped)
        try:
            inputs = stage._inputs()
        except Exception:
            break
        if len(inputs) != 1:
            return (
                (*_zipped(inputs, mapped),) if kind == "Zip" else (Given(None, dataset, "tf.data", mapped=True), None)
            )
        stage = inputs[0]
    return Given(None, dataset, "tf.data", mapped=True), None


def _zipped(inputs: Any, mapped: bool) -> tuple[Given | None, Given | None]:  # noqa: FBT001 - both names are said at the call
    """Two data sets zipped: images and labels."""
    parts = [_from_dataset(part)[0] for part in inputs[:2]]
    found = [part and Given(part.array, part.anchor, "tf.data", mapped or part.mapped) for part in parts]
    return found[0], found[1] if len(found) > 1 else None


def _sliced(tensors: Any, mapped: bool) -> tuple[Given | None, Given | None]:  # noqa: FBT001 - said at the call
    parts = [Given(_numpy(tensor), tensor, "tf.data", mapped) for tensor in tensors[:2]]
    labels = Given(parts[1].array, parts[1].anchor, "tf.data") if len(parts) > 1 else None
    return parts[0], labels


def _from_generator(generator: Any) -> tuple[Given | None, Given | None]:
    """The arrays a generator object holds, read from plain attributes."""
    held = getattr(generator, "__dict__", {})
    x = next((held[name] for name in _ARRAY_ATTRIBUTES if _holds(held.get(name))), None)
    y = next((held[name] for name in _LABEL_ATTRIBUTES if _holds(held.get(name))), None)
    images = Given(None if x is None else _numpy(x), generator if x is None else x, "generator", mapped=True)
    return images, None if y is None else Given(_numpy(y), y, "generator")


def _holds(value: Any) -> bool:
    return value is not None and _is_array_like(value)
