"""Find the images of a data set nearest to an altered image, and measure how well they explain it.

Two images are compared in gray, after the best shift, and then at half their resolution, after mirroring, brightness,
contrast and a small affine change. Two features of each image preselect the nearest ones: a coarse picture, and the
strength of low frequencies, which does not depend on the position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Probes", "SplitFeatures", "average_matrix", "misfit", "probes_of"]

Floats: TypeAlias = NDArray[np.float32]

_CHUNK = 16384
"""Number of images of one product of matrices; on a busy machine, each product waits for its threads."""
_BLOCK = 2048
_NEAREST = 3
"""Number of images that each feature preselects, and that are compared precisely."""
_REACH = 6
"""Largest shift that is undone, in pixels."""
_MOST_PADDING = 8
_FREQUENCIES = 4
_RIDGE = 1e-6
_ROBUST = 0.6745
"""Median of the absolute value of a standard normal variable."""


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """Images to look for.

    Attributes:
        images: The images in gray, in the resolution of the data set.
        noise: Standard deviation of the noise of each pixel at half the resolution, by differences of neighboring
            pixels; per image.
    """

    images: Floats
    noise: Floats

    @property
    def power(self) -> Floats:
        """Sum of the squares of each image's deviations from its mean, at half the resolution."""
        half = _half(self.images)
        power: Floats = ((half - half.mean(axis=(1, 2), keepdims=True)) ** 2).sum(axis=(1, 2))
        return power

    @property
    def noise_power(self) -> Floats:
        """The part of the power that is noise."""
        part: Floats = self.noise * self.noise * _half(self.images[:1]).size
        return part


@dataclass(frozen=True, slots=True, eq=False)
class SplitFeatures:
    """The features of all images of a split.

    Attributes:
        images: The raw images; may be memory-mapped.
        coarse: Directions of the coarse pictures, in half precision.
        spectra: Directions of the strengths of low frequencies, in half precision.
    """

    images: NDArray[np.uint8]
    coarse: NDArray[np.float16]
    spectra: NDArray[np.float16]

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> "SplitFeatures":
        """Compute the features of raw images of shape (n, h, w[, c])."""
        parts = [
            (_coarse(half), _spectra(half))
            for start in range(0, len(images), _CHUNK)
            for half in (_half(_grey(images[start : start + _CHUNK])),)
        ]
        coarse, spectra = (np.concatenate(part).astype(np.float16) for part in zip(*parts, strict=True))
        return cls(images, coarse, spectra)

    def nearest(self, probes: Floats) -> Floats:
        """Find images similar to each probe.

        Args:
            probes: Images in gray, (n, h, w).

        Returns:
            Images in gray, (n, k, h, w).
        """
        half = _half(probes)
        found = [_best(_coarse(half), self.coarse), _best(_spectra(half), self.spectra)]
        rows, inverse = np.unique(np.concatenate(found, axis=1), return_inverse=True)
        return _grey(self.images[rows])[inverse.reshape(len(probes), -1)]


def probes_of(images: NDArray[Any], shape: Sequence[int]) -> Probes | None:
    """Convert images as a model received them to the resolution of a data set, in gray.

    Args:
        images: Images of shape (n, h, w) or (n, h, w, c), of any size.
        shape: Height and width of the data set's images.

    Returns:
        None if they have another number of axes or no pixels, or none is usable. Images without contrast, or with
        numbers that are not finite, are left out.
    """
    if images.ndim not in {3, 4} or min(images.shape[1:3]) < 2:  # noqa: PLR2004 - n, h, w[, c]; differences of neighbors
        return None
    if images.size == 0:
        return None
    usable = np.isfinite(images).all(axis=tuple(range(1, images.ndim)))
    grey = _grey(np.where(usable.reshape(-1, *[1] * (images.ndim - 1)), images, 0))
    usable &= np.ptp(grey, axis=(1, 2)) > 0
    if not usable.any():
        return None
    grey = _unpadded(grey[usable], shape)
    height, width = (size // 2 * 2 for size in grey.shape[1:])
    even = grey[:, :height, :width]
    detail = (even[:, ::2, ::2] - even[:, 1::2, ::2] - even[:, ::2, 1::2] + even[:, 1::2, 1::2]) / 2
    noise = np.median(np.abs(detail.reshape(len(grey), detail[:1].size)), axis=1) / _ROBUST
    # The mean of several pixels has less noise.
    whole = _resized(grey, shape)
    joined = max(1.0, grey[0].size / _half(whole[:1]).size)
    return Probes(whole, (noise / joined**0.5).astype(np.float32))


def misfit(probes: Probes, features: SplitFeatures) -> Floats:
    """Measure how badly the best image of a split explains each probe.

    Returns:
        Sum of squared differences after the best alignment, per probe.
    """
    images = np.concatenate([probes.images, probes.images[:, :, ::-1]])
    best: Floats = _remainder(_half(images), _half(_shifted(images, features.nearest(images)))).min(axis=1)
    return np.minimum(best[: len(probes.images)], best[len(probes.images) :])


def average_matrix(size: int, target: int) -> Floats:
    """Make the matrix that reduces an axis by averaging, (target, size)."""
    edges = np.arange(size + 1) / size
    starts, ends = np.arange(target)[:, None] / target, (np.arange(target)[:, None] + 1) / target
    common = np.minimum(edges[1:], ends) - np.maximum(edges[:-1], starts)
    matrix: Floats = (np.maximum(common, 0) * target).astype(np.float32)
    return matrix


def _grey(images: NDArray[Any]) -> Floats:
    """Average the channels; adding them one by one is several times as fast as a mean."""
    if images.ndim == 3:  # noqa: PLR2004 - n, h, w
        return np.asarray(images, np.float32)
    grey: Floats = images[..., 0].astype(np.float32)
    for channel in range(1, images.shape[-1]):
        grey += images[..., channel]
    grey /= images.shape[-1]
    return grey


def _unpadded(images: Floats, shape: Sequence[int]) -> Floats:
    """Cut off a margin that is as wide on both sides; a larger difference means resized images."""
    margins = [have - want for have, want in zip(images.shape[1:], shape[:2], strict=True)]
    if any(margin < 0 or margin % 2 or margin > _MOST_PADDING for margin in margins):
        return images
    top, left = (margin // 2 for margin in margins)
    return images[:, top : top + shape[0], left : left + shape[1]]


def _resized(images: Floats, shape: Sequence[int]) -> Floats:
    """Change the height and width of images."""
    rows, columns = (average_matrix(size, target) for size, target in zip(images.shape[-2:], shape[:2], strict=True))
    resized: Floats = rows @ (images @ columns.T)
    return resized


def _half(images: Floats) -> Floats:
    """Halve the height and width of images."""
    return _resized(images, [-(-size // 2) for size in images.shape[-2:]])


def _coarse(half: Floats) -> Floats:
    flat = _half(half).reshape(len(half), -1)
    return _directions(flat - flat.mean(axis=1, keepdims=True))


def _spectra(half: Floats) -> Floats:
    """Compute the strengths of low frequencies; their roots, so that the strongest do not outweigh the others."""
    height, width = half.shape[1:]
    turns_y = np.outer(np.arange(-_FREQUENCIES, _FREQUENCIES + 1), np.arange(height)) / height
    turns_x = np.outer(np.arange(_FREQUENCIES + 1), np.arange(width)) / width
    waves_y, waves_x = (np.exp(-2j * np.pi * turns).astype(np.complex64) for turns in (turns_y, turns_x))
    strengths = np.abs(waves_y @ (half @ waves_x.T)).reshape(len(half), -1)
    # The mean of the image is a frequency, too.
    strengths[:, _FREQUENCIES * (_FREQUENCIES + 1)] = 0
    return _directions(np.sqrt(strengths))


def _directions(rows: Floats) -> Floats:
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    directions: Floats = (rows / np.where(length == 0, 1, length)).astype(np.float32)
    return directions


def _best(probes: Floats, features: NDArray[np.float16]) -> NDArray[np.int64]:
    """Find similar rows of each probe, or of its inverse: the best of each block, so that one pass is enough."""
    rows, values = [], []
    each = np.arange(len(probes))
    for start in range(0, len(features), _CHUNK):
        likeness = probes @ features[start : start + _CHUNK].astype(np.float32).T
        np.abs(likeness, out=likeness)
        for first in range(0, likeness.shape[1], _BLOCK):
            place = likeness[:, first : first + _BLOCK].argmax(axis=1) + first
            rows.append(place + start)
            values.append(likeness[each, place])
    order = np.argsort(-np.stack(values, axis=1), axis=1)[:, :_NEAREST]
    best: NDArray[np.int64] = np.take_along_axis(np.stack(rows, axis=1), order, axis=1)
    return best


def _shifted(probes: Floats, images: Floats) -> Floats:
    """Move images, (n, k, h, w), to where they fit the probes, (n, h, w), and keep the most similar ones."""
    height, width = probes.shape[1:]
    centred = images - images.mean(axis=(2, 3), keepdims=True)
    middle = probes - probes.mean(axis=(1, 2), keepdims=True)
    products = np.fft.irfft2(np.fft.rfft2(middle)[:, None] * np.conj(np.fft.rfft2(centred)), s=(height, width))
    near_y, near_x = _shifts(height), _shifts(width)
    length = np.sqrt((centred * centred).sum(axis=(2, 3)))
    likeness = np.abs(products[:, :, near_y][:, :, :, near_x]) / np.maximum(length, _RIDGE)[..., None, None]
    likeness = likeness.reshape(*images.shape[:2], -1)
    best = np.argsort(-likeness.max(axis=2), axis=1)[:, :_NEAREST]
    place = np.take_along_axis(likeness.argmax(axis=2), best, axis=1)
    down, right = near_y[place // len(near_x)], near_x[place % len(near_x)]
    rows = (np.arange(height) - down[..., None]) % height
    columns = (np.arange(width) - right[..., None]) % width
    chosen: Floats = images[np.arange(len(images))[:, None], best]
    each = np.arange(len(images))[:, None, None, None], np.arange(best.shape[1])[:, None, None]
    moved: Floats = chosen[*each, rows[..., :, None], columns[..., None, :]]
    return moved


def _shifts(size: int) -> NDArray[np.int64]:
    """List the shifts along an axis, each once: a small axis has fewer than the reach allows."""
    return np.array(list(dict.fromkeys(shift % size for shift in (*range(_REACH + 1), *range(-_REACH, 0)))))


def _slope(images: Floats, axis: int) -> Floats:
    """Compute the gradient along an axis; an axis of one pixel has none."""
    if images.shape[axis] == 1:
        return np.zeros_like(images)
    slope: Floats = np.gradient(images, axis=axis)
    return slope


def _remainder(probes: Floats, images: Floats) -> Floats:
    """Explain each probe by an image, its gradients and a constant; return the sum of squares that remains, (n, k)."""
    count, number, height, width = images.shape
    down, right = _slope(images, 2), _slope(images, 3)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    parts = [images, np.ones_like(images), down, right, y * down, x * down, y * right, x * right]
    rows = np.stack(parts, axis=2).reshape(count, number, len(parts), height * width)
    wanted = probes.reshape(count, 1, height * width, 1)
    products = rows @ rows.swapaxes(-1, -2)
    scale = np.trace(products, axis1=-1, axis2=-2)[..., None, None] / len(parts)
    products += _RIDGE * np.maximum(scale, _RIDGE) * np.eye(len(parts), dtype=np.float32)
    weights = np.linalg.solve(products, rows @ wanted)
    rest = wanted - rows.swapaxes(-1, -2) @ weights
    remainder: Floats = (rest * rest).sum(axis=(-1, -2))
    return remainder
