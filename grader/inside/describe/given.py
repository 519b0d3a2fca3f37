"""Convert the data that a student passes to a model to NumPy, without running the student's code.

A `tf.data` pipeline is followed back to its source tensors, a generator to the array that it holds. Neither is ever
iterated.
"""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record.events import Source
from .fingerprint import REAL_KINDS

__all__ = ["Given", "PipelineSource", "given_pair", "sources_of"]

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
"""`tf.data` stages that do not change the numbers in a row."""
_SELECTING = ("Take", "Skip", "Shard")
"""Stages that leave out rows; which ones is known if the order of the rows is."""
_CHOOSING = ("Filter", "TakeWhile", "Unique", "Rejection")
"""Stages that leave out rows by their numbers."""
_ONE_TO_ONE = ("Map", "ParallelMap", "Prefetch", "Cache", "Options", "Model", "Snapshot", "AssertCardinality")
"""Stages that keep the number of elements and their order."""
_COUNTING = ("Range", "Random")
"""Sources that make numbers."""
_COUNTING_OPERATIONS = frozenset({"Const", "Identity", "RangeDataset", "RepeatDataset", "_Retval"})
_BATCHING = ("Batch", "ParallelBatch", "PaddedBatch")
_ARRAY_ATTRIBUTES = ("x", "x_set", "images")
_LABEL_ATTRIBUTES = ("y", "y_set", "labels", "classes")
_MOST_INPUTS = 8
_PAIR = 2
"""Images and labels; more tensors are the labels of other outputs, or weights."""
_MOST_STAGES = 256
_HEAD = 1000
"""Labels that are looked at."""


@dataclass(frozen=True, slots=True)
class Given:
    """An array that was passed to a model.

    Attributes:
        array: Its numbers; None if they cannot be read without running the student's code.
        anchor: The student's object, to recognize it again.
        source: `array`, `tf.data` or `generator`.
        mapped: Whether code between the array and the model may change the numbers.
        drawn: Number of its rows that are used, if a pipeline leaves out rows after shuffling; else None.
    """

    array: NDArray[Any] | None
    anchor: Any
    source: Source = "array"
    mapped: bool = False
    drawn: int | None = None


@dataclass(frozen=True, slots=True)
class PipelineSource:
    """One source of a `tf.data` pipeline.

    Attributes:
        arrays: Its arrays, with the rows that can be used; None if they cannot be read.
        functions: The functions of the stages between it and the end, or the stage that combines it with another one.
        origin: The data set that holds the arrays.
    """

    arrays: tuple[NDArray[Any], ...] | None
    functions: tuple[Any, ...] = ()
    origin: Any = None


def sources_of(dataset: Any) -> Iterator[PipelineSource]:
    """Find all arrays that a `tf.data` pipeline can use, also if it combines several sources.

    Args:
        dataset: The pipeline.
    """
    waiting: list[tuple[Any, list[tuple[str, Any]]]] = [(dataset, [])]
    for _ in range(_MOST_STAGES):
        if not waiting:
            return
        stage, after = waiting.pop()
        after = [(_kind_of(stage), stage), *after]
        try:
            tensors = getattr(stage, "_tensors", None)
            inputs: tuple[Any, ...] = () if tensors else tuple(stage._inputs())
            if not inputs:
                yield _source(tensors, after)
        except Exception:
            yield PipelineSource(None)
        else:
            waiting += [(each, after if len(inputs) == 1 else []) for each in inputs]
    yield PipelineSource(None)


def _source(tensors: Any, stages: list[tuple[str, Any]]) -> PipelineSource:
    """Read a source, with the stages from it on."""
    functions = tuple(each for _, stage in stages if hasattr(stage, "_functions") for each in stage._functions())
    if not tensors:
        return PipelineSource(() if _counts(*stages[0]) else None, functions)
    arrays = [_numpy(tensor) for tensor in tensors]
    # Which rows are left after a choice is unknown, but no others are.
    before = list(itertools.takewhile(lambda stage: not stage[0].startswith(_CHOOSING), stages))
    selected = _selected(before) or _Selected()
    known = tuple(
        selected.rows.rows(array) if array.ndim else array
        for array in arrays
        if array is not None and array.dtype.kind in REAL_KINDS
    )
    return PipelineSource(known if len(known) == len(arrays) else None, functions, stages[0][1])


def _counts(kind: str, stage: Any) -> bool:
    """Whether a source only makes numbers, also when TensorFlow has written it anew, as it does for `enumerate`."""
    if kind != "Variant":
        return kind.startswith(_COUNTING)
    if stage.element_spec.dtype.name != "int64" or stage.element_spec.shape.rank != 0:
        return False
    definition = sys.modules["tensorflow"].compat.v1.GraphDef.FromString(stage._as_serialized_graph().numpy())
    return not definition.library.function and {node.op for node in definition.node} <= _COUNTING_OPERATIONS


def _kind_of(stage: Any) -> str:
    return type(stage).__name__.strip("_").removesuffix("Dataset").removesuffix("V2")


def given_pair(x: Any, y: Any = None) -> tuple[Given | None, Given | None]:
    """Find images and labels in the arguments of `fit`, `evaluate` or `predict`.

    Args:
        x: Array, tensor, list, data frame, data set, generator …
        y: Labels, if `x` does not include them.

    Returns:
        Images and labels; None for a missing argument.
    """
    if x is None:
        return None, None
    if hasattr(x, "_inputs") and hasattr(x, "element_spec"):
        return _from_dataset(x)
    if not _is_array_like(x):
        return _from_generator(x)
    return Given(_numpy(x), x), None if y is None else Given(_labels(y), y)


def _is_array_like(value: Any) -> bool:
    return isinstance(value, (np.ndarray, list, tuple, dict)) or (
        hasattr(value, "shape") and (hasattr(value, "numpy") or hasattr(value, "to_numpy"))
    )


def _numpy(value: Any) -> NDArray[Any] | None:
    """Return an array-like's numbers; for a list or dict of several inputs, take the first input."""
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


def _labels(value: Any) -> NDArray[Any] | None:
    """Return the numbers of labels; for a list or dict with the labels of several outputs, take the main labels."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    if not 0 < len(parts) <= _MOST_INPUTS or not all(
        _is_array_like(part) and len(getattr(part, "shape", ())) for part in parts
    ):
        return _numpy(value)
    return _main([array for part in parts if (array := _numpy(part)) is not None])


def _main(arrays: list[NDArray[Any]]) -> NDArray[Any] | None:
    """Return the array with the most classes, such as the digits and not their parity; images are no labels."""
    return max(arrays, key=_class_count, default=None)


def _class_count(array: NDArray[Any]) -> int:
    if array.ndim == 0 or array.ndim > 2 or array.dtype.kind not in "biuf" or not array.size:  # noqa: PLR2004 - rows, classes
        return -1
    head = array[:_HEAD]
    if array.ndim == 2 and array.shape[1] > 1:  # noqa: PLR2004 - as above
        return array.shape[1] if bool(np.all(np.abs(head).sum(axis=1) == 1)) else 0
    return len(np.unique(head)) if bool(np.all(head == np.floor(head))) else 0


def _from_dataset(dataset: Any) -> tuple[Given | None, Given | None]:
    """Follow a `tf.data.Dataset` back to its source tensors."""
    mapped = False
    stage = dataset
    stages: list[tuple[str, Any]] = []
    for _ in range(64):
        kind = _kind_of(stage)
        stages.append((kind, stage))
        mapped = mapped or not kind.startswith((*_UNCHANGED, *_SELECTING))
        tensors = getattr(stage, "_tensors", None)
        try:
            inputs: tuple[Any, ...] = () if tensors else tuple(stage._inputs())
            selected = _selected(stages[::-1]) if tensors or len(inputs) != 1 else _Selected()
        except Exception:
            break
        if selected is None:
            break
        if tensors:
            return _sliced(tensors, mapped, selected)
        if len(inputs) != 1 and kind == "Zip":
            return _zipped(inputs, mapped)
        if len(inputs) != 1:
            break
        stage = inputs[0]
    return Given(None, dataset, "tf.data", mapped=True), None


@dataclass(slots=True)
class _Range:
    """Rows from a place on, up to a place, in steps."""

    start: int = 0
    stop: int = sys.maxsize
    step: int = 1

    def select(self, kind: str, stage: Any, size: int) -> None:
        """Leave out the rows that a stage leaves out.

        Args:
            kind: Name of the stage.
            stage: Its data set.
            size: Rows in one element: 1, or the batch size.
        """
        if kind.startswith("Skip"):
            self.start += int(stage._count) * size * self.step
        elif kind.startswith("Shard"):
            self.start += int(stage._index) * self.step
            self.step *= int(stage._num_shards)
        elif int(stage._count) >= 0:
            self.stop = min(self.stop, self.start + int(stage._count) * size * self.step)

    def rows(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return these rows of an array; the array itself if these are all."""
        return array if self == _Range() else array[self.start : self.stop : self.step]


@dataclass(frozen=True, slots=True)
class _Selected:
    """The rows of a source that are left after all stages.

    Attributes:
        rows: The rows that are left before the first shuffle.
        drawn: Their part that is left at the end, as if they had not been shuffled: only its size is known.
    """

    rows: _Range = field(default_factory=_Range)
    drawn: _Range = field(default_factory=_Range)


def _selected(stages: list[tuple[str, Any]]) -> _Selected | None:
    """Find the rows that are left after all stages.

    Args:
        stages: Name and data set of each stage, from the source on.

    Returns:
        The rows of the source; None if not even their number is known. After shuffling, the first elements can be any
        rows.
    """
    selected, size = _Selected(), 1
    ordered = counted = stages[0][0].startswith("TensorSlice")
    repeated = False
    for kind, stage in stages[1:]:
        if kind.startswith(_CHOOSING) or (not counted and kind.startswith(_SELECTING) and not repeated):
            return None
        if (kind.startswith(("Skip", "Shard")) and repeated) or (kind.startswith("Shard") and size > 1):
            return None
        if kind.startswith(_BATCHING):
            size *= int(stage._batch_size)
        elif kind.startswith(_SELECTING):
            if counted:
                (selected.rows if ordered else selected.drawn).select(kind, stage, size)
        elif not kind.startswith(_ONE_TO_ONE):
            ordered = False
            counted = counted and kind.startswith("Shuffle")
            repeated = repeated or kind.startswith("Repeat")
    return selected


def _zipped(inputs: Any, mapped: bool) -> tuple[Given | None, Given | None]:  # noqa: FBT001 - calls pass a variable of this name
    """Combine two zipped data sets to images and labels."""
    parts = [_from_dataset(part)[0] for part in inputs[:2]]
    arrays = [part and Given(part.array, part.anchor, "tf.data", mapped or part.mapped, part.drawn) for part in parts]
    return arrays[0], arrays[1] if len(arrays) > 1 else None


def _sliced(tensors: Any, mapped: bool, selected: _Selected) -> tuple[Given | None, Given | None]:  # noqa: FBT001 - as above
    def numbers(tensor: Any) -> NDArray[Any] | None:
        array = _numpy(tensor)
        return array if array is None or not array.ndim else selected.rows.rows(array)

    def given(array: NDArray[Any] | None, anchor: Any, *, mapped: bool = False) -> Given:
        left = None if array is None or not array.ndim else len(selected.drawn.rows(array))
        drawn = left if array is not None and left is not None and left != len(array) else None
        return Given(array, anchor, "tf.data", mapped, drawn)

    images = given(numbers(tensors[0]), tensors[0], mapped=mapped)
    if len(tensors) == 1:
        return images, None
    if len(tensors) == _PAIR:
        return images, given(numbers(tensors[1]), tensors[1])
    arrays = [array for tensor in tensors[1:_MOST_INPUTS] if (array := numbers(tensor)) is not None]
    return images, given(_main(arrays), tensors[1])


def _from_generator(generator: Any) -> tuple[Given | None, Given | None]:
    """Return the arrays in the plain attributes of a generator object."""
    attributes = getattr(generator, "__dict__", {})
    x = next((attributes[name] for name in _ARRAY_ATTRIBUTES if _holds(attributes.get(name))), None)
    y = next((attributes[name] for name in _LABEL_ATTRIBUTES if _holds(attributes.get(name))), None)
    images = Given(None if x is None else _numpy(x), generator if x is None else x, "generator", mapped=True)
    return images, None if y is None else Given(_numpy(y), y, "generator")


def _holds(value: Any) -> bool:
    return value is not None and _is_array_like(value)
