"""The table of grades."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.report.classpage import class_row
from grader.report.csvfile import guarded, rows_csv
from grader.schema.grade import Grade
from tests.report import samples


def _rows(*grades: Grade) -> list[dict[str, str]]:
    text = rows_csv([class_row(grade, None) for grade in grades])
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_one_row_a_submission_with_points_and_verdict_of_each_criterion() -> None:
    (row,) = _rows(samples.rich_grade())
    assert list(row)[:6] == ["id", "student", "status", "score", "max_score", "pending"]
    people = ["judged_by", "judged_at", "late_points", "excused", "flags", "review", "requests", "submitted"]
    assert list(row)[-13:] == ["accuracy", "parameters", "reason", "model", "accuracy_on", *people]
    assert (row["score"], row["pending"]) == ("70.5", "20.0")
    assert (row["points.criterion-3"], row["status.criterion-3"]) == ("34.5", "partial")
    assert (row["accuracy"], row["parameters"]) == ("0.9885", "54410")
    assert (row["model"], row["accuracy_on"]) == ("model", "mnist/test")


def test_a_submission_that_was_not_graded_has_no_score_and_a_reason() -> None:
    rows = _rows(samples.rich_grade(), samples.ungraded())
    assert rows[1]["status"] == "not_graded"
    assert rows[1]["score"] == ""
    assert rows[1]["points.criterion-1"] == ""
    assert rows[1]["reason"] == "the sandbox did not start: no space left on device"


def test_a_criterion_with_the_name_of_a_measurement_has_its_own_columns() -> None:
    grade = samples.rich_grade()
    names = ("accuracy", "score", "reason")
    criteria = (
        *(line.model_copy(update={"id": name}) for line, name in zip(grade.criteria, names, strict=False)),
        *grade.criteria[len(names) :],
    )
    text = rows_csv([class_row(grade.model_copy(update={"criteria": criteria}), None)])
    head = next(csv.reader(io.StringIO(text, newline="")))
    assert len(head) == len(set(head))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["accuracy"] == "0.9885"
    assert row["points.accuracy"] == str(criteria[0].points)


def test_attempts_and_borderline_criteria_have_their_columns() -> None:
    several, single = _rows(samples.several_grade(), samples.rich_grade())
    assert (several["borderline"], several["attempts"], several["attempt"]) == ("criterion-3", "3", "2")
    assert (several["lowest_score"], several["highest_score"]) == ("61.0", "70.5")
    assert [single[name] for name in ("borderline", "attempts", "attempt", "lowest_score", "highest_score")] == [""] * 5


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "\uff1d1"])
def test_a_name_that_is_a_formula_is_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


def test_a_usual_name_stays_as_it_is() -> None:
    assert guarded("Ada Lovelace-Byron") == "Ada Lovelace-Byron"


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_name_survives_the_table_and_is_no_formula(name: str) -> None:
    grade = samples.ungraded()
    stamp = grade.submission.model_copy(update={"student": name})
    (row,) = _rows(grade.model_copy(update={"submission": stamp}))
    assert row["student"].lstrip()[:1] not in {"=", "+", "-", "@"}
    assert row["student"].removeprefix("'") == name.replace("\x00", "").removeprefix("'")


def test_no_grades_are_a_header_line() -> None:
    assert rows_csv([]) == (
        "id,student,status,score,max_score,pending,borderline,attempts,attempt,lowest_score,highest_score,"
        "accuracy,parameters,reason,model,accuracy_on,judged_by,judged_at,late_points,excused,flags,review,requests,"
        "submitted\r\n"
    )
