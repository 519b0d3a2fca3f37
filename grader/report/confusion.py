"""What the network took for what: the confusion matrix and the images it got wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from grader.report.images import png_uri

__all__ = ["CLASS_NAMES", "Confusion", "ConfusionCell", "ConfusionRow", "Mistake", "confusion", "mistakes"]

CLASS_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip
"""Names of classes where numbers do not speak for themselves."""
_MOST_CLASSES: Final = 20
_SHADES: Final = 6


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """Images of one class that the network put into one class."""

    count: int
    right: bool
    shade: int
    """0 (none) to 6 (the most of all wrong cells); 0 on the diagonal."""


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """One true class."""

    name: str
    cells: tuple[ConfusionCell, ...]
    total: int
    right: float
    """Part of its images that was recognised, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """The whole matrix; rows are true classes, columns predicted ones."""

    names: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]
    wrong: int
    total: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """One image that was taken for something else."""

    uri: str
    true: str
    predicted: str
    index: int
    """Its row in the split, from 0."""
    times: int
    """How many images of this class were taken for that one."""


def _names(dataset: str, classes: int) -> tuple[str, ...]:
    known = CLASS_NAMES.get(dataset, ())
    return known if len(known) == classes else tuple(map(str, range(classes)))


def _pairs(
    labels: npt.NDArray[Any], predicted: Sequence[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Bring labels and predictions to the same form; None where they do not belong together."""
    true = np.asarray(labels, dtype=np.int64).reshape(-1)
    guess = np.asarray(predicted, dtype=np.int64).reshape(-1)
    if not true.size or true.shape != guess.shape or true.min() < 0 or guess.min() < 0:
        return None
    return true, guess


def confusion(labels: npt.NDArray[Any], predicted: Sequence[int], dataset: str) -> Confusion | None:
    """Count which class was taken for which.

    Args:
        labels: Whole numbers of shape (n,) or (n, 1).
        predicted: n predicted classes.
        dataset: Names the classes, where they have names.

    Returns:
        The matrix; None for labels and predictions that do not belong together, or for more than 20 classes.
    """
    pairs = _pairs(labels, predicted)
    if pairs is None:
        return None
    true, guess = pairs
    classes = int(true.max()) + 1
    if classes > _MOST_CLASSES:
        return None
    inside = guess < classes
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (true[inside], guess[inside]), 1)
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
    """Shade by the square root, so that rare mistakes stay visible beside frequent ones."""
    shade = 0 if right or not number else max(1, round(_SHADES * float(np.sqrt(number / most))))
    return ConfusionCell(number, right, shade)


def mistakes(
    images: npt.NDArray[Any], labels: npt.NDArray[Any], predicted: Sequence[int], dataset: str, most: int = 40
) -> tuple[Mistake, ...]:
    """Pick the images that were taken for something else, the most frequent mistakes first.

    Args:
        images: uint8 of shape (n, height, width) or (n, height, width, channels).
        labels: Whole numbers of shape (n,) or (n, 1).
        predicted: n predicted classes.
        dataset: Names the classes, where they have names.
        most: At most this many images.

    Returns:
        Images ordered by how frequent their pair of classes is, then by their place in the split.
    """
    pairs = _pairs(labels, predicted)
    if pairs is None or len(images) != len(pairs[0]):
        return ()
    true, guess = pairs
    wrong = np.flatnonzero(true != guess)
    both, places, times = np.unique(
        np.stack([true[wrong], guess[wrong]], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    places = places.reshape(-1)
    order = np.lexsort((wrong, places, -times[places])) if len(both) else np.zeros(0, dtype=np.int64)
    names = _names(dataset, int(true.max()) + 1)
    return tuple(
        Mistake(
            uri=png_uri(np.asarray(images[wrong[at]])),
            true=_named(names, int(true[wrong[at]])),
            predicted=_named(names, int(guess[wrong[at]])),
            index=int(wrong[at]),
            times=int(times[places[at]]),
        )
        for at in order[:most]
    )


def _named(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else str(index)
