"""Finds the preprocessing of a model's training images, and applies it to raw test images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Affine", "affine_from_sample", "prepared_test_images"]

_CLOSE = 1e-3
"""Maximum difference between formula and values, as a fraction of the values' range."""


@dataclass(frozen=True, slots=True)
class Affine:
    """Formula: input = raw * scale + shift, with raw pixels from 0 to 255."""

    scale: float
    shift: float


def affine_from_sample(sample_file: Path, folder: Path) -> Affine | None:
    """Find the formula that converts the raw images of a data set to a model's training images.

    Args:
        sample_file: An array's `.npz` file in the record: `fingerprints`, `sample_index`, `sample`.
        folder: Folder with `x_train.npy`, `x_test.npy`, and `fingerprints.npy` (uint64, train rows, then test rows).

    Returns:
        The formula; None if no sampled row belongs to this data set, or if no single formula fits all rows.
    """
    with np.load(sample_file, allow_pickle=False) as file:
        sample, prints = file["sample"], file["fingerprints"][file["sample_index"]]
    known = np.load(folder / "fingerprints.npy", mmap_mode="r", allow_pickle=False)
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known, prints, sorter=order), len(known) - 1)
    rows = order[place]
    found = (known[rows] == prints) & (prints != 0)
    if not found.any():
        return None
    train = np.load(folder / "x_train.npy", mmap_mode="r", allow_pickle=False)
    test = np.load(folder / "x_test.npy", mmap_mode="r", allow_pickle=False)
    raw = np.stack([train[row] if row < len(train) else test[row - len(train)] for row in rows[found]])
    return _fit(raw.reshape(len(raw), -1).astype(np.float64), sample[found].reshape(len(raw), -1).astype(np.float64))


def _fit(raw: NDArray[np.float64], given: NDArray[np.float64]) -> Affine | None:
    """Fit a formula to all pixels of all rows by least squares."""
    if raw.shape != given.shape:
        return None
    spread = float(raw.var())
    if spread == 0:
        return None
    scale = float(((raw - raw.mean()) * (given - given.mean())).mean() / spread)
    shift = float(given.mean() - scale * raw.mean())
    error = float(np.abs(raw * scale + shift - given).max())
    return Affine(scale, shift) if error <= _CLOSE * max(float(np.ptp(given)), 1e-12) else None


def prepared_test_images(folder: Path, affine: Affine, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Preprocess the raw test images.

    Args:
        folder: The data set's folder.
        affine: The formula.
        shape: Shape of one image in the model's input.
        dtype: Type of the training images; for an integer type the result is rounded.
    """
    raw = np.load(folder / "x_test.npy", mmap_mode="r", allow_pickle=False)
    kind = dtype if dtype.kind in "uif" else np.dtype(np.float32)
    prepared = np.asarray(raw, np.float32) * np.float32(affine.scale) + np.float32(affine.shift)
    return (prepared.round() if kind.kind in "ui" else prepared).astype(kind).reshape((len(raw), *shape))
