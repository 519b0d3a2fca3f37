"""Images in a random order, and the comparison of answers to equal images."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.execution.shuffle import count_unequal, random_order

ROWS = 2000


@given(st.integers(1, 500), st.integers(0, 99))
def test_answers_return_to_the_order_of_the_images(rows: int, seed: int) -> None:
    order = random_order(rows, np.random.default_rng(seed))
    images = np.arange(rows, dtype=np.float32)[:, None]
    answers, first, second = order.undo(images[order.given])
    assert np.array_equal(answers, images)
    assert np.array_equal(first, second)
    assert len(first) == min(rows, max(64, rows // 20))


def answers_of(kind: str, order: NDArray[Any]) -> NDArray[Any]:
    """Answer with what a kind of model gives for images in an order."""
    generator = np.random.default_rng(1)
    truth = generator.normal(size=(ROWS, 10))
    if kind == "counter":
        counted: NDArray[Any] = np.eye(10)[np.arange(len(order)) * 7 % 10]
        return counted
    if kind == "counter behind large numbers":
        shown: NDArray[Any] = np.where(np.arange(10) == 9, -1e12, np.eye(10)[np.arange(len(order)) * 7 % 9])
        return shown
    outputs: NDArray[Any] = truth[order]
    if kind == "half precision":
        outputs = outputs + generator.normal(size=outputs.shape) * 1e-3
        return outputs.astype(np.float16).astype(np.float64)
    if kind == "sometimes a counter":
        swapped = generator.random(len(order)) < 0.08
        outputs[swapped] = np.eye(10)[np.arange(swapped.sum()) % 10] * 5
    return np.full_like(outputs, np.nan) if kind == "nan" else outputs


@pytest.mark.parametrize(
    ("kind", "differs"),
    [
        ("plain", False),
        ("half precision", False),
        ("nan", False),
        ("counter", True),
        ("counter behind large numbers", True),
        ("sometimes a counter", True),
    ],
)
def test_only_answers_that_do_not_come_from_the_image_differ(kind: str, differs: bool) -> None:  # noqa: FBT001
    order = random_order(ROWS, np.random.default_rng(0))
    _, first, second = order.undo(answers_of(kind, order.given))
    assert (count_unequal(first, second) > 0) is differs


def test_one_number_for_each_image_is_compared_too() -> None:
    values = np.linspace(0, 1, 100)[:, None]
    assert count_unequal(values, values + 1e-4) == 0
    assert count_unequal(values, 1 - values) > 90
    assert count_unequal(np.empty((0, 3)), np.empty((0, 3))) == 0


def test_every_form_of_not_a_number_is_compared_without_a_warning() -> None:
    signaling = np.frombuffer(b"\x01\x00\xa0\x7f" * 8, np.float32).reshape(4, 2)
    assert count_unequal(signaling, signaling) == 0
