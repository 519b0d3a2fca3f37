"""Sees the images in the arguments of functions that train, or that are called under a tape, outside of `fit`.

These are `tf.function`s of the student's own: Python sees their calls, but not the steps inside.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..describe.handles import DATA_TYPES, kind_of, shape_of, value_of
from ..describe.models import numbers
from .image_search import ImageSearch
from .pipelines import PipelineWatch
from .ration import Ration
from .seen_images import SeenImages
from .step_graphs import StepGraphs
from .tapes import OpenTapes

__all__ = ["FunctionArguments"]


class FunctionArguments:
    """The arguments of traced functions; what was passed to a function that trains is noted with its graph."""

    def __init__(
        self, images: ImageSearch, pipelines: PipelineWatch, graphs: StepGraphs, tapes: OpenTapes, ration: Ration
    ) -> None:
        """Start without calls.

        Args:
            images: Searches known images.
            pipelines: Finds the images of pipelines.
            graphs: The graphs of functions that train.
            tapes: The tapes that record.
            ration: Limits the time for looks.
        """
        self._images = images
        self._pipelines = pipelines
        self._graphs = graphs
        self._tapes = tapes
        self._ration = ration

    def are_of_interest(self, graph: Any) -> bool:
        """Return whether the arguments of a call are looked at.

        Args:
            graph: The graph of the function.
        """
        given = self._graphs.arguments_of(graph)
        return self._tapes.recording or (given is not None and (given.takes_data or self._ration.allows()))

    def see_arguments(self, graph: Any, inputs: Sequence[Any]) -> None:
        """Note the arguments of a call.

        Args:
            graph: The graph of the function.
            inputs: The arguments, without the tensors that the graph captures.
        """
        given = self._graphs.arguments_of(graph)
        users = self._tapes.users(graph)
        look = bool(users) and self._tapes.may_look()
        if given is not None:
            if self._graphs.is_fresh(graph):
                self._pipelines.keep_those_of(graph)
            users.append(given)
            look = look or not given.takes_data or self._ration.allows()
        if users:
            self._see(inputs, users, look=look)

    def _see(self, inputs: Sequence[Any], users: list[SeenImages], *, look: bool) -> None:
        data = [(x, kind_of(x)) for x in inputs if x.dtype.name in DATA_TYPES]
        for user in users:
            user.takes_data = bool(data)
            for x, kind in data:
                if kind != "Var" and not user.has(x):
                    self._pipelines.see(x, user)
                    user.note(x)
        if look:
            with self._ration.spend():
                self._see_variables([x for x, kind in data if kind == "Var"], users)
                self._see_images(inputs, users)

    def _see_variables(self, variables: Iterable[Any], users: list[SeenImages]) -> None:
        """Note the images of variables that are arguments; they can be others in the next call."""
        for handle in variables:
            if math.prod(shape_of(handle)) >= self._images.smallest:
                self._images.add_known(np.asarray(numbers(value_of(handle))), users, self._ration.rows)

    def _see_images(self, inputs: Iterable[Any], users: list[SeenImages]) -> None:
        for x in inputs:
            for images in self._images.in_argument(x, self._ration.rows):
                self._images.add(images, users)
