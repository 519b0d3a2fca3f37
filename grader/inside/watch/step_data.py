"""Finds the data of training steps: in their graphs, in weights, in arguments, and in eager calls of layers.

A student's own `train_step`, layer, loss or callback can use other images than those passed to `fit`, and a loop of the
student's own is passed none. The graph of a step shows all its data: captured tensors, constants, variables and
pipelines. Operations that bring in data from elsewhere, such as a Python function, are listed by name. In eager steps,
the inputs of layers under a `GradientTape` are compared with the known data sets. In a loop, they count once a
model's weights change by the tape's gradient, so that pictures of what a layer sees are no training. So do the
arguments of functions that train, and the batches of `train_on_batch`.

This module has the hooks, and decides for each whether it concerns `fit` (`fit_data`) or a loop (`loop_data`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..describe.arrays import ArrayBook
from ..describe.graphs import outermost
from ..describe.handles import DATA_TYPES
from ..hooking.guard import Guard, outside_graphs
from ..record.events import StepDescription
from .fit_data import FitData
from .graph_reader import GraphReader
from .image_search import ImageSearch
from .loop_data import LoopData
from .model_book import ModelBook
from .pipelines import PipelineWatch
from .seen_images import SeenImages
from .step_description import describe_step
from .step_graphs import StepGraphs
from .tapes import is_taped

__all__ = ["StepWatch"]


class StepWatch:
    """Watches the steps of all trainings, by `fit` and by the student's own loops.

    Attributes:
        pipelines: The pipelines that the student's code uses.
    """

    def __init__(self, book: ModelBook, arrays: ArrayBook, guard: Guard) -> None:
        """Start without steps.

        Args:
            book: The notebook's models.
            arrays: Describes images, and knows those of the data sets.
            guard: Protects the student's code from failures of the recorder.
        """
        self._guard = guard
        self._random = np.random.default_rng()
        self._images = ImageSearch(arrays, self._random)
        self.pipelines = PipelineWatch(guard, self._images, self._random)
        self._reader = GraphReader(book, arrays, self._images, self.pipelines)
        self._graphs = StepGraphs(self._reader)
        self._fits = FitData(self._images)
        self._loops = LoopData(book, self._images, self.pipelines, self._graphs, self._random)

    # --- hooks ---------------------------------------------------------------------------------------------------

    def layer(self, original: Any, layer: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Layer.__call__`."""
        __tracebackhide__ = True
        if args and not self._guard.busy and self._sees_layers() and is_taped():
            self._guard.quietly(self._called, args[0])
        return original(layer, *args, **kwargs)

    def opened(self, original: Any, tape: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the method of a `GradientTape` that starts to record."""
        __tracebackhide__ = True
        if not self._fits.running and not self._guard.busy:
            self._loops.tapes.opened(tape)
        return original(tape, *args, **kwargs)

    def closed(self, original: Any, tape: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the method of a `GradientTape` that stops to record."""
        __tracebackhide__ = True
        self._loops.tapes.closed(tape)
        return original(tape, *args, **kwargs)

    def gradient(self, original: Any, tape: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `GradientTape.gradient`."""
        __tracebackhide__ = True
        if self._watches():
            self._guard.quietly(self._trace)
        if not self._fits.running and not self._guard.busy:
            self._guard.quietly(self._loops.note_gradient, tape, args[1] if len(args) > 1 else kwargs.get("sources"))
        return original(tape, *args, **kwargs)

    def apply(self, original: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the step of an optimizer."""
        __tracebackhide__ = True
        if not self._guard.busy and outermost() is not None and self._guard.quietly(self._trace):
            self._guard.quietly(self._reader.note_optimizer, optimizer)
        return original(optimizer, *args, **kwargs)

    def train_on_batch(self, original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap `Model.train_on_batch`, which a callback can call during a training."""
        __tracebackhide__ = True
        own = self._guard.student
        if not self._guard.busy and (self._fits.running or own):
            self._loops.forget_last()
            if self._fits.running or self._loops.may_look():
                self._guard.quietly(self._see_batch, args[0] if args else kwargs.get("x"))
        result = original(model, *args, **kwargs)
        if own and self._loops.has_last:
            self._guard.quietly(self._learned, model)
        return result

    def function(self, original: Any, function: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Wrap the call of a traced `tf.function`."""
        __tracebackhide__ = True
        if not self._guard.busy and self._is_of_interest(function.graph, inputs):
            self._guard.quietly(self._see_arguments, function.graph, list(inputs))
        trains = not self._guard.busy and self._graphs.arguments_of(function.graph) is not None
        if not trains or outermost() is not None or not (waiting := self._loops.waiting()):
            return original(function, inputs, *args, **kwargs)
        self._guard.quietly(self._loops.before_steps, waiting)
        result = original(function, inputs, *args, **kwargs)
        self._guard.quietly(self._loops.after_steps, waiting)
        return result

    def _sees_layers(self) -> bool:
        """Whether the argument of a layer is looked at."""
        tapes = self._loops.tapes
        return bool(self._fits.running) or (tapes.recording and tapes.may_look())

    def _is_of_interest(self, graph: Any, inputs: Iterable[Any]) -> bool:
        """Whether the arguments of a call are looked at."""
        if self._fits.running:
            return any(x.dtype.name not in DATA_TYPES for x in inputs)
        return not self._guard.keras and self._loops.arguments.are_of_interest(graph)

    def _watches(self) -> bool:
        """Whether Keras trains: in `fit`, or in `train_on_batch`, whose graph `fit` uses again."""
        return not self._guard.busy and bool(self._fits.running or self._guard.keras)

    def _called(self, x: Any) -> None:
        if self._fits.running:
            if not self._trace():
                self._fits.see_batch(x)
        elif outermost() is None:
            self._loops.see_layer(x)

    def _see_batch(self, x: Any) -> None:
        (self._fits if self._fits.running else self._loops).see_batch(x)

    def _see_arguments(self, graph: Any, inputs: Sequence[Any]) -> None:
        if outermost() is None:
            (self._fits if self._fits.running else self._loops.arguments).see_arguments(graph, inputs)

    def _trace(self) -> bool:
        """Note the graph that is being traced.

        Returns:
            Whether there is one.
        """
        graph = outermost()
        if graph is None:
            return False
        if self._fits.running:
            self._fits.note_graph(graph)
        else:
            self._graphs.note_training(graph)
        return True

    # --- the student's own loops ---------------------------------------------------------------------------------

    def took(self, model: Any, tape: Any, gradients: Any) -> None:
        """Note that the student's code takes gradients of a model's weights, or traces such a step.

        Args:
            model: The model.
            tape: The tape.
            gradients: The gradients.
        """
        if not self._trace():
            self._loops.took(model, tape, gradients)

    def stepping(self, model: Any, gradients: Any) -> None:
        """Note that the student's code makes a step of an optimizer, or traces one.

        Args:
            model: The model whose weights change.
            gradients: The gradients that the optimizer gets; none in `train_on_batch`.
        """
        self._learned(model)
        if outermost() is None:
            self._loops.stepping(model, gradients)

    def stepped(self, model: Any) -> None:
        """Note that an optimizer or another part of Keras changed the weights of a model."""
        self._loops.stepped(model)

    def _learned(self, model: Any) -> None:
        """Note that the student's code trains a model with the last gradient or batch, or traces such a step."""
        if not self._trace():
            self._loops.learned(model)

    # --- trainings -----------------------------------------------------------------------------------------------

    def begin(self, x: Any) -> None:
        """Note the start of `fit`.

        Args:
            x: Its images, or a data set, whose functions can hold other images.
        """
        run = self._fits.begin()
        run.seen |= self._guard.quietly(self.pipelines.in_functions, x) or set()

    def first_batch(self, batch: Any) -> None:
        """Note the known images in the first batch of a generator, whose images are unknown otherwise.

        Args:
            batch: The batch, usually a pair of images and labels.
        """
        images = batch[0] if isinstance(batch, (list, tuple)) and batch else batch
        for part in self._images.in_argument(images):
            self._images.add_known(part, self._fits.running[-1:], None)

    def end(self) -> None:
        """Note the end of `fit`."""
        self._fits.end()

    def cell_ended(self) -> None:
        """Read graphs that were traced outside of `fit`, and forget what the cell used."""
        self._graphs.cell_ended()
        self._loops.cell_ended()
        self.pipelines.cell_ended()

    def describe(self, model: Any) -> StepDescription | None:
        """Describe the data of the steps of the innermost training by `fit`.

        Args:
            model: Its model.

        Returns:
            None if there are none but those given to the training, as far as the recorder can see.
        """
        with outside_graphs():
            return self._described(model, self._fits.running[-1], own=False)

    def describe_loop(self, model: Any) -> StepDescription | None:
        """Describe the data of the steps that the student's own loops of this cell make.

        Args:
            model: Their model.

        Returns:
            None if the recorder saw none.
        """
        with outside_graphs():
            return self._described(model, self._loops.used_for(model), own=True)

    def _described(self, model: Any, run: SeenImages, *, own: bool) -> StepDescription | None:
        """Describe what a training used, with the graphs of its model.

        Args:
            model: Its model.
            run: What it used.
            own: Whether the student's code trains, so that what was passed to its functions counts.
        """
        parts = self._graphs.of_training(model, run)
        given = [held.given for held in parts if held.given is not None] if own else []
        used = SeenImages()
        for seen in (run, *(held.inside for held in parts), *given):
            used.merge(seen, self._random)
        return describe_step(parts, used, self._images)
