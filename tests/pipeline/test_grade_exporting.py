"""Exports of grades: who has a score that may be written, in a course folder and without one."""

import csv
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.format_registry import all_formats, find_any_format, grade_formats
from grader.delivery.grade_export import GradeFormat
from grader.pipeline.grade_exporting import INDEX, ExportedGrades, GradeExportOptions, export_grades
from grader.pipeline.judgements import judgement_file
from grader.schema.errors import SubmissionPathError, UsageError
from grader.schema.grade import Grade
from grader.schema.grade_list import GradeList
from grader.schema.judgement import Judgement, LateGrade
from grader.store.results import ResultsFolder
from tests.support.exporting import CANVAS
from tests.support.sample_results import sample_results

COURSE = "version: 1\ntitle: DL\nroster: roster.csv\nassignments:\n  first: {rubric: parameter-golf}\n"
ROSTER = (
    "id,name,email,group,login,submission\n"
    "1,Gloria Diaz,gloria@x.org,g1,gdiaz,gloria\n"
    "2,Hugo Roth,hugo@x.org,g1,hroth,hugo\n"
    "3,Cleo Wu,cleo@x.org,,cwu,\n"
)
NAMES = {
    *("canvas", "classroom50", "coursera", "gradescope", "json", "junit", "moodle", "moodle-feedback", "nbgrader"),
    "prairielearn",
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three graded submissions of which no points are pending."""
    return sample_results(tmp_path_factory.mktemp("samples"))["parameter-golf"].root


@pytest.fixture
def out(samples: Path, tmp_path: Path) -> ResultsFolder:
    """A copy of the submissions, in a course with three students."""
    (tmp_path / "course.yaml").write_text(COURSE)
    (tmp_path / "roster.csv").write_text(ROSTER)
    return ResultsFolder(Path(shutil.copytree(samples, tmp_path / "results" / "first")))


def export(out: ResultsFolder, to: str = "json", **options: Any) -> ExportedGrades:
    chosen = find_any_format(to)
    assert isinstance(chosen, GradeFormat)
    return export_grades(out, GradeExportOptions(chosen, **options))


def change(out: ResultsFolder, name: str, **fields: Any) -> Grade:
    grade = out.read_grade(name)
    assert grade is not None
    changed = grade.model_copy(update=fields)
    out.write_grade(changed)
    return changed


def reports_of(result: ExportedGrades) -> Mapping[str, tuple[str, str, str]]:
    return {one.student: (one.submission, one.state, one.why) for one in result.reports}


def test_every_student_and_every_submission_is_reported_once(out: ResultsFolder) -> None:
    result = export(out)
    others = set(out.submissions()) - {"gloria", "hugo"}
    assert reports_of(result) == {
        "Gloria Diaz": ("gloria", "written", ""),
        "Hugo Roth": ("hugo", "written", ""),
        "Cleo Wu": ("", "missing", "nothing was handed in"),
        **{name: (name, "written", "") for name in others},
    }
    assert (result.pending, result.faults) == ((), ())


def test_the_document_of_json_is_valid_and_complete(out: ResultsFolder) -> None:
    result = export(out)
    document = GradeList.model_validate_json(result.target.read_bytes())
    assert result.target == out.root / "export" / "json" / "grades.json"
    assert document.rubric == "parameter-golf"
    entries = {one.student.name: one for one in document.grades if one.student is not None}
    gloria = out.read_grade("gloria")
    assert gloria is not None
    assert (entries["Gloria Diaz"].score, entries["Gloria Diaz"].submission) == (gloria.score, "gloria")
    assert (entries["Cleo Wu"].score, entries["Cleo Wu"].status, entries["Cleo Wu"].submission) == (
        None,
        "missing",
        None,
    )


def test_pending_points_hold_a_score_back_until_it_is_requested(out: ResultsFolder) -> None:
    change(out, "gloria", pending=5.0)
    result = export(out)
    assert reports_of(result)["Gloria Diaz"] == ("gloria", "held", "5 points are pending")
    assert result.pending == ("Gloria Diaz",)
    assert result.faults == ()
    again = export(out, with_pending=True)
    assert reports_of(again)["Gloria Diaz"] == ("gloria", "written", "5 points are pending")
    assert again.pending == ()


def test_a_submission_that_was_not_graded_never_becomes_a_zero(out: ResultsFolder) -> None:
    change(out, "gloria", status="not_graded", score=None, reason="the sandbox did not start")
    result = export(out, with_pending=True)
    entry = json.loads(result.target.read_bytes())["grades"][0]
    assert (entry["status"], entry["score"]) == ("not_graded", None)
    assert reports_of(result)["Gloria Diaz"][1] == "held"
    assert result.faults == ("gloria",)
    assert not (export(out, "gradescope").target / "gloria").exists()


def test_a_grade_that_somebody_edited_is_held_back_like_a_damaged_one(out: ResultsFolder) -> None:
    path = out.grade_path("gloria")
    path.write_text(path.read_text().replace('"score": ', '"score": 1', 1))
    out.grade_path("hugo").write_text("{")
    result = export(out)
    assert reports_of(result)["Gloria Diaz"][1:] == (
        "held",
        "somebody edited its grade.json by hand: `grader regrade DIR` restores it",
    )
    assert reports_of(result)["Hugo Roth"][1] == "held"
    assert "cannot be read" in reports_of(result)["Hugo Roth"][2]
    assert set(result.faults) == {"gloria", "hugo"}
    statuses = {one["submission"]: one["status"] for one in json.loads(result.target.read_bytes())["grades"]}
    assert (statuses["gloria"], statuses["hugo"]) == ("unreadable", "unreadable")


def test_an_excused_student_has_no_score_with_and_without_a_submission(out: ResultsFolder) -> None:
    at = datetime(2026, 11, 10, tzinfo=UTC)
    for name in ("1", "3"):
        judgement_file(out).append([Judgement(at=at, by="Nina", submission=name, kind="excuse", why="was ill")])
    sheet = out.root.parent / "canvas.csv"
    sheet.write_text(
        "Student,ID,Section,Golf (5)\r\n    Points Possible,,,100\r\n"
        "Gloria Diaz,1,x,50\r\nHugo Roth,2,x,\r\nCleo Wu,3,x,\r\n"
    )
    result = export(out, "canvas", worksheet=sheet, column="5")
    with result.target.open(newline="") as file:
        rows = {row[0]: row[3] for row in csv.reader(file)}
    hugo = out.read_grade("hugo")
    assert hugo is not None
    assert hugo.score is not None
    assert (rows["Gloria Diaz"], rows["Cleo Wu"], float(rows["Hugo Roth"])) == ("EX", "EX", hugo.score)
    assert "was ill" not in export(out).target.read_text()


def test_the_members_of_a_group_share_a_grade_and_the_folder_of_its_files(out: ResultsFolder) -> None:
    (out.root.parents[1] / "course.yaml").write_text(COURSE.replace("golf}", "golf, groups: true}"))
    for name, hour in (("gloria", 18), ("hugo", 19)):
        grade = out.read_grade(name)
        assert grade is not None
        at = datetime(2026, 11, 8, hour, tzinfo=UTC)
        change(out, name, submission=grade.submission.model_copy(update={"submitted": at}))
    result = export(out, "gradescope")
    assert reports_of(result)["Gloria Diaz"] == ("hugo", "written", "")
    assert reports_of(result)["Hugo Roth"] == ("hugo", "written", "")
    assert reports_of(result)["gloria"][1:] == ("held", "another submission of the same students counts")
    assert sorted(path.name for path in result.target.iterdir()) == sorted(
        {"hugo", INDEX} | (set(out.submissions()) - {"gloria", "hugo"})
    )


def test_the_deduction_for_a_late_submission_is_part_of_the_score(out: ResultsFolder) -> None:
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    late = LateGrade(due=moment, submitted=moment, days=1.0, points=-10.0, before=60.0)
    change(out, "gloria", score=50.0, late=late)
    entry = json.loads(export(out).target.read_bytes())["grades"][0]
    assert (entry["score"], entry["late_points"]) == (50.0, -10.0)


def test_a_folder_of_an_earlier_export_is_replaced_and_another_one_is_not_touched(
    out: ResultsFolder, tmp_path: Path
) -> None:
    target = tmp_path / "for gradescope"
    export(out, "gradescope", target=target)
    change(out, "gloria", pending=5.0)
    export(out, "gradescope", target=target)
    assert not (target / "gloria").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "keep.txt").write_text("mine")
    with pytest.raises(UsageError, match="other files"):
        export(out, "gradescope", target=tmp_path / "other")
    assert (tmp_path / "other" / "keep.txt").read_text() == "mine"


def test_the_worksheet_is_never_replaced(out: ResultsFolder, tmp_path: Path) -> None:
    sheet = tmp_path / "gradebook.csv"
    sheet.write_text(CANVAS)
    for target in (sheet, tmp_path):
        with pytest.raises(UsageError, match="replace the worksheet"):
            export(out, "canvas", worksheet=sheet, target=target)
    assert sheet.read_text() == CANVAS.replace("\r\n", "\n")


def test_a_failed_export_leaves_the_earlier_one(out: ResultsFolder, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("no gradebook")
    target = tmp_path / "grades.csv"
    target.write_text("earlier")
    with pytest.raises(UsageError):
        export(out, "canvas", worksheet=sheet, target=target)
    assert target.read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize(
    ("to", "options", "where"),
    [
        ("canvas", {}, "--worksheet"),
        ("json", {"worksheet": Path("x.csv")}, "--worksheet"),
        ("json", {"column": "x"}, "--column"),
        ("nbgrader", {"scale": True}, "--scale"),
        ("canvas", {"python": "python3"}, "--python"),
        ("canvas", {"worksheet": Path("missing.csv")}, "--worksheet missing.csv"),
    ],
)
def test_options_that_a_format_does_not_use_are_refused(
    out: ResultsFolder, to: str, options: dict[str, Any], where: str
) -> None:
    with pytest.raises(UsageError) as caught:
        export(out, to, **options)
    assert caught.value.where == where


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SubmissionPathError):
        export(ResultsFolder(tmp_path))


def test_every_format_is_found_and_a_wrong_name_gets_the_nearest() -> None:
    assert set(grade_formats()) == NAMES
    assert set(grade_formats()) & set(all_formats()) == set()
    with pytest.raises(UsageError, match="did you mean 'gradescope'"):
        find_any_format("gradscope")
