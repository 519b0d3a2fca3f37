"""Find the preprocessing that turned raw pixels into a model's inputs, and apply it to other images."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.schema.evidence import Shape, TransformFact
from grader.schema.message import Message, literal, say

__all__ = [
    "PixelMap",
    "PixelStatistics",
    "Preparation",
    "align",
    "describe_transform",
    "find_transform",
    "pixel_statistics",
    "prepare_images",
]

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]

_TOLERANCE = 1e-3
"""Largest accepted error as a fraction of the array's range, because of half precision."""
_PIXEL_TOLERANCE = 5e-3
"""The same for standardized pixels, relative to `1 + |value|`, because of single-precision means of 60,000 rows."""
_MIN_ROWS = 16
"""Smallest number of rows to fit a scale and shift per pixel; fewer rows can fit by chance."""
_CHUNK = 1000
_MAX_PADDING = 8
"""Most pixels in height or width that padding adds; a larger difference means a resized image."""
_NICE_SCALES = (1.0, 1 / 255, 1 / 127.5, 1 / 256, 1 / 128, -1.0, -1 / 255)


@dataclass(frozen=True, slots=True, eq=False)
class PixelMap:
    """A scale and shift per pixel: input = raw * scale + shift; both have the shape of a raw image."""

    scale: Floats
    shift: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PixelStatistics:
    """Mean and (population) standard deviation of each raw pixel, 0 to 255, in the shape of a raw image."""

    mean: Floats
    std: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """A preprocessing of raw images; `pixels` belongs to the kind `per_pixel`."""

    fact: TransformFact
    pixels: PixelMap | None = None


_UNKNOWN = Preparation(TransformFact(kind="unknown"))


def pixel_statistics(images: Bytes) -> PixelStatistics:
    """Compute the mean and standard deviation per pixel of raw images of shape (n, h, w[, c]), n at least 1."""
    total = np.zeros(images.shape[1:])
    squares = np.zeros(images.shape[1:])
    for start in range(0, len(images), _CHUNK):
        # Sums of 1,000 integers up to 255² are exact enough in single precision to be added in double precision.
        chunk = np.asarray(images[start : start + _CHUNK], dtype=np.float32)
        total += chunk.sum(axis=0)
        squares += np.einsum("i...,i...->...", chunk, chunk)
    mean = total / len(images)
    return PixelStatistics(mean, np.sqrt(np.maximum(squares / len(images) - mean * mean, 0.0)))


def align(sample: Floats, shape: tuple[int, ...]) -> Floats | None:
    """Undo changes of shape without changes of pixels: flattening, channel axes, repeated channels, padding.

    Args:
        sample: Inputs of a model, (k, ...).
        shape: Shape of a raw image, (h, w) or (h, w, c).

    Returns:
        The sample as (k, *shape), or None if the shapes do not match.
    """
    own = sample.shape[1:]
    if math.prod(own) == math.prod(shape):
        if len(shape) == len(own) == 3 and own == (shape[2], *shape[:2]) != shape:  # noqa: PLR2004 - h, w, c
            return np.moveaxis(sample, 1, -1)
        return sample.reshape(len(sample), *shape)
    if len(own) == 3 and len(shape) == 2 and own[2] > 1 and bool((sample == sample[..., :1]).all()):  # noqa: PLR2004
        return align(sample[..., 0], shape)
    return _unpadded(sample, shape)


def _unpadded(sample: Floats, shape: tuple[int, ...]) -> Floats | None:
    own = sample.shape[1:]
    if len(own) < 2 or len(sample) == 0:  # noqa: PLR2004 - no height and width
        return None
    top, left = (own[0] - shape[0]) / 2, (own[1] - shape[1]) / 2
    if not (0 <= top == int(top) and 0 <= left == int(left) and max(top, left) > 0):
        return None
    if math.prod(own[2:]) != math.prod(shape[2:]):
        return None
    border = np.ones(own[:2], dtype=bool)
    rows, columns = slice(int(top), int(top) + shape[0]), slice(int(left), int(left) + shape[1])
    border[rows, columns] = False
    edge = sample[:, border]
    return sample[:, rows, columns].reshape(len(sample), *shape) if edge.min() == edge.max() else None


def find_transform(sample: Floats, raw: Bytes, statistics: Iterable[PixelStatistics] = ()) -> Preparation:
    """Find the formula that computes a model's inputs from raw images.

    Tries in this order: one scale and shift for all pixels; a rule per image; standardization per pixel with known
    statistics; a scale and shift per pixel by regression.

    Args:
        sample: Inputs of a model, (k, ...).
        raw: The same images, raw, (k, h, w[, c]).
        statistics: Pixel statistics that a standardization may have used, most likely first; read only if needed.

    Returns:
        The formula with its largest error; kind `unknown` if none is good enough.
    """
    aligned = align(np.asarray(sample, dtype=np.float64), raw.shape[1:]) if len(raw) == len(sample) > 0 else None
    if aligned is None or not np.isfinite(aligned).all():
        return _UNKNOWN
    pixels = raw.astype(np.float64)
    return (
        _affine(aligned, pixels)
        or _per_image(aligned, pixels)
        or _per_pixel(aligned, pixels, tuple(statistics))
        or _UNKNOWN
    )


def _affine(sample: Floats, raw: Floats) -> Preparation | None:
    spread = float(raw.std())
    reach = float(np.ptp(sample))
    if spread == 0 or reach == 0:
        return None
    centred = raw - raw.mean()
    scale = float((centred * sample).mean()) / spread**2
    shift = float(sample.mean() - scale * raw.mean())
    best: Preparation | None = None
    for a, b in (_snapped(scale, shift), (scale, shift)):
        error = float(np.abs(raw * a + b - sample).max())
        if error <= _TOLERANCE * reach and best is None:
            best = Preparation(TransformFact(kind="affine", scale=a, shift=b, error=error))
    return best


def _snapped(scale: float, shift: float) -> tuple[float, float]:
    near = next((nice for nice in _NICE_SCALES if abs(scale / nice - 1) < 1e-5), scale)  # noqa: PLR2004 - rounding
    half = round(shift * 2) / 2
    return near, half if abs(shift - half) < 1e-5 else shift  # noqa: PLR2004 - the same


def _divided(values: Floats, by: Floats) -> Floats:
    return values / np.where(by == 0, 1, by)


def _whole(values: Floats) -> tuple[int, ...]:
    return tuple(range(1, values.ndim))


_RULES: Mapping[str, Callable[[Floats], Floats]] = {
    "standardise": lambda x: _divided(x - x.mean(axis=_whole(x), keepdims=True), x.std(axis=_whole(x), keepdims=True)),
    "minmax": lambda x: _divided(
        x - x.min(axis=_whole(x), keepdims=True),
        x.max(axis=_whole(x), keepdims=True) - x.min(axis=_whole(x), keepdims=True),
    ),
    "max": lambda x: _divided(x, x.max(axis=_whole(x), keepdims=True)),
    "sum": lambda x: _divided(x, x.sum(axis=_whole(x), keepdims=True)),
    "centre": lambda x: (x - x.mean(axis=_whole(x), keepdims=True)) / 255,
    "l2": lambda x: _divided(x, np.sqrt((x * x).sum(axis=_whole(x), keepdims=True))),
    "l2_columns": lambda x: _divided(x, np.sqrt((x * x).sum(axis=1, keepdims=True))),
    "l2_rows": lambda x: _divided(x, np.sqrt((x * x).sum(axis=2, keepdims=True))),
}
"""The rules of `TransformFact.rule` for images of shape (n, h, w[, c]).

`l2_columns` and `l2_rows` are `keras.utils.normalize` with `axis=1` and `axis=2`. Students confuse these with a
division by 255."""


def _per_image(sample: Floats, raw: Floats) -> Preparation | None:
    reach = float(np.ptp(sample))
    for rule, apply in _RULES.items():
        error = float(np.abs(apply(raw) - sample).max())
        if error <= _TOLERANCE * reach:
            return Preparation(TransformFact(kind="per_image", rule=rule, error=error))
    flat, inputs = raw.reshape(len(raw), -1), sample.reshape(len(sample), -1)
    scale, shift = _regression(flat, inputs, axis=1)
    error = float(np.abs(flat * scale + shift - inputs).max())
    if reach > 0 and error <= _TOLERANCE * reach:
        return Preparation(TransformFact(kind="per_image", error=error))
    return None


def _regression(x: Floats, y: Floats, axis: int) -> tuple[Floats, Floats]:
    """Fit scale and shift along an axis by least squares; the scale is 0 where x is constant."""
    mean_x, mean_y = x.mean(axis=axis, keepdims=True), y.mean(axis=axis, keepdims=True)
    scale = _divided(
        ((x - mean_x) * (y - mean_y)).sum(axis=axis, keepdims=True), ((x - mean_x) ** 2).sum(axis=axis, keepdims=True)
    )
    return scale, mean_y - scale * mean_x


def _per_pixel(sample: Floats, raw: Floats, statistics: tuple[PixelStatistics, ...]) -> Preparation | None:
    if len(raw) < _MIN_ROWS:
        return None
    scale, shift = (part[0] for part in _regression(raw, sample, axis=0))
    varied = np.ptp(raw, axis=0) > 0
    # A scale of 0 fits any constant array, so most varying pixels must have another scale.
    if not _follows(sample, raw, PixelMap(scale, shift)) or (scale != 0).sum() <= varied.sum() / 2:
        return None
    candidates = [candidate for each in statistics for candidate in _standardisations(each, scale, raw)]
    exact = next((pixels for pixels in candidates if _follows(sample, raw, pixels)), None)
    return _pixel_preparation(sample, raw, exact or _completed(PixelMap(scale, shift), raw, candidates))


def _standardisations(statistics: PixelStatistics, scale: Floats, raw: Floats) -> tuple[PixelMap, ...]:
    """Make the full standardization, and the subtraction of the mean image alone with the sample's scale."""
    inverse = _divided(np.where(statistics.std > 0, 1.0, 0.0), statistics.std)
    varied = np.ptp(raw, axis=0) > 0
    common = np.full_like(inverse, np.median(scale[varied])) if varied.any() else np.zeros_like(inverse)
    return tuple(PixelMap(a, -a * statistics.mean) for a in (inverse, common))


def _follows(sample: Floats, raw: Floats, pixels: PixelMap) -> bool:
    off = np.abs(raw * pixels.scale + pixels.shift - sample)
    return bool((off <= _PIXEL_TOLERANCE * (1 + np.abs(sample))).all())


def _completed(pixels: PixelMap, raw: Floats, candidates: list[PixelMap]) -> PixelMap:
    """Complete pixels that are constant in the sample, from a standardization that agrees on all other pixels."""
    varied = np.ptp(raw, axis=0) > 0
    for other in candidates:
        both = varied & (other.scale != 0)
        if both.any() and abs(float(np.median(pixels.scale[both] / other.scale[both])) - 1) < 0.05:  # noqa: PLR2004
            return PixelMap(np.where(varied, pixels.scale, other.scale), np.where(varied, pixels.shift, other.shift))
    return pixels


def _pixel_preparation(sample: Floats, raw: Floats, pixels: PixelMap) -> Preparation:
    error = float(np.abs(raw * pixels.scale + pixels.shift - sample).max())
    return Preparation(TransformFact(kind="per_pixel", error=error), pixels)


def prepare_images(raw: Bytes, preparation: Preparation, input_shape: Shape) -> NDArray[np.float32] | None:
    """Preprocess raw images like the training images, in the shape that a model takes.

    Args:
        raw: Images of shape (n, h, w[, c]), 0 to 255.
        preparation: A result of `find_transform`.
        input_shape: Shape of one input without the batch axis; None for an axis of any length.

    Returns:
        float32 of shape (n, *input_shape), or None if the preprocessing is unknown or the shape impossible.
    """
    if preparation.fact.kind == "unknown" or _reshaped(np.zeros((1, *raw.shape[1:])), input_shape, 0) is None:
        return None
    # The padding is a preprocessed black pixel; rules per image keep black at 0.
    black = preparation.fact.shift or 0.0
    result: NDArray[np.float32] | None = None
    for start in range(0, len(raw), _CHUNK):  # in chunks: 10,000 color images in double precision are 240 MB
        chunk = _formula(np.asarray(raw[start : start + _CHUNK], dtype=np.float64), preparation)
        shaped = _reshaped(chunk, input_shape, black) if chunk is not None else None
        if shaped is None:
            return None
        if result is None:
            result = np.empty((len(raw), *shaped.shape[1:]), dtype=np.float32)
        result[start : start + _CHUNK] = shaped
    return result


def _formula(pixels: Floats, preparation: Preparation) -> Floats | None:
    fact, each = preparation.fact, preparation.pixels
    if fact.kind == "affine" and fact.scale is not None and fact.shift is not None:
        return pixels * fact.scale + fact.shift
    if fact.kind == "per_image" and fact.rule is not None and fact.rule in _RULES:
        return _RULES[fact.rule](pixels)
    if fact.kind == "per_pixel" and each is not None and each.scale.shape == each.shift.shape == pixels.shape[1:]:
        return pixels * each.scale + each.shift
    return None


def _reshaped(images: Floats, input_shape: Shape, black: float) -> Floats | None:
    raw = images.shape[1:]
    target = _definite(input_shape, raw)
    if target is None:
        return None
    if math.prod(target) == math.prod(raw):
        if len(raw) == len(target) == 3 and target == (raw[2], *raw[:2]) != raw:  # noqa: PLR2004 - channels first
            return np.moveaxis(images, -1, 1)
        return images.reshape(len(images), *target)
    padded = _padded(images, target, black)
    if padded is None:
        return None
    images, raw = padded, padded.shape[1:]
    if len(target) == 3 and target[2] == 3 and len(raw) == 2:  # noqa: PLR2004 - one gray channel repeated as colors
        return np.repeat(images[..., None], target[2], axis=-1) if raw == target[:2] else None
    return images.reshape(len(images), *target) if math.prod(target) == math.prod(raw) else None


def _definite(shape: Shape, raw: tuple[int, ...]) -> tuple[int, ...] | None:
    """Replace open axes by the lengths of the raw image."""
    own = {1: (math.prod(raw),), 2: raw[:2], 3: (*raw[:2], raw[2] if len(raw) > 2 else 1)}.get(len(shape), shape)  # noqa: PLR2004
    filled = tuple(o if s is None else s for s, o in zip(shape, own, strict=True))
    return (
        tuple(int(f) for f in filled if f is not None)
        if filled and all(f is not None and f > 0 for f in filled)
        else None
    )


def _padded(images: Floats, target: tuple[int, ...], black: float) -> Floats | None:
    """Pad images that are slightly smaller than the target with black."""
    if len(target) < 2:  # noqa: PLR2004 - no height and width
        return None
    more = (target[0] - images.shape[1], target[1] - images.shape[2])
    if any(m < 0 or m % 2 or m > _MAX_PADDING for m in more):
        return None
    frame = ((0, 0), (more[0] // 2,) * 2, (more[1] // 2,) * 2, *((0, 0),) * (images.ndim - 3))
    return np.pad(images, frame, constant_values=black)


_RULE_WORDS: Mapping[str, Message] = {
    "standardise": say("each image standardized with its own mean and standard deviation"),
    "minmax": say("each image scaled to 0 to 1 with its own minimum and maximum"),
    "max": say("each image divided by its maximum"),
    "sum": say("each image divided by its sum"),
    "centre": say("x / 255 minus the mean of each image"),
    "l2": say("each image divided by its L2 norm"),
    "l2_columns": say(
        "each column of each image divided by its L2 norm ({call:code})", call="keras.utils.normalize(x, axis=1)"
    ),
    "l2_rows": say(
        "each row of each image divided by its L2 norm ({call:code})", call="keras.utils.normalize(x, axis=2)"
    ),
}


def describe_transform(fact: TransformFact) -> Message:
    """Describe the preprocessing of raw pixels `x` (0 to 255)."""
    if fact.kind == "affine" and fact.scale is not None and fact.shift is not None:
        return _affine_words(fact.scale, fact.shift)
    if fact.kind == "per_image":
        return _RULE_WORDS.get(fact.rule or "", say("each image scaled and shifted differently"))
    if fact.kind == "per_pixel":
        return say("each pixel standardized over the training images")
    return say("unknown preprocessing")


def _affine_words(scale: float, shift: float) -> Message:
    if scale == 1 and shift == 0:
        return say("raw pixels (0 to 255)")
    return literal(_formula_text(scale, shift))


def _formula_text(scale: float, shift: float) -> str:
    inverse = 1 / scale if scale else math.inf
    if shift and abs(shift * 2 - round(shift * 2)) > 1e-9:  # noqa: PLR2004 - not a multiple of a half: a mean was subtracted
        middle = -shift * inverse
        return f"(x {'-' if middle >= 0 else '+'} {abs(middle):.4g}) / {inverse:.4g}"
    base = "x" if abs(scale) == 1 else f"x / {abs(inverse):.6g}"
    if scale < 0:
        return f"{shift:g} - {base}"
    return base + (f" {'-' if shift < 0 else '+'} {abs(shift):g}" if shift else "")
