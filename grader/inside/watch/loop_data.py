"""Collects the images that the student's own loops use, for each model.

What layers and functions use under a tape counts once the weights of a model change by its gradient, so that pictures
of what a layer sees are no training. The batches of `train_on_batch` count at once. In long loops, only some steps are
looked at.
"""

import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..describe.graphs import outermost
from .function_arguments import FunctionArguments
from .image_search import ImageSearch
from .model_book import ModelBook
from .pipelines import PipelineWatch
from .ration import Ration
from .seen_images import SeenImages
from .step_graphs import StepGraphs
from .taken import TakenGradients, flat
from .tapes import OpenTapes

__all__ = ["LoopData", "may_be_weights"]


class LoopData:
    """The images that the loops of one cell use.

    Attributes:
        tapes: The tapes that record.
        arguments: The arguments of functions.
    """

    def __init__(
        self,
        book: ModelBook,
        images: ImageSearch,
        pipelines: PipelineWatch,
        graphs: StepGraphs,
        random: np.random.Generator,
    ) -> None:
        """Start without loops.

        Args:
            book: The notebook's models.
            images: Searches known images.
            pipelines: Finds the images of pipelines.
            graphs: The graphs of functions that train.
            random: A generator of the recorder.
        """
        self._book = book
        self._images = images
        self._graphs = graphs
        self._random = random
        self._ration = Ration(random)
        self.tapes = OpenTapes(images, self._ration)
        self.arguments = FunctionArguments(images, pipelines, graphs, self.tapes, self._ration)
        self._taken = TakenGradients(random)
        self._last: SeenImages | None = None
        self._loops: dict[int, tuple[weakref.ref[Any], SeenImages]] = {}

    # --- layers, gradients and batches ---------------------------------------------------------------------------

    def see_layer(self, x: Any) -> None:
        """Note the images that a layer gets under the tapes of the student's code."""
        with self._ration.spend():
            self.tapes.see(x)

    def note_gradient(self, tape: Any, sources: Any) -> None:
        """Note the last gradient that may be one of weights, unlike those for pictures of what a layer sees.

        Args:
            tape: The tape.
            sources: The tensors or variables of which the student's code takes the gradient.
        """
        of_weights = outermost() is None and may_be_weights(list(flat(sources)), self._book.weights())
        self._last = self.tapes.used_under(tape) if of_weights else None

    def forget_last(self) -> None:
        """Forget the last gradient or batch."""
        self._last = None

    @property
    def has_last(self) -> bool:
        """Whether there is a last gradient or batch."""
        return self._last is not None

    def may_look(self) -> bool:
        """Decide whether a batch is looked at."""
        return self._ration.allows()

    def see_batch(self, x: Any) -> None:
        """Note the images of `train_on_batch`."""
        last = self._last = SeenImages()
        with self._ration.spend():
            for images in self._images.in_argument(x, self._ration.rows):
                self._images.add(images, [last])

    # --- changes of weights --------------------------------------------------------------------------------------

    def learned(self, model: Any) -> None:
        """Note that the student's code trains a model with the last gradient or batch.

        Args:
            model: The model whose weights change.
        """
        if self._last is not None and id(model) not in self._last.users:
            self._merge(model, [self._last])
            self._last.users.add(id(model))

    def took(self, model: Any, tape: Any, gradients: Any) -> None:
        """Note that the student's code takes gradients of a model's weights.

        Args:
            model: The model.
            tape: The tape.
            gradients: The gradients.
        """
        self._merge(model, self._taken.of_change(model))
        self._taken.add(model, tape, self._last, gradients)
        self._last = None

    def stepping(self, model: Any, gradients: Any) -> None:
        """Note that the student's code makes a step of an optimizer.

        Args:
            model: The model whose weights change.
            gradients: The gradients that the optimizer gets; none in `train_on_batch`.
        """
        self._merge(model, self._taken.of_step(model, gradients))

    def stepped(self, model: Any) -> None:
        """Note that an optimizer or another part of Keras changed the weights of a model."""
        self._taken.look_again(model)

    def waiting(self) -> list[Any]:
        """Return the models with gradients of which it is unknown whether they were used."""
        return self._taken.waiting()

    def before_steps(self, models: Iterable[Any]) -> None:
        """Note what changed the weights of models before steps in a graph."""
        with self._ration.spend():
            for model in models:
                self._merge(model, self._taken.of_change(model))

    def after_steps(self, models: Iterable[Any]) -> None:
        """Compare later weights with those after steps in a graph, now and then."""
        self._taken.look_away()
        if self._ration.allows():
            with self._ration.spend():
                for model in models:
                    self._taken.look_again(model)

    # --- cells ---------------------------------------------------------------------------------------------------

    def used_for(self, model: Any) -> SeenImages:
        """Return what the loops of this cell used for a model so far."""
        self._merge(model, self._taken.of_change(model))
        return self._of(model)

    def cell_ended(self) -> None:
        """Forget what the loops of the cell used."""
        self._last = None
        self._taken.cell_ended()
        self._loops.clear()
        self._ration.cell_ended()

    def _merge(self, model: Any, used: Iterable[SeenImages]) -> None:
        for seen in used:
            for graph in seen.graphs:
                self._graphs.note(graph)
            self._of(model).merge(seen, self._random)

    def _of(self, model: Any) -> SeenImages:
        reference, seen = self._loops.get(id(model), (None, None))
        if reference is None or seen is None or reference() is not model:
            seen = SeenImages()
            self._loops[id(model)] = weakref.ref(model), seen
        return seen


def may_be_weights(sources: list[Any], weights: Iterable[Any]) -> bool:
    """Return whether one of the sources of a gradient is a variable, a vector, or a tensor with the shape of a weight.

    Args:
        sources: The tensors or variables.
        weights: The weights of all models.
    """
    if any(hasattr(each, "assign") or len(getattr(each, "shape", ())) < 2 for each in sources):  # noqa: PLR2004 - rows, numbers
        return True
    shapes = {tuple(each.shape) for each in sources}
    return any(tuple(weight.shape) in shapes for weight in weights)
