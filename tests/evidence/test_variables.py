"""What the notebook's variables held at its end, from the record's claims."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.claims import as_int
from grader.evidence.provenance import DatasetIndex, make_index
from grader.evidence.variables import Variables, read_variables
from grader.inside.describe.fingerprint import fingerprint
from grader.inside.record.events import Arrays
from tests.evidence.conftest import Record


def read(record: Record, index: DatasetIndex, arrays: list[Any], labels: list[Any] | None = None) -> Variables:
    book = ArrayBook(ArtefactFolder(record.root), {index.name: index})
    event = Arrays(kind="arrays", arrays=arrays, labels=labels or [], pipelines=[])
    return read_variables(event, 9, book, as_int)


def named(name: str, described: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "rows_of": "tiny/train", **described}


def test_rows_and_formula_of_every_array_are_found(record: Record, small_index: DatasetIndex) -> None:
    order = np.random.default_rng(1).permutation(300)
    part = small_index.images["train"][order[:210]].astype("float32") / 255 - 0.5
    (found,) = read(record, small_index, [named("a", record.array(part))]).arrays
    assert found.rows is not None
    assert (found.rows.counts, found.rows.matched, found.rows.order) == ({"train": 210, "test": 0}, 1.0, "shuffled")
    assert found.transform is not None
    assert (found.transform.scale, found.transform.shift) == (1 / 255, -0.5)
    assert not (record.root / "derived").exists()


def test_images_that_two_arrays_hold_are_counted(record: Record, small_index: DatasetIndex) -> None:
    raw = small_index.images["train"]
    claims = [named(name, record.array(raw[piece])) for name, piece in PIECES.items()]
    found = {array.name: array.common for array in read(record, small_index, claims).arrays}
    assert found == {
        "low": {"high": 0, "middle": 100},
        "high": {"low": 0, "middle": 50},
        "middle": {"low": 100, "high": 50},
    }


PIECES = {"low": slice(0, 200), "high": slice(200, 300), "middle": slice(100, 250)}


def test_an_image_that_the_data_set_holds_twice_is_no_common_one(record: Record) -> None:
    images = np.random.default_rng(2).integers(0, 256, (40, 6, 6), dtype=np.uint8)
    images[35] = images[3]
    labels = np.arange(40) % 4
    index = make_index("tiny", images, labels, images[:0], labels[:0], fingerprint(images))
    claims = [named("a", record.array(images[:20])), named("b", record.array(images[20:]))]
    assert [array.common for array in read(record, index, claims).arrays] == [{"b": 0}, {"a": 0}]


@pytest.mark.parametrize("shuffled", [False, True])
def test_labels_are_right_where_they_name_the_class_of_the_image_in_the_same_row(
    record: Record, small_index: DatasetIndex, *, shuffled: bool
) -> None:
    order = np.random.default_rng(1).permutation(300)[:210]
    x = named("x", record.array(small_index.images["train"][order]))
    true = small_index.labels["train"][order]
    y = {"name": "y", "cell": 4, **record.labels(np.sort(true) if shuffled else true), "one_hot": True}
    (found,) = read(record, small_index, [x], [y]).labels
    assert (found.name, found.cell, found.one_hot) == ("y", 4, True)
    assert (found.right["x"] == 1.0) is not shuffled


def test_labels_of_another_length_belong_to_no_image(record: Record, small_index: DatasetIndex) -> None:
    x = named("x", record.array(small_index.images["train"]))
    y = {"name": "y", **record.labels(small_index.labels["test"])}
    assert read(record, small_index, [x], [y]).labels[0].right == {}


def test_an_older_record_names_no_cell_of_its_own(record: Record, small_index: DatasetIndex) -> None:
    (found,) = read(record, small_index, [{"name": "x", "shape": [5, 28, 28], "rows_of": "tiny/train"}]).arrays
    assert (found.cell, found.rows, found.common) == (9, None, {})


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["name", "shape", "file", "cell", "rows_of", "low", "one_hot", "classes", "right"]),
            st.one_of(st.none(), st.text(max_size=5), st.integers(), st.just([3, 4]), st.just("arrays/a1.npz")),
        ),
        max_size=5,
    )
)
def test_any_claim_is_read_or_counted(claims: list[Any]) -> None:
    images = np.arange(144, dtype=np.uint8).reshape(4, 6, 6)
    labels = np.arange(4)
    index = make_index("tiny", images, labels, images[:0], labels[:0], fingerprint(images))
    book = ArrayBook(ArtefactFolder(Path("/nonexistent")), {"tiny": index})
    event = Arrays(kind="arrays", arrays=claims, labels=claims, pipelines=[])
    found = read_variables(event, None, book, lambda _: None)
    assert len(found.arrays) + len(found.labels) + found.malformed == 2 * len(claims)
