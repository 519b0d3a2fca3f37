"""Read the notebook's variables at its end: images of known data sets, and their labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grader.evidence.arraybook import ArrayBook, KnownArray
from grader.evidence.claims import as_bool, as_float, as_shape, as_text, claims, holds
from grader.inside.record.events import (
    MAX_NAMED_ARRAYS,
    MAX_NAMED_LABELS,
    Arrays,
    NamedArray,
    NamedLabels,
    NamedPipeline,
)
from grader.schema.evidence import NamedArrayFact, NamedLabelFact, PipelineFact

__all__ = ["Variables", "read_variables"]

_MAX_COMPARED = 60
"""Limit of arrays whose rows are looked up; the recorder describes fewer."""

CellOf = Callable[[object], int | None]
"""Converts the recorder's number of a cell, as claimed, to the notebook's index."""


@dataclass(slots=True)
class Variables:
    """The arrays, labels and pipelines of one `arrays` event."""

    arrays: list[NamedArrayFact] = field(default_factory=list)
    labels: list[NamedLabelFact] = field(default_factory=list)
    pipelines: list[PipelineFact] = field(default_factory=list)
    malformed: int = 0
    """Number of unreadable items."""


def read_variables(event: Arrays, cell: int | None, book: ArrayBook, cell_of: CellOf) -> Variables:
    """Convert an `arrays` event to facts.

    Args:
        event: The event; untrusted.
        cell: The notebook's index of the event's cell, for items without the key `cell`.
        book: Recognizes rows.
        cell_of: Finds the cell of an item.
    """
    read = Variables()
    known: dict[str, KnownArray] = {}
    for item in claims(NamedArray, event["arrays"], MAX_NAMED_ARRAYS):
        name, shape = as_text(item["name"]), as_shape(item["shape"])
        if not name or shape is None:
            read.malformed += 1
            continue
        array = book.array(item, given=False) if len(known) < _MAX_COMPARED and "file" in item else None
        if array is not None and array.rows is not None:
            known[name] = array
        made_in = cell_of(item["cell"]) if holds(item, "cell") else cell
        read.arrays.append(_array(item, name, array, made_in))
    read.arrays = _with_common(read.arrays, _common(known, book))
    for labels in claims(NamedLabels, event["labels"], MAX_NAMED_LABELS):
        label = _label(labels, known, book, cell_of)
        if label is None:
            read.malformed += 1
        else:
            read.labels.append(label)
    for pipeline in claims(NamedPipeline, event["pipelines"], MAX_NAMED_ARRAYS):
        name = as_text(pipeline["name"])
        if name:
            rows_of = as_text(pipeline["rows_of"], 64) or None
            read.pipelines.append(PipelineFact(name=name, cell=cell_of(pipeline["cell"]), rows_of=rows_of))
        else:
            read.malformed += 1
    return read


def _array(item: NamedArray, name: str, array: KnownArray | None, cell: int | None) -> NamedArrayFact:
    shape = as_shape(item["shape"])
    return NamedArrayFact(
        name=name,
        cell=cell,
        shape=shape if shape is not None else (),
        dtype=as_text(item["dtype"], 40),
        low=as_float(item["low"]),
        high=as_float(item["high"]),
        rows_of=as_text(item["rows_of"], 64) or None,
        used=as_bool(item["used"]) is True,
        rows=array.fact.rows if array else None,
        transform=array.fact.transform if array else None,
    )


def _common(known: Mapping[str, KnownArray], book: ArrayBook) -> dict[str, dict[str, int]]:
    """Count the images in both of two variables of the same data set, by their names."""
    masks = {name: _mask(array, book) for name, array in known.items()}
    common: dict[str, dict[str, int]] = {name: {} for name in known}
    for name, (dataset, mask) in masks.items():
        for other, (same, rows) in masks.items():
            if other != name and same == dataset:
                common[name][other] = int(np.count_nonzero(mask & rows))
    return common


def _mask(array: KnownArray, book: ArrayBook) -> tuple[str, NDArray[np.bool_]]:
    """Return the data set, and for each of its rows whether the array certainly holds it."""
    if array.rows is None or array.fact.rows is None:
        return "", np.zeros(0, dtype=np.bool_)
    index = book.indexes[array.fact.rows.dataset]
    mask = np.zeros(len(index.fingerprints), dtype=np.bool_)
    mask[array.rows[array.rows >= 0]] = True
    return index.name, mask & index.single


def _with_common(arrays: list[NamedArrayFact], common: Mapping[str, Mapping[str, int]]) -> list[NamedArrayFact]:
    return [
        array.model_copy(update={"common": common[array.name]}) if common.get(array.name) else array for array in arrays
    ]


def _label(
    labels: NamedLabels, known: Mapping[str, KnownArray], book: ArrayBook, cell_of: CellOf
) -> NamedLabelFact | None:
    name, fact = as_text(labels["name"]), book.label(labels)
    if not name or fact is None:
        return None
    parts = {images: book.right_part(labels, array) for images, array in known.items()}
    return NamedLabelFact(
        name=name,
        cell=cell_of(labels["cell"]),
        shape=fact.shape,
        dtype=fact.dtype,
        one_hot=fact.one_hot,
        classes=fact.classes,
        right={images: part for images, part in parts.items() if part is not None},
    )
