"""Describe the arrays and labels of models, each array once, and remember which were used."""

import hashlib
import itertools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from ..record.events import MAX_CLASSES, MAX_SAMPLE, MAX_UNKNOWN, ArrayDescription, LabelDescription
from ..record.recorder import Recorder
from .fingerprint import REAL_KINDS, fingerprint, scan
from .given import Given, given_pair
from .landmarks import KnownImages, landmarks

__all__ = ["ArrayBook", "checksum"]

_HELD_ROWS = 32
"""Rows stored of images that no model used: enough to find the formula that produced them."""
_SAMPLE_BYTES = 8 << 20
_UNKNOWN_BYTES = 2 << 20
_FEWEST_NUMBERS = 64
_SMALL = 16
_MOST_SMALL_FILES = 200
_ROW_BYTES = 64 << 20
"""Size of the files of images that were seen one by one; later ones have only some of the images."""
_FEW_ROWS = 1024
_FEW_STRANGERS = 16
_MOST_ROW_FILES = 1000
_LANDMARK_BYTES = 96 << 20
_NOT_NAMES = frozenset({"In", "Out"})

_Described = TypeVar("_Described", ArrayDescription, LabelDescription)
_Describe: TypeAlias = Callable[[Given, NDArray[Any], int], _Described]
"""Function (array, its numbers, number of rows to store) → description."""


@dataclass(slots=True)
class _Entry(Generic[_Described]):
    alive: Callable[[], Any]
    description: _Described


@dataclass(slots=True)
class _Used:
    """Memory region that a model used.

    Attributes:
        low: Address of the first byte.
        high: Address after the last byte.
        alive: Function that returns None after the memory's owner was freed.
    """

    low: int
    high: int
    alive: Callable[[], Any]


@dataclass(slots=True)
class ArrayBook:
    """The arrays of one notebook.

    Attributes:
        recorder: Provides the output folder and the notebook's variables.
    """

    recorder: Recorder
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _known: dict[Any, _Entry[Any]] = field(default_factory=dict)
    _used: dict[tuple[int, int], _Used] = field(default_factory=dict)
    _used_contents: set[str] = field(default_factory=set)
    _small_files: int = 0
    _known_images: KnownImages | None = None
    _row_files: dict[bytes, ArrayDescription] = field(default_factory=dict)
    _room_for_rows: int = _ROW_BYTES
    _room_for_landmarks: int = _LANDMARK_BYTES

    def describe_pair(
        self, x: Any, y: Any = None, *, used: bool = True
    ) -> tuple[ArrayDescription | None, LabelDescription | None]:
        """Describe the arguments of `fit`, `evaluate` or `predict`.

        Args:
            x: Images, or a data set or generator that includes labels.
            y: Labels, if `x` does not include them.
            used: Whether a model computes with the arrays now.

        Returns:
            An array description and a label description as in `docs/events.md`; None for a missing array.
        """
        images, labels = given_pair(x, y)
        if used:
            for array in (images, labels):
                self._remember_use(array)
        described: ArrayDescription | None = None
        if images is not None:
            described = self._describe(images, self._describe_images) or _unreadable(images)
            described["names"] = self._names(images)
        return described, None if labels is None else self._describe(labels, self._describe_labels)

    def was_used(self, array: Any) -> bool:
        """Return whether a model used an array, a part of its memory, or the same numbers.

        Args:
            array: A value bound to a variable of the notebook: an array, tensor, list or data frame.
        """
        given, _ = given_pair(array)
        if given is None or given.array is None or given.array.dtype.hasobject:
            return False
        low, high = byte_bounds(given.array)
        overlap = any(use.low < high and low < use.high and use.alive() is not None for use in self._used.values())
        return overlap or _content(given.array) in self._used_contents

    def is_known(self, array: NDArray[Any]) -> bool:
        """Return whether an array of images was described before, so that its description is cheap."""
        entry = self._known.get(_key(self._describe_images, Given(array, array)))
        return entry is not None and entry.alive() is not None

    def describe_held(self, array: NDArray[Any]) -> ArrayDescription:
        """Describe images in a variable, whether or not a model used them.

        Args:
            array: Images, one per row.

        Returns:
            An array description as in `docs/events.md`. Of rows that were not described before, only a few are stored.
        """
        given = Given(array, array)
        return self._describe(given, self._describe_images, sample=_HELD_ROWS) or _unreadable(given)

    def describe_labels(self, array: NDArray[Any]) -> LabelDescription | None:
        """Describe labels in a variable.

        Args:
            array: Labels, one per row.

        Returns:
            A label description as in `docs/events.md`; None for an array of Python objects or without an axis.
        """
        return self._describe(Given(array, array), self._describe_labels)

    @property
    def known_images(self) -> KnownImages:
        """The shapes and fingerprints of the session's data sets."""
        if self._known_images is None:
            self._known_images = KnownImages(self.recorder.session.data, self.recorder.session.datasets)
        return self._known_images

    def describe_rows(
        self, fingerprints: NDArray[np.uint64], strangers: Sequence[NDArray[np.float32]], passed: int
    ) -> ArrayDescription | None:
        """Describe images that were seen one by one, without an array; a notebook can have thousands of trainings.

        Args:
            fingerprints: Fingerprints of the images of known data sets.
            strangers: Some of the other images, all of one shape.
            passed: Number of the other images.

        Returns:
            An array description whose file has these rows, or some of them if there are many files. None if there are
            too many files.
        """
        content = b"".join([fingerprints.tobytes(), b"%d" % passed, *(image.tobytes() for image in strangers)])
        key = hashlib.blake2b(content, digest_size=16).digest()
        if key not in self._row_files:
            if len(self._row_files) >= _MOST_ROW_FILES:
                return None
            if self._room_for_rows < 2 * len(content):
                # A generator of its own, so that the notebook's random numbers stay the same.
                count = min(_FEW_ROWS, len(fingerprints))
                fingerprints = np.sort(np.random.default_rng().choice(fingerprints, count, replace=False))
                strangers = strangers[:_FEW_STRANGERS]
            self._room_for_rows -= 2 * len(content)
            self._row_files[key] = self._write_rows(fingerprints, strangers, passed)
        return self._row_files[key].copy()

    def _write_rows(
        self, fingerprints: NDArray[np.uint64], strangers: Sequence[NDArray[np.float32]], passed: int
    ) -> ArrayDescription:
        name = f"a{next(self._numbers)}"
        rows = len(fingerprints) + len(strangers)
        shapes = [*(image.shape for image in strangers), *self.known_images.shapes]
        described = ArrayDescription(array=name, shape=[rows, *shapes[0]], dtype="float32", source="array")
        described["file"], described["mapped"] = f"arrays/{name}.npz", passed > len(strangers)
        arrays: dict[str, Any] = {"fingerprints": fingerprints}
        if strangers:
            images = np.stack(strangers)
            index = np.arange(len(fingerprints), rows)
            arrays["fingerprints"] = np.concatenate([fingerprints, fingerprint(images)])
            arrays |= {"sample": images, "sample_index": index, "unknown": _with_levels(images), "unknown_index": index}
        np.savez_compressed(self.recorder.session.out / described["file"], **arrays)
        return described

    def _remember_use(self, given: Given | None) -> None:
        if given is None or given.array is None or given.array.dtype.hasobject or not given.array.size:
            return
        self._used_contents.add(_content(given.array))
        if isinstance(given.anchor, np.ndarray) or hasattr(given.anchor, "_numpy"):
            # The numbers of a list or data frame are a temporary copy, whose memory is soon reused.
            low, high = byte_bounds(given.array)
            self._used = {key: use for key, use in self._used.items() if use.alive() is not None}
            self._used[low, high] = _Used(low, high, _watch(_owner(given)))

    def _describe(self, given: Given, describe: _Describe[_Described], sample: int = MAX_SAMPLE) -> _Described | None:
        array = given.array
        if array is None or array.dtype.hasobject or array.ndim == 0:
            return None
        key = _key(describe, given)
        entry: _Entry[_Described] | None = self._known.get(key)
        if entry is None or entry.alive() is None:
            entry = _Entry(_watch(_owner(given)), describe(given, array, sample))
            self._known[key] = entry
        return entry.description.copy()

    def _names(self, given: Given) -> list[str]:
        """Return the variables that hold this array, or a view of exactly its memory."""
        return [
            name
            for name, value in list(self.recorder.namespace.items())
            if not name.startswith("_")
            and name not in _NOT_NAMES
            and (value is given.anchor or _same_memory(value, given.array))
        ]

    def _describe_images(self, given: Given, array: NDArray[Any], sample: int) -> ArrayDescription:
        name = f"a{next(self._numbers)}"
        described = ArrayDescription(array=name, shape=list(array.shape), dtype=str(array.dtype), source=given.source)
        if given.drawn is not None:
            described["drawn"] = given.drawn
        if array.dtype.kind not in REAL_KINDS or not array.size:
            return described
        statistics = scan(array)
        described["low"], described["high"], described["mean"] = statistics.low, statistics.high, statistics.mean
        described["std"] = statistics.std
        if given.mapped:
            # The model gets other numbers, computed later from these rows by code that is not executed here.
            described["mapped"] = True
            described["low"] = described["high"] = described["mean"] = described["std"] = None
        width = array.size // len(array)
        if (array.ndim - 1 >= 2 or width >= _FEWEST_NUMBERS) and self._may_write(len(array)):  # noqa: PLR2004 - height and width
            described["file"] = f"arrays/{name}.npz"
            self._write_images(self.recorder.session.out / described["file"], array, statistics.fingerprints, sample)
        return described

    def _write_images(self, path: Path, array: NDArray[Any], fingerprints: NDArray[np.uint64], rows: int) -> None:
        """Write the data that identifies an array's rows.

        Args:
            path: The new file.
            array: The images.
            fingerprints: Fingerprints of the images.
            rows: Number of rows to store.
        """
        index = _sample_index(len(array), array.size // len(array), rows)
        sample = np.asarray(array[index], np.float32)
        marks: dict[str, NDArray[Any]] = {}
        if not self.known_images.knows(fingerprints[index]):
            plain = self.known_images.plain(array)
            if plain is not array:
                fingerprints = fingerprint(plain)
            # Individual rows only matter for images that a model used.
            if rows == MAX_SAMPLE and (plain is array or not self.known_images.knows(fingerprints[index])):
                marks = landmarks(array, sample, self._room_for_landmarks)
                self._room_for_landmarks -= sum(part.nbytes for part in marks.values())
        strange = self._strangers(array, fingerprints) if rows == MAX_SAMPLE else {}
        arrays: dict[str, Any] = {
            "fingerprints": fingerprints,
            "sample_index": index,
            "sample": sample,
            **marks,
            **strange,
        }
        np.savez(path, **arrays)

    def _strangers(self, array: NDArray[Any], fingerprints: NDArray[np.uint64]) -> dict[str, NDArray[Any]]:
        """Choose rows that are in no data set of the session, in secret, and store them with 256 levels.

        Args:
            array: The images.
            fingerprints: Fingerprints of the images.
        """
        known = self._known_images.prints if self._known_images is not None else fingerprints[:0]
        unknown = np.flatnonzero(~np.isin(fingerprints, known) & (fingerprints != 0))
        if not len(known) or not len(unknown):
            return {}
        number = min(MAX_UNKNOWN, len(unknown), max(1, _UNKNOWN_BYTES // max(1, array[0].size)))
        # A generator of its own, so that the notebook's random numbers stay the same.
        chosen = np.sort(np.random.default_rng().choice(unknown, number, replace=False))
        return {"unknown_index": chosen, "unknown": _with_levels(np.asarray(array[chosen], np.float32))}

    def _may_write(self, rows: int) -> bool:
        """Limit the number of small files, since a loop over single images must not fill the folder."""
        if rows > _SMALL:
            return True
        self._small_files += 1
        return self._small_files <= _MOST_SMALL_FILES

    def _describe_labels(self, given: Given, array: NDArray[Any], sample: int) -> LabelDescription:
        del sample
        classes, one_hot = _classes(array)
        described = LabelDescription(shape=list(array.shape), dtype=str(array.dtype), one_hot=one_hot, classes={})
        if given.drawn is not None:
            described["drawn"] = given.drawn
        if classes is None:
            return described
        values, counts = np.unique(classes, return_counts=True)
        if len(values) <= MAX_CLASSES:
            described["classes"] = {str(int(value)): int(count) for value, count in zip(values, counts, strict=True)}
        described["file"] = f"arrays/y{next(self._numbers)}.npy"
        np.save(self.recorder.session.out / described["file"], classes)
        return described


def _with_levels(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale each image to the levels 0 to 255."""
    axes = tuple(range(1, images.ndim))
    low = images.min(axis=axes, keepdims=True)
    reach = images.max(axis=axes, keepdims=True) - low
    with np.errstate(all="ignore"):
        levels = (images - low) / np.where(reach > 0, reach, 1) * 255
    whole: NDArray[np.uint8] = np.nan_to_num(levels, nan=0.0, posinf=0.0, neginf=0.0).round().astype(np.uint8)
    return whole


def _unreadable(given: Given) -> ArrayDescription:
    """Describe images whose numbers are not available."""
    return ArrayDescription(shape=None, dtype=None, source=given.source, mapped=given.mapped)


def checksum(array: NDArray[Any]) -> str:
    """Hash some evenly spaced rows: a cheap way to detect that an array was changed in place.

    Args:
        array: An array with at least one axis and without Python objects.
    """
    digest = hashlib.blake2b(digest_size=12)
    if array.size:
        index = np.unique(np.linspace(0, len(array) - 1, 48).astype(np.int64))
        digest.update(np.ascontiguousarray(array[index]).tobytes())
    return digest.hexdigest()


def _content(array: NDArray[Any]) -> str:
    """Return a key of an array's content, equal for copies and for arrays with additional axes of length 1."""
    if array.ndim == 0:
        return ""
    lengths = [size for size in array.shape if size != 1]
    return f"{lengths} {array.dtype} {checksum(array)}"


def _classes(array: NDArray[Any]) -> tuple[NDArray[np.int32] | None, bool]:
    """Return each row's class and whether the rows are one-hot; None if the labels are not classes."""
    if array.dtype.kind not in "biuf" or not array.size:
        return None, False
    flat = array.reshape(len(array), -1)
    if flat.shape[1] == 1:
        numbers = flat[:, 0]
        bounded = bool(np.all(np.abs(numbers.astype(np.float64)) < 2**31 - 1))
        integral = bounded and bool(np.all(numbers == np.floor(numbers))) if numbers.dtype.kind == "f" else bounded
        return (numbers.astype(np.int32), False) if integral else (None, False)
    if array.ndim == 2 and bool(np.all((flat == 0) | (flat == 1))) and bool(np.all(flat.sum(axis=1) == 1)):  # noqa: PLR2004 - rows, classes
        return flat.argmax(axis=1).astype(np.int32), True
    return None, False


def _key(describe: Callable[..., Any], given: Given) -> tuple[Any, ...] | None:
    """Return a key that is equal for the same numbers in the same memory; None without numbers."""
    array = given.array
    if array is None:
        return None
    place = array.__array_interface__["data"][0]
    form = (array.shape, array.strides, str(array.dtype))
    return (describe.__name__, place, *form, given.source, given.mapped, given.drawn, checksum(array))


def _sample_index(rows: int, width: int, sample: int) -> NDArray[np.int64]:
    most = max(2, min(sample, _SAMPLE_BYTES // (4 * max(1, width))))
    return np.unique(np.linspace(0, rows - 1, min(most, rows)).round().astype(np.int64))


def _owner(given: Given) -> Any:
    """Return the object that owns the memory, as far as it can be determined."""
    owner: Any = given.anchor
    while isinstance(owner, np.ndarray) and isinstance(owner.base, np.ndarray):
        owner = owner.base
    return owner


def _watch(owner: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(owner)
    except TypeError:
        # For a list, for example, only its address and contents identify it.
        return lambda: True


def _same_memory(one: Any, other: NDArray[Any] | None) -> bool:
    if (
        not isinstance(one, np.ndarray)
        or other is None
        or one.size != other.size
        or one.dtype != other.dtype
        or not one.size
    ):
        return False
    return bool(one.__array_interface__["data"][0] == other.__array_interface__["data"][0])
