"""Due dates of a course folder in regrades: grades, reports and tables follow the file, and nothing is executed."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.pipeline.course_folder import find_assignment
from grader.pipeline.judgements import judgement_file
from grader.pipeline.regrade import Regrade, course_of_results, regrade_class
from grader.schema.errors import UsageError
from grader.schema.grade import Grade
from grader.schema.judgement import Judgement
from grader.store.results import ResultsFolder
from tests.support.kept_results import keep_results

COURSE = """\
version: 1
title: Deep Learning
timezone: Europe/Berlin
roster: roster.csv
assignments:
  first:
    rubric: mnist-cnn
    due: 2026-11-08 18:00
    late: {grace: 30 min, per_day: 10 %, at_most: 25 %}
    times: times.csv
"""
ROSTER = "id,name,email,group\n1,Ada Lee,ada@x.org,a\n2,Bo Roth,bo@x.org,b\n3,Cleo,cleo@x.org,b\n"
TIMES = "name,submitted\nAda Lee,2026-11-09 18:31\nBo Roth,2026-11-08 18:30\nCleo,-\n"


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    (tmp_path / "course.yaml").write_text(COURSE)
    (tmp_path / "roster.csv").write_text(ROSTER)
    (tmp_path / "times.csv").write_text(TIMES)
    return keep_results(tmp_path / "results" / "first", "mnist-cnn", "Ada-Lee", "Bo-Roth")


def regrade(out: ResultsFolder) -> Regrade:
    with out.at_work():
        return regrade_class(course_of_results(out), out, workers=1)


def grade_of(out: ResultsFolder, name: str) -> Grade:
    grade = out.read_grade(name)
    assert grade is not None
    return grade


def report_of(out: ResultsFolder, name: str) -> str:
    return out.report_path(name).read_text(encoding="utf-8").replace("\u00a0", " ")


def decide(out: ResultsFolder, kind: str, name: str, until: datetime | None = None, why: str = "ill") -> None:
    values = {"at": datetime(2026, 11, 10, tzinfo=UTC), "by": "Nina", "submission": name, "kind": kind, "why": why}
    judgement_file(out).append([Judgement.model_validate({**values, "until": until})])


def test_a_late_submission_loses_points_in_a_line_of_its_own(out: ResultsFolder) -> None:
    before = {name: grade_of(out, name) for name in out.submissions()}
    assert regrade(out).changed == 2
    ada, bo = grade_of(out, "Ada-Lee"), grade_of(out, "Bo-Roth")
    assert ada.late is not None
    assert (ada.late.days, ada.late.points, ada.late.before) == (2, -20, before["Ada-Lee"].score)
    assert ada.score == (before["Ada-Lee"].score or 0) - 20
    assert ada.criteria == before["Ada-Lee"].criteria
    assert ada.submission.submitted == datetime(2026, 11, 9, 17, 31, tzinfo=UTC)
    assert (bo.late, bo.score) == (None, before["Bo-Roth"].score)
    assert bo.due == datetime(2026, 11, 8, 17, tzinfo=UTC)
    assert regrade(out).changed == 0
    with (out.root / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert (rows["Ada-Lee"]["late_points"], rows["Bo-Roth"]["late_points"]) == ("-20.0", "")


def test_a_changed_policy_or_time_takes_effect_with_a_regrade(out: ResultsFolder) -> None:
    regrade(out)
    course, times = out.root.parents[1] / "course.yaml", out.root.parents[1] / "times.csv"
    course.write_text(COURSE.replace("10 %", "5"))
    assert regrade(out).changed == 1
    late = grade_of(out, "Ada-Lee").late
    assert late is not None
    assert late.points == -10
    times.write_text(TIMES.replace("2026-11-09 18:31", "-"))
    assert regrade(out).changed == 1
    unknown = grade_of(out, "Ada-Lee")
    assert (unknown.late, unknown.submission.submitted, unknown.submission.submitted_from) == (None, None, "")


def test_reports_have_the_time_zone_of_the_course_and_a_new_one_renders_them_again(out: ResultsFolder) -> None:
    course = out.root.parents[1] / "course.yaml"
    regrade(out)
    assert "9 Nov 2026, 18:31 CET" in report_of(out, "Ada-Lee")
    zoned = course.read_text(encoding="utf-8")
    assert "Europe/Berlin" in zoned
    due = "due: 2026-11-08 18:00"
    assert due in zoned
    fixed = zoned.replace(due, f"{due} +01:00")
    times = out.root.parents[1] / "times.csv"
    times.write_text(TIMES.replace("18:31", "18:31+01:00"), encoding="utf-8")
    course.write_text(fixed, encoding="utf-8")
    assert regrade(out).changed == 0
    course.write_text(fixed.replace("Europe/Berlin", "America/Sao_Paulo"), encoding="utf-8")
    regrade(out)
    page = report_of(out, "Ada-Lee")
    assert "9 Nov 2026, 14:31 UTC-03" in page
    assert "CET" not in page
    assert grade_of(out, "Ada-Lee").submission.submitted == datetime(2026, 11, 9, 17, 31, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Ada-Lee", "1"])
def test_an_extension_names_the_submission_or_the_student(out: ResultsFolder, name: str) -> None:
    decide(out, "extension", name, datetime(2026, 11, 9, 17, tzinfo=UTC))
    regrade(out)
    late = grade_of(out, "Ada-Lee").late
    assert late is not None
    assert (late.days, late.extended) == (1, True)


def test_an_excuse_of_a_student_takes_the_deduction_away(out: ResultsFolder) -> None:
    decide(out, "excuse", "1")
    regrade(out)
    grade = grade_of(out, "Ada-Lee")
    assert (grade.excused, grade.late) == ("ill", None)


def test_an_extension_of_a_member_counts_for_the_group_and_an_excuse_does_not(out: ResultsFolder) -> None:
    course, times = out.root.parents[1] / "course.yaml", out.root.parents[1] / "times.csv"
    course.write_text(f"{COURSE}    groups: true\n")
    times.write_text(TIMES.replace("2026-11-08 18:30", "2026-11-09 12:00"))
    decide(out, "excuse", "3")
    regrade(out)
    bo = grade_of(out, "Bo-Roth")
    assert bo.late is not None
    assert (bo.late.days, bo.excused) == (1, None)
    decide(out, "extension", "3", datetime(2026, 11, 9, 18, tzinfo=UTC))
    regrade(out)
    assert grade_of(out, "Bo-Roth").late is None


def test_an_extension_that_ends_earlier_or_was_withdrawn_does_not_shorten_that_of_another_member(
    out: ResultsFolder,
) -> None:
    course, times = out.root.parents[1] / "course.yaml", out.root.parents[1] / "times.csv"
    course.write_text(f"{COURSE}    groups: true\n")
    times.write_text(TIMES.replace("2026-11-08 18:30", "2026-11-09 12:00"))
    decide(out, "extension", "2", datetime(2026, 11, 9, 18, tzinfo=UTC))
    decide(out, "extension", "3", datetime(2026, 11, 9, 8, tzinfo=UTC))
    regrade(out)
    assert grade_of(out, "Bo-Roth").late is None
    decide(out, "extension", "3", why="")
    regrade(out)
    assert grade_of(out, "Bo-Roth").late is None
    decide(out, "extension", "2", why="")
    regrade(out)
    assert grade_of(out, "Bo-Roth").late is not None


def test_a_wrong_roster_stops_the_regrade_before_anything_changes(out: ResultsFolder) -> None:
    before = grade_of(out, "Ada-Lee")
    (out.root.parents[1] / "roster.csv").write_text("id,name\n1,Ada\n1,Bo\n")
    with pytest.raises(UsageError, match="line 3: the id '1' is already on line 2"):
        regrade(out)
    assert grade_of(out, "Ada-Lee") == before


def test_the_assignment_of_the_results_folder_is_found(out: ResultsFolder) -> None:
    assignment = find_assignment(out.root)
    assert assignment is not None
    assert judgement_file(out).path == assignment.course.root / "judgements.jsonl"
