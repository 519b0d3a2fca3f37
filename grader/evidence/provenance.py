"""Recognize the rows of known data sets in arrays."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grader.evidence.nearest_images import SplitFeatures
from grader.evidence.transform import (
    Floats,
    PixelStatistics,
    align,
    find_transform,
    pixel_statistics,
)
from grader.schema.evidence import RowsFact

__all__ = [
    "MIN_NEIGHBOURS",
    "DatasetIndex",
    "Landmarks",
    "Recognition",
    "Rows",
    "make_index",
    "overlap",
    "recognise_rows",
    "statistics_of",
]

Rows = NDArray[np.int32]
Method = Literal["fingerprint", "labels", "neighbour", "landmarks"]

_MOST = 0.5
"""Fraction of rows recognized by fingerprints from which other methods are not tried."""
_MIN_LABELS = 32
"""Shortest sequence of labels to search; a shorter one can match by chance."""
_MAX_CLASSES = 256
_LIKE = 0.97
"""Smallest cosine between a sample row and its raw row; different digits of one class reach 0.9."""
_MARGIN = 0.01
"""Smallest difference in cosine between the nearest row and the next one."""
_CLIP = 5.0
"""Limit of standardized values, so that single rare pixels do not decide which image is nearest."""
_CHUNK = 4096
MIN_NEIGHBOURS = 16
"""Smallest sample that is compared with every raw image."""
_MAX_REPEATED = 100_000
_NEAR_WHOLE = 0.2
"""Largest distance of a landmark, scaled back, from an integer; rounding errors are far smaller."""
_FEWEST_LANDMARKS = 16
_FEWEST_INKED = 8
"""Smallest number of non-black landmarks per row, so that nearly empty images are not confused."""


@dataclass(frozen=True, eq=False)
class DatasetIndex:
    """A known data set, indexed to recognize its rows. Row numbers start with the train split, then test.

    Attributes:
        name: Such as `mnist`.
        labels: Split → classes, int32.
        images: Split → raw images, uint8 of shape (n, h, w[, c]); may be memory-mapped.
        fingerprints: One per row, uint64, in the order of rows.
        order: Row numbers sorted by fingerprint, then by row.
        ordered: `fingerprints[order]`.
    """

    name: str
    labels: Mapping[str, NDArray[np.int32]]
    images: Mapping[str, NDArray[np.uint8]]
    fingerprints: NDArray[np.uint64]
    order: NDArray[np.int64]
    ordered: NDArray[np.uint64]

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Number of rows per split, in the order of row numbers."""
        return {split: len(labels) for split, labels in self.labels.items()}

    @cached_property
    def starts(self) -> Mapping[str, int]:
        """First row number of each split."""
        ends = np.cumsum(list(self.sizes.values()))
        return {split: int(end) - self.sizes[split] for split, end in zip(self.sizes, ends, strict=True)}

    @cached_property
    def classes(self) -> int:
        """Number of classes: the largest label plus one."""
        return 1 + max(int(labels.max(initial=-1)) for labels in self.labels.values())

    @cached_property
    def all_labels(self) -> NDArray[np.int32]:
        """Class of every row."""
        return np.concatenate(list(self.labels.values()))

    @cached_property
    def label_text(self) -> bytes:
        """Class of every row as a byte, to search sequences; empty if there are more than 256 classes."""
        return self.all_labels.astype(np.uint8).tobytes() if self.classes <= _MAX_CLASSES else b""

    @cached_property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of a raw image, (h, w) or (h, w, c)."""
        return tuple(next(iter(self.images.values())).shape[1:])

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """For each position of `ordered`: whether the next one has the same fingerprint."""
        same = np.zeros(len(self.ordered), dtype=np.bool_)
        same[:-1] = self.ordered[:-1] == self.ordered[1:]
        return same

    @cached_property
    def single(self) -> NDArray[np.bool_]:
        """For each row: whether no other row has its fingerprint."""
        again = self.repeated.copy()
        again[1:] |= self.repeated[:-1]
        alone = np.empty(len(again), dtype=np.bool_)
        alone[self.order] = ~again
        return alone

    @cached_property
    def split_statistics(self) -> Mapping[str, PixelStatistics]:
        """Pixel statistics of each split."""
        return {split: pixel_statistics(images) for split, images in self.images.items() if len(images)}

    @cached_property
    def features(self) -> Mapping[str, SplitFeatures]:
        """Features of each split, to find the nearest images."""
        return {split: SplitFeatures.of(images) for split, images in self.images.items() if len(images)}

    def raw(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Return the raw images of row numbers, (k, h, w[, c]).

        Raises:
            IndexError: The data set does not have one of the rows.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        if wanted.size and (int(wanted.min()) < 0 or int(wanted.max()) >= len(self.fingerprints)):
            msg = f"{self.name} has rows 0 to {len(self.fingerprints) - 1}"
            raise IndexError(msg)
        result = np.empty((len(wanted), *self.image_shape), dtype=np.uint8)
        for split, start in self.starts.items():
            here = (wanted >= start) & (wanted < start + self.sizes[split])
            result[here] = self.images[split][wanted[here] - start]
        return result

    def counts(self, rows: Rows) -> dict[str, int]:
        """Count row numbers per split; -1 belongs to none."""
        return {
            split: int(((rows >= start) & (rows < start + self.sizes[split])).sum())
            for split, start in self.starts.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """The recognized rows of one array."""

    fact: RowsFact
    rows: Rows | None
    """Row number of each image, -1 if unknown; None if only a sample was recognized."""
    sample_rows: Rows
    """Row number of each sample, -1 if unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Some pixels of every row of an array, as passed to the model.

    Attributes:
        index: Positions in a flattened row, (k,).
        values: The pixels, (n, k).
    """

    index: NDArray[np.int64]
    values: Floats


def make_index(  # noqa: PLR0913, PLR0917 - the parts of a data set
    name: str,
    x_train: NDArray[np.uint8],
    y_train: ArrayLike,
    x_test: NDArray[np.uint8],
    y_test: ArrayLike,
    fingerprints: ArrayLike,
) -> DatasetIndex:
    """Index a data set for recognition.

    Args:
        name: Such as `mnist`.
        x_train: Raw images (n, h, w[, c]), 0 to 255; may be memory-mapped.
        y_train: Their classes, (n,) or (n, 1).
        x_test: The test images.
        y_test: Their classes.
        fingerprints: One per row, train rows first.

    Raises:
        ValueError: The lengths of the parts differ.
    """
    prints = np.asarray(fingerprints, dtype=np.uint64).reshape(-1)
    labels = {
        "train": np.asarray(y_train).reshape(-1).astype(np.int32),
        "test": np.asarray(y_test).reshape(-1).astype(np.int32),
    }
    images = {"train": x_train, "test": x_test}
    sizes = [(len(images[split]), len(labels[split])) for split in labels]
    if any(a != b for a, b in sizes) or sum(a for a, _ in sizes) != len(prints):
        msg = f"{name}: {len(prints)} fingerprints do not match the numbers of images and labels {sizes}"
        raise ValueError(msg)
    order = np.argsort(prints, kind="stable")
    return DatasetIndex(name, labels, images, prints, order, prints[order])


def recognise_rows(  # noqa: PLR0913 - the parts of an array's and its labels' descriptions
    fingerprints: NDArray[np.uint64],
    labels: NDArray[np.int32] | None,
    sample: Floats | None,
    sample_index: NDArray[np.int64] | None,
    indexes: Mapping[str, DatasetIndex],
    *,
    landmarks: Landmarks | None = None,
    neighbours: bool = True,
) -> Recognition | None:
    """Recognize the rows of a known data set in an array.

    Looks up each image's fingerprint first. If fewer than half of the rows are recognized (for example after a
    standardization per column), searches the sequence of labels. It must occur exactly once, and match the pixels of
    the sample. After that, searches the nearest raw image of each sample row. One formula must explain all of them, and
    with landmarks of every row it also identifies the other rows.

    Args:
        fingerprints: One per row.
        labels: Class of each row, if known.
        sample: Some of the rows, as passed to the model.
        sample_index: Row numbers of the sample.
        indexes: Known data sets by name.
        landmarks: Some pixels of every row.
        neighbours: Whether to search the nearest images, which takes a few tenths of a second.

    Returns:
        The data set that explains most rows, or None if no row is recognized. Rows are never guessed.
    """
    best = max(
        (_by_fingerprint(fingerprints, sample_index, index) for index in indexes.values()), key=_matched, default=None
    )
    if best is not None and best.fact.matched >= _MOST:
        return best
    if sample is not None and sample_index is not None and len(sample) == len(sample_index) > 0:
        ways: list[Callable[[DatasetIndex], Recognition | None]] = []
        if labels is not None and len(labels) == len(fingerprints):
            ways.append(lambda index: _by_labels(labels, sample, sample_index, index))
        if neighbours:
            ways.append(lambda index: _by_neighbour(len(fingerprints), sample, sample_index, index, landmarks))
        for way in ways:
            recognition = next((r for r in map(way, indexes.values()) if r is not None), None)
            if recognition is not None and _matched(recognition) > _matched(best):
                return recognition
    return best if _matched(best) > 0 else None


def _matched(recognition: Recognition | None) -> float:
    return recognition.fact.matched if recognition is not None else 0.0


def _by_fingerprint(
    fingerprints: NDArray[np.uint64], sample_index: NDArray[np.int64] | None, index: DatasetIndex
) -> Recognition:
    rows = _lookup(fingerprints, index)
    return Recognition(_rows_fact(rows, index, "fingerprint"), rows, _take(rows, sample_index))


def _take(rows: Rows, sample_index: NDArray[np.int64] | None) -> Rows:
    return np.empty(0, dtype=np.int32) if sample_index is None else rows[sample_index]


def _lookup(fingerprints: NDArray[np.uint64], index: DatasetIndex) -> Rows:
    """Look up the row of each fingerprint, -1 if unknown; 0 is the fingerprint of all constant images."""
    if len(index.ordered) == 0 or len(fingerprints) == 0:
        return np.full(len(fingerprints), -1, dtype=np.int32)
    place = np.minimum(np.searchsorted(index.ordered, fingerprints), len(index.ordered) - 1)
    known = (index.ordered[place] == fingerprints) & (fingerprints != 0)
    rows = np.where(known, index.order[place], -1).astype(np.int32)
    several = np.flatnonzero(known & index.repeated[place])
    if len(several):
        _settle_repeated(rows, several, place, index)
    return rows


def _settle_repeated(rows: Rows, several: NDArray[np.intp], place: NDArray[np.intp], index: DatasetIndex) -> None:
    """Choose among identical images of a data set: the next row of its neighbors, else one of the likelier split.

    Args:
        rows: The rows found so far, changed in place.
        several: Positions of images that the data set contains more than once.
        place: First position of each image in `index.ordered`.
        index: The data set.
    """
    sure = rows.copy()
    sure[several] = -1
    counts = index.counts(sure)
    likely = max(counts, key=lambda split: counts[split])
    first, last = index.starts[likely], index.starts[likely] + index.sizes[likely]
    borders = frozenset(index.starts.values())
    used: dict[int, int] = {}
    for at in several[:_MAX_REPEATED].tolist():
        begin = int(place[at])
        stop = begin + 1 + int(np.argmin(index.repeated[begin:]))
        options = index.order[begin:stop].tolist()
        before = int(rows[at - 1]) if at else -1
        after = int(sure[at + 1]) if at + 1 < len(rows) else -1
        inside = [row for row in options if first <= row < last] or options
        turn = used[begin] = used.get(begin, -1) + 1
        # The first row of a split does not continue the last row of another one.
        continuing = [
            row
            for row in options
            if (before >= 0 and row == before + 1 and row not in borders)
            or (after >= 0 and row == after - 1 and after not in borders)
        ]
        rows[at] = continuing[0] if continuing else inside[turn % len(inside)]


def _rows_fact(rows: Rows, index: DatasetIndex, method: Method) -> RowsFact:
    known = rows[rows >= 0]
    times = np.bincount(known, minlength=1)
    counts = index.counts(known)
    start, stop = _piece(rows, times, counts, index)
    return RowsFact(
        dataset=index.name,
        counts=counts,
        matched=len(known) / len(rows) if len(rows) else 0.0,
        method=method,
        order="original" if bool((np.diff(known) >= 0).all()) else "shuffled",
        start=start,
        stop=stop,
        duplicates=int((times > 1).sum()),
        classes=_class_counts(known, index),
    )


def _class_counts(known: Rows, index: DatasetIndex) -> dict[str, int]:
    """Count rows per true class; empty for a data set with too many classes."""
    if index.classes > _MAX_CLASSES:
        return {}
    counts = np.bincount(index.all_labels[known], minlength=1)
    return {str(name): int(count) for name, count in enumerate(counts) if count}


def _piece(
    rows: Rows, times: NDArray[np.intp], counts: Mapping[str, int], index: DatasetIndex
) -> tuple[int | None, int | None]:
    """Find start and stop within the split, if the rows, in any order, are one contiguous slice of it."""
    split = next((s for s, count in counts.items() if count == len(rows) > 0), None)
    if split is None:
        return None, None
    low, high = int(rows.min()), int(rows.max()) + 1
    if not bool((times[low:high] > 0).all()):
        return None, None
    return low - index.starts[split], high - index.starts[split]


def _by_labels(
    labels: NDArray[np.int32], sample: Floats, sample_index: NDArray[np.int64], index: DatasetIndex
) -> Recognition | None:
    """Recognize a contiguous slice by its labels, confirmed by the sample's pixels."""
    if len(labels) < _MIN_LABELS or not index.label_text or int(labels.min()) < 0 or int(labels.max()) >= index.classes:
        return None
    wanted = labels.astype(np.uint8).tobytes()
    start = index.label_text.find(wanted)
    if start < 0 or index.label_text.find(wanted, start + 1) >= 0:
        return None
    rows = np.arange(start, start + len(labels), dtype=np.int32)
    sample_rows = rows[sample_index]
    if not _same_images(sample, sample_rows, index, statistics_of(index, rows)):
        return None
    return Recognition(_rows_fact(rows, index, "labels"), rows, sample_rows)


def statistics_of(index: DatasetIndex, rows: Rows | None) -> Iterator[PixelStatistics]:
    """List pixel statistics that a standardization may have used: of the rows, then of each whole split."""
    whole = rows is not None and any(
        len(rows) == size and len(rows) and int(rows[0]) == index.starts[s] for s, size in index.sizes.items()
    )
    if rows is not None and not whole and bool((rows >= 0).all()) and len(rows):
        yield pixel_statistics(index.raw(rows))
    yield from index.split_statistics.values()


def _same_images(sample: Floats, rows: Rows, index: DatasetIndex, statistics: Iterable[PixelStatistics] = ()) -> bool:
    """Whether a sample shows the given raw rows: by one formula, or by high similarity of each row."""
    raw = index.raw(rows)
    if find_transform(sample, raw, statistics).fact.kind != "unknown":
        return True
    aligned = align(np.asarray(sample, dtype=np.float64), index.image_shape)
    if aligned is None or not np.isfinite(aligned).all():
        return False
    likeness = (_unit(aligned.reshape(len(raw), -1)) * _unit(raw.reshape(len(raw), -1).astype(np.float64))).sum(axis=1)
    return bool((np.abs(likeness) >= _LIKE).all())


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    """Center rows and scale them to length 1, so that products are correlations."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
    directed: NDArray[Any] = centred / np.where(length == 0, 1, length)
    return directed


def _by_neighbour(
    count: int,
    sample: Floats,
    sample_index: NDArray[np.int64],
    index: DatasetIndex,
    landmarks: Landmarks | None,
) -> Recognition | None:
    """Recognize the sample by the nearest raw images, then all rows by landmarks, or scale the counts up."""
    aligned = align(np.asarray(sample, dtype=np.float32), index.image_shape)
    if aligned is None or len(aligned) < MIN_NEIGHBOURS or not np.isfinite(aligned).all():
        return None
    flat = aligned.reshape(len(aligned), -1)
    rows = next((near for probe in (flat, _standardised(flat)) if _enough(near := _nearest(probe, index))), None)
    if rows is None:
        return None
    known = rows >= 0
    if find_transform(aligned[known], index.raw(rows[known]), ()).fact.kind == "unknown":
        return None
    named = _by_landmarks(landmarks, sample, rows, index) if landmarks is not None else None
    if named is not None and float((named >= 0).mean()) >= _MOST:
        return Recognition(_rows_fact(named, index, "landmarks"), named, named[sample_index])
    seen = _rows_fact(rows, index, "neighbour")
    scaled = {split: round(part * count / len(rows)) for split, part in seen.counts.items()}
    # A sample does not show the start and stop of a slice, nor duplicate rows.
    fact = seen.model_copy(update={"counts": scaled, "start": None, "stop": None, "duplicates": 0})
    return Recognition(fact, None, rows)


def _enough(rows: Rows) -> bool:
    known = rows >= 0
    return int(known.sum()) >= MIN_NEIGHBOURS and float(known.mean()) >= _MOST


def _standardised(sample: Floats) -> Floats:
    """Scale a sample to deviation 1 whose pixels were shifted but not scaled, such as by a mean image."""
    std = sample.std(axis=0)
    whole: Floats = ((sample - sample.mean(axis=0)) / np.where(std > 0, std, 1)).astype(np.float32)
    return whole


def _by_landmarks(landmarks: Landmarks, sample: Floats, sample_rows: Rows, index: DatasetIndex) -> Rows | None:
    """Identify each row by its landmarks, scaled back to raw pixels with the formula of the sample's known rows.

    Args:
        landmarks: Some pixels of every row.
        sample: Some rows as passed to the model, (s, …).
        sample_rows: Their raw rows, -1 if unknown.
        index: The data set.

    Returns:
        One row number per image, -1 if its landmarks match no raw image or several different ones; None if the
        landmarks cannot be scaled back.
    """
    width = math.prod(index.image_shape)
    if sample[0].size != width:
        return None
    places = align(np.arange(width, dtype=np.float64).reshape(1, *sample.shape[1:]), index.image_shape)
    if places is None:
        return None
    # Position in a flattened raw image of each value of a flattened input.
    raw_place = np.argsort(places.reshape(-1))[landmarks.index]
    known = sample_rows >= 0
    raw = index.raw(sample_rows[known]).reshape(int(known.sum()), -1)[:, raw_place].astype(np.float64)
    inputs = sample[known].reshape(len(raw), -1)[:, landmarks.index].astype(np.float64)
    scale, shift = _lines(raw, inputs)
    usable = scale != 0
    if int(usable.sum()) < _FEWEST_LANDMARKS:
        return None
    exact = (landmarks.values[:, usable].astype(np.float64) - shift[usable]) / scale[usable]
    whole = np.rint(exact)
    fits = (np.abs(exact - whole) <= _NEAR_WHOLE) & (whole >= 0) & (whole <= 255)  # noqa: PLR2004 - a raw pixel
    pixels = np.where(fits, whole, 0).astype(np.uint8)
    rows = _rows_with(pixels, raw_place[usable], index)
    # Nearly black images may differ only in pixels that are not landmarks.
    rows[~fits.all(axis=1) | ((pixels != 0).sum(axis=1) < _FEWEST_INKED)] = -1
    return rows


def _lines(raw: Floats, inputs: Floats) -> tuple[Floats, Floats]:
    """Fit scale and shift per column, (k,); the scale is 0 where the raw column is constant."""
    mean_raw, mean_inputs = raw.mean(axis=0), inputs.mean(axis=0)
    spread = ((raw - mean_raw) ** 2).sum(axis=0)
    scale = ((raw - mean_raw) * (inputs - mean_inputs)).sum(axis=0) / np.where(spread == 0, 1, spread)
    return scale, mean_inputs - scale * mean_raw


def _rows_with(pixels: NDArray[np.uint8], places: NDArray[np.int64], index: DatasetIndex) -> Rows:
    """Find the row of a data set with the given pixels at the given places, -1 if none or several match."""
    held = np.concatenate(
        [np.asarray(images).reshape(len(images), -1)[:, places] for images in index.images.values() if len(images)]
    )
    names, first, times = np.unique(_whole_rows(held), return_index=True, return_counts=True)
    wanted = _whole_rows(pixels)
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where((names[place] == wanted) & (times[place] == 1), first[place], -1).astype(np.int32)


def _whole_rows(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash each row; different rows have equal hashes with a probability of 2**-64."""
    weights = np.random.default_rng(pixels.shape[1]).integers(1, 2**63, pixels.shape[1], dtype=np.uint64)
    numbers: NDArray[np.uint64] = pixels.astype(np.uint64) @ (weights * np.uint64(2) + np.uint64(1))
    return numbers


def _nearest(sample: NDArray[np.float32], index: DatasetIndex) -> Rows:
    """Find the nearest raw image of each row in standardized pixels, -1 if none is near or two are similarly near."""
    train = index.split_statistics["train"]
    mean, std = (part.reshape(-1).astype(np.float32) for part in (train.mean, train.std))
    varied = std > 0
    probe = _direction(np.clip(sample[:, varied], -_CLIP, _CLIP))
    best = np.full(len(sample), -1.0, dtype=np.float32)
    second, rows = best.copy(), np.full(len(sample), -1, dtype=np.int32)
    for split, images in index.images.items():
        for start in range(0, len(images), _CHUNK):
            chunk = np.asarray(images[start : start + _CHUNK]).reshape(-1, len(mean))[:, varied].astype(np.float32)
            chunk -= mean[varied]
            chunk /= std[varied]
            likeness = probe @ _direction(np.clip(chunk, -_CLIP, _CLIP, out=chunk)).T
            _keep_best(likeness, index.starts[split] + start, best, second, rows)
    rows[(best < _LIKE) | (best - second < _MARGIN)] = -1
    return rows


def _direction(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    length[length == 0] = 1
    directed: NDArray[np.float32] = rows / length[:, None]
    return directed


def _keep_best(
    likeness: NDArray[np.float32], start: int, best: NDArray[np.float32], second: NDArray[np.float32], rows: Rows
) -> None:
    """Update the two best similarities of each sample row, and the best one's row number, with a chunk."""
    place = likeness.argmax(axis=1)
    each = np.arange(len(likeness))
    top = likeness[each, place]
    likeness[each, place] = -1
    runner = likeness.max(axis=1)
    second[:] = np.maximum(np.minimum(best, top), np.maximum(second, runner))
    rows[:] = np.where(top > best, start + place, rows)
    best[:] = np.maximum(best, top)


def overlap(rows_a: Rows | None, rows_b: Rows | None) -> int | None:
    """Count the rows of a data set in both of two arrays; None if the rows of one array are unknown.

    Args:
        rows_a: Row numbers, -1 if unknown.
        rows_b: Row numbers of the same data set.
    """
    if rows_a is None or rows_b is None:
        return None
    return len(np.intersect1d(rows_a[rows_a >= 0], rows_b[rows_b >= 0]))
