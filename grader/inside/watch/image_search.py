"""Searches known images in what layers, functions and pipelines get, and in arrays of any shape, such as weights.

An image is known if it is in a data set of the session. Others of the same size are only counted, and some are kept.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..describe.arrays import ArrayBook
from ..describe.fingerprint import REAL_KINDS, fingerprint
from ..describe.models import numbers
from ..record.events import ArrayDescription
from .seen_images import SeenImages

__all__ = ["ImageSearch"]

_MOST_PARTS = 16
_GLANCE = 64


class ImageSearch:
    """Compares arrays with the images of the session's data sets."""

    def __init__(self, arrays: ArrayBook, random: np.random.Generator) -> None:
        """Start a session.

        Args:
            arrays: Knows the images of the data sets, and describes images.
            random: A generator of the recorder.
        """
        self._arrays = arrays
        self._random = random

    @property
    def shapes(self) -> Sequence[tuple[int, ...]]:
        """The shapes of the known images."""
        return self._arrays.known_images.shapes

    @property
    def smallest(self) -> int:
        """The number of pixels of the smallest known images; arrays with fewer numbers hold none."""
        return min(map(math.prod, self.shapes), default=sys.maxsize)

    def in_argument(self, x: Any, most: int | None = None) -> Iterator[NDArray[Any]]:
        """Yield the images of known sizes in an argument.

        Args:
            x: An argument.
            most: Number of rows that are chosen by chance; None for all.
        """
        if isinstance(x, (list, tuple, dict)):
            for part in (*x.values(),) if isinstance(x, dict) else x[:_MOST_PARTS]:
                yield from self.in_argument(part, most)
            return
        if not _is_dense(x) or len(x.shape) < 2 or math.prod(x.shape[1:]) < self.smallest:  # noqa: PLR2004 - rows, pixels
            return
        images = self._plain(self._some(np.asarray(numbers(x)), most))
        if images is not None:
            yield images

    def in_array(self, values: NDArray[Any], most: int | None = None) -> set[int]:
        """Return the fingerprints of known images in an array of any shape, as rows or as columns.

        Args:
            values: The array.
            most: Number of images that are chosen by chance; None for all.
        """
        found: set[int] = set()
        if values.dtype.kind not in REAL_KINDS:
            return found
        for shape in self.shapes:
            for images in _ways(values, shape):
                known, prints = self._known(self._some(images, most))
                found.update(prints[known].tolist())
        return found

    def add(self, images: NDArray[Any], users: Iterable[SeenImages]) -> None:
        """Add images to what trainings or tapes used.

        Args:
            images: Images of a known size.
            users: What each of them used.
        """
        known, prints = self._known(images)
        for user in users:
            user.add(prints[known].tolist(), images[~known], self._random)

    def add_known(self, values: NDArray[Any], users: Iterable[SeenImages], most: int | None) -> None:
        """Add the known images in an array of any shape to what trainings or tapes used.

        Args:
            values: The array.
            users: What each of them used.
            most: Number of images that are chosen by chance; None for all.
        """
        found = self.in_array(values, most)
        for user in users:
            user.add(found, np.empty(0), self._random)

    def as_images(self, array: NDArray[Any], shapes: Iterable[tuple[int, ...]]) -> NDArray[Any] | None:
        """Return an array as images, in the shape and order in which most rows are known; None if no shape fits.

        Args:
            array: The array.
            shapes: Shapes that its images can have.
        """
        ways = [way for shape in shapes for way in _ways(array, shape)]
        if not ways:
            return None
        counts = [int(self._known(self._arrays.known_images.plain(way[:_GLANCE]))[0].sum()) for way in ways]
        return ways[int(np.argmax(counts))]

    def describe(self, seen: SeenImages) -> ArrayDescription | None:
        """Describe the images that were seen; None if there are none, or if too many files describe images."""
        if not seen.seen and not seen.strangers:
            return None
        return self._arrays.describe_rows(np.array(sorted(seen.seen), np.uint64), seen.strangers, seen.passed)

    def _some(self, rows: NDArray[Any], most: int | None) -> NDArray[Any]:
        """Choose rows by chance if there are more than `most`."""
        if most is None or len(rows) <= most:
            return rows
        return rows[self._random.choice(len(rows), most, replace=False)]

    def _plain(self, array: NDArray[Any]) -> NDArray[Any] | None:
        """Return the array without padding and repeated channels; None if its rows have no known size."""
        if array.dtype.kind not in REAL_KINDS:
            return None
        images = self._arrays.known_images.plain(array)
        return images if math.prod(images.shape[1:]) in map(math.prod, self.shapes) else None

    def _known(self, images: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        """Return which images are in a data set of the session, and the fingerprints of all."""
        known, prints = self._arrays.known_images.prints, fingerprint(images)
        if not len(known):
            return np.zeros(len(prints), np.bool_), prints
        place = np.minimum(np.searchsorted(known, prints), len(known) - 1)
        return (known[place] == prints) & (prints != 0), prints


def _is_dense(x: Any) -> bool:
    """Whether an argument is an array, an eager tensor or a variable."""
    return isinstance(x, np.ndarray) or hasattr(x, "_numpy") or hasattr(x, "read_value")


def _ways(array: NDArray[Any], shape: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """Yield an array as images of a shape, with the images along the first and along the last axis."""
    size = math.prod(shape)
    if not size or not array.size or array.size % size:
        return
    yield array.reshape(-1, *shape)
    if array.ndim > 1 and array.size // array.shape[-1] == size:
        yield np.moveaxis(array, -1, 0).reshape(-1, *shape)
