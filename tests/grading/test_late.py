"""Late submissions: a line of its own, by started days, never below zero."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.grading.late import DueDate, with_late
from grader.schema.course import Deduction, LateRules
from grader.schema.grade import CriterionGrade, Grade, RubricStamp, SubmissionStamp
from grader.schema.judgement import Judgement, LateGrade

DUE = datetime(2026, 11, 8, 18, tzinfo=UTC)
TEN_PERCENT = LateRules(grace=1800, per_day=Deduction(value=10, percent=True), at_most=Deduction(value=25))


def grade(*, after: timedelta | None, score: float | None = 70.0, excused: str | None = None) -> Grade:
    line = CriterionGrade(id="c", title="C", points=score or 0.0, max_points=80, status="partial", message="")
    return Grade(
        submission=SubmissionStamp(
            id="ann", student="Ann", files=(), sha256="0", submitted=None if after is None else DUE + after
        ),
        rubric=RubricStamp(id="r", sha256="0"),
        status="graded" if score is not None else "not_graded",
        score=score,
        max_score=80,
        pending=10,
        criteria=(line,),
        excused=excused,
    )


def extension(until: datetime) -> Judgement:
    return Judgement(at=DUE, by="Ben", submission="ann", kind="extension", until=until, why="ill")


@pytest.mark.parametrize(
    ("after", "days", "points"),
    [
        (timedelta(days=-3), None, None),
        (timedelta(), None, None),
        (timedelta(minutes=30), None, None),
        (timedelta(minutes=30, microseconds=1), 1, -8),
        (timedelta(days=1, minutes=30), 1, -8),
        (timedelta(days=1, minutes=31), 2, -16),
        (timedelta(days=3), 3, -24),
        (timedelta(days=30), 30, -25),
    ],
)
def test_each_started_day_after_the_grace_period_counts(
    after: timedelta, days: int | None, points: float | None
) -> None:
    result = with_late(grade(after=after), DueDate(DUE, TEN_PERCENT))
    assert result.due == DUE
    if points is None:
        assert result.late is None
        assert result.score == 70
    else:
        assert result.late == LateGrade(due=DUE, submitted=DUE + after, days=days or 0, points=points, before=70)
        assert result.score == 70 + points


def test_the_criteria_and_pending_points_are_as_before() -> None:
    before = grade(after=timedelta(days=1))
    after = with_late(before, DueDate(DUE, TEN_PERCENT))
    assert (after.criteria, after.pending, after.max_score) == (before.criteria, before.pending, before.max_score)


def test_an_unknown_time_is_never_late() -> None:
    result = with_late(grade(after=None), DueDate(DUE, TEN_PERCENT))
    assert (result.late, result.score, result.due) == (None, 70, DUE)


def test_an_excused_student_and_a_submission_without_a_score_have_no_deduction() -> None:
    for one in (grade(after=timedelta(days=9), excused="ill"), grade(after=timedelta(days=9), score=None)):
        result = with_late(one, DueDate(DUE, TEN_PERCENT))
        assert (result.late, result.score) == (None, one.score)


def test_an_extension_moves_the_due_date_but_never_to_an_earlier_one() -> None:
    one = grade(after=timedelta(days=2, hours=12))
    moved = with_late(one, DueDate(DUE, TEN_PERCENT), [extension(DUE + timedelta(days=2))])
    assert moved.late is not None
    assert (moved.late.days, moved.late.extended, moved.due) == (1, True, DUE + timedelta(days=2))
    earlier = with_late(one, DueDate(DUE, TEN_PERCENT), [extension(DUE - timedelta(days=2))])
    assert earlier == with_late(one, DueDate(DUE, TEN_PERCENT))
    withdrawn = Judgement(at=DUE + timedelta(hours=1), by="Ben", submission="ann", kind="extension")
    assert with_late(one, DueDate(DUE, TEN_PERCENT), [extension(DUE + timedelta(days=9)), withdrawn]) == earlier


def test_without_rules_lateness_is_named_and_nothing_is_deducted() -> None:
    result = with_late(grade(after=timedelta(days=1)), DueDate(DUE))
    assert result.late is not None
    assert (result.late.days, result.late.points, result.score) == (1, 0, 70)


DEDUCTIONS = st.builds(Deduction, value=st.floats(0, 1000), percent=st.booleans())


@given(
    st.timedeltas(timedelta(days=-40), timedelta(days=400)),
    st.floats(0, 80).map(lambda score: round(score, 2)),
    st.builds(LateRules, grace=st.floats(0, 1e6), per_day=DEDUCTIONS, at_most=st.none() | DEDUCTIONS),
)
def test_the_score_stays_between_zero_and_what_it_was(after: timedelta, score: float, rules: LateRules) -> None:
    result = with_late(grade(after=after, score=score), DueDate(DUE, rules))
    assert result.score is not None
    assert 0 <= result.score <= score
    deducted = 0 if result.late is None else result.late.points
    assert result.score == pytest.approx(score + deducted, abs=1e-6)
    later = with_late(grade(after=after + timedelta(days=1), score=score), DueDate(DUE, rules))
    assert later.score is not None
    assert later.score <= result.score
    if rules.at_most is not None:
        assert -deducted <= rules.at_most.of(80) + 0.005


@pytest.mark.parametrize(("score", "points", "rule"), [(14.0, -14, -16), (16.0, -16, None), (0.0, 0, -16)])
def test_a_deduction_that_the_score_limits_names_that_of_the_rule(
    score: float, points: float, rule: float | None
) -> None:
    late = with_late(grade(after=timedelta(days=2), score=score), DueDate(DUE, TEN_PERCENT)).late
    assert late is not None
    assert (late.points, late.rule, late.before) == (points, rule, score)
