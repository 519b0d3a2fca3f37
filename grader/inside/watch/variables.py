"""Records the arrays of images and labels in the notebook's variables at its end, and the cells that made them.

This shows a preprocessing that no training uses. Images whose first rows belong to a known data set are fingerprinted
row by row, like a model's inputs, within a limit on the total size. Labels are stored if one of these arrays has the
same number of rows.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record.events import (
    MAX_FINGERPRINTED,
    MAX_NAMED_ARRAYS,
    MAX_NAMED_LABELS,
    ArrayDescription,
    Arrays,
    LabelDescription,
    NamedArray,
    NamedLabels,
    NamedPipeline,
)
from ..record.recorder import Recorder

__all__ = [
    "MAX_NUMBERS",
    "Bindings",
    "describe_array",
    "image_like",
    "install",
    "label_like",
    "pipelines",
    "recognise",
    "scan",
]

MIN_ROWS = 100
MIN_NUMBERS = 64
"""Minimum number of values per row, as in an 8 by 8 image."""
MAX_CLASSES = 1000
"""Maximum number of columns of a one-hot array."""
SEEN_ROWS = 2000
"""Number of rows for the minimum and maximum of an array that is not fingerprinted."""
COMPARED_ROWS = 16
MIN_RECOGNISED = 12
"""Minimum number of the compared rows that must belong to one data set."""
MAX_NUMBERS = 768 << 20
"""Maximum number of values to fingerprint at the notebook's end; they take about 3 seconds of one core."""
_DEEPEST = 2
_MAX_ITEMS = 16
_RAW_HIGH = 100.0
"""Raw pixels have values above this, scaled pixels do not."""
_NOT_NAMES = frozenset({"In", "Out"})
_PROBED = 8
_MAX_PIPELINES = 40
_GENERATORS = frozenset({"Iterator", "PyDataset", "Sequence"})
"""Keras's base classes of generators."""
_END_OF_NAME = re.compile(r"[.\[]")
_PACKAGES = frozenset({"keras", "keras_preprocessing", "tensorflow", "tf_keras"})

Prints = Mapping[str, NDArray[np.uint64]]
"""Split, such as `mnist/train` → its images' fingerprints."""
Array = NDArray[Any]


def image_like(value: object) -> bool:
    """Whether a value is an array with enough rows, and enough values per row, to be a set of images."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub" or value.ndim <= 1:
        return False
    return len(value) >= MIN_ROWS and value.size // len(value) >= MIN_NUMBERS


def label_like(value: object) -> bool:
    """Whether a value could be an array of labels or one-hot labels for enough images."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub" or value.ndim not in {1, 2}:
        return False
    return len(value) >= MIN_ROWS and 0 < value.size // len(value) <= MAX_CLASSES


def scan(namespace: Mapping[str, Any], wanted: Callable[[object], bool] = image_like) -> dict[str, Array]:
    """Find arrays in a notebook's variables, in their tuples, lists and dictionaries, and in the student's objects.

    Args:
        namespace: IPython's `user_ns`; names with a leading underscore are IPython's own.
        wanted: Decides which arrays to return; by default image-like arrays.

    Returns:
        Arrays by variable, or by a place such as `parts[0]` or `data.x`; the same object occurs once, under its
        simplest name.
    """
    found: dict[str, Array] = {}
    ids: set[int] = set()
    for name, value in _variables(namespace):
        array = _numbers(value)
        inner = _depth(name) > 0
        if array is not None and wanted(array) and not (inner and id(value) in ids) and len(found) < MAX_NAMED_ARRAYS:
            found[name] = array
            ids.add(id(value))
    return found


def pipelines(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Find `tf.data` pipelines and Keras generators in the same places as arrays.

    Args:
        namespace: IPython's `user_ns`.

    Returns:
        The pipelines by variable or place.
    """
    found: dict[str, Any] = {}
    for name, value in _variables(namespace):
        if (
            _is_pipeline(type(value))
            and len(found) < _MAX_PIPELINES
            and not any(value is each for each in found.values())
        ):
            found[name] = value
    return found


def _is_pipeline(cls: type) -> bool:
    if hasattr(cls, "_inputs") and hasattr(cls, "element_spec"):
        return True
    return any(base.__name__ in _GENERATORS and base.__module__.partition(".")[0] in _PACKAGES for base in cls.__mro__)


def _variables(namespace: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """List the values in a notebook's variables with their places, outer ones first."""
    plain = [(name, value) for name, value in list(namespace.items()) if _is_name(name)]
    return sorted(_places(plain), key=lambda place: _depth(place[0]))


def _is_name(name: str) -> bool:
    return not name.startswith("_") and name not in _NOT_NAMES


def _depth(place: str) -> int:
    return place.count("[") + place.count(".")


def _places(items: list[tuple[str, Any]], depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in items:
        yield name, value
        if depth >= _DEEPEST:
            continue
        yield from _places([(f"{name}{place}", inner) for place, inner in _inner(value)], depth + 1)


def _inner(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the items of a value with their places, such as `[0]` or `.x`; no code of the student's runs."""
    fields = getattr(type(value), "_fields", ()) if issubclass(type(value), tuple) else ()
    if fields:
        yield from ((f".{name}", inner) for name, inner in zip(fields, tuple.__iter__(value), strict=False))
    elif type(value) in {list, tuple} and len(value) <= _MAX_ITEMS:
        yield from ((f"[{place}]", inner) for place, inner in enumerate(value))
    elif type(value) is dict and len(value) <= _MAX_ITEMS:
        # Other keys may have the student's own `__repr__`.
        yield from ((f"[{key!r:.40}]", inner) for key, inner in value.items() if type(key) in {str, int})
    elif type(value).__module__ == "__main__" or type(value) is SimpleNamespace:
        attributes = _attributes(value)
        if len(attributes) <= _MAX_ITEMS:
            yield from ((f".{name}", inner) for name, inner in attributes.items() if type(name) is str)


def _attributes(value: Any) -> dict[str, Any]:
    try:
        return dict(object.__getattribute__(value, "__dict__"))
    except Exception:
        return {}


def _numbers(value: object) -> Array | None:
    """Return the values of an array or eager tensor without a copy."""
    if isinstance(value, np.ndarray):
        return value
    # Symbolic tensors and variables lack this method of eager ones.
    get = getattr(type(value), "_numpy", None)
    if get is None:
        return None
    try:
        return np.asarray(get(value))
    except Exception:
        return None


def describe_array(name: str, array: Array, rows_of: str | None, *, used: bool, cell: int | None) -> NamedArray:
    """Make one item of the `arrays` event.

    Args:
        name: The variable.
        array: Its value.
        rows_of: The split that its first rows belong to, or None.
        used: Whether it was ever given to a model.
        cell: Number of the cell that made it; None if unknown.
    """
    seen = array[:SEEN_ROWS]
    return NamedArray(
        name=name,
        cell=cell,
        shape=list(array.shape),
        dtype=str(array.dtype),
        low=float(seen.min()),
        high=float(seen.max()),
        rows_of=rows_of,
        used=used,
    )


def recognise(prints: NDArray[np.uint64], known: Prints) -> str | None:
    """Find the split that most of some images belong to.

    Args:
        prints: Fingerprints of the images; 0 stands for a constant image, which is ignored.
        known: Fingerprints of each split.
    """
    telling = prints[prints != 0]
    found = {split: int(np.isin(telling, held).sum()) for split, held in known.items()}
    best = max(found, key=lambda split: found[split], default=None)
    if best is None:
        return None
    # Joined and shuffled splits still belong to one data set.
    whole = sum(count for split, count in found.items() if split.partition("/")[0] == best.partition("/")[0])
    return best if found[best] > 0 and whole >= min(MIN_RECOGNISED, len(prints)) else None


@dataclass(slots=True)
class Bindings:
    """Tracks the cell in which each variable got its value.

    Attributes:
        cells: Variable → number of the cell after which its current value was first seen.
    """

    cells: dict[str, int] = field(default_factory=dict)
    _tokens: dict[str, Any] = field(default_factory=dict)

    def look(self, namespace: Mapping[str, Any], cell: int) -> None:
        """Find new or changed arrays.

        Args:
            namespace: IPython's `user_ns`.
            cell: Number of the cell that has just ended.
        """
        for name, value in list(namespace.items()):
            if not _is_name(name):
                continue
            token = _token(value)
            if token != self._tokens.get(name):
                self._tokens[name], self.cells[name] = token, cell

    def cell_of(self, place: str) -> int | None:
        """Return the cell that made the value of a place such as `x_train` or `parts[0]`."""
        return self.cells.get(_END_OF_NAME.split(place, maxsplit=1)[0])


def _token(value: Any) -> Any:
    """Return a value that changes with an array: its id, shape, type, and a few values, which `x /= 255` changes."""
    if type(value) in {list, tuple, dict}:
        return id(value), len(value)
    if not isinstance(value, np.ndarray) or value.dtype.hasobject or value.ndim == 0 or not len(value):
        return id(value)
    rows = (np.asarray(value[place]).flat for place in (0, len(value) // 2, -1))
    probe = b"".join(row[len(row) // 2 : len(row) // 2 + _PROBED].tobytes() for row in rows)
    return id(value), value.shape, str(value.dtype), probe


def _load_prints(data: Path, datasets: tuple[str, ...]) -> dict[str, NDArray[np.uint64]]:
    known: dict[str, NDArray[np.uint64]] = {}
    for name in datasets:
        try:
            prints = np.load(data / name / "fingerprints.npy", allow_pickle=False)
            rows = len(np.load(data / name / "y_train.npy", mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError):
            continue
        known |= {f"{name}/train": prints[:rows], f"{name}/test": prints[rows:]}
    return known


@dataclass(slots=True)
class _Writer:
    """Describes the variables' arrays at the notebook's end.

    Attributes:
        recorder: Has the namespace and, as `arrays`, the models' input arrays after the import of Keras.
        bindings: The cell in which each variable got its value.
    """

    recorder: Recorder
    bindings: Bindings

    def write(self) -> None:
        """Write the `arrays` event, if there is an array."""
        found, given = scan(self.recorder.namespace), pipelines(self.recorder.namespace)
        if not found and not given:
            return
        known = _load_prints(self.recorder.session.data, self.recorder.session.datasets)
        facts = {name: self._first_look(name, array, known) for name, array in found.items()}
        self._compare(facts, found)
        sizes = {len(found[name]) for name, fact in facts.items() if fact["rows_of"] is not None}
        event = Arrays(kind="arrays", arrays=list(facts.values()), labels=self._labels(sizes))
        if given:
            event["pipelines"] = [self._pipeline(name, value, known) for name, value in given.items()]
        self.recorder.log.write(event)

    def _pipeline(self, name: str, value: Any, known: Prints) -> NamedPipeline:
        """Describe a pipeline or generator by the rows of its source, which need no code of the student's."""
        from ..describe.given import given_pair

        images, _ = given_pair(value)
        array = images.array if images is not None else None
        rows_of = _split_of(array, known) if array is not None and image_like(array) else None
        return NamedPipeline(name=name, cell=self.bindings.cell_of(name), rows_of=rows_of)

    def _first_look(self, name: str, array: Array, known: Prints) -> NamedArray:
        rows_of = _split_of(array, known)
        book = self.recorder.arrays
        used = book is not None and bool(book.was_used(array))
        return describe_array(name, array, rows_of, used=used, cell=self.bindings.cell_of(name))

    def _compare(self, facts: Mapping[str, NamedArray], found: Mapping[str, Array]) -> None:
        """Fingerprint every row of the recognized arrays within the limit, scaled and later ones first."""
        book = self.recorder.arrays
        if book is None:
            return
        latest = [name for name, fact in facts.items() if fact["rows_of"] is not None][::-1]
        room, files = MAX_NUMBERS, MAX_FINGERPRINTED
        for name in sorted(latest, key=lambda name: (facts[name]["high"] or 0.0) > _RAW_HIGH):
            fresh = not book.is_known(found[name])
            if fresh and (found[name].size > room or files == 0):
                continue
            _add_rows(facts[name], book.describe_held(found[name]))
            if fresh:
                room, files = room - found[name].size, files - 1

    def _labels(self, sizes: set[int]) -> list[NamedLabels]:
        """Describe the arrays that could be labels of a recognized array of images, by their number of rows."""
        book = self.recorder.arrays
        if book is None or not sizes:
            return []
        found = scan(self.recorder.namespace, lambda value: label_like(value) and len(value) in sizes)  # type: ignore[arg-type]
        labels: list[NamedLabels] = []
        for name, array in list(found.items())[-MAX_NAMED_LABELS:]:
            described: LabelDescription | None = book.describe_labels(array)
            if described is not None and "file" in described:
                labels.append(NamedLabels(name=name, cell=self.bindings.cell_of(name), **described))
        return labels


def _split_of(array: Array, known: Prints) -> str | None:
    """Find the split that the first rows of an array belong to."""
    from ..describe.fingerprint import fingerprint

    try:
        return recognise(fingerprint(array[:COMPARED_ROWS]), known)
    except (TypeError, ValueError):
        return None


def _add_rows(fact: NamedArray, described: ArrayDescription) -> None:
    """Add the facts of an array whose rows were all fingerprinted."""
    if "array" in described:
        fact["array"] = described["array"]
    if "low" in described and "high" in described:
        fact["low"], fact["high"] = described["low"], described["high"]
    if "file" in described:
        fact["file"] = described["file"]


def install(recorder: Recorder) -> None:
    """Write the `arrays` event at the notebook's end.

    Args:
        recorder: Has the namespace and, as `arrays`, the models' input arrays.
    """
    bindings = Bindings()

    def look() -> None:
        bindings.look(recorder.namespace, recorder.log.cell)

    recorder.at_cell_end(look)
    recorder.at_end(_Writer(recorder, bindings).write)
