"""Make the rows of arrays recognizable whose fingerprints are unknown: by their plain form, or by stored pixels.

An array with padding or repeated gray channels has a plain form in the data set's own shape, with known fingerprints.
An array that was standardized per pixel or per channel has none. For such an array, a few dozen pixels of every row are
stored, the landmarks. The stored sample shows how each of these pixels was scaled. The raw pixels computed from it
identify the row.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LANDMARKS", "KnownImages", "landmarks"]

LANDMARKS = 48
"""Number of pixels to store per row: ten megabytes for 60,000 rows."""
_POOL = 4 * LANDMARKS
"""Number of most variable pixels, over which the landmarks are spread."""
_FEWEST_ROWS = 16
_MAX_PADDING = 8
_GREY = 2
_COLOURS = 3


class KnownImages:
    """Shapes and fingerprints of the session's data sets, to compare arrays with inside the sandbox."""

    def __init__(self, data: Path, datasets: tuple[str, ...]) -> None:
        """Read the data sets' shapes and fingerprints; skip unreadable ones.

        Args:
            data: Folder of prepared data sets.
            datasets: Names of the data sets.
        """
        self.shapes: list[tuple[int, ...]] = []
        prints = [np.empty(0, np.uint64)]
        for name in datasets:
            try:
                shape = np.load(data / name / "x_train.npy", mmap_mode="r", allow_pickle=False).shape[1:]
                prints.append(np.load(data / name / "fingerprints.npy", allow_pickle=False))
            except (OSError, ValueError):
                continue
            self.shapes.append(tuple(shape))
        self.prints = np.sort(np.concatenate(prints))

    def knows(self, fingerprints: NDArray[np.uint64]) -> bool:
        """Return whether at least half of some images belong to these data sets.

        Args:
            fingerprints: Fingerprint of each image; at least one.
        """
        if not len(self.prints):
            return False
        # `np.isin` would sort both arrays.
        places = np.minimum(np.searchsorted(self.prints, fingerprints), len(self.prints) - 1)
        return bool((self.prints[places] == fingerprints).mean() >= 1 / 2)

    def plain(self, array: NDArray[Any]) -> NDArray[Any]:
        """Remove repeated channels and constant padding, if this results in images of a known shape.

        Args:
            array: Images of shape (n, …) with any real dtype.

        Returns:
            A view of a part of the array, or the array itself if there is nothing to remove.
        """
        return next((inner for shape in self.shapes if (inner := _undone(array, shape)) is not None), array)


def _undone(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return the array reduced to a known image shape; None if it has that shape already or cannot be reduced to it."""
    image_shape = array.shape[1:]
    if len(image_shape) < _GREY or not len(array) or image_shape[:2] < shape[:2]:
        return None
    channels = image_shape[2:] or (1,)
    target_channels = shape[2:] or (1,)
    if len(channels) != 1 or len(target_channels) != 1 or channels[0] not in {target_channels[0], _COLOURS}:
        return None
    repeated = channels != target_channels
    position = _frame(image_shape, shape)
    if position is None or (not repeated and image_shape[:2] == shape[:2]):
        return None
    # The first image excludes most arrays; comparing the channels of all images takes a second.
    if repeated and not (_same_channels(array[:1]) and _same_channels(array)):
        return None
    plain = array[..., :1] if repeated else array
    return plain[(slice(None), *position)] if _constant_outside(plain, position) else None


def _same_channels(array: NDArray[Any]) -> bool:
    return bool((array[..., 1:] == array[..., :1]).all())


def _frame(image_shape: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Return the position of the image in a symmetrically padded image, or None if there is none."""
    margins = [have - want for have, want in zip(image_shape[:2], shape[:2], strict=True)]
    if any(margin < 0 or margin % 2 or margin > _MAX_PADDING for margin in margins):
        return None
    top, left = (margin // 2 for margin in margins)
    return slice(top, top + shape[0]), slice(left, left + shape[1])


def _constant_outside(array: NDArray[Any], position: tuple[slice, slice]) -> bool:
    rows, columns = position
    edge = array[(0,) * array.ndim]
    strips = (
        array[:, : rows.start],
        array[:, rows.stop :],
        array[:, rows, : columns.start],
        array[:, rows, columns.stop :],
    )
    return all(bool((strip == edge).all()) for strip in strips)


def landmarks(array: NDArray[Any], sample: NDArray[np.float32], room: int) -> dict[str, NDArray[Any]]:
    """Select some pixels of every row.

    Args:
        array: Images of shape (n, …).
        sample: Some of its rows, used to find the pixels that vary most.
        room: Number of bytes that may be stored.

    Returns: `landmarks`, float32 of shape (n, k), and `landmark_index`, int64, their positions in a flattened row.
    Empty for an array too small to need landmarks or too large to store them.
    """
    rows = len(array)
    if len(sample) < _FEWEST_ROWS or rows * LANDMARKS * 4 > room or not np.isfinite(sample).all():
        return {}
    ordered = np.sort(sample.reshape(len(sample), -1), axis=0)
    different = (np.diff(ordered, axis=0) > 0).sum(axis=0)
    pool = np.sort(np.argsort(-different, kind="stable")[:_POOL])
    pool = pool[different[pool] > 0]
    if not len(pool):
        return {}
    index = pool[np.unique(np.linspace(0, len(pool) - 1, min(LANDMARKS, len(pool))).round().astype(np.int64))]
    pixels = array[(slice(None), *np.unravel_index(index, array.shape[1:]))]
    return {"landmarks": np.asarray(pixels, np.float32), "landmark_index": index.astype(np.int64)}
