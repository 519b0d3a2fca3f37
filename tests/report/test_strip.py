"""The strip of accuracies."""

import re

from hypothesis import given
from hypothesis import strategies as st

from grader.report.strip import accuracy_strip


def _marks(drawn: str) -> list[tuple[float, float]]:
    path = re.search(r' d="([^"]*)"', drawn)
    assert path is not None
    return [(float(x), float(y)) for x, y in re.findall(r"M(\S+) (\S+)h0", path[1])]


def _threshold(drawn: str) -> float:
    found = re.search(r'<line x1="([\d.]+)"[^>]*class="threshold"', drawn)
    assert found is not None
    return float(found[1])


def test_the_description_has_the_figures() -> None:
    drawn = accuracy_strip([0.985, 0.9926, 0.99], 0.99)
    assert "3 accuracies from 98.5 % to 99.26 %; 2 of them reach the required 99 %." in drawn
    assert "required: 99 %" in drawn


def test_the_threshold_separates_the_marks() -> None:
    drawn = accuracy_strip([0.6, 0.97, 0.9985], 0.99)
    marks = sorted(_marks(drawn))
    assert marks[1][0] < _threshold(drawn) < marks[2][0]


def test_equal_accuracies_are_above_each_other() -> None:
    marks = _marks(accuracy_strip([0.98] * 3, None))
    assert len({x for x, _ in marks}) == 1
    assert len({y for _, y in marks}) == 3


def test_low_accuracies_have_a_linear_axis() -> None:
    drawn = accuracy_strip([0.2, 0.4, 0.6], 0.8)
    low, middle, high = (x for x, _ in sorted(_marks(drawn)))
    assert abs((high - middle) - (middle - low)) <= 5
    assert "20 %" in drawn


def test_without_accuracies_there_is_no_drawing() -> None:
    assert accuracy_strip([], 0.99) == ""


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.none() | st.floats(0.01, 1))
def test_every_mark_is_inside(values: list[float], threshold: float | None) -> None:
    marks = _marks(accuracy_strip(values, threshold))
    assert len(marks) == len(values)
    assert all(0 <= x <= 440 and 0 <= y <= 120 for x, y in marks)
