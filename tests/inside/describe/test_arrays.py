"""Arrays and labels as the record describes them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.inside.describe.arrays import ArrayBook
from grader.inside.describe.fingerprint import fingerprint
from grader.inside.record.recorder import Recorder
from grader.inside.record.session import Session


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ArrayBook]:
    session = Session(1, tmp_path, tmp_path, (), "keras3", 0, 60, time.time() + 60, 1, 10, 10, "mnist")
    recorder = Recorder(session)
    yield ArrayBook(recorder)
    recorder.log.close()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(3).random((300, 12, 12, 1), dtype=np.float32)


def x_of(book: ArrayBook, value: Any) -> Any:
    found, _ = book.describe_pair(value)
    assert found is not None
    return found


def y_of(book: ArrayBook, value: Any) -> Any:
    _, found = book.describe_pair(np.zeros((len(value), 9, 9)), value)
    assert found is not None
    return found


def test_images_are_described_with_their_range_and_a_file_of_fingerprints(book: ArrayBook, images: np.ndarray) -> None:
    found = x_of(book, images)
    assert (found["shape"], found["dtype"], found["source"]) == ([300, 12, 12, 1], "float32", "array")
    assert found["low"] == images.min()
    assert found["high"] == images.max()
    with np.load(book.recorder.session.out / found["file"], allow_pickle=False) as file:
        assert np.array_equal(file["fingerprints"], fingerprint(images))
        index = file["sample_index"]
        assert (index[0], index[-1], len(index), index.dtype) == (0, 299, 128, np.int64)
        assert np.array_equal(file["sample"], images[index])


def test_rows_of_no_data_set_are_chosen_at_random_and_stored(tmp_path: Path, images: np.ndarray) -> None:
    known = (images[:200, ..., 0] * 255).astype(np.uint8)
    (tmp_path / "tiny").mkdir()
    np.save(tmp_path / "tiny" / "x_train.npy", known)
    np.save(tmp_path / "tiny" / "fingerprints.npy", fingerprint(known))
    session = Session(1, tmp_path, tmp_path, ("tiny",), "keras3", 0, 60, time.time() + 60, 1, 10, 10, "tiny")
    book = ArrayBook(Recorder(session))
    state = str(np.random.get_state())  # noqa: NPY002 - the notebook's own generator
    mixed = np.concatenate([known, 5 - 3 * images[200:, ..., 0]])
    mixed[299] = 1.0
    with np.load(tmp_path / x_of(book, mixed)["file"], allow_pickle=False) as file:
        index = file["unknown_index"]
        assert (len(index), index.min() >= 200, index.max() < 299) == (64, True, True)
        rows = mixed[index].reshape(64, -1)
        low, reach = rows.min(axis=1, keepdims=True), np.ptp(rows, axis=1, keepdims=True)
        assert np.array_equal(file["unknown"].reshape(64, -1), ((rows - low) / reach * 255).round())
    with np.load(tmp_path / x_of(book, known / 255)["file"], allow_pickle=False) as file:
        assert "unknown" not in file
    assert str(np.random.get_state()) == state  # noqa: NPY002
    book.recorder.log.close()


def test_the_same_array_is_described_once(book: ArrayBook, images: np.ndarray) -> None:
    assert x_of(book, images)["array"] == x_of(book, images)["array"]
    assert x_of(book, images[:200])["array"] == x_of(book, images[:200])["array"] != x_of(book, images)["array"]
    assert len(list((book.recorder.session.out / "arrays").iterdir())) == 2


def test_an_array_changed_in_place_is_described_again(book: ArrayBook, images: np.ndarray) -> None:
    before = x_of(book, images)["array"]
    images *= 2
    assert x_of(book, images)["array"] != before


def test_the_names_of_variables_that_hold_the_array_are_given(book: ArrayBook, images: np.ndarray) -> None:
    book.recorder.namespace = {
        "x_train": images,
        "view": images[..., 0],
        "part": images[:9],
        "copy": images.copy(),
        "_": images,
    }
    assert x_of(book, images)["names"] == ["x_train", "view"]
    assert x_of(book, images[..., 0])["names"] == ["x_train", "view"]


def test_a_table_of_few_numbers_a_row_has_no_file(book: ArrayBook) -> None:
    assert "file" not in x_of(book, np.zeros((50, 8)))
    assert "file" in x_of(book, np.random.default_rng(0).random((50, 64)))


def test_a_data_frame_and_a_list_are_read_like_arrays(book: ArrayBook, images: np.ndarray) -> None:
    flat = images.reshape(300, -1)
    wanted = fingerprint(flat)
    pd: Any = pytest.importorskip("pandas")
    for value in (pd.DataFrame(flat), flat.tolist()):
        with np.load(book.recorder.session.out / x_of(book, value)["file"]) as file:
            assert np.array_equal(file["fingerprints"], wanted)


def test_a_generator_is_never_run(book: ArrayBook) -> None:
    ran = []

    def batches() -> Any:
        ran.append(1)
        yield np.zeros((2, 9, 9)), np.zeros(2)

    found = x_of(book, batches())
    assert (found["shape"], found["source"], ran) == (None, "generator", [])


def test_an_object_that_holds_its_arrays_is_read_without_being_iterated(book: ArrayBook, images: np.ndarray) -> None:
    class Sequence:
        def __init__(self) -> None:
            self.x, self.y = images, np.arange(300) % 10

        def __getitem__(self, index: int) -> Any:
            raise AssertionError(index)

    found, labels = book.describe_pair(Sequence())
    assert found is not None
    assert labels is not None
    assert (found["shape"], found["source"], found["mapped"], found["low"]) == (
        [300, 12, 12, 1],
        "generator",
        True,
        None,
    )
    assert labels["classes"]["9"] == 30


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_whole_numbers_are_counted_as_classes(book: ArrayBook, dtype: Any) -> None:
    found = y_of(book, np.array([[3], [0], [3]], dtype))
    assert (found["classes"], found["one_hot"]) == ({"0": 1, "3": 2}, False)
    assert np.load(book.recorder.session.out / found["file"]).tolist() == [3, 0, 3]


def test_one_hot_rows_are_recognised(book: ArrayBook) -> None:
    found = y_of(book, np.eye(10)[[7, 7, 1]])
    assert (found["classes"], found["one_hot"], found["shape"]) == ({"1": 1, "7": 2}, True, [3, 10])
    assert np.load(book.recorder.session.out / found["file"]).dtype == np.int32


def test_labels_that_are_no_classes_have_no_file(book: ArrayBook) -> None:
    for labels in (np.array([0.5, 1.5]), np.array([[0.2, 0.8], [1, 0]]), np.array([np.nan, 1.0])):
        found = y_of(book, labels)
        assert (found["classes"], "file" in found) == ({}, False)


def test_what_was_used_is_known_by_object_view_base_and_content(book: ArrayBook, images: np.ndarray) -> None:
    train, held_out = images[:200], images[200:]
    book.describe_pair(train)
    assert book.was_used(train)
    assert book.was_used(images)
    assert book.was_used(images[:10])
    assert book.was_used(train[..., 0])
    assert book.was_used(train.copy())
    assert not book.was_used(held_out)
    assert not book.was_used(train / 2)


def test_memory_that_was_freed_and_given_to_another_array_was_not_used(book: ArrayBook) -> None:
    temporary = np.random.default_rng(5).random((100, 9, 9))
    book.describe_pair(temporary)
    del temporary
    assert not book.was_used(np.random.default_rng(6).random((100, 9, 9)))


def test_strings_and_objects_are_described_without_numbers(book: ArrayBook) -> None:
    assert x_of(book, np.array(["a", None], dtype=object))["shape"] is None
    assert not book.was_used(np.array(["a", None], dtype=object))


def test_many_single_images_do_not_fill_the_folder(book: ArrayBook) -> None:
    rng = np.random.default_rng(0)
    kept = [x_of(book, rng.random((1, 9, 9))) for _ in range(230)]
    assert sum("file" in found for found in kept) == 200


def test_images_that_were_seen_one_by_one_are_described_without_an_array(book: ArrayBook, images: np.ndarray) -> None:
    prints = fingerprint(images[:5])
    found: Any = book.describe_rows(prints, list(images[5:8]), 9)
    assert (found["shape"], found["mapped"]) == ([8, 12, 12, 1], True)
    with np.load(book.recorder.session.out / found["file"], allow_pickle=False) as file:
        assert np.array_equal(file["fingerprints"], fingerprint(images[:8]))
        assert file["unknown_index"].tolist() == file["sample_index"].tolist() == [5, 6, 7]
        assert np.array_equal(file["sample"], images[5:8])
        assert file["unknown"].dtype == np.uint8


def test_many_descriptions_of_single_images_stay_small(
    book: ArrayBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "arrays").mkdir(exist_ok=True)
    prints, random = np.arange(1, 60_001, dtype=np.uint64), np.random.default_rng(0)
    strangers = [random.random((28, 28), dtype=np.float32) for _ in range(64)]
    monkeypatch.setattr("grader.inside.describe.arrays._MOST_ROW_FILES", 3)
    whole: Any = book.describe_rows(prints, strangers, 100)
    assert whole == book.describe_rows(prints.copy(), [image.copy() for image in strangers], 100)
    book._room_for_rows = 0
    fewer: Any = book.describe_rows(prints + np.uint64(1), strangers, 100)
    with np.load(tmp_path / whole["file"]) as one, np.load(tmp_path / fewer["file"]) as other:
        assert (one["fingerprints"][:-64] == prints).all()
        assert len(other["fingerprints"]) == 1024 + 16 == fewer["shape"][0]
        assert set(other["fingerprints"][:1024].tolist()) < set(range(2, 60_002))
    assert book.describe_rows(prints[:9], strangers[:1], 1) is not None
    assert book.describe_rows(prints[:8], strangers[:1], 1) is None
    assert book.describe_rows(prints, strangers, 100) == whole
    assert len(list((tmp_path / "arrays").iterdir())) == 3
