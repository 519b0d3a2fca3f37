"""Reads the images, labels and other numbers that the graphs of training steps hold, each graph once.

The weights of models and the state of optimizers are no data, nor are some copies of the weights. Images can be hidden
in weights, so these are compared with the known images.
"""

import hashlib
import math
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.arrays import ArrayBook
from ..describe.fingerprint import REAL_KINDS
from ..describe.graphs import MIN_NUMBERS, GraphData, read_graph
from ..describe.handles import handles_of, shape_of, value_of
from ..describe.models import numbers
from ..record.events import ArrayDescription, LabelDescription
from .image_search import ImageSearch
from .model_book import ModelBook
from .pipelines import PipelineWatch
from .seen_images import SeenImages
from .taken import weak

__all__ = ["GraphReader", "HeldData", "extra_variables"]

_MOST_WEIGHTS = 64 << 20
"""Numbers of weights that are compared with the known images."""
_SMALL = 1 << 20
"""Numbers of an array that is copied, so that small arrays are described together."""
_FEWEST_LABELS = 128
"""Fewer rows of labels just count as numbers."""
_MOST_COPIES = 4
"""Copies of a model's weights, such as moving averages, that need no explanation."""
_UNREADABLE = "unreadable graph"


@dataclass(slots=True)
class HeldData:
    """The data that one graph holds.

    Attributes:
        graph: Weak reference to it.
        handles: Weak references to the handles of its variables.
        images: Arrays that were described together → their description.
        labels: Array that may be labels → its description.
        numbers: Other array or variable → its number of values.
        inside: Known images in its weights and pipelines, and operations that bring in other data.
        given: What was passed to its calls in this cell by the student's code; kept here, since a function can end
            before its cell.
    """

    graph: "weakref.ref[Any]"
    handles: list[Callable[[], Any]] = field(default_factory=list)
    images: dict[tuple[Hashable, ...], ArrayDescription] = field(default_factory=dict)
    labels: dict[Hashable, LabelDescription] = field(default_factory=dict)
    numbers: dict[Hashable, int] = field(default_factory=dict)
    inside: SeenImages = field(default_factory=SeenImages)
    given: SeenImages | None = None


class GraphReader:
    """Reads graphs, and remembers what they hold as long as they exist.

    Attributes:
        held: What each graph holds.
    """

    def __init__(self, book: ModelBook, arrays: ArrayBook, images: ImageSearch, pipelines: PipelineWatch) -> None:
        """Start without graphs.

        Args:
            book: The notebook's models.
            arrays: Describes images and labels.
            images: Searches known images.
            pipelines: Finds the images of pipelines.
        """
        self.held: list[HeldData] = []
        self._book = book
        self._arrays = arrays
        self._images = images
        self._pipelines = pipelines
        self._optimizers: list[weakref.ref[Any]] = []

    def note_optimizer(self, optimizer: Any) -> None:
        """Note an optimizer, whose variables are no data."""
        self._optimizers = [known for known in self._optimizers if known() is not None]
        if not any(known() is optimizer for known in self._optimizers):
            self._optimizers.append(weakref.ref(optimizer))

    def forget(self) -> None:
        """Forget the graphs that no longer exist."""
        self.held = [held for held in self.held if held.graph() is not None]

    def read(self, graph: Any, model: Any, given: SeenImages | None) -> None:
        """Read a graph once.

        Args:
            graph: The outermost graph of a traced `tf.function`.
            model: The model that it trains, if known.
            given: What the student's code passed to its calls; None if only Keras calls it.
        """
        if any(held.graph() is graph for held in self.held):
            return
        held = HeldData(weakref.ref(graph), given=given)
        self.held.append(held)
        try:
            data = read_graph(graph)
            held.handles = [weak(handle) for handle in data.handles]
            held.inside.sources |= data.sources
            for tensor in data.pipelines:
                self._pipelines.see(tensor, held.inside)
            self._read_variables(held, data)
            self._read_arrays(held, data, model)
        except Exception:
            held.inside.sources.add(_UNREADABLE)

    def _read_arrays(self, held: HeldData, data: GraphData, model: Any) -> None:
        shapes = [*_image_shapes(model), *self._images.shapes]
        small: dict[tuple[int, ...], dict[Hashable, NDArray[Any]]] = {}
        for tensor in data.arrays:
            array = np.asarray(numbers(tensor))
            if array.dtype.kind not in REAL_KINDS or not _varies(array):
                continue
            images, key = self._images.as_images(array, shapes), _key(tensor)
            if images is None:
                self._count(held, key, array)
            elif images.size < _SMALL:
                small.setdefault(images.shape[1:], {})[key] = images
            else:
                self._describe(held, (key,), images)
        for parts in small.values():
            self._describe(held, tuple(parts), *parts.values())

    def _count(self, held: HeldData, key: Hashable, array: NDArray[Any]) -> None:
        """Note an array that holds no images: labels or other numbers."""
        labels = next((known.labels[key] for known in self.held if key in known.labels and known.graph()), None)
        if labels is None and len(array) >= _FEWEST_LABELS:
            labels = self._arrays.describe_labels(array)
        if labels is not None and labels["classes"]:
            held.labels[key] = labels
        else:
            held.numbers[key] = array.size

    def _describe(self, held: HeldData, keys: tuple[Hashable, ...], *parts: NDArray[Any]) -> None:
        """Describe images, unless another graph holds the same ones."""
        described = next((known.images[keys] for known in self.held if keys in known.images and known.graph()), None)
        if described is None:
            described, _ = self._arrays.describe_pair(parts[0] if len(parts) == 1 else np.concatenate(parts))
        if described is None or not described["shape"]:
            held.numbers |= {key: part.size for key, part in zip(keys, parts, strict=True)}
        else:
            held.images[keys] = described

    def _read_variables(self, held: HeldData, data: GraphData) -> None:
        """Search known images among the weights, and count the values of other variables."""
        weights = list(self._book.weights())
        states = {id(handle) for handle in handles_of(self._optimizer_variables())}
        large = [
            (handle, shape)
            for handle in data.handles
            if id(handle) not in states and math.prod(shape := shape_of(handle)) >= MIN_NUMBERS
        ]
        own = {id(handle) for handle in handles_of(weights)}
        held.numbers |= extra_variables(
            {id(handle): shape for handle, shape in large}, own, (tuple(w.shape) for w in weights)
        )
        room = _MOST_WEIGHTS
        for handle, shape in large:
            size = math.prod(shape)
            if self._images.smallest <= size <= room:
                room -= size
                held.inside.seen |= self._images.in_array(np.asarray(numbers(value_of(handle))))

    def _optimizer_variables(self) -> Iterator[Any]:
        optimizers = [known() for known in self._optimizers]
        optimizers += [getattr(model, "optimizer", None) for _, model in self._book.alive()]
        for optimizer in optimizers:
            inner = getattr(optimizer, "inner_optimizer", None)
            for each in (optimizer, inner):
                variables: Any = getattr(each, "variables", ())
                yield from variables() if callable(variables) else variables


def extra_variables(
    variables: Mapping[int, tuple[int, ...]], own: Collection[int], weights: Iterable[tuple[int, ...]]
) -> dict[Hashable, int]:
    """Return the sizes of the variables that are neither weights of models nor among the first copies of weights.

    Args:
        variables: Id of the handle of each variable → its shape.
        own: Ids of the handles of weights.
        weights: Shapes of all weights.
    """
    copies = Counter({shape: count * _MOST_COPIES for shape, count in Counter(weights).items()})
    extra: dict[Hashable, int] = {}
    for key, shape in variables.items():
        if key in own:
            continue
        if copies[shape] > 0:
            copies[shape] -= 1
        else:
            extra[key] = math.prod(shape)
    return extra


def _key(tensor: Any) -> Hashable:
    """Return a key that is equal for the same tensor, or for constants of the same numbers, in several graphs."""
    if not isinstance(tensor, np.ndarray):
        return id(tensor)  # the graph keeps it alive
    content = hashlib.blake2b(np.ascontiguousarray(tensor).view(np.uint8).data, digest_size=16).digest()
    return content, tensor.shape, str(tensor.dtype)


def _varies(array: NDArray[Any]) -> bool:
    return bool(array.size) and bool((array != array.flat[0]).any())


def _image_shapes(model: Any) -> Iterator[tuple[int, ...]]:
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) > 1 and all(isinstance(size, int) for size in shape[1:]):
        yield tuple(shape[1:])
