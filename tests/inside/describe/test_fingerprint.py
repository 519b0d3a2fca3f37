"""A fingerprint stays when brightness and contrast change, and changes when the picture does."""

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import grader
from grader.inside.describe.fingerprint import LEVELS, OFFSET, fingerprint, scan

MNIST = Path(grader.__file__).parent / "datasets" / "files" / "mnist.npz"

images = arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)))


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    with np.load(MNIST) as file:
        found: np.ndarray = file["x_train"]
    return found


def test_no_eight_bit_image_has_a_pixel_that_float_rounding_tips_over() -> None:
    nearest = min(
        abs(Fraction(LEVELS * k, r) + Fraction(1, 510) - whole)
        for r in range(1, 256)
        for k in range(r + 1)
        for whole in ((LEVELS * k) // r, (LEVELS * k) // r + 1)
    )
    assert OFFSET == 1 / 510
    assert nearest == Fraction(1, 510)
    # Half a unit in float16 for numbers up to 1 is 2**-12: LEVELS times that is still below the margin.
    assert float(nearest) > LEVELS * 2**-12


def test_every_range_and_value_keeps_its_level_in_every_usual_form() -> None:
    for r in range(1, 256):
        raw = np.arange(r + 1, dtype=np.uint8)[None, :]
        wanted = fingerprint(raw)
        for form in (
            raw / 255,
            raw / np.float32(255),
            raw / 127.5 - 1,
            (raw - 33.3184) / 78.5675,
            raw.astype(np.int64),
        ):
            assert np.array_equal(fingerprint(form), wanted), (r, form.dtype)
            assert np.array_equal(fingerprint(form.astype(np.float32)), wanted), r


@given(images, st.floats(0.001, 1000), st.floats(-1000, 1000))
@settings(deadline=None)
def test_a_positive_scale_and_a_shift_leave_the_fingerprint(raw: np.ndarray, scale: float, shift: float) -> None:
    moved = raw.astype(np.float64) * scale + shift * scale
    assert np.array_equal(fingerprint(moved), fingerprint(raw))


@given(images)
@settings(deadline=None)
def test_each_image_may_have_its_own_scale(raw: np.ndarray) -> None:
    work = raw.astype(np.float32)
    spread = work.std(axis=(1, 2), keepdims=True)
    own = (work - work.mean(axis=(1, 2), keepdims=True)) / np.where(spread == 0, 1, spread)
    assert np.array_equal(fingerprint(own)[spread.ravel() > 0], fingerprint(raw)[spread.ravel() > 0])


@given(images)
@settings(deadline=None)
def test_a_constant_image_has_fingerprint_zero_and_no_other_has(raw: np.ndarray) -> None:
    constant = raw.reshape(len(raw), -1).min(axis=1) == raw.reshape(len(raw), -1).max(axis=1)
    assert np.array_equal(fingerprint(raw) == 0, constant)


@given(images)
@settings(deadline=None)
def test_the_shape_of_one_row_does_not_matter(raw: np.ndarray) -> None:
    assert np.array_equal(fingerprint(raw), fingerprint(raw.reshape(len(raw), -1)))
    assert np.array_equal(fingerprint(raw), fingerprint(raw[..., None]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_image_with_a_number_that_is_not_finite_has_fingerprint_zero(bad: float) -> None:
    two = np.random.default_rng(0).random((2, 8, 8))
    two[0, 3, 3] = bad
    assert fingerprint(two)[0] == 0
    assert fingerprint(two)[1] != 0


def test_a_negative_scale_changes_the_fingerprint(digits: np.ndarray) -> None:
    assert not np.any(fingerprint(255 - digits[:100]) == fingerprint(digits[:100]))


def test_all_different_digits_of_mnist_have_different_fingerprints(digits: np.ndarray) -> None:
    assert len(np.unique(digits.reshape(len(digits), -1), axis=0)) == len(np.unique(fingerprint(digits))) == 60_000


def test_half_precision_keeps_the_fingerprints_of_digits(digits: np.ndarray) -> None:
    assert np.array_equal(fingerprint((digits[:5000] / 255).astype(np.float16)), fingerprint(digits[:5000]))


def test_an_image_moved_by_one_pixel_has_another_fingerprint(digits: np.ndarray) -> None:
    assert not np.any(fingerprint(np.roll(digits[:500], 1, axis=2)) == fingerprint(digits[:500]))


def test_wide_rows_are_hashed_in_all_their_columns() -> None:
    wide = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    for place in itertools.product((0, 63), (0, 63), (0, 2)):
        other = wide.copy()
        other[(slice(None), *place)] += 128
        assert not np.any(fingerprint(other) == fingerprint(wide)), place


def test_the_format_is_the_same_on_every_machine() -> None:
    ramp = np.arange(784, dtype=np.uint16).reshape(1, 28, 28)
    assert fingerprint(ramp).dtype == np.uint64
    assert hex(int(fingerprint(ramp)[0])) == EXPECTED


EXPECTED = "0x9a02dfd75c82c4e9"


def test_no_rows_and_no_columns_are_no_error() -> None:
    assert fingerprint(np.empty((0, 28, 28))).shape == (0,)
    assert np.array_equal(fingerprint(np.empty((2, 0))), np.zeros(2, np.uint64))


def test_a_scan_gives_range_mean_and_deviation(digits: np.ndarray) -> None:
    some = (digits[:3000] / 255).astype(np.float32)
    found = scan(some)
    assert (found.low, found.high) == (0.0, 1.0)
    assert found.mean == pytest.approx(some.mean(dtype=np.float64), rel=1e-6)
    assert found.std == pytest.approx(some.std(dtype=np.float64), rel=1e-5)
