"""The list of a class: every student once, with the submission that counts, and submissions of nobody."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.pipeline.class_list import ClassList, class_list
from grader.pipeline.course import Course
from grader.pipeline.judgements import judged_course, judgement_file
from grader.pipeline.publish import publish_class
from grader.pipeline.regrade import course_of_results
from grader.schema.judgement import Judgement
from grader.store.results import ResultsFolder
from tests.support.kept_results import keep_results
from tests.support.says import says

COURSE = "version: 1\ntitle: DL\nroster: roster.csv\nassignments:\n  first: {rubric: mnist-cnn, times: times.csv}\n"
GROUPS = COURSE.replace("times.csv", "times.csv, groups: true")
ROSTER = (
    "id,name,email,group,sis_id,login,section,moodle_participant\n"
    "1,Ada Lee,ada@x.org,g1,u1,alee,Monday,Participant 71\n"
    "2,Bo Roth,bo@x.org,g1,u2,broth,Monday,Participant 72\n"
    "3,Cleo Diaz,cleo@x.org,g2,u3,cdiaz,Friday,Participant 73\n"
    "4,Dan Wu,dan@x.org,,u4,dwu,Friday,Participant 74\n"
)
LATEST = "{who:raw} handed in {submissions:list}: {last} counts, because it is the latest"
TIMES = "name,submitted\nAda Lee,2026-11-08 18:00\nBo Roth,2026-11-08 19:00\n"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> ResultsFolder:
    """A class of three submissions: two students of one group, and a stranger."""
    root = tmp_path_factory.mktemp("course")
    (root / "roster.csv").write_text(ROSTER)
    (root / "times.csv").write_text(TIMES)
    return keep_results(root / "results" / "first", "mnist-cnn", "Ada-Lee", "Bo-Roth", "stranger")


@pytest.fixture
def out(kept: ResultsFolder) -> ResultsFolder:
    root = kept.root.parents[1]
    (root / "course.yaml").write_text(COURSE)
    (root / "judgements.jsonl").unlink(missing_ok=True)
    return kept


def course_of(out: ResultsFolder) -> Course:
    return judged_course(course_of_results(out), out)


def listed(out: ResultsFolder) -> ClassList:
    return class_list(out, course_of(out))


def rows_of(out: ResultsFolder) -> list[dict[str, str]]:
    publish_class(course_of(out), out)
    with (out.root / "grades.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def excuse(out: ResultsFolder, name: str) -> None:
    at = datetime(2026, 11, 10, tzinfo=UTC)
    judgement_file(out).append([Judgement(at=at, by="Nina", submission=name, kind="excuse", why="ill")])


def test_every_student_is_listed_and_so_is_a_submission_of_nobody(out: ResultsFolder) -> None:
    entries = listed(out).entries
    assert [(one.student and one.student.name, one.submission, one.status) for one in entries] == [
        ("Ada Lee", "Ada-Lee", "graded"),
        ("Bo Roth", "Bo-Roth", "graded"),
        ("Cleo Diaz", "", "missing"),
        ("Dan Wu", "", "missing"),
        (None, "stranger", "graded"),
    ]
    assert entries[-1].reason == "nobody in the roster matches"


def test_the_table_has_missing_students_and_the_ids_of_platforms(out: ResultsFolder) -> None:
    rows = rows_of(out)
    assert [(row["student"], row["status"], row["score"] != "") for row in rows] == [
        ("Ada-Lee", "graded", True),
        ("Bo-Roth", "graded", True),
        ("Cleo Diaz", "missing", False),
        ("Dan Wu", "missing", False),
        ("stranger", "graded", True),
    ]
    names = ("student_id", "name", "email", "login", "section", "group", "sis_id", "moodle_participant")
    assert [rows[0][name] for name in names] == [
        *("1", "Ada Lee", "ada@x.org", "alee", "Monday", "g1", "u1", "Participant 71")
    ]
    assert {rows[4][name] for name in names} == {""}


def test_the_class_page_shows_who_handed_in_nothing(out: ResultsFolder) -> None:
    publish_class(course_of(out), out)
    page = (out.root / "index.html").read_text(encoding="utf-8")
    assert "2 handed in nothing" in page
    assert page.count("This student handed in nothing.") == 2
    assert "not graded yet</li>" not in page


def test_an_excused_student_is_not_missing_and_has_no_score(out: ResultsFolder) -> None:
    excuse(out, "3")
    excuse(out, "2")
    one = listed(out)
    assert [student.name for student in one.missing] == ["Dan Wu"]
    assert [student.name for student in one.excused] == ["Bo Roth", "Cleo Diaz"]
    rows = {row["name"]: row for row in rows_of(out)}
    assert (rows["Bo Roth"]["status"], rows["Bo Roth"]["score"]) == ("excused", "")
    assert (rows["Cleo Diaz"]["status"], rows["Cleo Diaz"]["score"]) == ("excused", "")


def test_the_latest_submission_of_a_group_counts_for_all_members(out: ResultsFolder) -> None:
    root = out.root.parents[1]
    (root / "course.yaml").write_text(GROUPS)
    for name, hour in (("Ada-Lee", 18), ("Bo-Roth", 19)):
        grade = out.read_grade(name)
        assert grade is not None
        stamp = grade.submission.model_copy(update={"submitted": datetime(2026, 11, 8, hour, tzinfo=UTC)})
        out.write_grade(grade.model_copy(update={"submission": stamp}))
    one = listed(out)
    assert [(entry.submission, len(entry.members)) for entry in one.entries[:2]] == [("Bo-Roth", 2), ("Bo-Roth", 2)]
    replaced = next(entry for entry in one.entries if entry.submission == "Ada-Lee")
    assert (replaced.student, replaced.reason) == (None, "another submission of the same students counts")
    (notice,) = one.notices
    assert says(
        notice, "{who:raw} handed in {submissions:list}: {last} counts, because it is the latest", last="Bo-Roth"
    )
    rows = rows_of(out)
    assert [(row["id"], row["student"]) for row in rows[:2]] == [("Bo-Roth", "Ada Lee"), ("Bo-Roth", "Bo Roth")]
    assert rows[0]["score"] == rows[1]["score"] != ""
    assert "Ada Lee, Bo Roth" in (out.root / "index.html").read_text(encoding="utf-8")


def test_an_excused_member_leaves_the_grade_of_the_others(out: ResultsFolder) -> None:
    (out.root.parents[1] / "course.yaml").write_text(GROUPS)
    excuse(out, "1")
    rows = {row["name"]: row for row in rows_of(out)}
    assert (rows["Ada Lee"]["status"], rows["Bo Roth"]["status"]) == ("excused", "graded")


def test_without_a_course_the_list_is_the_submissions(tmp_path: Path) -> None:
    out = keep_results(tmp_path / "results", "mnist-cnn", "ada")
    one = listed(out)
    assert [(entry.student, entry.submission) for entry in one.entries] == [(None, "ada")]
    assert not one.roster
