"""Images of a known data set are found in arguments and in arrays of other shapes; others of their size are counted."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grader.inside.describe.fingerprint import fingerprint
from grader.inside.describe.landmarks import KnownImages
from grader.inside.watch.image_search import ImageSearch
from grader.inside.watch.seen_images import SeenImages

KNOWN = np.random.default_rng(0).integers(0, 256, (20, 6, 6), dtype=np.uint8)
OTHERS = np.random.default_rng(1).integers(0, 256, (5, 6, 6), dtype=np.uint8)
PRINTS = fingerprint(KNOWN).tolist()


@pytest.fixture
def search(tmp_path: Path) -> ImageSearch:
    (tmp_path / "known").mkdir()
    np.save(tmp_path / "known" / "x_train.npy", KNOWN)
    np.save(tmp_path / "known" / "fingerprints.npy", fingerprint(KNOWN))
    arrays: Any = SimpleNamespace(known_images=KnownImages(tmp_path, ("known",)))
    return ImageSearch(arrays, np.random.default_rng(0))


def seen_in(search: ImageSearch, argument: object, most: int | None = None) -> SeenImages:
    seen = SeenImages()
    for images in search.in_argument(argument, most):
        search.add(images, [seen])
    return seen


@pytest.mark.parametrize(
    "argument",
    [
        KNOWN[:3],
        KNOWN[:3, :, :, None] / 255.0,
        KNOWN[:3].reshape(3, 36),
        [KNOWN[:3], np.arange(3)],
        {"images": (KNOWN[:3],), "labels": np.arange(3)},
        np.pad(KNOWN[:3], ((0, 0), (1, 1), (1, 1))),
    ],
    ids=["images", "scaled", "flat", "list", "dict", "padded"],
)
def test_known_images_are_found_in_an_argument(search: ImageSearch, argument: object) -> None:
    seen = seen_in(search, argument)
    assert (seen.seen, seen.passed) == (set(PRINTS[:3]), 0)


def test_other_images_of_the_same_size_are_counted_and_some_are_kept(search: ImageSearch) -> None:
    seen = seen_in(search, np.concatenate([KNOWN[:2], OTHERS]))
    assert (seen.seen, seen.passed, len(seen.strangers)) == (set(PRINTS[:2]), 5, 5)


@pytest.mark.parametrize("argument", [np.zeros((4, 6, 5)), np.zeros((4, 7, 7)), np.arange(36), "text", None, ["a"]])
def test_an_argument_of_another_size_holds_no_images(search: ImageSearch, argument: object) -> None:
    assert list(search.in_argument(argument)) == []


def test_only_some_rows_are_looked_at_if_a_number_is_given(search: ImageSearch) -> None:
    assert len(seen_in(search, KNOWN, 4).seen) == 4
    assert len(search.in_array(KNOWN, 4)) == 4


@pytest.mark.parametrize("array", [KNOWN[:4].ravel(), KNOWN[:4].reshape(2, 72), KNOWN[:4].reshape(4, 36).T])
def test_known_images_are_found_in_an_array_of_any_shape(search: ImageSearch, array: Any) -> None:
    assert search.in_array(array) == set(PRINTS[:4])


def test_an_array_is_shown_in_the_order_in_which_its_images_are_known(search: ImageSearch) -> None:
    columns = KNOWN.reshape(20, 36).T
    images = search.as_images(columns, [(6, 6)])
    assert images is not None
    np.testing.assert_array_equal(images, KNOWN)
    assert search.as_images(np.zeros(35), [(6, 6)]) is None


def test_without_data_sets_no_array_is_large_enough(tmp_path: Path) -> None:
    arrays: Any = SimpleNamespace(known_images=KnownImages(tmp_path, ()))
    search = ImageSearch(arrays, np.random.default_rng(0))
    assert list(search.in_argument(KNOWN)) == []
    assert search.in_array(KNOWN) == set()
