"""Finds the source of the batches of a student's own training loop, without running or iterating anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

__all__ = ["BatchSource", "DataWatch", "batch_size_of", "fixed_rows", "rows_of_batch"]

_MOST_STAGES = 64
_OTHER_ROWS = ("Unbatch", "Rebatch", "FlatMap", "Interleave", "Window", "Generator")
"""Parts of the names of stages whose elements are not the batches of earlier stages."""


@dataclass(slots=True)
class DataWatch:
    """The `tf.data` pipelines that the student's code iterated in this cell.

    Attributes:
        datasets: The pipelines without repetition, in the order of their first use.
        latest: The pipeline whose iteration started last.
    """

    datasets: list[Any] = field(default_factory=list)
    latest: Any = None

    def begun(self, dataset: Any) -> None:
        """Note the start of an iteration."""
        self.latest = dataset
        if not any(dataset is known for known in self.datasets):
            self.datasets.append(dataset)

    def cell_ended(self) -> None:
        """Forget the pipelines of the cell."""
        self.datasets.clear()
        self.latest = None


@dataclass(slots=True)
class BatchSource:
    """Source of the batches of one loop.

    Attributes:
        dataset: A `tf.data` pipeline that was being iterated during a step.
        rows: Number of rows of the largest batch that Python saw.
        mixed: Whether batches are views of several arrays.
    """

    dataset: Any = None
    rows: int | None = None
    mixed: bool = False
    _owner: Any = None
    _width: int = 0
    _low: int = 0
    _high: int = 0

    def add(self, x: Any, data: DataWatch) -> None:
        """Note the source of a step's batch.

        Args:
            x: The model's last input outside of a graph; None if unknown.
            data: The pipelines being iterated.
        """
        shape: Any = getattr(x, "shape", ())
        if len(shape) and shape[0]:
            self.rows = max(self.rows or 0, int(shape[0]))
        if isinstance(x, np.ndarray) and isinstance(x.base, np.ndarray) and x.size:
            self._view(x)
        elif data.latest is not None:
            self.dataset = data.latest

    def _view(self, x: Any) -> None:
        low, high = byte_bounds(x)
        if self._owner is None:
            self._owner, self._width, self._low, self._high = x.base, x.size // len(x), low, high
        elif x.base is self._owner:
            self._low, self._high = min(self._low, low), max(self._high, high)
        else:
            self.mixed = True

    def find(self, namespace: Mapping[str, Any]) -> Any:
        """Return the pipeline, or the smallest variable that contains all the batches; None if unknown.

        Args:
            namespace: The notebook's variables.
        """
        if self._owner is None:
            return self.dataset
        if self.mixed or self.dataset is not None:
            return None
        holders = [value for value in list(namespace.values()) if self._holds(value)]
        return min(holders, key=len, default=None)

    def _holds(self, value: Any) -> bool:
        if not isinstance(value, np.ndarray) or not value.ndim or not value.size or value.dtype != self._owner.dtype:
            return False
        low, high = byte_bounds(value)
        return low <= self._low and self._high <= high and value.size // len(value) == self._width


def batch_size_of(dataset: Any) -> int | None:
    """Return the batch size of a `tf.data` pipeline; None if it has none, or several.

    Args:
        dataset: A pipeline; it is not iterated.
    """
    stage = dataset
    for _ in range(_MOST_STAGES):
        size = getattr(stage, "_batch_size", None)
        if size is not None:
            return int(np.asarray(size))
        kind = type(stage).__name__
        inputs: Any = stage._inputs() if hasattr(stage, "_inputs") else ()
        if any(name in kind for name in _OTHER_ROWS) or not inputs or (len(inputs) != 1 and "Zip" not in kind):
            return None
        stage = inputs[0]
    return None


def rows_of_batch(batch: Any) -> int | None:
    """Return the number of rows of a batch that a generator gave; None if that is unknown.

    Args:
        batch: An array, or a tuple, list or dict of arrays, of which the first one counts.
    """
    for _ in range(_MOST_STAGES):
        if isinstance(batch, dict):
            batch = list(batch.values())
        if not isinstance(batch, (tuple, list)) or not batch:
            break
        batch = batch[0]
    shape = getattr(batch, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) and shape[0] is not None else None


def fixed_rows(dataset: Any, model: Any) -> int | None:
    """Return the fixed number of rows in the elements of a `tf.data` pipeline; None if they have no fixed number.

    Args:
        dataset: A pipeline; it is not iterated.
        model: The model that takes the elements.
    """
    spec = dataset.element_spec
    while isinstance(spec, (tuple, list)) and spec:
        spec = spec[0]
    shape, expected = getattr(spec, "shape", None), getattr(model, "input_shape", None)
    if shape is None or not isinstance(expected, tuple) or shape.rank != len(expected):
        return None
    return None if shape[0] is None else int(shape[0])
