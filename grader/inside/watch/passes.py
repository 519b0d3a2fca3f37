"""Recognises repeated passes of a model over one input, and whether what came out differed.

That is what Monte-Carlo dropout is: the same images, the same weights, and still other numbers each time.
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
"""Numbers of an input that tell it from others; a smaller one is compared whole."""
_MOST_INPUTS = 4_096
_KEPT_OUTPUTS = 4 << 20
"""Numbers of outputs that are kept for comparison, all together."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass turned out to be.

    Attributes:
        number: The how many-th pass over this input with these weights, from 1; None where inputs cannot be told apart.
        differs: Whether its output differs from the first pass's; None for the first, or where that was not kept.
    """

    number: int | None = None
    differs: bool | None = None


@dataclass(slots=True)
class _Input:
    count: int = 0
    output: NDArray[Any] | None = None


@dataclass(slots=True)
class Passes:
    """The passes of one model in one cell.

    Attributes:
        model: Its weights are part of what makes two passes alike.
        repeats: Passes over the input that was seen most often.
        differ: Whether any two passes over one input gave different outputs; None where none were compared.
    """

    model: Any
    repeats: int = 0
    differ: bool | None = None
    _inputs: dict[Any, _Input] = field(default_factory=dict)
    _room: int = _KEPT_OUTPUTS
    _last_weight: Any = None

    def add(self, x: Any, output: Any) -> Pass:
        """Count a pass.

        Args:
            x: What the model was given; only arrays and tensors are told apart.
            output: What came out.
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
        """The trained weights nearest to the output: whatever trains the model changes them."""
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
    """A value that is the same for the same numbers, also in another copy; None where it cannot be told.

    Args:
        x: An array, tensor, one of them alone in a list or tuple, or anything else; a data set is only ever the same
            as itself.
    """
    # A network with one input takes it in a list as well; a longer list may hold inputs of any kind.
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
