"""Detects repeated calls of a model with the same input, and whether the outputs differ.

Different outputs for the same images and weights are the sign of Monte Carlo dropout.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.models import numbers, weights_of
from .averages import PassOutputs
from .taken import weak

__all__ = ["Pass", "Passes", "signature"]

_SAMPLED = 512
"""Number of sampled values that identify an input; a smaller input is compared completely."""
_PROBED = 16
"""Values of a row, and rows of an array, that are compared to find copies of images."""
_MOST_INPUTS = 4_096
_KEPT_OUTPUTS = 4 << 20
"""Maximum total number of output values that are stored for comparison."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Result of comparing one call with earlier calls.

    Attributes:
        number: 1-based count of calls with the same input and weights; None if inputs cannot be compared.
        differs: Whether its output differs from the first call's; None for the first, or if that was not stored.
    """

    number: int | None = None
    differs: bool | None = None


@dataclass(slots=True)
class _Input:
    count: int = 0
    output: NDArray[Any] | None = None
    outputs: PassOutputs | None = None


@dataclass(slots=True)
class Passes:
    """The calls of one model in one cell.

    Attributes:
        model: The model; two calls are only comparable if its weights are the same.
        on_repeat: Called after each repetition that could be compared.
        repeats: Maximum number of calls with the same input.
        differ: Whether two calls with the same input had different outputs; None if none were compared.
    """

    model: Any
    on_repeat: Callable[[PassOutputs], None] | None = None
    repeats: int = 0
    differ: bool | None = None
    _inputs: dict[Any, _Input] = field(default_factory=dict)
    _room: int = _KEPT_OUTPUTS
    _last_weight: Any = None

    def add(self, x: Any, output: Any) -> Pass:
        """Count a call; a call with several copies of the same images is as many passes.

        Args:
            x: The model's input; only arrays and tensors are compared.
            output: The model's output; of several, the first one is compared.
        """
        values = _first(output)
        copies = _copies(x, values)
        if copies is None:
            return self._add(signature(x), values)
        images, parts = copies
        found = signature(images)
        return [self._add(found, part) for part in parts][-1]

    @property
    def repeated(self) -> list[PassOutputs]:
        """The compared outputs of each input with more than one call."""
        return [known.outputs for known in self._inputs.values() if known.outputs is not None]

    def _add(self, found: Any, output: NDArray[Any] | None) -> Pass:
        if found is None:
            return Pass()
        key = (found, self._weights())
        known = self._inputs.get(key)
        if known is None:
            if len(self._inputs) >= _MOST_INPUTS:
                return Pass()
            known = self._inputs[key] = _Input()
        known.count += 1
        self.repeats = max(self.repeats, known.count)
        return Pass(known.count, self._compare(known, output))

    def _compare(self, known: _Input, output: NDArray[Any] | None) -> bool | None:
        if known.count == 1:
            if output is not None and output.size <= self._room:
                known.output = np.array(output)
                self._room -= output.size
            return None
        if known.output is None or output is None:
            return None
        if known.outputs is None:
            known.outputs = PassOutputs(known.output.shape)
            known.outputs.add(known.output)
        known.outputs.add(output)
        differs = not np.array_equal(known.output, output)
        known.outputs.differ = known.outputs.differ or differs
        self.differ = bool(self.differ) or differs
        if self.on_repeat is not None:
            self.on_repeat(known.outputs)
        return differs

    def _weights(self) -> bytes:
        """Return a sample of the last trainable weights, which every training changes."""
        if self._last_weight is None:
            held = weights_of(self.model, trainable=True) or weights_of(self.model)
            if not held:
                return b""
            self._last_weight = weak(held[-1])
        weight = self._last_weight()
        return b"" if weight is None else _sampled(numbers(weight))


def _first(output: Any) -> NDArray[Any] | None:
    """Return the numbers of an output, or of the first of several; None if there are none."""
    if isinstance(output, dict):
        output = list(output.values())
    while isinstance(output, (list, tuple)) and output:
        output = output[0]
    return numbers(output) if hasattr(output, "shape") else None


def _copies(x: Any, output: NDArray[Any] | None) -> tuple[NDArray[Any], list[NDArray[Any]]] | None:
    """Split a call with several copies of the same images (`np.repeat`, `np.tile`) whose outputs differ.

    Returns:
        The images, and their output for each copy; None for any other call.
    """
    while isinstance(x, (list, tuple)) and len(x) == 1:
        x = x[0]
    if output is None or not (isinstance(x, np.ndarray) or hasattr(x, "_numpy")):
        return None
    array = numbers(x)
    rows = len(array) if array.ndim > 1 and array.size else 0
    if rows < 2 or array.dtype.kind not in "fiub" or len(output) != rows:  # noqa: PLR2004 - one row has no copy
        return None
    same = _equal_to_first(array)
    count = int(same.sum())
    if count < 2 or rows % count:  # noqa: PLR2004 - the first row itself
        return None
    images, step = rows // count, int(np.flatnonzero(same)[1])
    if step not in {1, images} or not np.array_equal(np.flatnonzero(same), np.arange(count) * step):
        return None
    order = np.arange(rows).reshape((images, count) if step == 1 and images > 1 else (count, images))
    places = order.T if step == 1 and images > 1 else order
    if not all(_same_rows(array, places[0], copy) for copy in places[1:]):
        return None
    parts = [output[copy] for copy in places]
    return None if all(np.array_equal(parts[0], part) for part in parts[1:]) else (array[places[0]], parts)


def _equal_to_first(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Compare some values of each row with the first row's, preferably values that are not 0."""
    first = array[0]
    found = np.flatnonzero(first)
    if not len(found):
        found = np.arange(first.size)
    picked = found[np.linspace(0, len(found) - 1, min(_PROBED, len(found))).astype(np.int64)]
    places: tuple[Any, ...] = np.unravel_index(picked, first.shape)
    probes = array[(slice(None), *places)]
    same: NDArray[np.bool_] = (probes == probes[0]).all(axis=1)
    return same


def _same_rows(array: NDArray[Any], first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether some rows are equal to other rows of an array."""
    picked = np.unique(np.linspace(0, len(first) - 1, min(_PROBED, len(first))).astype(np.int64))
    return np.array_equal(array[first[picked]], array[second[picked]])


def signature(x: Any) -> Any:
    """Return a value that is equal for arrays with equal values, also for copies; None if `x` cannot be compared.

    Args:
        x: An array or tensor, one of them alone in a list or tuple, or any other object; a data set is only equal to
            itself.
    """
    # A model with one input also accepts it in a list; a longer list may contain inputs of any kind.
    while isinstance(x, (list, tuple)) and len(x) == 1:
        x = x[0]
    if isinstance(x, np.ndarray) or hasattr(x, "_numpy"):
        array = numbers(x)
        return None if array.dtype.hasobject else (array.shape, str(array.dtype), _sampled(array))
    return ("object", id(x)) if hasattr(x, "element_spec") else None


def _sampled(array: NDArray[Any]) -> bytes:
    if array.size <= _SAMPLED:
        return array.tobytes()
    picked = array.flat[np.linspace(0, array.size - 1, _SAMPLED).astype(np.int64)]
    return hashlib.blake2b(picked.tobytes(), digest_size=12).digest()
