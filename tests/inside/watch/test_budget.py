"""When a training is stopped, and what its end is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.inside.watch.budget import FitBudget, fit_status, thin


def budget(fit_time: float = 100.0, left: float = 1000.0, reserve: float = 60.0) -> FitBudget:
    return FitBudget.at(5000.0, fit_time=fit_time, deadline=5000.0 + left + reserve, reserve=reserve)


def test_another_epoch_begins_only_if_it_would_fit() -> None:
    assert not budget().ends_after_epoch(80, 20)
    assert budget().ends_after_epoch(81, 20)


def test_the_notebooks_deadline_counts_where_it_is_nearer() -> None:
    near = budget(left=50)
    assert near.by_deadline
    assert near.ends_after_epoch(40, 11)
    assert not budget().by_deadline


def test_one_epoch_alone_is_cut_only_far_over_the_budget() -> None:
    assert not budget().ends_now(149)
    assert budget().ends_now(151)


def test_an_epoch_may_eat_half_of_the_reserve_and_no_more() -> None:
    assert not budget(left=50).ends_now(79)
    assert budget(left=50).ends_now(81)


def test_a_training_that_begins_after_the_deadline_ends_with_its_first_batch() -> None:
    late = budget(left=-70)
    assert late.ends_now(0.001)
    assert late.ends_after_epoch(0.001, 0.001)


@given(st.floats(1, 1e5), st.floats(-1e4, 1e5), st.floats(0, 1e3))
def test_the_hard_end_is_never_before_the_soft_one(fit_time: float, left: float, reserve: float) -> None:
    found = budget(fit_time, left, reserve)
    assert 0 <= found.soft <= found.hard


@pytest.mark.parametrize(
    ("asked", "done", "by_budget", "stopping", "status"),
    [
        (5, 5, False, False, "completed"),
        (5, 5, False, True, "completed"),
        (5, 3, False, True, "stopped_early"),
        (5, 3, True, True, "stopped_by_budget"),
        (None, 3, False, True, "stopped_early"),
    ],
)
def test_the_three_ways_to_end_are_told_apart(
    asked: int | None, done: int, *, by_budget: bool, stopping: bool, status: str
) -> None:
    assert fit_status(asked=asked, done=done, by_budget=by_budget, stopping=stopping) == status


@given(st.lists(st.floats(allow_nan=False), max_size=300), st.integers(2, 50))
def test_thinning_keeps_the_first_the_last_and_the_order(values: list[float], most: int) -> None:
    kept = thin(values, most)
    assert len(kept) == min(len(values), most)
    if values:
        assert (kept[0], kept[-1]) == (values[0], values[-1])
    rest = iter(values)
    assert all(value in rest for value in kept)
