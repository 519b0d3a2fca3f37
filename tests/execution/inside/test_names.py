"""Image-like arrays among the notebook's variables."""

import numpy as np
import pytest

from grader.execution.inside.names import describe_array, image_like, recognise, scan


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.zeros((100, 8, 8)), True),
        (np.zeros((100, 64), np.uint8), True),
        (np.zeros((99, 28, 28)), False),
        (np.zeros((1000, 10)), False),
        (np.zeros(10_000), False),
        (np.full((100, 64), "a"), False),
        ([[0] * 64] * 100, False),
    ],
)
def test_only_numeric_arrays_of_enough_rows_and_numbers_are_image_like(value: object, *, expected: bool) -> None:
    assert image_like(value) is expected


def test_ipythons_own_names_are_left_out() -> None:
    x = np.zeros((100, 64))
    assert list(scan({"x": x, "_": x, "_3": x, "n": 3})) == ["x"]


def test_an_array_is_described_by_its_first_two_thousand_rows() -> None:
    x = np.zeros((2100, 64), np.float32)
    x[5, 5], x[2050, 0] = 2, 9
    assert describe_array("x", x, None, used=True, cell=3) == {
        "name": "x", "cell": 3, "shape": [2100, 64], "dtype": "float32", "low": 0.0, "high": 2.0, "rows_of": None, "used": True,
    }  # fmt: skip


def test_rows_are_of_the_split_that_holds_most_of_them() -> None:
    known = {"mnist/train": np.arange(1, 100, dtype=np.uint64), "mnist/test": np.arange(200, 300, dtype=np.uint64)}
    assert recognise(np.arange(1, 17, dtype=np.uint64), known) == "mnist/train"
    assert recognise(np.arange(210, 226, dtype=np.uint64), known) == "mnist/test"


def test_too_few_known_rows_or_constant_images_recognise_nothing() -> None:
    known = {"mnist/train": np.arange(0, 100, dtype=np.uint64)}
    assert recognise(np.r_[np.arange(1, 9), np.arange(500, 508)].astype(np.uint64), known) is None
    assert recognise(np.zeros(16, np.uint64), known) is None
    assert recognise(np.arange(1, 17, dtype=np.uint64), {}) is None
