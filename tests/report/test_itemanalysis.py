"""Difficulty and discrimination of the criteria of a class."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.report.classrow import ClassRow, CriterionCell, class_row
from grader.report.itemanalysis import FEWEST, analyzed, discrimination
from grader.schema.grade import CriterionStatus
from tests.report import samples


def _cell(name: str, points: float, status: CriterionStatus | None = None) -> CriterionCell:
    verdict: CriterionStatus = status or ("passed" if points == 10 else "partial" if points else "failed")
    return CriterionCell(name, f"Title of {name}", verdict, points, 10.0)


def _row(number: int, *cells: CriterionCell) -> ClassRow:
    row = class_row(samples.failing_grade(), f"s{number}/report.html")
    return replace(row, id=f"s{number}", student=f"Student {number}", criteria=cells)


def test_the_hardest_criterion_is_first_and_unjudged_ones_are_last() -> None:
    rows = [_row(n, _cell("read", 0, "pending"), _cell("easy", 10), _cell("hard", 5 * (n == 0))) for n in range(3)]
    read, easy, hard = (next(item for item in analyzed(rows) if item.id == name) for name in ("read", "easy", "hard"))
    assert [item.id for item in analyzed(rows)] == ["hard", "easy", "read"]
    assert (hard.pass_rate, hard.mean_share) == (0.0, 5 / 10 / 3)
    assert (easy.pass_rate, easy.mean_share) == (1.0, 1.0)
    assert (read.pass_rate, read.mean_share, read.counts["pending"]) == (None, None, 3)


def test_who_missed_a_criterion_comes_with_the_fewest_points_first_and_without_waiting_ones() -> None:
    rows = [
        _row(0, _cell("a", 5)),
        _row(1, _cell("a", 10)),
        _row(2, _cell("a", 0)),
        _row(3, _cell("a", 0, "pending")),
        _row(4, _cell("a", 0, "skipped")),
    ]
    (item,) = analyzed(rows)
    assert [row.student for row in item.missed] == ["Student 2", "Student 0"]


def test_discrimination_leaves_the_criterion_out_of_the_total() -> None:
    # `alone` has nothing to do with the others, although it would correlate with a total that contains it.
    rows = [_row(n, _cell("alone", 10 * (n % 2)), _cell("one", 10 * (n % 4 > 1))) for n in range(40)]
    rows = [replace(row, criteria=(*row.criteria, _cell("two", row.criteria[1].points))) for row in rows]
    found = {item.id: item.discrimination for item in analyzed(rows)}
    assert found["alone"] == pytest.approx(0.0)
    # Corrected for `one`: the rest is `alone` + `two`, of which `two` equals it and `alone` is unrelated.
    assert found["one"] == pytest.approx(0.5**0.5)


def test_with_two_verdicts_it_is_the_point_biserial_correlation() -> None:
    shares = [1.0] * 12 + [0.0] * 8
    rest = [float(n) for n in range(20, 0, -1)]
    mean_passed, mean_missed = sum(rest[:12]) / 12, sum(rest[12:]) / 8
    mean = sum(rest) / 20
    deviation = (sum((value - mean) ** 2 for value in rest) / 20) ** 0.5
    expected = (mean_passed - mean_missed) / deviation * (12 / 20 * 8 / 20) ** 0.5
    assert discrimination(shares, rest) == pytest.approx(expected)


def test_it_is_undefined_for_few_submissions_and_for_equal_points() -> None:
    shares = [float(n % 2) for n in range(FEWEST)]
    assert discrimination(shares, shares) == pytest.approx(1.0)
    assert discrimination(shares[1:], shares[1:]) is None
    assert discrimination(shares, [5.0] * FEWEST) is None
    assert discrimination([1.0] * FEWEST, shares) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 100)), min_size=FEWEST, max_size=40))
def test_it_is_a_correlation(pairs: list[tuple[float, float]]) -> None:
    found = discrimination([share for share, _ in pairs], [rest for _, rest in pairs])
    assert found is None or -1.000001 <= found <= 1.000001
