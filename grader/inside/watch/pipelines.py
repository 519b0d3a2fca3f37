"""Finds the images of `tf.data` pipelines: those in their source arrays, and those in their functions.

No pipeline is iterated. Its Python object is searched by its tensor, since a graph holds only that.
"""

import gc
import weakref
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.arrays import checksum
from ..describe.given import PipelineSource, sources_of
from ..describe.graphs import read_graph
from ..describe.handles import DATA_TYPES, kind_of, value_of
from ..describe.models import numbers
from ..hooking.guard import Guard
from .image_search import ImageSearch
from .seen_images import SeenImages

__all__ = ["PipelineWatch"]

_MOST_STAGES = 64
_MOST_READ = 1 << 29
"""Numbers in the arrays of pipelines of which all images are looked at in each cell; they take about a second."""
_SOME_ROWS = 512
"""Images that are looked at in each further array."""


class PipelineWatch:
    """Watches the pipelines that the student's code iterates, or passes to functions and trainings."""

    def __init__(self, guard: Guard, images: ImageSearch, random: np.random.Generator) -> None:
        """Start without pipelines.

        Args:
            guard: Distinguishes the student's calls from Keras's.
            images: Searches known images.
            random: A generator of the recorder.
        """
        self._guard = guard
        self._images = images
        self._random = random
        self._read = 0
        self._iterators: list[weakref.ref[Any]] = []
        self._sources: list[tuple[weakref.ref[Any], Hashable, SeenImages]] = []
        self._functions: weakref.WeakKeyDictionary[Any, set[int]] = weakref.WeakKeyDictionary()
        self._of_graphs: weakref.WeakKeyDictionary[Any, list[tuple[Any, Any]]] = weakref.WeakKeyDictionary()

    def iterate(self, original: Any, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `tf.data.Dataset.__iter__`."""
        __tracebackhide__ = True
        iterator = original(dataset, *args, **kwargs)
        if self._guard.student:
            self._guard.quietly(self._note_iterator, iterator)
        return iterator

    def _note_iterator(self, iterator: Any) -> None:
        self._iterators = [known for known in self._iterators if known() is not None]
        self._iterators.append(weakref.ref(iterator))

    def cell_ended(self) -> None:
        """Allow to read as many numbers in the next cell."""
        self._read = 0

    def keep_those_of(self, graph: Any) -> None:
        """Keep the Python objects of the pipelines in a graph, because a function can end before its cell."""
        if graph not in self._of_graphs:
            held = [outer for outer, _ in graph.captures if outer.dtype.name in DATA_TYPES and kind_of(outer) != "Var"]
            self._of_graphs[graph] = [(tensor, self._pipeline(tensor)) for tensor in held]

    def see(self, tensor: Any, user: SeenImages) -> None:
        """Note the images of a pipeline or iterator, or that its source is unknown.

        Args:
            tensor: Its tensor.
            user: What the training used that uses it.
        """
        dataset = self._pipeline(tensor)
        for source in sources_of(dataset) if dataset is not None else [PipelineSource(None)]:
            found = [self._see_source(source.origin, array, user) for array in source.arrays or ()]
            if source.arrays is None or not (any(found) or _is_complete(source)):
                user.sources.add(kind_of(tensor))
        user.seen |= self.in_functions(dataset)

    def in_functions(self, dataset: Any) -> set[int]:
        """Return the fingerprints of known images in the functions of a pipeline, such as that of a `map`.

        Args:
            dataset: The pipeline; anything else has no functions.
        """
        stages, seen = [dataset], set[int]()
        for stage in stages:
            if not hasattr(stage, "_inputs") or not hasattr(stage, "element_spec") or len(stages) > _MOST_STAGES:
                break
            stages += stage._inputs()
            for function in stage._functions() if hasattr(stage, "_functions") else ():
                with suppress(Exception):
                    seen |= self._in_function(function.function.graph)
        return seen

    def _in_function(self, graph: Any) -> set[int]:
        """Search known images in a function of a pipeline, once if it has no variables."""
        known = self._functions.get(graph)
        if known is not None:
            return known
        data, seen = read_graph(graph), set[int]()
        for tensor in (*data.arrays, *map(value_of, data.handles)):
            seen |= self._images.in_array(np.asarray(numbers(tensor)))
        if not data.handles:
            self._functions[graph] = seen
        return seen

    def _see_source(self, origin: Any, array: NDArray[Any], user: SeenImages) -> bool:
        """Note the images in an array of a pipeline, and whether there are any.

        A loop can make many pipelines of one array. If it makes many arrays, only some images of the later ones are
        looked at.
        """
        if not array.ndim:
            return False
        key = (*array.__array_interface__["data"], array.shape, array.strides, str(array.dtype), checksum(array))
        known = (seen for alive, other, seen in self._sources if other == key and alive() is origin)
        seen = next(known, None)
        if seen is None:
            whole = self._read + array.size <= _MOST_READ
            seen = self._seen_in(array, None if whole else _SOME_ROWS)
            if not whole:
                user.merge(seen, self._random)
                return seen.has_images
            self._read += array.size
            self._sources = [source for source in self._sources if source[0]() is not None]
            self._sources.append((weakref.ref(origin), key, seen))
        user.merge_once(seen, self._random)
        return seen.has_images

    def _seen_in(self, array: NDArray[Any], most: int | None) -> SeenImages:
        """Search images in an array, whose rows can be images or parts of them.

        Args:
            array: An array of a pipeline.
            most: Number of images that are chosen by chance; None for all.
        """
        seen = SeenImages()
        for part in self._images.in_argument(array, most):
            self._images.add(part, [seen])
        if not seen.has_images:
            seen.seen |= self._images.in_array(array, most)
        return seen

    def _pipeline(self, tensor: Any) -> Any:
        """Find the Python object of a pipeline or iterator by its tensor; None if there is none."""
        kept = (dataset for pairs in self._of_graphs.values() for known, dataset in pairs if known is tensor)
        if (found := next(kept, None)) is not None:
            return found
        for known in self._iterators:
            iterator = known()
            if getattr(iterator, "_iterator_resource", None) is tensor:
                return getattr(iterator, "_dataset", None)
        return _holder_of(tensor)


def _holder_of(tensor: Any) -> Any:
    """Find the pipeline that holds a tensor; None if there is none."""
    holders = gc.get_referrers(tensor)
    holders += [each for holder in holders if isinstance(holder, dict) for each in gc.get_referrers(holder)]
    for holder in holders:
        if hasattr(holder, "element_spec") and getattr(holder, "_variant_tensor", None) is tensor:
            return holder
    return None


def _is_complete(source: PipelineSource) -> bool:
    """Whether the functions of a pipeline bring in no data from elsewhere."""
    try:
        return not any(read_graph(function.function.graph).sources for function in source.functions)
    except Exception:
        return False
