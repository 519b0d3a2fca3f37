"""Collects what a training used besides its given data: known images, some of the others, and graphs."""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record.events import MAX_UNKNOWN

__all__ = ["SeenImages"]

_MOST_KEPT = 16
"""Unrecognized images that are kept of one call."""


@dataclass(slots=True)
class SeenImages:
    """What one training, or the calls under one tape, used.

    Attributes:
        graphs: Graphs of functions that were traced or called for it.
        seen: Fingerprints of known images.
        strangers: Some other images of the same size.
        passed: Number of these images.
        sources: Objects that bring in data which the recorder cannot see.
        tensors: Weak references to tensors whose images are in it. An iterator that is held keeps the images that it
            shuffles in memory.
        merged: Other ones whose images are in it.
        users: Ids of the models that have all of it.
        takes_data: Whether its function takes variables, pipelines or iterators; assumed until it was called.
    """

    graphs: list[Any] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    strangers: list[NDArray[Any]] = field(default_factory=list)
    passed: int = 0
    sources: set[str] = field(default_factory=set)
    tensors: "list[weakref.ref[Any]]" = field(default_factory=list)
    merged: "list[SeenImages]" = field(default_factory=list)
    users: set[int] = field(default_factory=set)
    takes_data: bool = True

    @property
    def has_images(self) -> bool:
        """Whether there are images in it, known or not."""
        return bool(self.seen or self.passed)

    def note_graph(self, graph: Any) -> None:
        """Add a graph, once."""
        if not self.has_graph(graph):
            self.users.clear()
            self.graphs.append(graph)

    def has_graph(self, graph: Any) -> bool:
        """Return whether a graph is in it."""
        return any(graph is known for known in self.graphs)

    def has(self, tensor: Any) -> bool:
        """Return whether the images of a tensor are in it."""
        return any(tensor is known() for known in self.tensors)

    def note(self, tensor: Any) -> None:
        """Note that the images of a tensor are in it."""
        self.tensors = [known for known in self.tensors if known() is not None]
        self.tensors.append(weakref.ref(tensor))

    def merge_once(self, other: "SeenImages", random: np.random.Generator) -> None:
        """Add everything of another one, to which nothing is added later."""
        if not any(other is known for known in self.merged):
            self.users.clear()
            self.merge(other, random)
            self.merged.append(other)

    def add(self, known: Iterable[int], strangers: NDArray[Any], random: np.random.Generator) -> None:
        """Add images of a call, and keep a random selection of those that are not known.

        Args:
            known: Fingerprints of the known images.
            strangers: The other images.
            random: A generator of the recorder.
        """
        self.users.clear()
        self.seen.update(known)
        self.passed += len(strangers)
        count = min(_MOST_KEPT, len(strangers))
        for index in random.choice(len(strangers), count, replace=False) if count else ():
            self._keep(np.asarray(strangers[index], np.float32), len(strangers) / count, random)

    def merge(self, other: "SeenImages", random: np.random.Generator) -> None:
        """Add everything of another one, except its tensors."""
        for graph in other.graphs:
            self.note_graph(graph)
        self.seen |= other.seen
        self.sources |= other.sources
        self.passed += other.passed
        for one in other.strangers:
            self._keep(one, other.passed / len(other.strangers), random)

    def _keep(self, one: NDArray[Any], stands_for: float, random: np.random.Generator) -> None:
        """Keep an image that stands for a number of images, as one of at most `MAX_UNKNOWN`."""
        if self.strangers and self.strangers[0].shape != one.shape:
            return
        if len(self.strangers) < MAX_UNKNOWN:
            self.strangers.append(one)
        elif random.random() * self.passed < MAX_UNKNOWN * stands_for:
            self.strangers[random.integers(MAX_UNKNOWN)] = one
