"""Finds the data of training steps that `fit` was not given: in their graphs, in weights, and in eager calls of layers.

A student's own `train_step`, layer, loss or callback can use other images than those passed to `fit`. The graph of a
step shows all its data: captured tensors, constants and variables. Operations that bring in data from elsewhere, such
as a Python function or an iterator, are listed by name. In eager steps, the inputs of layers under a `GradientTape`
are compared with the known data sets.
"""

import math
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.arrays import ArrayBook
from ..describe.fingerprint import fingerprint
from ..describe.graphs import MIN_NUMBERS, GraphData, outermost, read_graph
from ..describe.models import numbers, weights_of
from ..hooking.guard import Guard, outside_graphs
from ..record.events import MAX_STEP_ARRAYS, MAX_STEP_OPERATIONS, MAX_UNKNOWN, ArrayDescription, StepDescription
from .model_book import ModelBook

__all__ = ["StepWatch"]

_MOST_PARTS = 16
_MOST_STAGES = 64
_MOST_KEPT = 16
"""Unrecognized images that are kept of one call."""
_MOST_WEIGHTS = 64 << 20
"""Numbers of weights that are compared with the known images."""
_SMALL = 1 << 20
"""Numbers of an array that is copied, so that small arrays are described together."""
_GLANCE = 64
_MOST_COPIES = 4
"""Copies of a model's weights, such as moving averages, that need no explanation."""
_UNREADABLE = "unreadable graph"


@dataclass(slots=True)
class _Held:
    """The data that one graph holds.

    Attributes:
        graph: Weak reference to it.
        handles: Weak references to the handles of its variables.
        images: Descriptions of arrays of images.
        numbers: Number of other values.
        sources: Operations that bring in other data.
        seen: Fingerprints of known images in its weights.
    """

    graph: "weakref.ref[Any]"
    handles: list[Callable[[], Any]] = field(default_factory=list)
    images: list[ArrayDescription] = field(default_factory=list)
    numbers: int = 0
    sources: set[str] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Running:
    """A training by `fit` that is running.

    Attributes:
        graphs: Graphs that were traced during it.
        seen: Fingerprints of known images that layers got in eager steps.
        strangers: Some other images of the same size.
        passed: Number of these images.
    """

    graphs: list[Any] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    strangers: list[NDArray[Any]] = field(default_factory=list)
    passed: int = 0


class StepWatch:
    """Watches the steps of all trainings by `fit`."""

    def __init__(self, book: ModelBook, arrays: ArrayBook, guard: Guard) -> None:
        """Start without steps.

        Args:
            book: The notebook's models.
            arrays: Describes images, and knows those of the data sets.
            guard: Protects the student's code from failures of the recorder.
        """
        self._book = book
        self._arrays = arrays
        self._guard = guard
        self._running: list[_Running] = []
        self._fresh: list[Any] = []
        self._held: list[_Held] = []
        self._optimizers: list[weakref.ref[Any]] = []
        self._random = np.random.default_rng()

    # --- hooks ---------------------------------------------------------------------------------------------------

    def layer(self, original: Any, layer: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Layer.__call__`."""
        __tracebackhide__ = True
        if self._running and args and not self._guard.busy and _is_taped():
            self._guard.quietly(self._called, args[0])
        return original(layer, *args, **kwargs)

    def gradient(self, original: Any, tape: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `GradientTape.gradient`."""
        __tracebackhide__ = True
        if self._watches():
            self._guard.quietly(self._trace)
        return original(tape, *args, **kwargs)

    def apply(self, original: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the step of an optimizer."""
        __tracebackhide__ = True
        if self._watches() and self._guard.quietly(self._trace):
            self._guard.quietly(self._note_optimizer, optimizer)
        return original(optimizer, *args, **kwargs)

    def train_on_batch(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Model.train_on_batch`, which a callback can call during a training."""
        __tracebackhide__ = True
        if self._running and not self._guard.busy:
            self._guard.quietly(self._see, args[0] if args else kwargs.get("x"))
        return original(model, *args, **kwargs)

    def _watches(self) -> bool:
        """Whether Keras trains: in `fit`, or in `train_on_batch`, whose graph `fit` uses again."""
        return not self._guard.busy and bool(self._running or self._guard.keras)

    def _called(self, x: Any) -> None:
        if not self._trace():
            self._see(x)

    def _trace(self) -> bool:
        """Note the graph that is being traced.

        Returns:
            Whether there is one.
        """
        graph = outermost()
        if graph is None:
            return False
        for graphs in [run.graphs for run in self._running] or [self._fresh]:
            if not any(graph is known for known in graphs):
                graphs.append(graph)
        return True

    def _note_optimizer(self, optimizer: Any) -> None:
        self._optimizers = [known for known in self._optimizers if known() is not None]
        if not any(known() is optimizer for known in self._optimizers):
            self._optimizers.append(weakref.ref(optimizer))

    def _see(self, x: Any) -> None:
        """Note the images that a layer gets in an eager step."""
        if isinstance(x, (list, tuple, dict)):
            for part in (*x.values(),) if isinstance(x, dict) else x[:_MOST_PARTS]:
                self._see(part)
            return
        dense = isinstance(x, np.ndarray) or hasattr(x, "_numpy") or hasattr(x, "read_value")
        if not dense or len(x.shape) < 2 or math.prod(x.shape[1:]) < min(self._sizes(), default=sys.maxsize):  # noqa: PLR2004 - rows, pixels
            return
        images = self._plain(numbers(x))
        if images is None:
            return
        known, prints = self._known(images)
        for run in self._running:
            run.seen.update(prints[known].tolist())
            run.passed += int((~known).sum())
            self._keep_some(run, images[~known])

    def _keep_some(self, run: _Running, strangers: NDArray[Any]) -> None:
        """Keep a random selection of unrecognized images."""
        count = min(_MOST_KEPT, len(strangers))
        for index in self._random.choice(len(strangers), count, replace=False) if count else ():
            one = np.asarray(strangers[index], np.float32)
            if run.strangers and run.strangers[0].shape != one.shape:
                return
            if len(run.strangers) < MAX_UNKNOWN:
                run.strangers.append(one)
            elif self._random.random() * run.passed * count < MAX_UNKNOWN * len(strangers):
                run.strangers[self._random.integers(MAX_UNKNOWN)] = one

    # --- trainings -----------------------------------------------------------------------------------------------

    def begin(self, x: Any) -> None:
        """Note the start of `fit`.

        Args:
            x: Its images, or a data set, whose functions can hold other images.
        """
        self._running.append(_Running())
        self._guard.quietly(self._search_functions, x)

    def _search_functions(self, dataset: Any) -> None:
        """Search known images in the functions of a `tf.data` pipeline, such as that of a `map`."""
        stages, seen = [dataset], self._running[-1].seen
        for stage in stages:
            if not hasattr(stage, "_inputs") or not hasattr(stage, "element_spec") or len(stages) > _MOST_STAGES:
                break
            stages += stage._inputs()
            for function in stage._functions() if hasattr(stage, "_functions") else ():
                with suppress(Exception):
                    data = read_graph(function.function.graph)
                    for tensor in (*data.arrays, *map(_value, data.handles)):
                        seen.update(self._search(np.asarray(numbers(tensor))))

    def end(self) -> None:
        """Note the end of `fit`."""
        self._running.pop()

    def cell_ended(self) -> None:
        """Read graphs that were traced outside of `fit`, and forget those that no longer exist."""
        fresh, self._fresh = self._fresh, []
        for graph in fresh:
            self._look(graph, None)
        self._held = [held for held in self._held if held.graph() is not None]

    def describe(self, model: Any) -> StepDescription | None:
        """Describe the data of the steps of the innermost training by `fit`.

        Args:
            model: Its model.

        Returns:
            None if there are none but those given to the training, as far as the recorder can see.
        """
        with outside_graphs():
            return self._described(model, self._running[-1])

    def _described(self, model: Any, run: _Running) -> StepDescription | None:
        self._held = [held for held in self._held if held.graph() is not None]
        for graph in (*self._fresh, *run.graphs):
            self._look(graph, model)
        own = {id(handle) for handle in _handles(weights_of(model))}
        parts = [
            held
            for held in self._held
            if (graph := held.graph()) is not None
            if any(graph is traced for traced in run.graphs) or any(id(handle()) in own for handle in held.handles)
        ]
        images = [image for held in parts for image in held.images]
        others = sum(held.numbers for held in parts) + sum(
            math.prod(image["shape"] or ()) for image in images[MAX_STEP_ARRAYS:]
        )
        sources = sorted(set[str]().union(*(held.sources for held in parts)))
        rows = self._rows(run, set[int]().union(run.seen, *(held.seen for held in parts)))
        if not (images or others or sources or rows):
            return None
        return StepDescription(
            arrays=images[:MAX_STEP_ARRAYS],
            numbers=others,
            operations=sources[:MAX_STEP_OPERATIONS],
            rows=rows,
        )

    def _rows(self, run: _Running, seen: set[int]) -> ArrayDescription | None:
        if not seen and not run.strangers:
            return None
        return self._arrays.describe_rows(np.array(sorted(seen), np.uint64), run.strangers, run.passed)

    # --- graphs --------------------------------------------------------------------------------------------------

    def _look(self, graph: Any, model: Any) -> None:
        """Read a graph once."""
        if any(held.graph() is graph for held in self._held):
            return
        held = _Held(weakref.ref(graph))
        self._held.append(held)
        try:
            data = read_graph(graph)
            held.handles, held.sources = [_weak(handle) for handle in data.handles], data.sources
            self._look_at(held, data, model)
        except Exception:
            held.sources.add(_UNREADABLE)

    def _look_at(self, held: _Held, data: GraphData, model: Any) -> None:
        self._look_at_variables(held, data)
        shapes = [*_image_shapes(model), *self._arrays.known_images.shapes]
        small: dict[tuple[int, ...], list[NDArray[Any]]] = {}
        for tensor in data.arrays:
            array = np.asarray(numbers(tensor))
            if array.dtype.kind not in "biufV" or not _varies(array):
                continue
            images = self._as_images(array, shapes)
            if images is None:
                held.numbers += array.size
            elif images.size < _SMALL:
                small.setdefault(images.shape[1:], []).append(images)
            else:
                self._describe(held, images)
        for parts in small.values():
            self._describe(held, parts[0] if len(parts) == 1 else np.concatenate(parts))

    def _describe(self, held: _Held, images: NDArray[Any]) -> None:
        described, _ = self._arrays.describe_pair(images)
        if described is None or not described["shape"]:
            held.numbers += images.size
        else:
            held.images.append(described)

    def _look_at_variables(self, held: _Held, data: GraphData) -> None:
        """Search known images among the weights, and count the values of other variables."""
        weights = [weight for _, model in self._book.alive() for weight in weights_of(model)]
        own = {id(handle) for handle in _handles(weights)}
        states = {id(handle) for handle in _handles(self._optimizer_variables())}
        room = _MOST_WEIGHTS
        copies: dict[tuple[int, ...], int] = {}
        for weight in weights:
            shape = tuple(weight.shape)
            copies[shape] = copies.get(shape, 0) + _MOST_COPIES
        for handle in data.handles:
            shape = _variable(handle)[0]
            size = math.prod(shape)
            if id(handle) in states or size < MIN_NUMBERS:
                continue
            if id(handle) not in own and copies.get(shape, 0) > 0:
                copies[shape] -= 1
            elif id(handle) not in own:
                held.numbers += size
            if min(self._sizes(), default=sys.maxsize) <= size <= room:
                room -= size
                held.seen.update(self._search(np.asarray(numbers(_value(handle)))))

    def _optimizer_variables(self) -> Iterator[Any]:
        optimizers = [known() for known in self._optimizers]
        optimizers += [getattr(model, "optimizer", None) for _, model in self._book.alive()]
        for optimizer in optimizers:
            inner = getattr(optimizer, "inner_optimizer", None)
            for each in (optimizer, inner):
                variables: Any = getattr(each, "variables", ())
                yield from variables() if callable(variables) else variables

    def _search(self, values: NDArray[Any]) -> set[int]:
        """Return the fingerprints of known images in an array of any shape, as rows or as columns."""
        found: set[int] = set()
        if values.dtype.kind not in "biufV":
            return found
        for shape in self._arrays.known_images.shapes:
            for images in _ways(values, shape):
                known, prints = self._known(images)
                found.update(prints[known].tolist())
        return found

    # --- images --------------------------------------------------------------------------------------------------

    def _sizes(self) -> set[int]:
        return {math.prod(shape) for shape in self._arrays.known_images.shapes}

    def _plain(self, array: NDArray[Any]) -> NDArray[Any] | None:
        """Return the array without padding and repeated channels; None if its rows have no known size."""
        if array.dtype.kind not in "biufV":
            return None
        images = self._arrays.known_images.plain(array)
        return images if math.prod(images.shape[1:]) in self._sizes() else None

    def _known(self, images: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        """Return which images are in a data set of the session, and the fingerprints of all."""
        known, prints = self._arrays.known_images.prints, fingerprint(images)
        if not len(known):
            return np.zeros(len(prints), np.bool_), prints
        place = np.minimum(np.searchsorted(known, prints), len(known) - 1)
        return (known[place] == prints) & (prints != 0), prints

    def _as_images(self, array: NDArray[Any], shapes: Iterable[tuple[int, ...]]) -> NDArray[Any] | None:
        """Return an array as images, in the shape and order in which most rows are known; None if no shape fits."""
        ways = [way for shape in shapes for way in _ways(array, shape)]
        if not ways:
            return None
        counts = [int(self._known(self._arrays.known_images.plain(way[:_GLANCE]))[0].sum()) for way in ways]
        return ways[int(np.argmax(counts))]


def _ways(array: NDArray[Any], shape: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """Yield an array as images of a shape, with the images along the first and along the last axis."""
    size = math.prod(shape)
    if not size or not array.size or array.size % size:
        return
    yield array.reshape(-1, *shape)
    if array.ndim > 1 and array.size // array.shape[-1] == size:
        yield np.moveaxis(array, -1, 0).reshape(-1, *shape)


def _varies(array: NDArray[Any]) -> bool:
    return bool(array.size) and bool((array != array.flat[0]).any())


def _image_shapes(model: Any) -> Iterator[tuple[int, ...]]:
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) > 1 and all(isinstance(size, int) for size in shape[1:]):
        yield tuple(shape[1:])


def _handles(variables: Iterable[Any]) -> Iterator[Any]:
    for variable in variables:
        handle = getattr(getattr(variable, "_value", variable), "handle", None)
        if handle is not None:
            yield handle


def _variable(handle: Any) -> tuple[tuple[int, ...], Any]:
    """Return the shape and type of a variable."""
    data = handle._handle_data.shape_and_type[0]
    return tuple(max(0, axis.size) for axis in data.shape.dim), sys.modules["tensorflow"].dtypes.as_dtype(data.dtype)


def _value(handle: Any) -> Any:
    """Return the values of a variable."""
    return sys.modules["tensorflow"].raw_ops.ReadVariableOp(resource=handle, dtype=_variable(handle)[1])


def _weak(handle: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(handle)
    except TypeError:
        return lambda: handle


def _is_taped() -> bool:
    """Whether a `GradientTape` is active."""
    tapes: Any = sys.modules.get("tensorflow.python.pywrap_tfe")
    return tapes is not None and not tapes.TFE_Py_TapeSetIsEmpty()
