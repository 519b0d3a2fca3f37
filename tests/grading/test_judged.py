"""Judgements in a grade: what counts, what is listed for review, and what depends on no order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.facts.language import english
from grader.facts.points import total_of
from grader.grading.judged import latest, with_judgements
from grader.schema.base import Assurance
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.judgement import WHOLE, Judgement
from tests.report import samples

START = datetime(2026, 5, 1, tzinfo=UTC)
NOTEBOOK = "a" * 64


def a_line(name: str, points: float, most: float, status: str) -> CriterionGrade:
    return CriterionGrade.model_validate(
        {"id": name, "title": name, "points": points, "max_points": most, "status": status, "message": "Seen."}
    )


def a_grade() -> Grade:
    whole = samples.rich_grade()
    lines = (a_line("runs", 5, 5, "passed"), a_line("sketch", 0, 3, "pending"), a_line("text", 1, 4, "partial"))
    stamp = whole.submission.model_copy(update={"id": "ada", "sha256": NOTEBOOK})
    return whole.model_copy(
        update={"submission": stamp, "criteria": lines, "score": 6.0, "max_score": 12.0, "pending": 3.0}
    )


def judge(second: int = 0, **values: Any) -> Judgement:
    given_values = {"at": START + timedelta(seconds=second), "by": "Nina", "submission": "ada", "notebook": NOTEBOOK}
    return Judgement.model_validate({**given_values, "criterion": "sketch", "kind": "points", **values})


def line_of(grade: Grade, name: str) -> CriterionGrade:
    return next(line for line in grade.criteria if line.id == name)


def test_a_grade_without_judgements_is_the_same_grade() -> None:
    grade = a_grade()
    assert with_judgements(grade, ()) is grade


def test_points_of_a_person_count_and_name_the_person() -> None:
    grade = with_judgements(a_grade(), [judge(points=2.0, of=3.0, comment="Almost.")])
    line = line_of(grade, "sketch")
    assert (line.points, line.status, line.assurance) == (2.0, "partial", Assurance.JUDGED)
    assert line.message == "Nina judged this: 2 of 3. Almost."
    assert line.says is not None
    assert line.student is not None
    assert line.student.says == line.says
    assert (grade.score, grade.pending) == (8.0, 0.0)


@pytest.mark.parametrize(("points", "status"), [(3.0, "passed"), (0.5, "partial"), (0.0, "failed")])
def test_the_verdict_follows_from_the_points(points: float, status: str) -> None:
    assert line_of(with_judgements(a_grade(), [judge(points=points)]), "sketch").status == status


def test_an_override_keeps_the_verdict_of_the_grader() -> None:
    override = judge(criterion="runs", kind="override", points=2.0, of=5.0, why="It needs the internet.")
    line = line_of(with_judgements(a_grade(), [override]), "runs")
    assert line.judged is not None
    assert (line.judged.computed_points, line.judged.computed_status, line.judged.why) == (
        *(5.0, "passed"),
        "It needs the internet.",
    )
    assert line.judged.computed_says is not None


def test_students_still_read_the_finding_after_an_override_but_not_the_reason() -> None:
    override = judge(criterion="runs", kind="override", points=2.0, of=5.0, why="It needs the internet.")
    view = line_of(with_judgements(a_grade(), [override]), "runs").student
    assert view is not None
    assert english(view.says) == "Nina judged this: 2 of 5. Seen."


def test_of_points_and_an_override_the_later_one_counts() -> None:
    override = judge(1, kind="override", points=1.0, why="x")
    assert line_of(with_judgements(a_grade(), [override, judge(2, points=3.0)]), "sketch").points == 3.0
    assert line_of(with_judgements(a_grade(), [override, judge(0, points=3.0)]), "sketch").points == 1.0


def test_a_changed_number_of_points_keeps_the_fraction_and_asks_for_a_look() -> None:
    grade = with_judgements(a_grade(), [judge(points=5.0, of=10.0)])
    assert line_of(grade, "sketch").points == 1.5
    assert [(one.criterion, one.reason) for one in grade.review] == [("sketch", "points")]


def test_a_criterion_that_got_points_only_later_is_as_computed_and_asks_for_a_look() -> None:
    override = judge(criterion="text", kind="override", points=0.0, of=0.0, why="Read.")
    before = a_grade()
    grade = with_judgements(before, [judge(points=0.0, of=0.0), override])
    assert (grade.criteria, grade.score, grade.pending) == (before.criteria, before.score, before.pending)
    assert {(one.criterion, one.reason) for one in grade.review} == {("sketch", "points"), ("text", "points")}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"notebook": "b" * 64, "points": 2.0}, "notebook"),
        ({"notebook": "b" * 64, "kind": "comment", "comment": "About cell 3."}, "notebook"),
        ({"criterion": "gone", "points": 2.0}, "criterion"),
        ({"criterion": "text", "points": 2.0, "of": 4.0}, "computed"),
    ],
)
def test_a_judgement_is_listed_if_what_it_was_about_changed(values: dict[str, Any], reason: str) -> None:
    before = a_grade()
    grade = with_judgements(before, [judge(**values)])
    assert [one.reason for one in grade.review] == [reason]
    assert (grade.score == before.score) is (reason != "computed")
    assert all(line.comments == () for line in grade.criteria)


def test_a_grade_that_failed_gets_no_points_but_keeps_the_rest() -> None:
    failed = a_grade().model_copy(update={"status": "not_graded", "score": None, "pending": 0.0, "criteria": ()})
    judgements = [judge(points=2.0), judge(criterion=WHOLE, kind="flag", why="Ask."), judge(kind="request", why="Why?")]
    grade = with_judgements(failed, judgements)
    assert (grade.score, grade.pending, grade.review) == (None, 0.0, ())
    assert ([one.why for one in grade.flags], [one.why for one in grade.requests]) == (["Ask."], ["Why?"])


def test_requests_and_answers_are_pairs_and_a_withdrawn_one_is_gone() -> None:
    judgements = [
        judge(0, kind="request", by="Ada", why="First?"),
        judge(1, kind="answer", comment="No."),
        judge(2, kind="request", by="Ada", why="Second?"),
        judge(3, criterion="text", kind="request", by="Ada", why="Third?"),
    ]
    grade = with_judgements(a_grade(), judgements)
    answers = [(one.why, one.answer, one.answered_by) for one in grade.requests]
    assert answers == [("First?", "No.", "Nina"), ("Second?", None, ""), ("Third?", None, "")]
    withdrawn = [*judgements, judge(4, kind="request", by="Ada"), judge(5, kind="answer")]
    again = with_judgements(a_grade(), withdrawn)
    assert [(one.why, one.answer) for one in again.requests] == [("First?", None), ("Third?", None)]


def test_an_excuse_comments_and_flags_are_in_the_grade() -> None:
    grade = with_judgements(
        a_grade(),
        [
            judge(criterion=WHOLE, kind="excuse", why="Ill."),
            judge(criterion=WHOLE, kind="comment", comment="Well done."),
            judge(kind="comment", comment="Label the arrows."),
        ],
    )
    assert grade.excused == "Ill."
    assert [one.text for one in grade.comments] == ["Well done."]
    assert [one.text for one in line_of(grade, "sketch").comments] == ["Label the arrows."]
    assert line_of(grade, "sketch").status == "pending"


_KINDS = st.sampled_from(["points", "override", "comment", "flag", "request", "answer"])


@st.composite
def any_judgement(draw: st.DrawFn) -> Judgement:
    kind = draw(_KINDS)
    values: dict[str, Any] = {"kind": kind, "criterion": draw(st.sampled_from(["runs", "sketch", "text", "gone"]))}
    values["notebook"] = draw(st.sampled_from([NOTEBOOK, "b" * 64, ""]))
    if kind in {"points", "override"} and draw(st.booleans()):
        values |= {"points": draw(st.integers(0, 4)) / 2, "of": draw(st.sampled_from([None, 2.0, 5.0])), "why": "x"}
    elif kind not in {"points", "override"}:
        values |= {"comment": draw(st.sampled_from(["", "c"])), "why": draw(st.sampled_from(["", "w"]))}
        values["why"] = values["why"] or ("w" if values["comment"] and kind == "request" else "")
    return judge(draw(st.integers(0, 1000)), **values)


@settings(deadline=None)
@given(st.lists(any_judgement(), unique_by=lambda one: one.at, max_size=8), st.randoms())
def test_the_order_of_the_lines_does_not_matter(judgements: list[Judgement], random: Any) -> None:
    shuffled = list(judgements)
    random.shuffle(shuffled)
    grade = with_judgements(a_grade(), judgements)
    other = with_judgements(a_grade(), shuffled)
    assert _sorted(grade) == _sorted(other)


def _sorted(grade: Grade) -> Grade:
    """Lists of flags and reviews have the order of the file."""
    return grade.model_copy(
        update={"flags": tuple(sorted(grade.flags, key=repr)), "review": tuple(sorted(grade.review, key=repr))}
    )


@settings(deadline=None)
@given(st.lists(any_judgement(), unique_by=lambda one: one.at, max_size=8))
def test_the_score_is_always_the_sum_of_the_criteria(judgements: Sequence[Judgement]) -> None:
    grade = with_judgements(a_grade(), judgements)
    assert grade.score == total_of(line.points for line in grade.criteria)
    assert grade.pending == total_of(line.max_points for line in grade.criteria if line.status == "pending")
    assert all(0 <= line.points <= line.max_points for line in grade.criteria)
    assert all(one.withdraws is False for one in latest(judgements).values())
