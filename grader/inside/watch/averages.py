"""Finds out whether an array is the mean of a model's repeated outputs, from a sample of their values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..describe.models import numbers

__all__ = ["MAX_WIDTH", "Average", "Finding", "PassOutputs", "shape_of"]

Array: TypeAlias = NDArray[Any]
Average: TypeAlias = Literal["mean", "median", "discarded", "wrong_axis", "accuracies", "sum"]

MAX_WIDTH = 1_000
"""Number of values of one image's output that are compared."""
_MAX_ROWS = 64
_FIRST_ROWS = 8
_SAMPLE = 1_024
"""Number of values of one pass that are stored."""
_MAX_PASSES = 500
"""Number of passes whose values are stored; a model with more passes has no known average."""
_MAX_CLASSES = 1 << 20
"""Number of predicted classes that are stored."""
_ALL_WINDOWS = 128
"""With more passes, a mean over some of them is only found if it includes the first or the last pass."""
_ROUNDING = 8
_CLEAR = 5
"""A mean differs from every single pass by this many times the allowed error, or nothing can be concluded from it."""
_FEWEST_VALUES = 3
"""Number of values that must agree."""
_HALF = 0.5
_BFLOAT16 = 2.0**-7
"""Difference between 1 and the next number."""
_RANKS: dict[Average, int] = {"sum": 0, "wrong_axis": 1, "accuracies": 2, "discarded": 3, "median": 4, "mean": 5}
"""Findings in the order in which a later one replaces an earlier one."""
_MAX_SEARCHED = 1 << 22
"""Number of values of an array in which a row is searched."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Relation of an array to the outputs.

    Attributes:
        average: `mean` or `median` of several passes; their `sum`; or `wrong_axis`, a mean over images or classes.
        passes: Number of passes in it.
    """

    average: Average
    passes: int


@dataclass(slots=True)
class PassOutputs:
    """A sample of the outputs of passes over one input.

    Attributes:
        shape: Shape of each output.
        count: Number of passes.
        differ: Whether two of them differ.
        average: The best that was found so far; None if nothing was found.
        averaged: Number of passes in it.
    """

    shape: tuple[int, ...]
    count: int = 0
    differ: bool = False
    average: Average | None = None
    averaged: int | None = None
    _kept: Array | None = None
    _columns: list[Array] = field(default_factory=list)
    _classes: list[Array] = field(default_factory=list)
    _closed: bool = False
    _precision: float = 0.0
    _forms: dict[str, Array] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of images."""
        return self.shape[0] if self.shape else 0

    @property
    def width(self) -> int:
        """Number of values for an image."""
        return int(np.prod(self.shape[1:], dtype=np.int64))

    @property
    def size(self) -> int:
        """Number of values in one output."""
        return self.rows * self.width

    @property
    def rank(self) -> int:
        """How good the average is; -1 if there is none."""
        return -1 if self.average is None else _RANKS[self.average]

    def add(self, output: Array) -> None:
        """Add the output of one pass.

        Args:
            output: An array of the same shape as the earlier ones.
        """
        self.count += 1
        if not self._is_stored or not self.size or output.shape != self.shape:
            return
        self._forms.clear()
        self._precision = max(self._precision, _precision(output))
        flat = output.reshape(self.rows, self.width)
        self._keep(flat[self._picked(), : self._columns_kept()].astype(np.float64))
        self._columns.append(flat[:, :MAX_WIDTH].mean(axis=0, dtype=np.float64))
        if self.rows * self.count <= _MAX_CLASSES and len(self.shape) <= 2:  # noqa: PLR2004 - images and classes
            self._classes.append((flat.argmax(axis=1) if self.width > 1 else flat[:, 0] > _HALF).astype(np.int16))

    def _keep(self, values: Array) -> None:
        """Store the sample of one pass in an array that grows by doubling."""
        kept, place = self._kept, len(self._columns)
        if kept is None or place == len(kept):
            room = np.empty((max(4, 2 * place), *values.shape))
            if kept is not None:
                room[:place] = kept
            kept = self._kept = room
        kept[place] = values
        self.differ = self.differ or not np.array_equal(values, kept[0])

    @property
    def _is_stored(self) -> bool:
        """Whether the values of every pass so far are stored."""
        return not self._closed and self.count <= _MAX_PASSES and len(self._columns) == self.count - 1

    @property
    def stored_bytes(self) -> int:
        """Size of the stored values."""
        kept = 0 if self._kept is None else self._kept.nbytes
        return kept + sum(array.nbytes for arrays in (self._columns, self._classes) for array in arrays)

    def close(self) -> None:
        """Forget the stored values; the outputs can no longer be compared."""
        self._closed = True
        self._kept = None
        for stored in (self._columns, self._classes, self._forms):
            stored.clear()

    def note(self, finding: Finding) -> None:
        """Remember a finding, unless a better one is known."""
        if (_RANKS[finding.average], finding.passes) > (self.rank, self.averaged or 0):
            self.average, self.averaged = finding.average, finding.passes

    def find(self, value: Array) -> Finding | None:
        """Compare an array with the passes so far.

        Args:
            value: An array that the notebook computed.
        """
        plain = _plain(value) if value.size and self._complete() else None
        if plain is None:
            return None
        value = plain
        if not self.differ:
            return self._added_up(value)
        return self._aligned(value) or self._part(value) or self._wrong_axis(value)

    def reduces(self, value: Array, sources: list[Any]) -> bool:
        """Whether a function reduced all passes to one of equal size: its result is an output, its input all of them.

        Args:
            value: The function's result.
            sources: Values that the function had.
        """
        return value.shape == self.shape and any(self._holds_all(source) for source in sources)

    def is_overall_mean(self, value: float, sources: list[Any]) -> bool:
        """Whether a function reduced all passes to one number.

        Args:
            value: The function's result.
            sources: Values that the function had.
        """
        if not self._complete() or self.rows < 2 or not any(self._holds_all(source) for source in sources):  # noqa: PLR2004
            return False
        return bool(abs(value - np.mean(self._columns)) <= self._tolerance(np.float32))

    def accuracies(self, labels: Array) -> list[float] | None:
        """Compute the accuracy of each pass; None if it is unknown.

        Args:
            labels: The classes of the images.
        """
        if len(self._classes) != self.count or len(labels) != self.rows:
            return None
        return [float(np.mean(classes == labels)) for classes in self._classes]

    def _complete(self) -> bool:
        return self.count > 1 and len(self._columns) == self.count

    def _picked(self) -> Array:
        """Return the stored rows: the first ones, and more at even distances."""
        most = max(1, min(_MAX_ROWS, _SAMPLE // self._columns_kept(), self.rows))
        first = np.arange(min(_FIRST_ROWS, most))
        return np.unique(np.concatenate([first, np.linspace(0, self.rows - 1, most - len(first)).astype(np.int64)]))

    def _columns_kept(self) -> int:
        return max(1, min(self.width, MAX_WIDTH))

    def _passes(self, form: str) -> Array:
        """Return the stored values, (passes, rows, columns), as they are or as probabilities."""
        if form not in self._forms:
            raw: Array = np.empty(0) if self._kept is None else self._kept[: self.count]
            self._forms[form] = _FORMS[form](raw)
        return self._forms[form]

    def _averaged_forms(self) -> Iterator[str]:
        """List the forms in which outputs may be averaged: as they are, or scores as probabilities."""
        yield "raw"
        raw = self._passes("raw")
        if self.width == self._columns_kept() and (raw.min() < 0 or raw.max() > 1):
            yield "softmax" if self.width > 1 else "sigmoid"

    def _tolerance(self, dtype: Any) -> float:
        passes = self._passes("raw")
        precision = max(self._precision, float(np.finfo(dtype).eps))
        return precision * (_ROUNDING + self.count) * max(1.0, float(np.abs(passes).max()))

    def _clear_rows(self, passes: Array, tolerance: float) -> Array:
        """Return the rows in which the mean differs from every single pass, the clearest first."""
        away = np.abs(passes - passes.mean(axis=0)).max(axis=2).min(axis=0)
        order = np.argsort(-away)
        clear: Array = order[away[order] > _CLEAR * tolerance]
        return clear

    def _added_up(self, value: Array) -> Finding | None:
        """Recognize the sum of equal passes; their mean is no other array than each of them."""
        if value.shape != self.shape:
            return None
        seen = value.reshape(self.rows, self.width)[self._picked(), : self._columns_kept()]
        one = self._passes("raw")[0]
        same = _same(seen, one * self.count, self._tolerance(value.dtype) * self.count)
        return Finding("sum", self.count) if same and np.abs(one).max() > 0 else None

    def _aligned(self, value: Array) -> Finding | None:
        """Compare an array of an output's size, or with one number for each image, row by row."""
        if value.shape[0] != self.rows if value.ndim else True:
            return None
        flat = value.reshape(self.rows, -1)
        if flat.shape[1] not in {1, self.width}:
            return None
        seen = flat[self._picked(), : self._columns_kept()].astype(np.float64)
        if flat.shape[1] == self.width and (self._passes("raw") == seen).all(axis=(1, 2)).any():
            return None
        tolerance = self._tolerance(value.dtype)
        for form in self._averaged_forms():
            passes = self._passes(form)
            for column in range(passes.shape[2]) if flat.shape[1] < self.width else (slice(None),):
                part = passes[:, :, [column]] if isinstance(column, int) else passes
                found = _compare(seen, part, self._clear_rows(part, tolerance), tolerance)
                if found is not None:
                    return found
        return None

    def _part(self, value: Array) -> Finding | None:
        """Search rows of the mean in an array with other rows: a part of the images, or the joined means of batches."""
        one = value.shape == self.shape[1:]
        if not one and (value.ndim != len(self.shape) or value.shape[1:] != self.shape[1:] or len(value) == self.rows):
            return None
        if value.size > _MAX_SEARCHED or self.width < _FEWEST_VALUES:
            return None
        flat = value.reshape(-1, self.width)[:, : self._columns_kept()]
        tolerance = self._tolerance(value.dtype)
        for form in self._averaged_forms():
            passes = self._passes(form)
            mean = passes.mean(axis=0)
            clear = self._clear_rows(passes, tolerance)
            for row in (*clear[:_FIRST_ROWS], *clear[clear < _FIRST_ROWS]):
                if (np.abs(flat - mean[row]).max(axis=1) <= tolerance).any():
                    return Finding("mean", self.count)
        return None

    def _wrong_axis(self, value: Array) -> Finding | None:
        """Recognize the mean of each pass over its images or over its classes."""
        if value.ndim < 1 or value.shape[0] != self.count or self.rows < 2:  # noqa: PLR2004 - a mean of one is no mean
            return None
        tolerance = self._tolerance(value.dtype)
        if value.shape[1:] == self.shape[1:]:
            expected, seen = np.stack(self._columns), value.reshape(self.count, -1)[:, :MAX_WIDTH]
        elif value.shape[1:] == self.shape[:-1] and self.width == self._columns_kept():
            expected = self._passes("raw").mean(axis=2)
            seen = value.reshape(self.count, -1)[:, self._picked()] if value.ndim == 2 else value[:0]  # noqa: PLR2004
        else:
            return None
        same = seen.shape == expected.shape and bool((np.abs(seen - expected) <= tolerance).all())
        return Finding("wrong_axis", self.count) if same else None

    def _holds_all(self, source: Any) -> bool:
        """Whether a list or an array holds every pass; the first and the last one are compared."""
        if not isinstance(source, (list, tuple)) and shape_of(source) != (self.count, *self.shape):
            return False
        if len(source) != self.count or not self._complete():
            return False
        return self._is_pass(source[0], 0) and self._is_pass(source[-1], self.count - 1)

    def _is_pass(self, item: Any, place: int) -> bool:
        if shape_of(item) != self.shape:
            return False
        flat = numbers(item).reshape(self.rows, self.width)
        return np.array_equal(flat[self._picked(), : self._columns_kept()], self._passes("raw")[place])


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of an array or eager tensor; None for any other object."""
    is_array = isinstance(value, np.ndarray) or hasattr(type(value), "_numpy")
    return tuple(value.shape) if is_array else None


def _compare(seen: Array, passes: Array, rows: Array, tolerance: float) -> Finding | None:
    """Find the passes whose mean, median or sum some rows are."""
    rows = rows[:_FIRST_ROWS]
    if len(rows) * passes.shape[2] < _FEWEST_VALUES and len(rows) < passes.shape[1]:
        return None
    if not len(rows):
        return None
    count = len(passes)
    mean = passes.mean(axis=0)
    if _same(seen, mean, tolerance):
        return Finding("mean", count)
    found = _window(seen[rows], passes[:, rows], tolerance)
    if found is not None:
        return found
    if count > 2 and _same(seen[rows], np.median(passes[:, rows], axis=0), tolerance):  # noqa: PLR2004 - the mean of two
        return Finding("median", count)
    return Finding("sum", count) if _same(seen, mean * count, tolerance * count) else None


def _window(seen: Array, passes: Array, tolerance: float) -> Finding | None:
    """Find consecutive passes, at least two, whose mean is the given rows; the largest number if there are several."""
    count = len(passes)
    sums = np.concatenate([np.zeros((1, *passes.shape[1:])), np.cumsum(passes, axis=0)])
    starts, ends = np.triu_indices(count + 1, 2)
    if count > _ALL_WINDOWS:
        outer = (starts == 0) | (ends == count)
        starts, ends = starts[outer], ends[outer]
    means = (sums[ends, 0, 0] - sums[starts, 0, 0]) / (ends - starts)
    near = np.flatnonzero(np.abs(means - seen[0, 0]) <= tolerance)
    for place in sorted(near, key=lambda place: starts[place] - ends[place]):
        start, end = starts[place], ends[place]
        if _same(seen, (sums[end] - sums[start]) / (end - start), tolerance):
            return Finding("mean", int(end - start))
    return None


def _same(first: Array, second: Array, tolerance: float) -> bool:
    return bool((np.abs(first - second) <= tolerance).all())


def _precision(array: Array) -> float:
    plain = _plain(array)
    return 1.0 if plain is None else float(np.finfo(plain.dtype).eps) if array.dtype.kind == "f" else _BFLOAT16


def _plain(array: Array) -> Array | None:
    """Return an array of floats that NumPy computes with; None for any other structure."""
    if array.dtype.kind == "f":
        return array
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else None


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _sigmoid(scores: Array) -> Array:
    shares: Array = 1 / (1 + np.exp(-scores))
    return shares


_FORMS: dict[str, Callable[[Array], Array]] = {"raw": np.asarray, "softmax": _softmax, "sigmoid": _sigmoid}
