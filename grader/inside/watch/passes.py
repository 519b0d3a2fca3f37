"""Detects repeated calls of a model with the same input, and whether the outputs differ.

Different outputs for the same images and weights are the sign of Monte Carlo dropout.
"""

import hashlib
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.models import numbers, weights_of

__all__ = ["Pass", "Passes", "signature"]

_SAMPLED = 512
"""Number of sampled values that identify an input; a smaller input is compared completely."""
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


@dataclass(slots=True)
class Passes:
    """The calls of one model in one cell.

    Attributes:
        model: The model; two calls are only comparable if its weights are the same.
        repeats: Maximum number of calls with the same input.
        differ: Whether two calls with the same input had different outputs; None if none were compared.
    """

    model: Any
    repeats: int = 0
    differ: bool | None = None
    _inputs: dict[Any, _Input] = field(default_factory=dict)
    _room: int = _KEPT_OUTPUTS
    _last_weight: Any = None

    def add(self, x: Any, output: Any) -> Pass:
        """Count a call.

        Args:
            x: The model's input; only arrays and tensors are compared.
            output: The model's output.
        """
        found = signature(x)
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

    def _compare(self, known: _Input, output: Any) -> bool | None:
        if known.count == 1:
            size = int(np.prod(output.shape)) if hasattr(output, "shape") else self._room + 1
            if size <= self._room:
                known.output = np.array(numbers(output))
                self._room -= size
            return None
        if known.output is None:
            return None
        differs = not np.array_equal(known.output, numbers(output))
        self.differ = bool(self.differ) or differs
        return differs

    def _weights(self) -> bytes:
        """Return a sample of the last trainable weights, which every training changes."""
        if self._last_weight is None:
            held = weights_of(self.model, trainable=True) or weights_of(self.model)
            if not held:
                return b""
            self._last_weight = _reference(held[-1])
        weight = self._last_weight()
        return b"" if weight is None else _sampled(numbers(weight))


def _reference(weight: Any) -> Any:
    try:
        return weakref.ref(weight)
    except TypeError:
        return lambda: weight


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
