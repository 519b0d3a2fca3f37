"""Compute the confusion matrix and select images that the model classified wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from grader.report.images import png_uri

__all__ = [
    "CLASS_NAMES",
    "ConfusedPair",
    "Confusion",
    "ConfusionCell",
    "ConfusionRow",
    "Mistake",
    "confused_pairs",
    "confusion",
]

CLASS_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip
"""Class names of data sets whose class numbers are not self-explanatory."""
_MOST_CLASSES: Final = 20
_SHADES: Final = 6
_MOST_PAIRS: Final = 6


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """Number of images of one class that the model assigned to a class."""

    count: int
    right: bool
    shade: int
    """Shade from 0 (no images) to 6 (most images of all wrong cells); 0 on the diagonal."""


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """Row of the confusion matrix: one true class."""

    name: str
    cells: tuple[ConfusionCell, ...]
    total: int
    right: float
    """Fraction of its images that was classified correctly, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion matrix; rows are true classes, columns are predicted classes."""

    names: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]
    wrong: int
    total: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """An image that was classified wrongly."""

    uri: str
    index: int
    """Row of the image in the split, from 0."""


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Images of one class that the model took for another class."""

    true: str
    predicted: str
    times: int
    """Number of these images."""
    images: tuple[Mistake, ...]
    """The first of them."""


def _names(dataset: str, classes: int) -> tuple[str, ...]:
    names = CLASS_NAMES.get(dataset, ())
    return names if len(names) == classes else tuple(map(str, range(classes)))


def _pairs(
    labels: npt.NDArray[Any], predicted: Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Convert labels and predictions to the same form; return None if they do not match."""
    true = np.asarray(labels, dtype=np.int64).reshape(-1)
    guess = np.asarray(predicted, dtype=np.int64).reshape(-1)
    if not true.size or true.shape != guess.shape or true.min() < 0 or guess.min() < 0:
        return None
    return true, guess


def confusion(labels: npt.NDArray[Any], predicted: Sequence[int], dataset: str) -> Confusion | None:
    """Count the images for each pair of true and predicted class.

    Args:
        labels: Integers of shape (n,) or (n, 1).
        predicted: n predicted classes.
        dataset: Name of the data set, used for class names.

    Returns:
        The matrix; None if labels and predictions do not match, or for more than 20 classes.
    """
    pairs = _pairs(labels, predicted)
    if pairs is None:
        return None
    true, guess = pairs
    classes = int(true.max()) + 1
    if classes > _MOST_CLASSES:
        return None
    in_range = guess < classes
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (true[in_range], guess[in_range]), 1)
    totals = np.bincount(true, minlength=classes)
    off = matrix - np.diag(np.diag(matrix))
    most = max(int(off.max()), 1)
    names = _names(dataset, classes)
    rows = tuple(
        ConfusionRow(
            name=names[row],
            cells=tuple(_cell(int(matrix[row, column]), most, right=row == column) for column in range(classes)),
            total=int(totals[row]),
            right=float(matrix[row, row] / totals[row]) if totals[row] else 0.0,
        )
        for row in range(classes)
    )
    return Confusion(names=names, rows=rows, wrong=int((true != guess).sum()), total=int(true.size))


def _cell(number: int, most: int, *, right: bool) -> ConfusionCell:
    """Create a cell, shaded by the square root of its count, so that rare mistakes remain visible."""
    shade = 0 if right or not number else max(1, round(_SHADES * float(np.sqrt(number / most))))
    return ConfusionCell(number, right, shade)


def confused_pairs(
    images: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    predicted: Sequence[int],
    dataset: str,
    *,
    most_images: int = 4,
) -> tuple[ConfusedPair, ...]:
    """List the six most frequent mistakes, by pair of true and predicted class, with the first images of each.

    Args:
        images: uint8 of shape (n, height, width) or (n, height, width, channels).
        labels: Integers of shape (n,) or (n, 1).
        predicted: n predicted classes.
        dataset: Name of the data set, used for class names.
        most_images: Maximum number of images of one pair.

    Returns:
        Pairs ordered by their frequency, then by their classes; images in the order of the split.
    """
    pairs = _pairs(labels, predicted)
    if pairs is None or len(images) != len(pairs[0]):
        return ()
    true, guess = pairs
    names = _names(dataset, int(true.max()) + 1)
    wrong = np.flatnonzero(true != guess)
    both, times = np.unique(np.stack([true[wrong], guess[wrong]], axis=1), axis=0, return_counts=True)
    frequent = np.argsort(-times, kind="stable")[:_MOST_PAIRS]
    return tuple(
        ConfusedPair(
            true=_named(names, int(both[at, 0])),
            predicted=_named(names, int(both[at, 1])),
            times=int(times[at]),
            images=tuple(
                Mistake(png_uri(np.asarray(images[row])), int(row))
                for row in wrong[(true[wrong] == both[at, 0]) & (guess[wrong] == both[at, 1])][:most_images]
            ),
        )
        for at in frequent
    )


def _named(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else str(index)
