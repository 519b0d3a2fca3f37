"""The Wilson interval is the published one, and the p-value of McNemar's test the exact one."""

import math
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts.statistics import Z_95, mcnemar_p_value, wilson

COUNTS = st.integers(0, 400)


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


@pytest.mark.parametrize(
    ("b", "c", "expected"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (0, 10, 0.001953125), (6, 4, 0.75390625)],
)
def test_the_p_value_is_the_binomial_one(b: int, c: int, expected: float) -> None:
    assert mcnemar_p_value(b, c) == pytest.approx(expected)


@given(COUNTS, COUNTS)
def test_the_p_value_is_a_probability_and_symmetric(b: int, c: int) -> None:
    p = mcnemar_p_value(b, c)
    assert 0 < p <= 1
    assert p == mcnemar_p_value(c, b)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_p_value_agrees_with_the_sum_written_out(b: int, c: int) -> None:
    n = b + c
    expected = min(1.0, 2 * sum(comb(n, i) for i in range(min(b, c) + 1)) / 2**n)
    assert mcnemar_p_value(b, c) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 300), st.integers(1, 300))
def test_a_more_lopsided_disagreement_is_less_likely(b: int, more: int) -> None:
    n = 2 * b + more
    assert mcnemar_p_value(b, n - b) >= mcnemar_p_value(max(0, b - 1), n - max(0, b - 1))


def test_the_largest_disagreement_of_ten_thousand_is_still_computed() -> None:
    assert mcnemar_p_value(5_000, 5_000) == 1
    assert 0 < mcnemar_p_value(4_800, 5_200) < 0.0001


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        mcnemar_p_value(-1, 2)
