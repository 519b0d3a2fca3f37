"""Keeps the graphs of training steps, and what the student's code passes to their calls.

Keras keeps the graph of `fit` until its end. A function of the student's own can end before its cell, so its graph is
kept until the end of the cell, where it is read.
"""

import weakref
from typing import Any

from ..describe.handles import handles_of
from ..describe.models import weights_of
from ..hooking.guard import outside_graphs
from .graph_reader import GraphReader, HeldData
from .seen_images import SeenImages

__all__ = ["StepGraphs"]

_MOST_FRESH = 16
"""Graphs that are kept until the end of the cell; more are read at once."""


class StepGraphs:
    """The graphs of all trainings, by `fit` and by the student's own loops."""

    def __init__(self, reader: GraphReader) -> None:
        """Start without graphs.

        Args:
            reader: Reads what the graphs hold.
        """
        self._reader = reader
        self._fresh: list[Any] = []
        self._given: weakref.WeakKeyDictionary[Any, SeenImages] = weakref.WeakKeyDictionary()

    def note_training(self, graph: Any) -> None:
        """Note a graph that trains outside of `fit`, so that the arguments of its calls count.

        Args:
            graph: The outermost graph that is being traced.
        """
        given = self._given.setdefault(graph, SeenImages())
        for held in self._reader.held:
            held.given = given if held.graph() is graph else held.given
        self.note(graph)

    def note(self, graph: Any) -> None:
        """Note a graph that is a part of a training outside of `fit`."""
        if self.is_fresh(graph):
            return
        if len(self._fresh) >= _MOST_FRESH:
            with outside_graphs():
                self._read_fresh()
        self._fresh.append(graph)

    def is_fresh(self, graph: Any) -> bool:
        """Return whether a graph is kept until the end of the cell."""
        return any(graph is known for known in self._fresh)

    def arguments_of(self, graph: Any) -> SeenImages | None:
        """Return what was passed to a graph in this cell; None if it does not train outside of `fit`."""
        return self._given.get(graph)

    def of_training(self, model: Any, run: SeenImages) -> list[HeldData]:
        """Read the graphs of a training, and return what they hold.

        Args:
            model: Its model; also graphs with one of the weights belong to it.
            run: What it used.
        """
        for graph in (*self._fresh, *run.graphs):
            self._read(graph, model)
        weights = {id(handle) for handle in handles_of(weights_of(model))}
        return [
            held
            for held in self._reader.held
            if run.has_graph(held.graph()) or any(id(handle()) in weights for handle in held.handles)
        ]

    def cell_ended(self) -> None:
        """Read the graphs that were kept, and forget those that no longer exist and what was passed to the others."""
        self._read_fresh()
        self._reader.forget()
        for graph in list(self._given):
            self._given[graph] = SeenImages()
        for held in self._reader.held:
            held.given = self._given.get(graph) if (graph := held.graph()) is not None else None

    def _read_fresh(self) -> None:
        fresh, self._fresh = self._fresh, []
        for graph in fresh:
            self._read(graph, None)

    def _read(self, graph: Any, model: Any) -> None:
        self._reader.read(graph, model, self._given.get(graph))
