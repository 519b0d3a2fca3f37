"""Convert descriptions of arrays and labels to facts; each array is examined once."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from grader.evidence.artefacts import ArrayKeeper, ArrayReader, is_inside
from grader.evidence.claims import MalformedError, as_bool, as_float, as_int, as_map, as_shape, as_text, as_texts, claim
from grader.evidence.copies import MOST_COMPARED, find_copies
from grader.evidence.provenance import (
    MIN_NEIGHBOURS,
    DatasetIndex,
    Landmarks,
    Recognition,
    Rows,
    recognise_rows,
    statistics_of,
)
from grader.evidence.transform import Floats, Preparation, find_transform
from grader.inside.record.events import MAX_CLASSES, ArrayDescription, LabelDescription
from grader.schema.errors import ArtefactError
from grader.schema.evidence import ArrayFact, CopiesFact, LabelFact, RowsFact, TransformFact
from grader.schema.message import MessageLike, literal, say

__all__ = ["ArrayBook", "KnownArray"]

_MAX_SAMPLE = 1024
_MAX_LANDMARKS = 256
_MAX_THOROUGH = 6
"""Limit of arrays of which many images are compared with test images; each takes a few tenths of a second."""
_FEW_COMPARED = 16
"""Number of images that are compared in each further array."""
_MAX_SEARCHED = 200
"""Limit of arrays of each use that are searched for altered test images."""
_MAX_NEIGHBOURS = 6
"""Limit of arrays of each use that are compared with every raw image; each takes a few tenths of a second."""
_Use: TypeAlias = Literal["given", "steps", "none"]
"""Use of an array: passed to a model, seen in the steps of a training, or nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownArray:
    """An array's fact, and the row number of each image if known.

    Attributes:
        fact: The fact.
        rows: Row number of each image; of all images that can be among the used ones, if `drawn`.
        drawn: Whether a pipeline used only some of the images, and it is unknown which.
    """

    fact: ArrayFact
    rows: Rows | None = None
    drawn: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Examined:
    """The result of examining an array's file."""

    rows_fact: RowsFact | None = None
    rows: Rows | None = None
    transform: TransformFact | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Prints:
    fingerprints: NDArray[np.uint64]
    sample: Floats | None
    sample_index: NDArray[np.int64] | None
    landmarks: Landmarks | None = None
    strangers: NDArray[Any] | None = None
    """Some rows whose fingerprints are unknown."""
    strangers_index: NDArray[np.int64] | None = None


@dataclass(eq=False)
class ArrayBook:
    """Reads the record's descriptions of arrays, and recognizes their rows.

    Attributes:
        reader: Reads artefacts of the record.
        indexes: Known data sets.
        keep: Stores derived arrays in the evidence folder; None stores none.
        problems: Descriptions of unreadable files.
        notices: What was not done to save time, although the record is complete.
    """

    reader: ArrayReader
    indexes: Mapping[str, DatasetIndex]
    keep: ArrayKeeper | None = None
    problems: list[MessageLike] = field(default_factory=list)
    notices: list[MessageLike] = field(default_factory=list)
    _examined: dict[tuple[str, int | None], _Examined] = field(default_factory=dict)
    _tried: dict[tuple[str, int | None, str], bool] = field(default_factory=dict)
    """Attempts to recognize an array, and whether it was compared with every raw image."""
    _labels: dict[str, NDArray[np.int32] | None] = field(default_factory=dict)
    _neighbours: "Counter[_Use]" = field(default_factory=Counter)
    _searched: "Counter[_Use]" = field(default_factory=Counter)
    _copies: dict[tuple[str, int | None], CopiesFact | None] = field(default_factory=dict)

    def array(self, value: object, labels: object = None, *, given: bool = True) -> KnownArray | None:
        """Convert an array description to a fact.

        Args:
            value: A description as in `docs/events.md`.
            labels: The description of the array's labels, if there is one.
            given: Whether the array was passed to a model. For other arrays only fingerprints are looked up, and
                nothing derived from them is stored.

        Returns:
            None if the claim does not describe an array.
        """
        return self._array(value, labels, "given" if given else "none")

    def _array(self, value: object, labels: object, use: _Use) -> KnownArray | None:
        description = claim(ArrayDescription, value)
        shape = as_shape(description["shape"])
        if shape is None:
            return None
        examined = self._look(description["file"], shape[0] if shape else None, labels, use)
        fact = ArrayFact(
            shape=shape,
            dtype=as_text(description["dtype"], 40),
            low=as_float(description["low"]),
            high=as_float(description["high"]),
            mean=as_float(description["mean"]),
            std=as_float(description["std"]),
            rows=examined.rows_fact,
            transform=examined.transform,
            source=as_text(description["source"], 40) or "array",
            names=as_texts(description["names"], 20),
            mapped=as_bool(description["mapped"]) is True,
        )
        drawn = as_int(description["drawn"])
        if drawn is None or not shape or shape[0] is None or drawn >= shape[0]:
            return KnownArray(fact, examined.rows)
        return KnownArray(_part_of(fact, drawn), examined.rows, drawn=True)

    def training_array(self, value: object, labels: object = None, *, of_steps: bool = False) -> KnownArray | None:
        """Convert the description of training images to a fact, and search altered test images among them.

        Args:
            value: A description as in `docs/events.md`.
            labels: The description of the images' labels, if there is one.
            of_steps: Whether they were seen in the steps of a training. A notebook can have many of these, so they have
                a limit of their own, and take nothing from the arrays that were passed to a model.

        Returns:
            None if the claim does not describe an array.
        """
        use: _Use = "steps" if of_steps else "given"
        known = self._array(value, labels, use)
        file: object = claim(ArrayDescription, value)["file"]
        if known is None or not isinstance(file, str) or len(known.fact.shape) < 2:  # noqa: PLR2004 - rows, pixels
            return known
        key = (file, known.fact.shape[0] if not known.drawn else None)
        if key not in self._copies:
            self._copies[key] = self._find_copies(file, known, use)
        copies = self._copies[key]
        return known if copies is None else replace(known, fact=known.fact.model_copy(update={"copies": copies}))

    def _find_copies(self, file: str, known: KnownArray, use: _Use) -> CopiesFact | None:
        """Search altered test images among the rows of an array that are not recognized."""
        if known.rows is not None and bool((known.rows >= 0).all()):
            return None
        try:
            prints = _prints(self._read(file), None)
        except (ArtefactError, MalformedError):
            return None  # `array` noted the problem
        unknown = self._unknown(prints.fingerprints)
        if known.rows is not None and len(known.rows) == len(unknown):
            unknown &= known.rows < 0
        images, index = prints.strangers, prints.strangers_index
        if images is None or index is None:
            images, index = prints.sample, prints.sample_index
        if images is None or index is None or not unknown[index].any():
            return None
        most = self._images_to_compare(use)
        if not most:
            return None
        rows = known.fact.rows
        likely = self.indexes.values() if rows is None else (self.indexes[rows.dataset],)
        return find_copies(images[unknown[index]][:most], int(unknown.sum()), likely)

    def _images_to_compare(self, use: _Use) -> int:
        """Return how many images of the next array are searched: many of the first ones, since it takes time."""
        self._searched[use] += 1
        if self._searched[use] == _MAX_SEARCHED + 1:
            self.notices.append(
                say("only {limit:number} arrays were searched for altered test images", limit=_MAX_SEARCHED)
            )
        if self._searched[use] > _MAX_SEARCHED:
            return 0
        return MOST_COMPARED if self._searched[use] <= _MAX_THOROUGH else _FEW_COMPARED

    def _unknown(self, fingerprints: NDArray[np.uint64]) -> NDArray[np.bool_]:
        unknown: NDArray[np.bool_] = fingerprints != 0
        for index in self.indexes.values():
            unknown &= ~np.isin(fingerprints, index.fingerprints)
        return unknown

    def label(
        self, value: object, images: KnownArray | None = None, validation_split: float | None = None
    ) -> LabelFact | None:
        """Convert a label description to a fact.

        Args:
            value: A description as in `docs/events.md`.
            images: The labels' images. If their rows are known, the meaning of each label is known, too.
            validation_split: Fraction of the rows that is held back for validation.

        Returns:
            None if the claim does not describe labels.
        """
        description = claim(LabelDescription, value)
        shape = as_shape(description["shape"])
        if shape is None:
            return None
        classes = {name: as_int(count) for name, count in as_map(description["classes"], MAX_CLASSES).items()}
        drawn = as_int(description["drawn"])
        return LabelFact(
            shape=shape if drawn is None else (drawn, *shape[1:]),
            dtype=as_text(description["dtype"], 40),
            one_hot=as_bool(description["one_hot"]) is True,
            classes={name: count for name, count in classes.items() if count is not None},
            meaning=self._meaning(value, images),
            held_back={} if validation_split is None else self._held_back(value, validation_split),
        )

    def _held_back(self, value: object, validation_split: float) -> dict[str, int]:
        """Count the classes of the rows that `validation_split` holds back; empty if the labels are unknown."""
        labels = self._label_rows(value)
        if labels is None or not 0 < validation_split < 1:
            return {}
        _, held_back = split_rows(labels, validation_split)
        classes, counts = np.unique(held_back, return_counts=True)
        if len(classes) > MAX_CLASSES:
            return {}
        return {str(int(name)): int(count) for name, count in zip(classes, counts, strict=True)}

    def right_part(self, value: object, images: KnownArray) -> float | None:
        """Compute the fraction of recognized images whose true class equals the label.

        Args:
            value: A description of labels as in `docs/events.md`.
            images: The images that may belong to the labels.

        Returns:
            0 to 1; None if the numbers of labels and images differ, or no image is recognized.
        """
        labels = self._label_rows(value)
        if labels is None or images.rows is None or images.fact.rows is None or len(labels) != len(images.rows):
            return None
        known = images.rows >= 0
        if not known.any():
            return None
        true = self.indexes[images.fact.rows.dataset].all_labels[images.rows[known]]
        return float((labels[known] == true).mean())

    def _meaning(self, value: object, images: KnownArray | None) -> dict[str, dict[str, int]]:
        """Map each label to the true classes of its rows, with their counts."""
        labels = self._label_rows(value)
        if labels is None or images is None or images.rows is None or images.fact.rows is None:
            return {}
        known = images.rows >= 0
        if len(labels) != len(images.rows) or not known.any():
            return {}
        index = self.indexes[images.fact.rows.dataset]
        low, span = int(labels.min()), int(np.ptp(labels)) + 1
        if span > MAX_CLASSES or index.classes > MAX_CLASSES:
            return {}
        pairs = (labels[known] - low) * index.classes + index.all_labels[images.rows[known]]
        counts = np.bincount(pairs, minlength=span * index.classes).reshape(span, index.classes)
        meaning: dict[str, dict[str, int]] = {}
        for label, true in np.argwhere(counts).tolist():
            meaning.setdefault(str(label + low), {})[str(true)] = int(counts[label, true])
        return meaning

    def hidden_numbers(self, value: object, images: KnownArray) -> int | None:
        """Estimate how many other numbers labels can hide, beyond the true classes of recognized images.

        Args:
            value: A description of labels as in `docs/events.md`.
            images: The images that may belong to the labels.

        Returns:
            The number of bytes that a short description of the labels takes for someone who knows the true classes;
            None if the labels do not belong to the images.
        """
        meaning = self._meaning(value, images)
        if not meaning or images.rows is None:
            return None
        trues = sorted({true for counts in meaning.values() for true in counts})
        table = np.array([[counts.get(true, 0) for true in trues] for counts in meaning.values()], np.float64)
        bits = float((table * np.log2(table.sum(axis=0) / np.maximum(table, 1))).sum())
        exceptions = int((table > 0).sum()) - len(trues)
        return math.ceil(bits / 8) + exceptions + len(images.rows) - int(table.sum())

    def _look(self, file: object, count: int | None, labels: object, use: _Use) -> _Examined:
        if not isinstance(file, str):
            return _Examined()
        known = self._examined.get((file, count), _Examined())
        # Labels can identify rows that pixels did not, so examine an array again with other labels.
        attempt = (file, count, as_text(claim(LabelDescription, labels)["file"]))
        thorough = self._may_compare(use)
        if known.rows_fact is None and (attempt not in self._tried or (thorough and not self._tried[attempt])):
            self._tried[attempt] = thorough
            known = self._examined[file, count] = self._examine(file, count, labels, use)
        return known

    def _may_compare(self, use: _Use) -> bool:
        """Whether one more array of a use may be compared with every raw image."""
        return use != "none" and self._neighbours[use] < _MAX_NEIGHBOURS

    def _examine(self, file: str, count: int | None, labels: object, use: _Use) -> _Examined:
        try:
            prints = _prints(self._read(file), count)
        except (ArtefactError, MalformedError) as error:
            reason = literal(as_text(str(error), 200))
            problem = say("the array {file:code} could not be read: {reason}", file=as_text(file, 80), reason=reason)
            self.problems.append(problem)
            return _Examined()
        allowed = self._may_compare(use)
        recognition = recognise_rows(
            prints.fingerprints,
            self._label_rows(labels),
            prints.sample,
            prints.sample_index,
            self.indexes,
            landmarks=prints.landmarks,
            neighbours=allowed,
        )
        if allowed and prints.sample is not None and len(prints.sample) >= MIN_NEIGHBOURS:
            self._neighbours[use] += recognition is None or recognition.fact.method in {"neighbour", "landmarks"}
        if recognition is None:
            return _Examined()
        if use == "none":
            preparation = self._preparation(recognition, prints)
            return _Examined(recognition.fact, recognition.rows, preparation.fact if preparation else None)
        stem = PurePosixPath(file).stem
        transform = self._kept_transform(self._preparation(recognition, prints), stem)
        return _Examined(self._kept_rows(recognition, stem), recognition.rows, transform)

    def _read(self, file: str) -> Mapping[str, NDArray[Any]]:
        if not is_inside(file):
            msg = "the path is outside the record"
            raise MalformedError(msg)
        return self.reader(file)

    def _kept_rows(self, recognition: Recognition, stem: str) -> RowsFact:
        if self.keep is None or recognition.rows is None:
            return recognition.fact
        path = f"derived/rows-{stem}.npy"
        self.keep(path, {"array": recognition.rows})
        return recognition.fact.model_copy(update={"file": path})

    def _preparation(self, recognition: Recognition, prints: _Prints) -> Preparation | None:
        known = recognition.sample_rows >= 0
        if prints.sample is None or not known.any():
            return None
        index = self.indexes[recognition.fact.dataset]
        raw = index.raw(recognition.sample_rows[known])
        return find_transform(prints.sample[known], raw, statistics_of(index, recognition.rows))

    def _kept_transform(self, preparation: Preparation | None, stem: str) -> TransformFact | None:
        if preparation is None or self.keep is None or preparation.pixels is None:
            return preparation.fact if preparation else None
        path = f"derived/transform-{stem}.npz"
        self.keep(path, {"scale": preparation.pixels.scale, "shift": preparation.pixels.shift})
        return preparation.fact.model_copy(update={"file": path})

    def _label_rows(self, value: object) -> NDArray[np.int32] | None:
        file: object = claim(LabelDescription, value)["file"]
        if not isinstance(file, str):
            return None
        if file not in self._labels:
            self._labels[file] = self._read_labels(file)
        return self._labels[file]

    def _read_labels(self, file: str) -> NDArray[np.int32] | None:
        try:
            labels = self._read(file).get("array")
        except (ArtefactError, MalformedError) as error:
            reason = literal(as_text(str(error), 200))
            problem = say("the labels {file:code} could not be read: {reason}", file=as_text(file, 80), reason=reason)
            self.problems.append(problem)
            return None
        if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size:
            return None
        inside = int(labels.min()) > -(2**31) and int(labels.max()) < 2**31
        return labels.astype(np.int32) if inside else None


def _part_of(fact: ArrayFact, drawn: int) -> ArrayFact:
    """Describe a part of an array's rows, chosen by shuffling; their split is known if all rows are of one split."""
    counts = {} if fact.rows is None else {split: count for split, count in fact.rows.counts.items() if count}
    rows = None
    if fact.rows is not None and len(counts) == 1:
        left = {split: min(count, drawn) for split, count in counts.items()}
        unknown = {"order": "shuffled", "start": None, "stop": None, "file": None, "duplicates": 0}
        rows = fact.rows.model_copy(update={"counts": left, **unknown})
    return fact.model_copy(update={"shape": (drawn, *fact.shape[1:]), "rows": rows})


def _prints(arrays: Mapping[str, NDArray[Any]], count: int | None) -> _Prints:
    """Check an array's file against the array's description.

    Raises:
        MalformedError: The file has other arrays or another number of rows.
    """
    prints, sample, index = (arrays.get(name) for name in ("fingerprints", "sample", "sample_index"))
    if prints is None or prints.ndim != 1 or prints.dtype != np.uint64 or (count is not None and len(prints) != count):
        msg = "the number of fingerprints is not the number of rows"
        raise MalformedError(msg)
    if sample is None or index is None:
        return _Prints(prints, None, None)
    fits = sample.ndim > 1 and sample.dtype.kind == "f" and index.ndim == 1 and index.dtype.kind in "iu"
    if not fits or not 0 < len(sample) == len(index) <= _MAX_SAMPLE:
        msg = "the sample of rows is malformed"
        raise MalformedError(msg)
    if int(index.min()) < 0 or int(index.max()) >= len(prints):
        msg = "the sample has rows that the array does not have"
        raise MalformedError(msg)
    landmarks = _landmarks(arrays, len(prints), sample[0].size)
    return _Prints(prints, sample, index.astype(np.int64), landmarks, *_strangers(arrays, len(prints), sample.shape))


def _strangers(
    arrays: Mapping[str, NDArray[Any]], rows: int, shape: tuple[int, ...]
) -> tuple[NDArray[Any] | None, NDArray[np.int64] | None]:
    """Read the stored rows with unknown fingerprints, if there are any.

    Raises:
        MalformedError: They do not belong to these rows.
    """
    images, index = arrays.get("unknown"), arrays.get("unknown_index")
    if images is None or index is None:
        return None, None
    fits = images.dtype == np.uint8 and images.shape[1:] == shape[1:] and index.ndim == 1 and index.dtype.kind in "iu"
    if not fits or not 0 < len(images) == len(index) <= _MAX_SAMPLE:
        msg = "the unrecognized rows are malformed"
        raise MalformedError(msg)
    if int(index.min()) < 0 or int(index.max()) >= rows:
        msg = "some unrecognized rows are not in the array"
        raise MalformedError(msg)
    return images, index.astype(np.int64)


def _landmarks(arrays: Mapping[str, NDArray[Any]], rows: int, width: int) -> Landmarks | None:
    """Read the stored pixels of each row, if there are any.

    Raises:
        MalformedError: They do not belong to these rows.
    """
    values, index = arrays.get("landmarks"), arrays.get("landmark_index")
    if values is None or index is None:
        return None
    fits = values.ndim == 2 and index.ndim == 1 and values.dtype.kind == "f" and index.dtype.kind in "iu"  # noqa: PLR2004 - rows, pixels
    if not fits or values.shape != (rows, len(index)) or not 0 < len(index) <= _MAX_LANDMARKS:
        msg = "the landmarks are malformed"
        raise MalformedError(msg)
    if int(index.min()) < 0 or int(index.max()) >= width:
        msg = "some landmarks are outside the image"
        raise MalformedError(msg)
    return Landmarks(index.astype(np.int64), values)


def split_rows(rows: Rows, validation_split: float) -> Iterator[Rows]:
    """Split rows into those for training and those that `validation_split` holds back.

    Keras holds back the last part: it cuts at `floor(n * (1 - validation_split))`.
    """
    cut = int(np.floor(len(rows) * (1.0 - validation_split)))
    yield rows[:cut]
    yield rows[cut:]
