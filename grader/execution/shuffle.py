"""Give a model its images in a secret random order, some of them twice, and compare the answers to equal images.

A saved model of a student may hold a table of the right answers and a counter of the images that it has seen. In a
random order the counter is worth nothing, and two answers to one image show that the answers do not come from the
image.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Order", "count_unequal", "random_order"]

_FEWEST_REPEATED = 64
_PART_REPEATED = 20
"""One of this many images is given twice, but never fewer than the number above."""
_TOLERANCE = 0.02
"""Largest difference between equal answers, as a part of the range of an answer: half precision, other batches."""
_MANY = 200
"""One of this many repeated images may have another class, because its two largest values are nearly equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """The images that a model is given, by their position among all images."""

    given: NDArray[np.intp]
    """Position of each given image; some occur twice."""

    def undo(self, answers: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Sort answers by their images.

        Args:
            answers: One row for each given image.

        Returns:
            The first answer to each image, in the order of the images; the first and the second answers to the images
            that were given twice.
        """
        by_image = np.argsort(self.given, kind="stable")
        images = self.given[by_image]
        again = np.concatenate([[False], images[1:] == images[:-1]])
        second = np.flatnonzero(again)
        return answers[by_image[~again]], answers[by_image[second - 1]], answers[by_image[second]]


def random_order(rows: int, generator: np.random.Generator) -> Order:
    """Choose a random order of images with repetitions.

    Args:
        rows: Number of images.
        generator: Source of randomness, unknown to the model.
    """
    twice = generator.choice(rows, size=min(rows, max(_FEWEST_REPEATED, rows // _PART_REPEATED)), replace=False)
    return Order(generator.permutation(np.concatenate([np.arange(rows), twice])))


def count_unequal(first: NDArray[Any], second: NDArray[Any]) -> int:
    """Count the images that got two different answers.

    Args:
        first: Answers to images, one row for each.
        second: Other answers to the same images.

    Returns:
        The number of differences; 0 if no more classes differ than rounding explains, and all values are close.
    """
    if not first.size:
        return 0
    with np.errstate(invalid="ignore"):  # a file may contain any bits of a NaN
        one, other = first.astype(np.float64), second.astype(np.float64)
    broken = np.isfinite(one) != np.isfinite(other)
    one, other = (np.where(np.isfinite(each), each, 0.0) for each in (one, other))
    reach = np.maximum(np.ptp(one, axis=1, keepdims=True), float(np.median(np.abs(one))))
    far = (np.abs(one - other) > _TOLERANCE * reach + 1e-5) | broken
    turned = one.argmax(axis=1) != other.argmax(axis=1)
    unequal = far.any(axis=1)
    if unequal.sum() <= len(one) // _MANY and turned.sum() <= max(2, len(one) // _MANY):
        return 0
    return int((unequal | turned).sum())
