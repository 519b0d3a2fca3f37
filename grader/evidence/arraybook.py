"""Descriptions of arrays and labels become typed, each array looked at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.evidence.artefacts import ArrayKeeper, ArrayReader, is_inside
from grader.evidence.claims import MalformedError, as_bool, as_float, as_int, as_map, as_shape, as_text, as_texts, claim
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
from grader.schema.evidence import ArrayFact, LabelFact, RowsFact, TransformFact

__all__ = ["ArrayBook", "KnownArray"]

_MAX_SAMPLE = 1024
_MAX_LANDMARKS = 256
_MAX_NEIGHBOURS = 6
"""Arrays of one notebook that are compared with every raw image; each takes a few tenths of a second."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownArray:
    """An array's fact, and the row number of each image where they are known."""

    fact: ArrayFact
    rows: Rows | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """What looking at an array's file came to."""

    rows_fact: RowsFact | None = None
    rows: Rows | None = None
    transform: TransformFact | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Prints:
    fingerprints: NDArray[np.uint64]
    sample: Floats | None
    sample_index: NDArray[np.int64] | None
    landmarks: Landmarks | None = None


@dataclass(eq=False)
class ArrayBook:
    """Reads what the record says about arrays, and recognises their rows.

    Attributes:
        reader: Reads an artefact of the record.
        indexes: Known data sets.
        keep: Stores derived arrays beside the evidence; None keeps none.
        problems: What could not be read, in words.
    """

    reader: ArrayReader
    indexes: Mapping[str, DatasetIndex]
    keep: ArrayKeeper | None = None
    problems: list[str] = field(default_factory=list)
    _looked: dict[tuple[str, int | None], _Looked] = field(default_factory=dict)
    _tried: set[tuple[str, int | None, str]] = field(default_factory=set)
    _labels: dict[str, NDArray[np.int32] | None] = field(default_factory=dict)
    _neighbours: int = 0

    def array(self, value: object, labels: object = None, *, given: bool = True) -> KnownArray | None:
        """Type an array description.

        Args:
            value: As `docs/events.md` gives it.
            labels: The description of the labels that went with it, where there is one.
            given: Whether a model was given it. Of other arrays only fingerprints are looked up, and nothing derived
                from them is kept.

        Returns:
            None where the claim describes no array.
        """
        said = claim(ArrayDescription, value)
        shape = as_shape(said["shape"])
        if shape is None:
            return None
        looked = self._look(said["file"], shape[0] if shape else None, labels, given=given)
        fact = ArrayFact(
            shape=shape,
            dtype=as_text(said["dtype"], 40),
            low=as_float(said["low"]),
            high=as_float(said["high"]),
            mean=as_float(said["mean"]),
            std=as_float(said["std"]),
            rows=looked.rows_fact,
            transform=looked.transform,
            source=as_text(said["source"], 40) or "array",
            names=as_texts(said["names"], 20),
            mapped=as_bool(said["mapped"]) is True,
        )
        return KnownArray(fact, looked.rows)

    def label(self, value: object, images: KnownArray | None = None) -> LabelFact | None:
        """Type a label description.

        Args:
            value: As `docs/events.md` gives it.
            images: The images they went with; where their rows are known, so is what each label stands for.

        Returns:
            None where the claim is none.
        """
        given = claim(LabelDescription, value)
        shape = as_shape(given["shape"])
        if shape is None:
            return None
        classes = {name: as_int(count) for name, count in as_map(given["classes"], MAX_CLASSES).items()}
        return LabelFact(
            shape=shape,
            dtype=as_text(given["dtype"], 40),
            one_hot=as_bool(given["one_hot"]) is True,
            classes={name: count for name, count in classes.items() if count is not None},
            meaning=self._meaning(value, images),
        )

    def right_part(self, value: object, images: KnownArray) -> float | None:
        """The part of the recognised images whose true class is the label in the same row.

        Args:
            value: The description of the labels, as `docs/events.md` gives it.
            images: The images that may belong to them.

        Returns:
            0 to 1; None where there are not as many labels as images, or none is recognised.
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
        """Given label → true class → rows."""
        given = self._label_rows(value)
        if given is None or images is None or images.rows is None or images.fact.rows is None:
            return {}
        known = images.rows >= 0
        if len(given) != len(images.rows) or not known.any():
            return {}
        index = self.indexes[images.fact.rows.dataset]
        low, span = int(given.min()), int(np.ptp(given)) + 1
        if span > MAX_CLASSES or index.classes > MAX_CLASSES:
            return {}
        pairs = (given[known] - low) * index.classes + index.all_labels[images.rows[known]]
        counts = np.bincount(pairs, minlength=span * index.classes).reshape(span, index.classes)
        meaning: dict[str, dict[str, int]] = {}
        for label, true in np.argwhere(counts).tolist():
            meaning.setdefault(str(label + low), {})[str(true)] = int(counts[label, true])
        return meaning

    def _look(self, file: object, count: int | None, labels: object, *, given: bool) -> _Looked:
        if not isinstance(file, str):
            return _Looked()
        known = self._looked.get((file, count), _Looked())
        # Labels can make known what pixels alone did not, so an array seen with other labels is looked at again.
        attempt = (file, count, as_text(claim(LabelDescription, labels)["file"]))
        if known.rows_fact is None and attempt not in self._tried:
            self._tried.add(attempt)
            known = self._looked[file, count] = self._examine(file, count, labels, given=given)
        return known

    def _examine(self, file: str, count: int | None, labels: object, *, given: bool) -> _Looked:
        try:
            prints = _prints(self._read(file), count)
        except (ArtefactError, MalformedError) as error:
            self.problems.append(f"the array {as_text(file, 80)!r} could not be read: {as_text(str(error), 200)}")
            return _Looked()
        allowed = given and self._neighbours < _MAX_NEIGHBOURS
        found = recognise_rows(
            prints.fingerprints,
            self._label_rows(labels),
            prints.sample,
            prints.sample_index,
            self.indexes,
            landmarks=prints.landmarks,
            neighbours=allowed,
        )
        if allowed and prints.sample is not None and len(prints.sample) >= MIN_NEIGHBOURS:
            self._neighbours += found is None or found.fact.method in {"neighbour", "landmarks"}
        if found is None:
            return _Looked()
        if not given:
            preparation = self._preparation(found, prints)
            return _Looked(found.fact, found.rows, preparation.fact if preparation else None)
        stem = PurePosixPath(file).stem
        transform = self._kept_transform(self._preparation(found, prints), stem)
        return _Looked(self._kept_rows(found, stem), found.rows, transform)

    def _read(self, file: str) -> Mapping[str, NDArray[Any]]:
        if not is_inside(file):
            msg = "a path that leaves the record"
            raise MalformedError(msg)
        return self.reader(file)

    def _kept_rows(self, found: Recognition, stem: str) -> RowsFact:
        if self.keep is None or found.rows is None:
            return found.fact
        path = f"derived/rows-{stem}.npy"
        self.keep(path, {"array": found.rows})
        return found.fact.model_copy(update={"file": path})

    def _preparation(self, found: Recognition, prints: _Prints) -> Preparation | None:
        known = found.sample_rows >= 0
        if prints.sample is None or not known.any():
            return None
        index = self.indexes[found.fact.dataset]
        raw = index.raw(found.sample_rows[known])
        return find_transform(prints.sample[known], raw, statistics_of(index, found.rows))

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
            self.problems.append(f"the labels {as_text(file, 80)!r} could not be read: {as_text(str(error), 200)}")
            return None
        if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size:
            return None
        inside = int(labels.min()) > -(2**31) and int(labels.max()) < 2**31
        return labels.astype(np.int32) if inside else None


def _prints(arrays: Mapping[str, NDArray[Any]], count: int | None) -> _Prints:
    """Check an array's file against what was said of the array.

    Raises:
        MalformedError: It holds other arrays than it should, or another number of rows.
    """
    prints, sample, index = (arrays.get(name) for name in ("fingerprints", "sample", "sample_index"))
    if prints is None or prints.ndim != 1 or prints.dtype != np.uint64 or (count is not None and len(prints) != count):
        msg = "no fingerprint for each row"
        raise MalformedError(msg)
    if sample is None or index is None:
        return _Prints(prints, None, None)
    fits = sample.ndim > 1 and sample.dtype.kind == "f" and index.ndim == 1 and index.dtype.kind in "iu"
    if not fits or not 0 < len(sample) == len(index) <= _MAX_SAMPLE:
        msg = "no sample of rows"
        raise MalformedError(msg)
    if int(index.min()) < 0 or int(index.max()) >= len(prints):
        msg = "a sample of rows that the array does not have"
        raise MalformedError(msg)
    return _Prints(prints, sample, index.astype(np.int64), _landmarks(arrays, len(prints), sample[0].size))


def _landmarks(arrays: Mapping[str, NDArray[Any]], rows: int, width: int) -> Landmarks | None:
    """The pixels kept of each row, where there are any.

    Raises:
        MalformedError: They are not of these rows.
    """
    values, index = arrays.get("landmarks"), arrays.get("landmark_index")
    if values is None or index is None:
        return None
    fits = values.ndim == 2 and index.ndim == 1 and values.dtype.kind == "f" and index.dtype.kind in "iu"  # noqa: PLR2004 - rows, pixels
    if not fits or values.shape != (rows, len(index)) or not 0 < len(index) <= _MAX_LANDMARKS:
        msg = "no landmarks of each row"
        raise MalformedError(msg)
    if int(index.min()) < 0 or int(index.max()) >= width:
        msg = "landmarks that lie outside an image"
        raise MalformedError(msg)
    return Landmarks(index.astype(np.int64), values)


def split_rows(rows: Rows, validation_split: float) -> Iterator[Rows]:
    """The rows that `validation_split` leaves for training, then those it holds back.

    Keras holds back the last part: it cuts at `floor(n * (1 - validation_split))`.
    """
    cut = int(np.floor(len(rows) * (1.0 - validation_split)))
    yield rows[:cut]
    yield rows[cut:]
