"""Collects the images that the steps of `fit` use, apart from those passed to it."""

from collections.abc import Iterable
from typing import Any

from .image_search import ImageSearch
from .seen_images import SeenImages

__all__ = ["FitData"]


class FitData:
    """The images that the present trainings by `fit` use; a callback can start a training during another one.

    Attributes:
        running: What each of them used, the innermost last.
    """

    def __init__(self, images: ImageSearch) -> None:
        """Start without trainings.

        Args:
            images: Searches known images.
        """
        self.running: list[SeenImages] = []
        self._images = images

    def begin(self) -> SeenImages:
        """Note the start of `fit`, and return what it used so far: nothing."""
        self.running.append(SeenImages())
        return self.running[-1]

    def end(self) -> None:
        """Note the end of `fit`."""
        self.running.pop()

    def note_graph(self, graph: Any) -> None:
        """Note a graph that is being traced."""
        for run in self.running:
            run.note_graph(graph)

    def see_batch(self, x: Any) -> None:
        """Note the images of an eager step, which a layer or `train_on_batch` gets."""
        for images in self._images.in_argument(x):
            self._images.add(images, self.running)

    def see_arguments(self, graph: Any, inputs: Iterable[Any]) -> None:
        """Note the images in the arguments of a function that trains.

        Args:
            graph: Its graph.
            inputs: The arguments.
        """
        runs = [run for run in self.running if run.has_graph(graph)]
        for x in inputs if runs else ():
            for images in self._images.in_argument(x):
                self._images.add(images, runs)
