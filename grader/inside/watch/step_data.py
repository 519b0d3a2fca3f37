"""Finds the data of training steps: in their graphs, in weights, in arguments, and in eager calls of layers.

A student's own `train_step`, layer, loss or callback can use other images than those passed to `fit`, and a loop of the
student's own is passed none. The graph of a step shows all its data: captured tensors, constants, variables and
pipelines. Operations that bring in data from elsewhere, such as a Python function, are listed by name. In eager steps,
the inputs of layers under a `GradientTape` are compared with the known data sets. In a loop, they count once a
model's weights change by the tape's gradient, so that pictures of what a layer sees are no training. So do the
arguments of functions that train, and the batches of `train_on_batch`.
"""

import gc
import hashlib
import itertools
import math
import sys
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.arrays import ArrayBook, checksum
from ..describe.fingerprint import REAL_KINDS, fingerprint
from ..describe.given import PipelineSource, sources_of
from ..describe.graphs import MIN_NUMBERS, GraphData, outermost, read_graph
from ..describe.handles import DATA_TYPES, handles_of, kind_of, shape_of, value_of
from ..describe.models import numbers, weights_of
from ..hooking.guard import Guard, outside_graphs
from ..record.events import (
    MAX_STEP_ARRAYS,
    MAX_STEP_OPERATIONS,
    ArrayDescription,
    LabelDescription,
    StepDescription,
)
from .model_book import ModelBook
from .ration import Ration
from .seen_images import SeenImages
from .taken import TakenGradients, flat, weak

__all__ = ["StepWatch"]

_MOST_PARTS = 16
_MOST_STAGES = 64
_MOST_WEIGHTS = 64 << 20
"""Numbers of weights that are compared with the known images."""
_SMALL = 1 << 20
"""Numbers of an array that is copied, so that small arrays are described together."""
_FEWEST_LABELS = 128
"""Fewer rows of labels just count as numbers."""
_GLANCE = 64
_FEW_ROWS = 16
"""Rows that are looked at in each call when a loop was looked at for some time."""
_MOST_FRESH = 16
"""Graphs that are kept until the end of the cell; more are read at once."""
_MOST_COPIES = 4
"""Copies of a model's weights, such as moving averages, that need no explanation."""
_MOST_READ = 1 << 29
"""Numbers in the arrays of pipelines of which all images are looked at in each cell; they take about a second."""
_SOME_ROWS = 512
"""Images that are looked at in each further array."""
_UNREADABLE = "unreadable graph"


@dataclass(slots=True)
class _Held:
    """The data that one graph holds.

    Attributes:
        graph: Weak reference to it.
        handles: Weak references to the handles of its variables.
        images: Arrays that were described together → their description.
        labels: Array that may be labels → its description.
        numbers: Other array or variable → its number of values.
        inside: Known images in its weights, those of its pipelines, and operations that bring in other data.
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


class StepWatch:
    """Watches the steps of all trainings, by `fit` and by the student's own loops."""

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
        self._running: list[SeenImages] = []
        self._fresh: list[Any] = []
        self._held: list[_Held] = []
        self._optimizers: list[weakref.ref[Any]] = []
        self._random = np.random.default_rng()
        self._ration = Ration(self._random)
        self._looking = False
        self._tapes: weakref.WeakKeyDictionary[Any, SeenImages] = weakref.WeakKeyDictionary()
        self._open: list[Any] = []
        self._last: SeenImages | None = None
        self._taken = TakenGradients(self._random)
        self._loops: dict[int, tuple[weakref.ref[Any], SeenImages]] = {}
        self._given: weakref.WeakKeyDictionary[Any, SeenImages] = weakref.WeakKeyDictionary()
        self._iterators: list[weakref.ref[Any]] = []
        self._sources: list[tuple[weakref.ref[Any], Any, SeenImages]] = []
        self._read = 0
        self._functions: weakref.WeakKeyDictionary[Any, set[int]] = weakref.WeakKeyDictionary()
        self._pipelines: weakref.WeakKeyDictionary[Any, list[tuple[Any, Any]]] = weakref.WeakKeyDictionary()

    # --- hooks ---------------------------------------------------------------------------------------------------

    def layer(self, original: Any, layer: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Layer.__call__`."""
        __tracebackhide__ = True
        if args and not self._guard.busy and (self._running or (self._open and self._may_look())) and _is_taped():
            self._guard.quietly(self._called, args[0])
        return original(layer, *args, **kwargs)

    def opened(self, original: Any, tape: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the method of a `GradientTape` that starts to record."""
        __tracebackhide__ = True
        if not self._running and not self._guard.busy:
            self._open.append(tape)
            self._looking = self._looking or self._ration.allows()
        return original(tape, *args, **kwargs)

    def closed(self, original: Any, tape: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the method of a `GradientTape` that stops to record."""
        __tracebackhide__ = True
        if self._open:
            self._open = [other for other in self._open if other is not tape]
            self._looking = self._looking and bool(self._open)
        return original(tape, *args, **kwargs)

    def gradient(self, original: Any, tape: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `GradientTape.gradient`."""
        __tracebackhide__ = True
        if self._watches():
            self._guard.quietly(self._trace)
        if not self._running and not self._guard.busy:
            self._guard.quietly(self._note_gradient, tape, args[1] if len(args) > 1 else kwargs.get("sources"))
        return original(tape, *args, **kwargs)

    def apply(self, original: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the step of an optimizer."""
        __tracebackhide__ = True
        if not self._guard.busy and outermost() is not None and self._guard.quietly(self._trace):
            self._guard.quietly(self._note_optimizer, optimizer)
        return original(optimizer, *args, **kwargs)

    def train_on_batch(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Model.train_on_batch`, which a callback can call during a training."""
        __tracebackhide__ = True
        own = self._guard.student
        if not self._guard.busy and (self._running or own):
            self._last = None
            if self._running or self._ration.allows():
                self._guard.quietly(self._see_batch, args[0] if args else kwargs.get("x"))
        result = original(model, *args, **kwargs)
        if own and self._last is not None:
            self._guard.quietly(self.learned, model)
        return result

    def function(self, original: Any, function: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the call of a traced `tf.function`."""
        __tracebackhide__ = True
        if not self._guard.busy and self._is_of_interest(function.graph, inputs):
            self._guard.quietly(self._run, function.graph, list(inputs))
        steps = not self._guard.busy and function.graph in self._given and outermost() is None
        if not steps or not (waiting := self._taken.waiting()):
            return original(function, inputs, *args, **kwargs)
        self._guard.quietly(self._before_steps, waiting)
        result = original(function, inputs, *args, **kwargs)
        self._guard.quietly(self._after_steps, waiting)
        return result

    def iterate(self, original: Any, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `tf.data.Dataset.__iter__`."""
        __tracebackhide__ = True
        iterator = original(dataset, *args, **kwargs)
        if self._guard.student:
            self._guard.quietly(self._note_iterator, iterator)
        return iterator

    def _may_look(self) -> bool:
        """Decide for the open tapes whether the images under them are looked at, from the first call of a layer on."""
        self._looking = self._looking or self._ration.allows()
        return self._looking

    def _is_of_interest(self, graph: Any, inputs: Iterable[Any]) -> bool:
        """Whether the arguments of a call are looked at."""
        if self._running:
            return any(x.dtype.name not in DATA_TYPES for x in inputs)
        if self._guard.keras:
            return False
        given = self._given.get(graph)
        return bool(self._open) or (given is not None and (given.takes_data or self._ration.allows()))

    def _note_gradient(self, tape: Any, sources: Any) -> None:
        """Note the last gradient that may be one of weights, unlike those for pictures of what a layer sees."""
        of_weights = outermost() is None and self._may_be_weights(list(flat(sources)))
        self._last = self._tapes.get(tape) if of_weights else None

    def _may_be_weights(self, sources: list[Any]) -> bool:
        """Whether one of the sources of a gradient is a variable, a vector, or a tensor with the shape of a weight."""
        if any(hasattr(each, "assign") or len(getattr(each, "shape", ())) < 2 for each in sources):  # noqa: PLR2004 - rows, numbers
            return True
        shapes = {tuple(each.shape) for each in sources}
        return any(tuple(weight.shape) in shapes for _, model in self._book.alive() for weight in weights_of(model))

    def _before_steps(self, models: Iterable[Any]) -> None:
        with self._ration.spend():
            for model in models:
                self._merge(model, self._taken.of_change(model))

    def _after_steps(self, models: Iterable[Any]) -> None:
        """Compare later weights with those after steps in a graph, now and then."""
        self._taken.look_away()
        if self._ration.allows():
            with self._ration.spend():
                for model in models:
                    self._taken.look_again(model)

    def _note_iterator(self, iterator: Any) -> None:
        self._iterators = [known for known in self._iterators if known() is not None]
        self._iterators.append(weakref.ref(iterator))

    def _watches(self) -> bool:
        """Whether Keras trains: in `fit`, or in `train_on_batch`, whose graph `fit` uses again."""
        return not self._guard.busy and bool(self._running or self._guard.keras)

    def _called(self, x: Any) -> None:
        if self._running:
            if not self._trace():
                self._see(x)
        elif outermost() is None:
            with self._ration.spend():
                self._see_taped(x)

    def _trace(self) -> bool:
        """Note the graph that is being traced.

        Returns:
            Whether there is one.
        """
        graph = outermost()
        if graph is None:
            return False
        for run in self._running:
            run.note_graph(graph)
        if not self._running:
            given = self._given.setdefault(graph, SeenImages())
            for held in self._held:
                held.given = given if held.graph() is graph else held.given
            self._note_fresh(graph)
        return True

    def _note_fresh(self, graph: Any) -> None:
        """Note a graph that is a part of a training outside of `fit`."""
        if any(graph is known for known in self._fresh):
            return
        if len(self._fresh) >= _MOST_FRESH:
            with outside_graphs():
                self._look_at_fresh()
        self._fresh.append(graph)

    def _look_at_fresh(self) -> None:
        fresh, self._fresh = self._fresh, []
        for graph in fresh:
            self._look(graph, None)

    def _note_optimizer(self, optimizer: Any) -> None:
        self._optimizers = [known for known in self._optimizers if known() is not None]
        if not any(known() is optimizer for known in self._optimizers):
            self._optimizers.append(weakref.ref(optimizer))

    def _see(self, x: Any) -> None:
        """Note the images that a layer gets in an eager step of `fit`."""
        for images in self._images(x):
            self._add(images, self._running)

    def _see_batch(self, x: Any) -> None:
        """Note the images of `train_on_batch`."""
        if self._running:
            self._see(x)
            return
        last = self._last = SeenImages()
        with self._ration.spend():
            for images in self._images(x, self._most_rows()):
                self._add(images, [last])

    def _see_taped(self, x: Any) -> None:
        """Note the images that a layer or function gets under the tapes of the student's code."""
        fixed = hasattr(x, "_numpy")
        open_tapes = [self._tapes.setdefault(tape, SeenImages()) for tape in self._open]
        unseen = [seen for seen in open_tapes if not (fixed and seen.has(x))]
        for images in self._images(x, self._most_rows()) if unseen else ():
            self._add(images, unseen)
            for seen in unseen if fixed else ():
                seen.note(x)

    def _most_rows(self) -> int | None:
        return None if self._ration.full else _FEW_ROWS

    def _images(self, x: Any, most: int | None = None) -> Iterator[NDArray[Any]]:
        """Yield the images of known sizes in an argument.

        Args:
            x: An argument.
            most: Number of rows that are chosen by chance; None for all.
        """
        if isinstance(x, (list, tuple, dict)):
            for part in (*x.values(),) if isinstance(x, dict) else x[:_MOST_PARTS]:
                yield from self._images(part, most)
            return
        dense = isinstance(x, np.ndarray) or hasattr(x, "_numpy") or hasattr(x, "read_value")
        if not dense or len(x.shape) < 2 or math.prod(x.shape[1:]) < min(self._sizes(), default=sys.maxsize):  # noqa: PLR2004 - rows, pixels
            return
        array = np.asarray(numbers(x))
        if most is not None and len(array) > most:
            array = array[self._random.choice(len(array), most, replace=False)]
        images = self._plain(array)
        if images is not None:
            yield images

    def _add(self, images: NDArray[Any], runs: Iterable[SeenImages]) -> None:
        known, prints = self._known(images)
        for run in runs:
            run.add(prints[known].tolist(), images[~known], self._random)

    # --- the student's own loops ---------------------------------------------------------------------------------

    def learned(self, model: Any) -> None:
        """Note that the student's code trains a model with the last gradient or batch, or traces such a step.

        Args:
            model: The model whose weights change.
        """
        if self._trace() or self._last is None or id(model) in self._last.users:
            return
        self._merge(model, [self._last])
        self._last.users.add(id(model))

    def took(self, model: Any, tape: Any, gradients: Any) -> None:
        """Note that the student's code takes gradients of a model's weights.

        Args:
            model: The model.
            tape: The tape.
            gradients: The gradients.
        """
        if not self._trace():
            self._merge(model, self._taken.of_change(model))
            self._taken.add(model, tape, self._last, gradients)
            self._last = None

    def stepping(self, model: Any, gradients: Any) -> None:
        """Note that the student's code makes a step of an optimizer, or traces one.

        Args:
            model: The model whose weights change.
            gradients: The gradients that the optimizer gets; none in `train_on_batch`.
        """
        self.learned(model)
        if outermost() is None:
            self._merge(model, self._taken.of_step(model, gradients))

    def stepped(self, model: Any) -> None:
        """Note that an optimizer or another part of Keras changed the weights of a model."""
        self._taken.look_again(model)

    def _merge(self, model: Any, used: Iterable[SeenImages]) -> None:
        for seen in used:
            for graph in seen.graphs:
                self._note_fresh(graph)
            self._loop(model).merge(seen, self._random)

    def _loop(self, model: Any) -> SeenImages:
        """Return what the loops of this cell used for a model."""
        reference, seen = self._loops.get(id(model), (None, None))
        if reference is None or seen is None or reference() is not model:
            seen = SeenImages()
            self._loops[id(model)] = weakref.ref(model), seen
        return seen

    def _run(self, graph: Any, inputs: Sequence[Any]) -> None:
        """Note the arguments of a function that trains, or that is called under a tape."""
        if outermost() is not None:
            return
        if self._running:
            runs = [run for run in self._running if run.has_graph(graph)]
            for images in itertools.chain.from_iterable(map(self._images, inputs)) if runs else ():
                self._add(images, runs)
            return
        given = self._given.get(graph)
        users = self._users_under_tapes(graph)
        look = bool(users) and self._may_look()
        if given is not None:
            self._keep_pipelines(graph)
            users.append(given)
            look = look or not given.takes_data or self._ration.allows()
        if users:
            self._see_arguments(inputs, users, look=look)

    def _users_under_tapes(self, graph: Any) -> list[SeenImages]:
        """Note a function that is called under tapes, and return what is known of them."""
        tapes = self._open if self._open and _is_taped() else []
        users = [self._tapes.setdefault(tape, SeenImages()) for tape in tapes]
        for user in users:
            user.note_graph(graph)
        return users

    def _see_arguments(self, inputs: Sequence[Any], users: list[SeenImages], *, look: bool) -> None:
        data = [x for x in inputs if x.dtype.name in DATA_TYPES]
        pipelines = [x for x in data if kind_of(x) != "Var"]
        for user in users:
            user.takes_data = bool(data)
            for x in pipelines:
                if not user.has(x):
                    self._see_pipeline(x, user)
                    user.note(x)
        if look:
            with self._ration.spend():
                for x in data if len(data) > len(pipelines) else ():
                    self._see_variable(x, users)
                for images in itertools.chain.from_iterable(self._images(x, self._most_rows()) for x in inputs):
                    self._add(images, users)

    def _see_variable(self, tensor: Any, users: list[SeenImages]) -> None:
        """Note the images of a variable that is an argument of a function; they can be others in the next call."""
        if kind_of(tensor) == "Var" and math.prod(shape_of(tensor)) >= min(self._sizes(), default=sys.maxsize):
            seen = self._search(np.asarray(numbers(value_of(tensor))), self._most_rows())
            for user in users:
                user.add(seen, np.empty(0), self._random)

    def _see_pipeline(self, tensor: Any, user: SeenImages) -> None:
        """Note the images of a `tf.data` pipeline, or that its source is unknown."""
        dataset = self._pipeline(tensor)
        for source in sources_of(dataset) if dataset is not None else [PipelineSource(None)]:
            found = [self._see_source(source.origin, array, user) for array in source.arrays or ()]
            if source.arrays is None or not (any(found) or _is_complete(source)):
                user.sources.add(kind_of(tensor))
        user.seen |= self._in_functions(dataset)

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
                return bool(seen.seen or seen.passed)
            self._read += array.size
            self._sources = [source for source in self._sources if source[0]() is not None]
            self._sources.append((weakref.ref(origin), key, seen))
        user.merge_once(seen, self._random)
        return bool(seen.seen or seen.passed)

    def _seen_in(self, array: NDArray[Any], most: int | None) -> SeenImages:
        """Search images in an array, whose rows can be images or parts of them.

        Args:
            array: An array of a pipeline.
            most: Number of images that are chosen by chance; None for all.
        """
        seen = SeenImages()
        for part in self._images(array, most):
            self._add(part, [seen])
        if not (seen.seen or seen.passed):
            seen.seen |= self._search(array, most)
        return seen

    def _keep_pipelines(self, graph: Any) -> None:
        """Keep the Python objects of the pipelines in a new graph, because a function can end before its cell."""
        if graph not in self._pipelines and any(graph is fresh for fresh in self._fresh):
            held = [outer for outer, _ in graph.captures if outer.dtype.name in DATA_TYPES and kind_of(outer) != "Var"]
            self._pipelines[graph] = [(tensor, self._pipeline(tensor)) for tensor in held]

    def _pipeline(self, tensor: Any) -> Any:
        """Find the Python object of a pipeline or iterator by its tensor; None if there is none."""
        kept = (dataset for pairs in self._pipelines.values() for known, dataset in pairs if known is tensor)
        if (found := next(kept, None)) is not None:
            return found
        for known in self._iterators:
            iterator = known()
            if getattr(iterator, "_iterator_resource", None) is tensor:
                return getattr(iterator, "_dataset", None)
        holders = gc.get_referrers(tensor)
        holders += [each for holder in holders if isinstance(holder, dict) for each in gc.get_referrers(holder)]
        for holder in holders:
            if hasattr(holder, "element_spec") and getattr(holder, "_variant_tensor", None) is tensor:
                return holder
        return None

    # --- trainings -----------------------------------------------------------------------------------------------

    def begin(self, x: Any) -> None:
        """Note the start of `fit`.

        Args:
            x: Its images, or a data set, whose functions can hold other images.
        """
        self._running.append(SeenImages())
        self._running[-1].seen |= self._guard.quietly(self._in_functions, x) or set()

    def _in_functions(self, dataset: Any) -> set[int]:
        """Search known images in the functions of a `tf.data` pipeline, such as that of a `map`."""
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
            seen |= self._search(np.asarray(numbers(tensor)))
        if not data.handles:
            self._functions[graph] = seen
        return seen

    def end(self) -> None:
        """Note the end of `fit`."""
        self._running.pop()

    def cell_ended(self) -> None:
        """Read graphs that were traced outside of `fit`, and forget those that no longer exist."""
        self._look_at_fresh()
        self._held = [held for held in self._held if held.graph() is not None]
        self._last = None
        self._taken.cell_ended()
        self._loops.clear()
        self._read = 0
        self._ration.cell_ended()
        for graph in list(self._given):
            self._given[graph] = SeenImages()
        for held in self._held:
            held.given = self._given.get(graph) if (graph := held.graph()) is not None else None

    def describe(self, model: Any) -> StepDescription | None:
        """Describe the data of the steps of the innermost training by `fit`.

        Args:
            model: Its model.

        Returns:
            None if there are none but those given to the training, as far as the recorder can see.
        """
        with outside_graphs():
            return self._described(model, self._running[-1], own=False)

    def describe_loop(self, model: Any) -> StepDescription | None:
        """Describe the data of the steps that the student's own loops of this cell make.

        Args:
            model: Their model.

        Returns:
            None if the recorder saw none.
        """
        with outside_graphs():
            self._merge(model, self._taken.of_change(model))
            return self._described(model, self._loop(model), own=True)

    def _described(self, model: Any, run: SeenImages, *, own: bool) -> StepDescription | None:
        """Describe what a training used, with the graphs of its model.

        Args:
            model: Its model.
            run: What it used.
            own: Whether the student's code trains, so that what was passed to its functions counts.
        """
        for graph in (*self._fresh, *run.graphs):
            self._look(graph, model)
        weights = {id(handle) for handle in handles_of(weights_of(model))}
        parts = [
            held
            for held in self._held
            if run.has_graph(held.graph()) or any(id(handle()) in weights for handle in held.handles)
        ]
        given = [held.given for held in parts if held.given is not None] if own else []
        every = SeenImages()
        for seen in (run, *(held.inside for held in parts), *given):
            every.merge(seen, self._random)
        images, labels, numbers = _joined(parts)
        left = (*images[MAX_STEP_ARRAYS:], *labels[MAX_STEP_ARRAYS:])
        others = sum(numbers.values()) + sum(math.prod(each["shape"] or ()) for each in left)
        rows = self._rows(every)
        if rows is None:
            others += (len(every.seen) + every.passed) * min(self._sizes(), default=0)
        if not (images or labels or others or every.sources or rows):
            return None
        described = StepDescription(
            arrays=images[:MAX_STEP_ARRAYS],
            numbers=others,
            operations=sorted(every.sources)[:MAX_STEP_OPERATIONS],
            rows=rows,
        )
        if labels:
            described["labels"] = labels[:MAX_STEP_ARRAYS]
        return described

    def _rows(self, run: SeenImages) -> ArrayDescription | None:
        if not run.seen and not run.strangers:
            return None
        return self._arrays.describe_rows(np.array(sorted(run.seen), np.uint64), run.strangers, run.passed)

    # --- graphs --------------------------------------------------------------------------------------------------

    def _look(self, graph: Any, model: Any) -> None:
        """Read a graph once."""
        if any(held.graph() is graph for held in self._held):
            return
        held = _Held(weakref.ref(graph), given=self._given.get(graph))
        self._held.append(held)
        try:
            data = read_graph(graph)
            held.handles = [weak(handle) for handle in data.handles]
            held.inside.sources |= data.sources
            for tensor in data.pipelines:
                self._see_pipeline(tensor, held.inside)
            self._look_at(held, data, model)
        except Exception:
            held.inside.sources.add(_UNREADABLE)

    def _look_at(self, held: _Held, data: GraphData, model: Any) -> None:
        self._look_at_variables(held, data)
        shapes = [*_image_shapes(model), *self._arrays.known_images.shapes]
        small: dict[tuple[int, ...], dict[Hashable, NDArray[Any]]] = {}
        for tensor in data.arrays:
            array = np.asarray(numbers(tensor))
            if array.dtype.kind not in REAL_KINDS or not _varies(array):
                continue
            images, key = self._as_images(array, shapes), _key(tensor)
            if images is None:
                self._count(held, key, array)
            elif images.size < _SMALL:
                small.setdefault(images.shape[1:], {})[key] = images
            else:
                self._describe(held, (key,), images)
        for parts in small.values():
            self._describe(held, tuple(parts), *parts.values())

    def _count(self, held: _Held, key: Hashable, array: NDArray[Any]) -> None:
        """Note an array that holds no images: labels or other numbers."""
        labels = next((known.labels[key] for known in self._held if key in known.labels and known.graph()), None)
        if labels is None and len(array) >= _FEWEST_LABELS:
            labels = self._arrays.describe_labels(array)
        if labels is not None and labels["classes"]:
            held.labels[key] = labels
        else:
            held.numbers[key] = array.size

    def _describe(self, held: _Held, keys: tuple[Hashable, ...], *parts: NDArray[Any]) -> None:
        """Describe images, unless another graph holds the same ones."""
        described = next((known.images[keys] for known in self._held if keys in known.images and known.graph()), None)
        if described is None:
            described, _ = self._arrays.describe_pair(parts[0] if len(parts) == 1 else np.concatenate(parts))
        if described is None or not described["shape"]:
            held.numbers |= {key: part.size for key, part in zip(keys, parts, strict=True)}
        else:
            held.images[keys] = described

    def _look_at_variables(self, held: _Held, data: GraphData) -> None:
        """Search known images among the weights, and count the values of other variables."""
        weights = [weight for _, model in self._book.alive() for weight in weights_of(model)]
        own = {id(handle) for handle in handles_of(weights)}
        states = {id(handle) for handle in handles_of(self._optimizer_variables())}
        room = _MOST_WEIGHTS
        copies: dict[tuple[int, ...], int] = {}
        for weight in weights:
            shape = tuple(weight.shape)
            copies[shape] = copies.get(shape, 0) + _MOST_COPIES
        for handle in data.handles:
            shape = shape_of(handle)
            size = math.prod(shape)
            if id(handle) in states or size < MIN_NUMBERS:
                continue
            if id(handle) not in own and copies.get(shape, 0) > 0:
                copies[shape] -= 1
            elif id(handle) not in own:
                held.numbers[id(handle)] = size
            if min(self._sizes(), default=sys.maxsize) <= size <= room:
                room -= size
                held.inside.seen.update(self._search(np.asarray(numbers(value_of(handle)))))

    def _optimizer_variables(self) -> Iterator[Any]:
        optimizers = [known() for known in self._optimizers]
        optimizers += [getattr(model, "optimizer", None) for _, model in self._book.alive()]
        for optimizer in optimizers:
            inner = getattr(optimizer, "inner_optimizer", None)
            for each in (optimizer, inner):
                variables: Any = getattr(each, "variables", ())
                yield from variables() if callable(variables) else variables

    def _search(self, values: NDArray[Any], most: int | None = None) -> set[int]:
        """Return the fingerprints of known images in an array of any shape, as rows or as columns.

        Args:
            values: The array.
            most: Number of images that are chosen by chance; None for all.
        """
        found: set[int] = set()
        if values.dtype.kind not in REAL_KINDS:
            return found
        for shape in self._arrays.known_images.shapes:
            for images in _ways(values, shape):
                few = most is not None and len(images) > most
                known, prints = self._known(self._random.choice(images, most, replace=False) if few else images)
                found.update(prints[known].tolist())
        return found

    # --- images --------------------------------------------------------------------------------------------------

    def _sizes(self) -> set[int]:
        return {math.prod(shape) for shape in self._arrays.known_images.shapes}

    def _plain(self, array: NDArray[Any]) -> NDArray[Any] | None:
        """Return the array without padding and repeated channels; None if its rows have no known size."""
        if array.dtype.kind not in REAL_KINDS:
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


def _joined(
    parts: Iterable[_Held],
) -> tuple[list[ArrayDescription], list[LabelDescription], dict[Hashable, int]]:
    """Join the data of several graphs, each array once: images, arrays that may be labels, and sizes of the others."""
    images: dict[tuple[Hashable, ...], ArrayDescription] = {}
    labels: dict[Hashable, LabelDescription] = {}
    others: dict[Hashable, int] = {}
    for held in parts:
        images |= held.images
        labels |= held.labels
        others |= held.numbers
    described = {key for keys in images for key in keys} | labels.keys()
    return list(images.values()), list(labels.values()), {key: n for key, n in others.items() if key not in described}


def _key(tensor: Any) -> Hashable:
    """Return a key that is equal for the same tensor, or for constants of the same numbers, in several graphs."""
    if not isinstance(tensor, np.ndarray):
        return id(tensor)  # the graph keeps it alive
    content = hashlib.blake2b(np.ascontiguousarray(tensor).view(np.uint8).data, digest_size=16).digest()
    return content, tensor.shape, str(tensor.dtype)


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


def _is_complete(source: PipelineSource) -> bool:
    """Whether the functions of a pipeline bring in no data from elsewhere."""
    try:
        return not any(read_graph(function.function.graph).sources for function in source.functions)
    except Exception:
        return False


def _is_taped() -> bool:
    """Whether a `GradientTape` is active."""
    tapes: Any = sys.modules.get("tensorflow.python.pywrap_tfe")
    return tapes is not None and not tapes.TFE_Py_TapeSetIsEmpty()
