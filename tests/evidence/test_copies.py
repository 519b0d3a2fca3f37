"""Altered copies of test images are found, and altered training images are not taken for them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.copies import MOST_COMPARED, find_copies
from grader.evidence.nearest_images import Probes, SplitFeatures, average_matrix, misfit, probes_of
from grader.evidence.provenance import DatasetIndex, make_index
from grader.inside.describe.fingerprint import fingerprint
from tests.evidence.conftest import Record
from tests.support.says import says

Images: TypeAlias = np.ndarray[Any, Any]
SIDE = 28


def blots(number: int, seed: int, channels: int | None = None, size: tuple[int, int] = (SIDE, SIDE)) -> Images:
    """Smooth random images, raw."""
    coarse = np.random.default_rng(seed).random((number, 7, 7, channels or 1)) ** 2
    high, wide = (
        np.array([np.interp(np.linspace(0, 6, side), np.arange(7), row) for row in np.eye(7)]).T for side in size
    )
    images: Images = (np.einsum("yi,nijc,xj->nyxc", high, coarse, wide) * 255).astype(np.uint8)
    return images if channels else images[..., 0]


def index_of(channels: int | None = None, size: tuple[int, int] = (SIDE, SIDE)) -> DatasetIndex:
    images = blots(500, 1, channels, size)
    labels = np.arange(500) % 10
    return make_index("blots", images[:400], labels[:400], images[400:], labels[400:], fingerprint(images))


INDEX = index_of()
RNG = np.random.default_rng(3)
ALTERED: dict[str, Callable[[Images], Images]] = {
    "with noise": lambda x: x + RNG.normal(0, 0.02, x.shape),
    "with much noise": lambda x: x + RNG.normal(0, 0.2, x.shape),
    "shifted": lambda x: np.roll(x, (2, 1), axis=(1, 2)),
    "mirrored": lambda x: x[:, :, ::-1],
    "inverted": lambda x: 1 - x**1.3,
    "blurred": lambda x: (x + np.roll(x, 1, 1) + np.roll(x, -1, 1) + np.roll(x, 1, 2) + np.roll(x, -1, 2)) / 5,
    "standardized, with noise": lambda x: (x - x.mean()) / x.std() + RNG.normal(0, 0.05, x.shape),
    "padded, with noise": lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2))) + RNG.normal(0, 0.02, (len(x), 32, 32)),
    "repeated channels, with noise": lambda x: np.repeat((x + RNG.normal(0, 0.02, x.shape))[..., None], 3, axis=-1),
    "flat, with noise": lambda x: (x + RNG.normal(0, 0.02, x.shape)).reshape(len(x), -1),
}


@pytest.mark.parametrize("how", ALTERED)
def test_altered_test_images_are_found_and_altered_training_images_are_not(how: str) -> None:
    raw = {split: np.asarray(images[:24], np.float64) / 255 for split, images in INDEX.images.items()}
    copies = find_copies(ALTERED[how](raw["test"]), 1000, [INDEX])
    assert copies is not None
    assert copies.copies >= 10
    assert (copies.dataset, copies.split, copies.compared) == ("blots", "test", 24)
    assert copies.estimate == round(1000 * copies.copies / 24)
    assert find_copies(ALTERED[how](raw["train"]), 1000, [INDEX]) is None


def test_copies_of_color_images_are_found() -> None:
    index = index_of(3)
    raw = {
        split: np.asarray(images[:24]) + RNG.normal(0, 4, images[:24].shape) for split, images in index.images.items()
    }
    copies = find_copies(raw["test"], 40, [INDEX, index])
    assert copies is not None
    assert copies.copies == 24
    assert find_copies(raw["train"], 40, [INDEX, index]) is None


@pytest.mark.parametrize(
    "images",
    [
        blots(MOST_COMPARED, 9),
        RNG.random((40, SIDE, SIDE)),
        np.zeros((40, SIDE, SIDE)),
        np.full((40, SIDE, SIDE), np.nan),
        np.where(RNG.random((40, SIDE, SIDE)) > 0.99, np.inf, 1.0),
        RNG.random((40, 5)),
        RNG.random((40, 1, 1, 3)),
        RNG.random((3, SIDE, SIDE)),
        RNG.random((40, 9, 13, 2)),
    ],
    ids=["other images", "noise", "black", "nan", "infinite", "rows", "pixels", "few", "small"],
)
def test_other_images_are_no_copies(images: Images) -> None:
    assert find_copies(images, 100, [INDEX]) is None


SMALL = st.integers(1, 15)
SIZES = st.one_of(st.tuples(SMALL, SMALL), st.tuples(st.just(SIDE), SMALL), st.tuples(SMALL, st.just(SIDE)))


@given(size=SIZES, channels=st.one_of(st.none(), st.integers(1, 5)))
def test_the_misfit_of_images_of_every_size_is_a_number(size: tuple[int, int], channels: int | None) -> None:
    images = blots(40, 2, channels, size)
    grey = (images if channels is None else images.mean(axis=-1)).astype(np.float32)
    misfits = misfit(Probes(grey[:9], np.zeros(9, np.float32)), SplitFeatures.of(images))
    assert misfits.shape == (9,)
    assert np.isfinite(misfits).all()


@given(size=SIZES, channels=st.integers(1, 4), given_size=SIZES, given_channels=st.one_of(st.none(), st.integers(0, 4)))
def test_images_of_every_size_can_be_searched(
    size: tuple[int, int], channels: int, given_size: tuple[int, int], given_channels: int | None
) -> None:
    shape = (5, *given_size, *(() if given_channels is None else (given_channels,)))
    assert find_copies(np.random.default_rng(7).random(shape), 5, [index_of(channels, size)]) is None


@pytest.mark.parametrize("side", range(1, 14))
def test_other_images_and_altered_training_images_of_small_data_sets_are_not_taken_for_copies(side: int) -> None:
    index = index_of(None, (side, side))
    raw = np.asarray(index.images["train"][:192], np.float64) / 255
    noisy = raw + np.random.default_rng(8).normal(0, 0.02, raw.shape)
    for images in (noisy, np.roll(raw, (1, 1), axis=(1, 2)), 1 - raw**1.3, blots(192, 9, None, (side, side))):
        for start in range(0, len(images), MOST_COMPARED):
            assert find_copies(images[start : start + MOST_COMPARED], 100, [index]) is None


def test_copies_are_found_in_the_smallest_images_that_are_compared() -> None:
    index = index_of(None, (10, 10))
    copies = find_copies(index.images["test"][:64, :, ::-1] / 255, 100, [index])
    assert copies is not None
    assert copies.copies > 40


def test_an_axis_is_reduced_by_averaging() -> None:
    assert np.allclose(average_matrix(4, 2) @ np.array([1, 3, 5, 9]), [2, 7])
    assert np.allclose(average_matrix(9, 4).sum(axis=1), 1)
    assert np.allclose(average_matrix(3, 6) @ np.arange(3), [0, 0, 1, 1, 2, 2])


def test_noise_is_measured() -> None:
    probes = probes_of(blots(30, 4) / 255 + RNG.normal(0, 0.1, (30, SIDE, SIDE)), (SIDE, SIDE))
    assert probes is not None
    assert 0.04 < float(np.median(probes.noise)) < 0.06


def images_given(record: Record, images: Images) -> dict[str, Any]:
    """Write an array as the recorder does, with its unrecognized rows."""
    claim: dict[str, Any] = record.array(images)
    strange = np.flatnonzero(~np.isin(fingerprint(images), INDEX.fingerprints))[:MOST_COMPARED]
    low = images[strange].min(axis=(1, 2), keepdims=True)
    levels = (images[strange] - low) / (images[strange].max(axis=(1, 2), keepdims=True) - low) * 255
    with np.load(record.root / claim["file"]) as stored:
        arrays = dict(stored)
    np.savez(record.root / claim["file"], **arrays, unknown=levels.round().astype(np.uint8), unknown_index=strange)
    return claim


def test_copies_among_recognized_images_are_counted_for_a_training_only(record: Record) -> None:
    noisy = np.asarray(INDEX.images["test"][:50]) + RNG.normal(0, 5, (50, SIDE, SIDE))
    claim = images_given(record, np.concatenate([INDEX.images["train"][:300], noisy]).astype(np.float32))
    book = ArrayBook(ArtefactFolder(record.root), {"blots": INDEX})
    other, known = book.array(claim), book.training_array(claim)
    assert other is not None
    assert other.fact.copies is None
    assert known is not None
    assert known.fact.rows is not None
    assert known.fact.rows.counts == {"train": 300, "test": 0}
    assert known.fact.copies is not None
    assert (known.fact.copies.compared, known.fact.copies.rows) == (50, 50)
    assert known.fact.copies.copies > 40


def test_the_sample_is_compared_if_the_record_has_no_unrecognized_rows(record: Record) -> None:
    noisy = np.asarray(INDEX.images["test"][:50]) + RNG.normal(0, 5, (50, SIDE, SIDE))
    known = ArrayBook(ArtefactFolder(record.root), {"blots": INDEX}).training_array(record.array(noisy))
    assert known is not None
    assert known.fact.copies is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"unknown_index": np.array([0, 1])},
        {"unknown_index": np.array([0, 1, 60])},
        {"unknown_index": np.array([-1, 0, 1])},
        {"unknown_index": np.array([0.0, 1, 2])},
        {"unknown": np.zeros((3, SIDE, SIDE), np.float32)},
        {"unknown": np.zeros((3, SIDE), np.uint8)},
        {"unknown": np.zeros((0, SIDE, SIDE), np.uint8), "unknown_index": np.zeros(0, np.int64)},
    ],
)
def test_unrecognized_rows_that_cannot_be_are_a_problem(record: Record, changed: dict[str, Any]) -> None:
    claim = record.array(RNG.random((60, SIDE, SIDE)))
    with np.load(record.root / claim["file"]) as stored:
        arrays = dict(stored)
    good = {"unknown": np.zeros((3, SIDE, SIDE), np.uint8), "unknown_index": np.arange(3)}
    np.savez(record.root / claim["file"], **(arrays | good | changed))
    book = ArrayBook(ArtefactFolder(record.root), {"blots": INDEX})
    known = book.training_array(claim)
    assert known is not None
    assert known.fact.copies is None
    assert len(book.problems) == 1


def test_other_arrays_before_them_do_not_hide_copies(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grader.evidence.arraybook._MAX_SEARCHED", 11)
    book = ArrayBook(ArtefactFolder(record.root), {"blots": INDEX})
    for seed in range(10):
        book.training_array(record.array(blots(30, 50 + seed) / 255))
    book.training_array(record.array(INDEX.images["train"] / 255))
    test = np.asarray(INDEX.images["test"], np.float64) / 255
    hidden = book.training_array(record.array(test + RNG.normal(0, 0.02, test.shape)))
    assert hidden is not None
    assert hidden.fact.copies is not None
    assert hidden.fact.copies.compared == 16
    assert hidden.fact.copies.copies >= 8
    assert (book.problems, book.notices) == ([], [])
    for seed in range(2):
        beyond = book.training_array(record.array(test + RNG.normal(0, 0.03, test.shape)))
        assert beyond is not None
        assert beyond.fact.copies is None, seed
    (notice,) = book.notices
    assert says(notice, "only {limit:number} arrays were searched for altered test images", limit=11)
