"""What a regrade calls a change."""

from grader.facts.case import Case
from grader.grading import grade
from grader.pipeline.changes import changes_of
from grader.schema.grade import Grade
from tests.support.factories import a_rubric, a_stamp, a_submission, an_evidence


def graded() -> Grade:
    """A grade that names its graded model."""
    rubric = a_rubric({"id": "read", "points": 1, "manual": {"guide": "Read it."}})
    case = Case(an_evidence(), rubric, {})
    return grade(case, submission=a_submission(), stamp=a_stamp(), checks={}, diagnostics={}, reference=None)


def test_a_grade_that_names_its_graded_model_for_the_first_time_is_no_change() -> None:
    new = graded()
    assert new.main_model == "m1"
    assert changes_of(new.model_copy(update={"main_model": None, "main_accuracy": None}), new) is None


def test_another_graded_model_is_a_change_with_its_reason() -> None:
    new = graded()
    changed = changes_of(new.model_copy(update={"main_model": "m9"}), new)
    assert changed is not None
    assert [change.why for change in changed.changes] == ["other parts changed: graded model"]
