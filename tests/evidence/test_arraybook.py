"""What a record claims of an array's landmarks is checked before it is used."""

from typing import Any

import numpy as np
import pytest

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.provenance import DatasetIndex
from grader.schema.message import MessageLike
from tests.evidence.conftest import Record
from tests.support.says import values

GOOD = {"landmarks": np.zeros((40, 3), np.float32), "landmark_index": np.arange(3)}


def problems(record: Record, index: DatasetIndex, **marks: Any) -> list[MessageLike]:
    claim = record.array(np.random.default_rng(0).normal(size=(40, 6, 6)))
    with np.load(record.root / claim["file"]) as stored:
        arrays = dict(stored)
    np.savez(record.root / claim["file"], **arrays, **marks)
    book = ArrayBook(ArtefactFolder(record.root), {"tiny": index})
    known = book.array(claim)
    assert known is not None
    assert known.rows is None
    return book.problems


@pytest.mark.parametrize(
    "changed",
    [
        {"landmarks": np.zeros((39, 3), np.float32)},
        {"landmarks": np.zeros((40, 4), np.float32)},
        {"landmarks": np.zeros((40, 3), np.int32)},
        {"landmark_index": np.zeros(3)},
        {"landmark_index": np.array([0, 1, 36])},
        {"landmark_index": np.array([-1, 0, 1])},
        {"landmarks": np.zeros((40, 300), np.float32), "landmark_index": np.zeros(300, np.int64)},
    ],
)
def test_landmarks_that_cannot_be_are_a_problem_and_no_row(
    record: Record, small_index: DatasetIndex, changed: dict[str, Any]
) -> None:
    (problem,) = problems(record, small_index, **(GOOD | changed))
    assert "landmarks" in values(problem, "the array {file:code} could not be read: {reason}")["reason"].values["text"]


def test_landmarks_of_nothing_known_name_no_row(record: Record, small_index: DatasetIndex) -> None:
    assert problems(record, small_index, **GOOD) == []
    assert problems(record, small_index) == []
    assert (
        problems(record, small_index, landmarks=np.full((40, 3), np.nan, np.float32), landmark_index=np.arange(3)) == []
    )
