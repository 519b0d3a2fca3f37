"""The Wilson interval is the published one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts.statistics import Z_95, wilson


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(correct: int, total: int, low: float, high: float) -> None:
    assert wilson(correct, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**7).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_interval_holds_the_share_and_stays_inside_zero_to_one(pair: tuple[int, int]) -> None:
    low, high = wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1
    assert low < high


@given(st.integers(1, 10**6).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_ends_are_where_the_score_test_rejects(pair: tuple[int, int]) -> None:
    correct, total = pair
    low, high = wilson(correct, total)
    for end, exact in ((low, correct == 0), (high, correct == total)):
        if not exact:
            score = abs(correct / total - end) / math.sqrt(end * (1 - end) / total)
            assert score == pytest.approx(Z_95, rel=1e-4)


@given(st.integers(1, 10**6).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_swapping_success_and_failure_mirrors_the_interval(pair: tuple[int, int]) -> None:
    low, high = wilson(*pair)
    mirrored = wilson(pair[1] - pair[0], pair[1])
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


def test_no_trials_say_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("correct", "total", "z"), [(-1, 5, 1.96), (6, 5, 1.96), (0, -1, 1.96), (1, 5, 0.0)])
def test_what_is_no_share_is_refused(correct: int, total: int, z: float) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        wilson(correct, total, z)
