"""Smoothed curves."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grader.checks.support.smoothing import smoothed

LOSS = (0.92, 0.41, 0.33, 0.36, 0.22, 0.19, 0.21)


def exponential(values: tuple[float, ...], factor: float) -> list[float]:
    return list(itertools.accumulate(values, lambda before, value: before * factor + value * (1 - factor)))


@given(
    st.lists(st.floats(0.0, 3.0), min_size=4, max_size=40).map(tuple),
    st.floats(0.1, 0.9),
)
def test_exponential_smoothing_is_recognised_whatever_its_factor(values: tuple[float, ...], factor: float) -> None:
    assume(max(values) - min(values) > 0.1)
    assert smoothed(exponential(values, factor), values, 0.001)


@pytest.mark.parametrize("window", [2, 3])
def test_a_moving_average_is_recognised(window: int) -> None:
    means = np.convolve(LOSS, np.ones(window) / window, "valid").tolist()
    assert smoothed(means, LOSS, 0.001)
    assert smoothed([float("nan")] * (window - 1) + means, LOSS, 0.001)


def test_exponential_smoothing_may_leave_out_the_first_epochs() -> None:
    assert smoothed(exponential(LOSS[2:], 0.8), LOSS, 0.001)


def test_an_invented_curve_is_no_smoothing() -> None:
    assert not smoothed([0.92, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05], LOSS, 0.001)
    assert not smoothed([0.9, 0.8, 0.7, 0.6], LOSS, 0.001)


def test_a_few_points_and_broken_numbers_prove_nothing() -> None:
    assert not smoothed(exponential(LOSS[:2], 0.5), LOSS[:2], 0.001)
    assert not smoothed(exponential(LOSS, 0.5), (*LOSS[:-1], float("nan")), 0.001)


@pytest.mark.parametrize("epochs", [3, 4])
def test_few_epochs_are_enough_if_a_point_confirms_the_smoothing(epochs: int) -> None:
    recorded = LOSS[:epochs]
    means = np.convolve(recorded, [0.5, 0.5], "valid").tolist()
    for curve in (means, [float("nan"), *means], exponential(recorded, 0.6)):
        assert smoothed(curve, recorded, 0.001)
    assert not smoothed([0.92, 0.6, 0.4, 0.3][:epochs], recorded, 0.001)
    assert not smoothed([0.92, 0.6], recorded, 0.001)
