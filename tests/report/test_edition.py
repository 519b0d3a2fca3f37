"""The student's edition of a grade: what it leaves out, and that its sums fit what it shows."""

from collections.abc import Mapping
from typing import Any

import pytest

from grader.checks import all_checks
from grader.facts.language import english
from grader.facts.roles import resolve_roles
from grader.grading import grade, ungraded
from grader.report.edition import edition
from grader.report.page import render_report
from grader.resources import share
from grader.schema.errors import HarnessError
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade, StudentView
from grader.schema.message import say
from grader.schema.rubric import Rubric
from tests.support.factories import a_case, a_rubric, a_stamp, a_submission, an_evidence, dropout

RUNS = {"id": "runs", "points": 10, "check": "runs"}
HIDDEN = {"id": "trap", "title": "A trap", "points": 5, "check": "runs", "hidden": True}
MANUAL = {"id": "sketch", "points": 7, "manual": {"guide": "Look for the arrows."}}
PRIVATE = {
    "id": "layers",
    "points": 3,
    "private": True,
    "check": "has_layer",
    "with": {"layer": ["AlphaDropout"]},
    "advice": "Read chapter three.",
}
KEYWORDS = {"id": "text", "points": 2, "check": "text", "with": {"any": ["plateau"]}, "advice": "Write more."}


def graded(*criteria: Mapping[str, Any], reference: Evidence | None = None, **keys: Any) -> tuple[Grade, Rubric]:
    """Grade the good notebook."""
    rubric = a_rubric(*criteria, **keys)
    evidence = an_evidence()
    case = a_case(evidence, rubric, **resolve_roles(rubric, evidence))
    whole = grade(
        case,
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics={},
        reference=reference,
    )
    return whole, rubric


def line(one: Grade, name: str) -> Any:
    return next(criterion for criterion in one.criteria if criterion.id == name)


def test_the_instructors_edition_is_the_grade() -> None:
    whole, rubric = graded(RUNS, HIDDEN, MANUAL)
    assert edition(whole, rubric, "instructor") is whole
    assert whole.edition == "instructor"


def test_hidden_criteria_and_their_points_are_left_out() -> None:
    whole, rubric = graded(RUNS, HIDDEN, MANUAL, {**HIDDEN, "id": "bonus", "bonus": True})
    assert (whole.score, whole.max_score, whole.pending) == (20, 22, 7)
    shown = edition(whole, rubric, "student")
    assert (shown.score, shown.max_score, shown.pending) == (10, 17, 7)
    assert [criterion.id for criterion in shown.criteria] == ["runs", "sketch"]
    assert "trap" not in shown.model_dump_json()


def test_a_criterion_that_the_rubric_hides_now_is_left_out_of_an_earlier_grade() -> None:
    whole, _ = graded(RUNS, {**HIDDEN, "hidden": False})
    shown = edition(whole, a_rubric(RUNS, HIDDEN), "student")
    assert (shown.score, [c.id for c in shown.criteria]) == (10, ["runs"])


def test_a_role_of_a_hidden_criterion_is_not_named() -> None:
    secret = {"id": "trap", "points": 5, "check": "trained", "with": {"model": "secret"}, "hidden": True}
    roles = {"network": {"pick": "last"}, "secret": {"pick": "last"}, "base": {"pick": "first"}}
    whole, rubric = graded(RUNS, secret, roles=roles)
    assert whole.models[0].roles == ("network", "secret", "base")
    assert edition(whole, rubric, "student").models[0].roles == ("network", "base")


def test_a_guide_is_only_for_instructors() -> None:
    whole, rubric = graded(MANUAL)
    assert "arrows" in line(whole, "sketch").message
    shown = line(edition(whole, rubric, "student"), "sketch")
    assert shown.message == english(shown.says) == "A person reads this answer."
    assert shown.student is None


def test_of_a_private_criterion_students_see_the_verdict_and_the_rubrics_own_advice() -> None:
    whole, rubric = graded(PRIVATE)
    assert "AlphaDropout" in whole.model_dump_json()
    shown = line(edition(whole, rubric, "student"), "layers")
    assert (shown.status, shown.points, shown.max_points, shown.measured) == ("failed", 0, 3, {})
    assert shown.message == "This criterion is not met. The course does not show how it is judged."
    assert shown.advice == english(shown.advice_says) == "Read chapter three."
    assert "AlphaDropout" not in edition(whole, rubric, "student").model_dump_json()


@pytest.mark.parametrize("way", ["any_of", "all_of"])
def test_keywords_stay_hidden_in_a_combination_of_checks(way: str) -> None:
    tests = [{"check": "has_layer", "with": {"layer": "LSTM"}}, {"check": "text", "with": {"all": ["plateau"]}}]
    whole, rubric = graded({"id": "both", "points": 2, way: tests, "advice": "Write more."})
    shown = edition(whole, rubric, "student")
    assert "plateau" not in shown.model_dump_json()
    assert line(shown, "both").advice.startswith("Write more.")
    if way == "all_of":
        assert "0 of 1 required terms" in line(shown, "both").message
        assert "LSTM" in line(shown, "both").message


def test_a_grade_of_an_earlier_version_shows_neither_guides_nor_keywords() -> None:
    whole, rubric = graded(RUNS, MANUAL, KEYWORDS, PRIVATE)
    old = whole.model_copy(update={"criteria": tuple(c.model_copy(update={"student": None}) for c in whole.criteria)})
    shown = edition(old, rubric, "student").model_dump_json()
    assert [word for word in ("arrows", "plateau", "AlphaDropout") if word in shown] == []
    assert line(edition(old, rubric, "student"), "runs").message == line(whole, "runs").message


def test_a_student_edition_stays_as_it_is() -> None:
    whole, rubric = graded(RUNS, HIDDEN, MANUAL, KEYWORDS, PRIVATE)
    once = edition(whole, rubric, "student")
    assert edition(once, rubric, "student") == once
    assert edition(once, None, "instructor") == once


def test_notes_for_instructors_are_left_out() -> None:
    rubric = a_rubric(RUNS, diagnostics={"students": {"leave_out": ["figure-without-labels"]}})
    note = {"id": "figure-without-labels", "title": "No labels", "message": "m", "advice": "a"}
    whole, _ = graded(RUNS)
    notes = [{**note, "for_instructor": True}, {**note, "id": "raw-pixels"}]
    whole = Grade.model_validate({**whole.model_dump(mode="json", by_alias=True), "diagnostics": notes})
    assert [one.id for one in edition(whole, rubric, "student").diagnostics] == ["raw-pixels"]


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("solution.ipynb", False),
        ({"file": "solution.ipynb"}, False),
        ({"file": "solution.ipynb", "show": False}, False),
        ({"file": "solution.ipynb", "show": True}, True),
    ],
)
def test_students_see_the_reference_only_if_the_rubric_shows_it(setting: Any, *, shown: bool) -> None:
    solution = an_evidence(models=(an_evidence().models[0].model_copy(update={"layers": (dropout(0.125),)}),))
    whole, rubric = graded(RUNS, reference=solution)
    rubric = rubric.model_copy(update={"reference": a_rubric(RUNS, reference=setting).reference})
    assert rubric.reference_file == "solution.ipynb"
    assert (edition(whole, rubric, "student").reference is not None) is shown
    assert edition(whole, None, "student").reference is None
    page = render_report(
        grade=whole,
        evidence=an_evidence(),
        reference=solution,
        notebook=None,
        images={},
        rubric=rubric,
        audience="student",
        templates=share("templates"),
    )
    assert ("reference" in page.partition("<body")[2].lower()) is shown


def test_the_instructors_page_says_that_it_is_not_for_students() -> None:
    whole, rubric = graded(RUNS)
    sources: dict[str, Any] = {
        "evidence": None,
        "reference": None,
        "notebook": None,
        "images": {},
        "templates": share("templates"),
    }
    label = "Instructor's edition"
    assert label in render_report(grade=whole, rubric=rubric, audience="instructor", **sources)
    assert label not in render_report(grade=whole, rubric=rubric, audience="student", **sources)


def test_a_failed_check_does_not_name_its_hidden_criterion() -> None:
    rubric = a_rubric(RUNS, HIDDEN)
    error = HarnessError("the check 'runs' failed: ValueError: 42", where="criterion 'trap'")
    whole = ungraded(a_submission(), a_stamp(), error, rubric)
    shown = edition(whole, rubric, "student")
    assert "trap" in (whole.reason or "")
    assert (shown.status, shown.score, shown.max_score) == ("not_graded", None, 10)
    assert "trap" not in shown.model_dump_json()
    assert "42" not in shown.model_dump_json()
    other = ungraded(a_submission(), a_stamp(), HarnessError("the disk is full"), rubric)
    assert edition(other, rubric, "student").reason == "the disk is full"


def test_a_text_for_students_replaces_the_measured_values_too() -> None:
    whole, rubric = graded(RUNS)
    view = StudentView(says=say("Seen."), measured={"words": 3})
    lines = tuple(c.model_copy(update={"student": view, "measured": {"found": ["x"]}}) for c in whole.criteria)
    shown = line(edition(whole.model_copy(update={"criteria": lines}), rubric, "student"), "runs")
    assert (shown.message, shown.advice, shown.measured) == ("Seen.", "", {"words": 3})
