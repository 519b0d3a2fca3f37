"""What lets an array's rows be recognised that no fingerprint knows: its plain form, and some of its pixels as given.

An array that was padded, or whose grey channel was repeated, has a plain form with the data set's own shape, whose
fingerprints are known. One that was standardised pixel by pixel or channel by channel has none: of such an array, the
numbers of a few dozen pixels of every row are kept, the landmarks. Once the sample has shown how each of these pixels
was scaled, they give back raw pixels, which name the row.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LANDMARKS", "KnownImages", "landmarks"]

LANDMARKS = 48
"""Pixels kept of each row: ten megabytes for 60,000 rows."""
_POOL = 4 * LANDMARKS
"""The landmarks are spread over so many pixels that vary most."""
_FEWEST_ROWS = 16
_MAX_PADDING = 8
_GREY = 2
_COLOURS = 3


class KnownImages:
    """The data sets of a session, as far as an array is compared with them inside the sandbox."""

    def __init__(self, data: Path, datasets: tuple[str, ...]) -> None:
        """Read the data sets' shapes and fingerprints; what cannot be read is left out.

        Args:
            data: Folder of prepared data sets.
            datasets: Their names.
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
        self.prints = np.unique(np.concatenate(prints))

    def knows(self, fingerprints: NDArray[np.uint64]) -> bool:
        """Whether at least half of some images are of these data sets.

        Args:
            fingerprints: One an image, at least one.
        """
        return bool(np.isin(fingerprints, self.prints).mean() >= 1 / 2)

    def plain(self, array: NDArray[Any]) -> NDArray[Any]:
        """Undo repeated channels and a frame of one number, where that leaves images of a known shape.

        Args:
            array: (n, …), any real dtype.

        Returns:
            A view of a part of the array, or the array itself where nothing is to be undone.
        """
        return next((inner for shape in self.shapes if (inner := _undone(array, shape)) is not None), array)


def _undone(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """The array with images of a known shape, or None where it has that size already or cannot be brought to it."""
    given = array.shape[1:]
    if len(given) < _GREY or not len(array) or given[:2] < shape[:2]:
        return None
    channels = given[2:] or (1,)
    wanted = shape[2:] or (1,)
    if len(channels) != 1 or len(wanted) != 1 or channels[0] not in {wanted[0], _COLOURS}:
        return None
    repeated = channels != wanted
    inside = _frame(given, shape)
    if inside is None or (not repeated and given[:2] == shape[:2]):
        return None
    # The first image rules most arrays out; to compare the channels of all of them takes a second.
    if repeated and not (_same_channels(array[:1]) and _same_channels(array)):
        return None
    plain = array[..., :1] if repeated else array
    return plain[(slice(None), *inside)] if _constant_outside(plain, inside) else None


def _same_channels(array: NDArray[Any]) -> bool:
    return bool((array[..., 1:] == array[..., :1]).all())


def _frame(given: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Where in a padded image the image lies: in its middle."""
    more = [have - want for have, want in zip(given[:2], shape[:2], strict=True)]
    if any(extra < 0 or extra % 2 or extra > _MAX_PADDING for extra in more):
        return None
    top, left = (extra // 2 for extra in more)
    return slice(top, top + shape[0]), slice(left, left + shape[1])


def _constant_outside(array: NDArray[Any], inside: tuple[slice, slice]) -> bool:
    rows, columns = inside
    edge = array[(0,) * array.ndim]
    strips = (
        array[:, : rows.start],
        array[:, rows.stop :],
        array[:, rows, : columns.start],
        array[:, rows, columns.stop :],
    )
    return all(bool((strip == edge).all()) for strip in strips)


def landmarks(array: NDArray[Any], sample: NDArray[np.float32], room: int) -> dict[str, NDArray[Any]]:
    """Keep some pixels of every row.

    Args:
        array: (n, …), images.
        sample: Some of its rows, by which the pixels that vary most are found.
        room: Bytes that may be kept.

    Returns:
        `landmarks`, float32 of shape (n, k), and `landmark_index`, where these numbers stand in a flattened row, int64;
        nothing of an array too small to need them or too large to be kept.
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
    kept = array[(slice(None), *np.unravel_index(index, array.shape[1:]))]
    return {"landmarks": np.asarray(kept, np.float32), "landmark_index": index.astype(np.int64)}
