"""The labels of a model with several outputs are those of the output with the most classes."""

from typing import Any

import numpy as np
import pytest

from grader.inside.describe.given import given_pair

X = np.zeros((40, 4, 4), dtype=np.float32)
DIGITS = np.arange(40) % 10
ODD = (DIGITS % 2).astype(np.float32)
ONE_HOT = np.eye(10, dtype=np.float32)[DIGITS]


@pytest.mark.parametrize(
    ("labels", "main"),
    [
        pytest.param(DIGITS, DIGITS, id="one array"),
        pytest.param({"digit": DIGITS, "odd": ODD}, DIGITS, id="dict"),
        pytest.param({"odd": ODD, "digit": DIGITS}, DIGITS, id="dict in another order"),
        pytest.param([ODD, DIGITS], DIGITS, id="list"),
        pytest.param((ODD, ONE_HOT), ONE_HOT, id="one-hot"),
        pytest.param([X, DIGITS], DIGITS, id="images to reconstruct"),
        pytest.param([DIGITS / 10, ODD], ODD, id="a regression"),
        pytest.param([DIGITS[:, None]], DIGITS[:, None], id="a list of one"),
        pytest.param(DIGITS.tolist(), DIGITS, id="numbers in a list"),
        pytest.param([1, 2, 3], np.array([1, 2, 3]), id="few numbers in a list"),
    ],
)
def test_the_labels_with_the_most_classes_are_described(labels: Any, main: Any) -> None:
    _, given = given_pair(X, labels)
    assert given is not None
    assert given.array is not None
    assert np.array_equal(given.array, main)
