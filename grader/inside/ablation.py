"""Find the layers of a loaded model whose removal changes nothing.

A layer can be in a branch that is multiplied by zero, or copy its input. Each layer's outputs are exchanged between
images: if no prediction changes, the outputs do not reach the model's outputs. This also shows whether the path through
a `Dropout` reaches them, although `Dropout` itself does nothing outside of a training.
"""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .describe.models import leaves, numbers

__all__ = ["IMAGES", "idle_layers"]

IMAGES = 8
SECONDS = 0.3
"""Time for all layers of a model together; layers that were not tried count as used."""
_SAME = 1e-4
"""Change of a prediction, as a part of the range of all predictions, below which it counts as unchanged."""
_COPY = 1e-5
"""The same for the outputs of a layer that copies its inputs, up to one scale and shift."""
_FIRST = ("Conv", "Dropout", "Separable", "Depthwise", "Pool", "Normalization", "Dense")
"""Parts of the names of the layers that are tried first, because criteria ask for them."""


def idle_layers(model: Any, images: NDArray[Any], seconds: float = SECONDS) -> list[str] | None:
    """Find the layers without influence on a model's outputs.

    Args:
        model: A loaded model of Keras 3 or Keras 2.
        images: A few different inputs.
        seconds: Time limit.

    Returns:
        Names of layers; None if it is unknown: the outputs are random, or the same for all images.
    """
    ends = time.monotonic() + seconds
    images = np.ascontiguousarray(images[:IMAGES])
    before = _outputs(model, images)
    if len(images) < 2 or not np.isfinite(before).all():  # noqa: PLR2004 - images to exchange
        return None
    reach = float(np.ptp(before))
    same = _SAME * max(reach, float(np.finfo(np.float32).tiny))
    if _distance(before, _outputs(model, images)) > same or _distance(before, _exchanged(before)) <= same:
        return None
    found = []
    for layer in _in_turns(model):
        if time.monotonic() > ends:
            break
        with _changed(layer) as seen:
            after = _outputs(model, images)
        if seen and (_distance(before, after) <= same or (_has_kernel(layer) and all(_copies(*one) for one in seen))):
            found.append(str(layer.name))
    return sorted(found)


def _outputs(model: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    """Predict, and join all outputs of the model to one row per image."""
    outputs = model(images, training=False)
    parts = list(outputs.values()) if isinstance(outputs, dict) else outputs
    parts = parts if isinstance(parts, (list, tuple)) else [parts]
    return np.concatenate([np.asarray(numbers(part), np.float32).reshape(len(images), -1) for part in parts], axis=1)


def _distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    difference = np.abs(one - other)
    return float(difference.max()) if np.isfinite(difference).all() else np.inf


def _exchanged(rows: Any) -> Any:
    return np.roll(rows, 1, axis=0)


def _in_turns(model: Any) -> Iterator[Any]:
    """Order the layers so that each kind has its turn, in a random order within a kind."""
    kinds: dict[str, list[Any]] = defaultdict(list)
    layers = [layer for _, layer in leaves(model) if type(layer).__name__ != "InputLayer"]
    random.SystemRandom().shuffle(layers)
    for layer in layers:
        kinds[type(layer).__name__].append(layer)
    order = sorted(kinds, key=lambda kind: next((n for n, part in enumerate(_FIRST) if part in kind), len(_FIRST)))
    while any(kinds.values()):
        yield from [kinds[kind].pop() for kind in order if kinds[kind]]


def _has_kernel(layer: Any) -> bool:
    return getattr(layer, "kernel", None) is not None


@contextmanager
def _changed(layer: Any) -> Iterator[list[tuple[NDArray[Any], NDArray[Any]]]]:
    """Exchange the outputs of a layer between images.

    Yields:
        Inputs and outputs of the layer's calls; empty if its outputs are not one tensor with a row per image.
    """
    call: Callable[..., Any] = layer.call
    seen: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def exchanged(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = call(inputs, *args, **kwargs)
        if isinstance(outputs, (list, tuple, dict)) or not len(getattr(outputs, "shape", ())) or outputs.shape[0] == 1:
            return outputs
        given = inputs[0] if isinstance(inputs, (list, tuple)) and inputs else inputs
        values = np.asarray(numbers(outputs))
        seen.append((np.asarray(numbers(given)), values))
        import tensorflow as tf

        return tf.constant(_exchanged(values), dtype=outputs.dtype)

    layer.call = exchanged
    try:
        yield seen
    finally:
        layer.call = call


def _copies(inputs: NDArray[Any], outputs: NDArray[Any]) -> bool:
    """Whether outputs are the inputs, up to one scale and shift."""
    if inputs.shape != outputs.shape or not np.isfinite(outputs).all():
        return False
    one, other = inputs.ravel().astype(np.float64), outputs.ravel().astype(np.float64)
    one, other = one - one.mean(), other - other.mean()
    power = float(one @ one)
    if power == 0:
        return False
    rest = other - one * float(one @ other) / power
    return float(np.abs(rest).max()) <= _COPY * float(np.ptp(other)) > 0
