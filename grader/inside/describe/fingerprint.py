"""Compute fingerprints of images that do not depend on brightness and contrast.

Each image is scaled to 0 … 1 by its own minimum and maximum and quantized to five levels, and these are hashed.
Therefore `x / 255`, `x / 255 - 0.5` and a standardization by one mean and one deviation keep the fingerprint of the raw
image. The origin of an array can thus be found without its labels.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "OFFSET", "REAL_KINDS", "Scan", "fingerprint", "scan"]

LEVELS = 4
"""Number of steps in an image's own range; they give the levels 0 to 4."""

OFFSET = 1.0 / 510.0
"""Added before quantization. For integers k ≤ R ≤ 255, `LEVELS * k / R` is a fraction with a denominator up to 255. Its
distance to `m - 1/510` is at least 1/510 for every integer m, so rounding changes no pixel of an 8-bit image."""

REAL_KINDS = "biufV"
"""Kinds of the types of real numbers; bfloat16 is of kind V."""

_BLOCK = 1024
"""Columns per projection: `LEVELS * 2047 * _BLOCK` is below 2**24, so float32 sums are exact in any order."""
_PROJECTIONS = 8
_CHUNK = 1 << 16
"""Numbers to process at once; a quarter of a megabyte fits into the processor's cache."""
_WORTH_WORKERS = 4 << 20
"""Amount of numbers above which several threads are worth their start."""
_MOST_WORKERS = 4
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True, slots=True)
class Scan:
    """Results of one pass over an array of images.

    Attributes:
        fingerprints: Fingerprint of each row, as uint64.
        low: Smallest number; NaN if a number is not finite.
        high: Largest number; NaN if a number is not finite.
        mean: Mean of all numbers.
        std: Standard deviation of all numbers.
    """

    fingerprints: NDArray[np.uint64]
    low: float
    high: float
    mean: float
    std: float


def fingerprint(images: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash each image so that a positive scale and a shift do not change the hash.

    Args:
        images: Images of shape (n, …) with any real dtype, one per row.

    Returns:
        Hashes of shape (n,); 0 for an image that is constant or contains a number that is not finite.
    """
    return scan(images).fingerprints


def scan(images: NDArray[Any]) -> Scan:
    """Compute an array's fingerprints, range, mean and deviation in one pass.

    Args:
        images: Images of shape (n, …) with any real dtype, one per row.
    """
    rows = len(images)
    width = int(np.prod(images.shape[1:], dtype=np.int64))
    prints = np.zeros(rows, np.uint64)
    if rows == 0 or width == 0:
        return Scan(prints, *(float("nan"),) * 4)
    workers = min(_MOST_WORKERS, os.cpu_count() or 1) if images.size > _WORTH_WORKERS else 1
    edges = [rows * number // workers for number in range(workers + 1)]

    def part(start: int, stop: int) -> tuple[float, float, float, float]:
        return _scan_part(images[start:stop], prints[start:stop], width)

    if workers == 1:
        sums = [part(0, rows)]
    else:
        # NumPy releases the interpreter lock while it computes, so threads run in parallel.
        with ThreadPoolExecutor(workers) as pool:
            sums = list(pool.map(part, edges[:-1], edges[1:]))
    lows, highs, totals, squares = (np.array(column) for column in zip(*sums, strict=True))
    count = rows * width
    mean = float(totals.sum()) / count
    deviation = max(0.0, float(squares.sum()) / count - mean * mean) ** 0.5
    return Scan(prints, float(lows.min()), float(highs.max()), mean, deviation)


def _scan_part(images: NDArray[Any], prints: NDArray[np.uint64], width: int) -> tuple[float, float, float, float]:
    """Fill in the fingerprints of some rows; return their minimum, maximum, sum and sum of squares."""
    low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
    step = max(1, _CHUNK // width)
    # Use one buffer for all chunks: allocating one for each chunk costs more than the arithmetic.
    buffer = np.empty((min(step, len(images)), width), _numbers(images[:1]).dtype)
    for start in range(0, len(images), step):
        chunk = _numbers(images[start : start + step]).reshape(-1, width)
        lows, highs = chunk.min(axis=1), chunk.max(axis=1)
        low, high = np.minimum(low, lows.min()), np.maximum(high, highs.max())
        flat = chunk.ravel()
        total += float(flat.sum())
        squares += _square_sum(flat)
        prints[start : start + step] = _prints(chunk, lows, highs, buffer[: len(chunk)])
    return float(low), float(high), total, squares


def _square_sum(flat: NDArray[Any]) -> float:
    # BLAS distributes a product of doubles to its own threads, which wait for each other on a busy machine.
    return float(np.einsum("i,i->", flat, flat) if flat.dtype == np.float64 else np.dot(flat, flat))


def _numbers(chunk: NDArray[Any]) -> NDArray[Any]:
    """Convert a chunk to float32, or to float64 if float32 would lose precision that matters."""
    wide = chunk.dtype.kind in "iu" and chunk.dtype.itemsize > np.dtype(np.int16).itemsize
    wide = wide or (chunk.dtype.kind == "f" and chunk.dtype.itemsize > np.dtype(np.float32).itemsize)
    return np.asarray(chunk, np.float64 if wide else np.float32)


def _prints(chunk: NDArray[Any], lows: NDArray[Any], highs: NDArray[Any], levels: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash one chunk; `levels` is a work buffer of the chunk's shape and type."""
    with np.errstate(all="ignore"):
        ranges = highs - lows
        scales = LEVELS / ranges
        usable = (ranges > 0) & np.isfinite(ranges) & np.isfinite(scales)
        if not usable.all():
            chunk, lows = np.where(usable[:, None], chunk, 0), np.where(usable, lows, 0)
            scales = np.where(usable, scales, 0)
            ranges = np.where(usable, ranges, 0)
        # Subtract the offset from the minimum, which saves a pass over all pixels.
        base = lows - ranges * (OFFSET / LEVELS)
        np.subtract(chunk, base.astype(chunk.dtype)[:, None], out=levels)
        levels *= scales[:, None].astype(chunk.dtype)
    np.floor(levels, out=levels)
    return np.where(usable, _hash(levels.astype(np.float32, copy=False)), np.uint64(0))


def _hash(levels: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Hash rows of integers 0 … LEVELS: random projections, exact in float32, then mixed to 64 bits."""
    mixed = np.full(len(levels), levels.shape[1], np.uint64)
    for start in range(0, levels.shape[1], _BLOCK):
        block = levels[:, start : start + _BLOCK]
        sums = (block @ _WEIGHTS[: block.shape[1]]).astype(np.int64).view(np.uint64)
        for column in range(_PROJECTIONS):
            mixed = _mix(mixed + sums[:, column])
    return np.where(mixed == 0, np.uint64(1), mixed)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Apply one round of SplitMix64 (Steele, Lea, Flood 2014); wraps modulo 2**64."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * _MULTIPLIERS[0]
    values = (values ^ (values >> np.uint64(27))) * _MULTIPLIERS[1]
    return values ^ (values >> np.uint64(31))


def _weights() -> NDArray[np.float32]:
    """Return fixed integers -2047 … 2047, the same on every machine, since they are part of the format."""
    raw = _mix(np.arange(_BLOCK * _PROJECTIONS, dtype=np.uint64))
    return ((raw % np.uint64(4095)).astype(np.int64) - 2047).astype(np.float32).reshape(_BLOCK, _PROJECTIONS)


_WEIGHTS = _weights()
