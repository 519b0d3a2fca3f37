"""A course folder made from a course of nbgrader is complete, and nothing is dropped silently."""

import csv
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.delivery.marks import parse_marks
from grader.delivery.roster import read_roster
from grader.intake.find import find_all
from grader.pipeline.course_folder import open_course
from grader.pipeline.import_nbgrader import ImportedCourse, import_nbgrader
from grader.pipeline.reference import reference_notebook
from grader.pipeline.rubrics import rubric_of_text
from grader.schema.errors import UsageError
from tests.support.nbgrader_course import FORMER_TABLES, TABLES, a_nbgrader_course, cell, notebook


def todo_of(imported: ImportedCourse, word: str) -> str:
    return "\n".join(line for line in imported.todo if word in line)


@pytest.mark.parametrize("tables", [FORMER_TABLES, TABLES], ids=["0.4", "0.9"])
def test_the_course_is_ready_to_grade(tmp_path: Path, tables: str) -> None:
    imported = import_nbgrader(a_nbgrader_course(tmp_path / "nb", tables), tmp_path / "course")
    course = open_course(tmp_path / "course")
    (assignment,) = course.assignments
    assert (assignment.id, course.settings.timezone) == ("hw-1", "Europe/Berlin")
    assert assignment.due == datetime(2026, 11, 8, 17, tzinfo=UTC)
    rubric = assignment.load().rubric
    assert [(one.id, one.points) for one in rubric.criteria[:4]] == [
        ("runs", 0),
        ("accurate", 2),
        ("explain", 3),
        ("draw", 4),
    ]
    assert (rubric.title, rubric.dataset) == ("Handwritten digits", "mnist")
    assert [file.target for file in assignment.load().files] == ["data/more.csv"]
    assert imported.assignments[0].checks == {"accurate": "accuracy"}
    assert [(one.id, one.name) for one in read_roster(course.root / "roster.csv", addresses=False)] == [
        ("ann", "Ann Müller"),
        ("ben", ""),
    ]
    found = find_all([assignment.submissions], unpack_to=tmp_path).found
    assert [one.id for one in found] == ["ann"]


def test_scores_become_marks_of_the_copied_submissions(tmp_path: Path) -> None:
    imported = import_nbgrader(a_nbgrader_course(tmp_path / "nb"), tmp_path / "course")
    marks = parse_marks((tmp_path / "course" / "nbgrader" / "hw-1-marks.csv").read_bytes())
    assert {one.criterion: (one.points, one.comment) for one in marks} == {
        "explain": (2.5, "Well explained."),
        "extra-credit": (1.5, ""),
    }
    found = find_all([tmp_path / "course" / "submissions" / "hw-1"], unpack_to=tmp_path).found
    assert {(one.submission, one.notebook) for one in marks} == {("ann", found[0].sha256)}
    assert "takes over 2 scores" in todo_of(imported, "marks import")
    with (tmp_path / "course" / "nbgrader" / "scores.csv").open(encoding="utf-8") as file:
        rows = {row["cell"]: row for row in csv.DictReader(file)}
    assert (rows["accurate"]["auto_score"], rows["explain"]["extra_credit"]) == ("2.0", "1.5")


def test_what_a_person_must_do_is_listed(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    (folder / "submitted" / "eva" / "hw 2").mkdir(parents=True)
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("c.AssignLatePenalties.plugin_class = 'late.Plugin'\nc.CourseDirectory.db_url = url()\n")
    imported = import_nbgrader(folder, tmp_path / "course")
    assert "became the check accuracy" in todo_of(imported, "accurate")
    assert "Execute.timeout" in todo_of(imported, "not taken over")
    assert todo_of(imported, "AssignLatePenalties")
    assert "its value is computed" in todo_of(imported, "db_url")
    assert "2026-11-10 17:00:00 +00:00" in todo_of(imported, "grader extend")
    assert "0.5 points" in todo_of(imported, "lateness")
    assert "generate_assignment" in todo_of(imported, "released notebook")
    assert todo_of(imported, "hw 2")
    assert imported.students == 3


def test_the_released_notebook_and_the_solution_are_taken_over(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    (folder / "release" / "hw 1").mkdir(parents=True)
    (folder / "release" / "hw 1" / "cnn.ipynb").write_text(json.dumps(notebook(cell("code", "pass"))))
    import_nbgrader(folder, tmp_path / "course")
    assignment = open_course(tmp_path / "course").assignments[0]
    assert assignment.starter == tmp_path / "course" / "rubrics" / "hw-1-assignment.ipynb"
    path = tmp_path / "course" / "rubrics" / "hw-1.yaml"
    compared = rubric_of_text(path.read_bytes().replace(b"# reference:", b"reference:"), path)
    reference = reference_notebook(compared)
    assert reference is not None
    assert "secret" in reference.read_text()


def test_several_notebooks_become_several_assignments(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    for place in ("source/hw 1", "submitted/ann/hw 1"):
        shutil.copy(folder / place / "cnn.ipynb", folder / place / "second.ipynb")
    work = folder / "submitted" / "ben" / "hw 1"
    work.mkdir(parents=True)
    shutil.copy(folder / "source" / "hw 1" / "cnn.ipynb", work / "my cnn.ipynb")
    imported = import_nbgrader(folder, tmp_path / "course")
    assert [(one.id, one.submissions) for one in imported.assignments] == [("hw-1-cnn", 2), ("hw-1-second", 2)]
    submissions = tmp_path / "course" / "submissions"
    assert [path.name for path in sorted((submissions / "hw-1-second" / "ann").iterdir())] == ["second.ipynb"]
    assert (submissions / "hw-1-second" / "ben" / "my cnn.ipynb").is_file()
    assert "ben submitted no second.ipynb, but my cnn.ipynb" in todo_of(imported, "hw-1-second")


def test_times_of_the_gradebook_count_where_a_submission_has_none(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    import_nbgrader(folder, tmp_path / "one")
    assert (tmp_path / "one" / "times" / "hw-1.csv").read_text().splitlines()[1] == "ann,2026-11-09 09:30:00 UTC"
    (folder / "submitted" / "ann" / "hw 1" / "timestamp.txt").write_text("2026-11-08 10:00:00 UTC")
    import_nbgrader(folder, tmp_path / "two")
    assert not (tmp_path / "two" / "times").exists()


def test_a_course_without_a_gradebook_has_the_students_of_its_configuration(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb", tables=None)
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("c.CourseDirectory.db_students = [dict(id='ann', first_name='Ann'), dict(id='cem')]\n")
        file.write("c.CourseDirectory.db_assignments = [dict(name='hw 1', duedate='2026-11-08 18:00')]\n")
    imported = import_nbgrader(folder, tmp_path / "course")
    assert imported.students == 2
    assert imported.assignments[0].due == datetime(2026, 11, 8, 17, tzinfo=UTC)
    assert "students and due dates are those of nbgrader_config.py" in todo_of(imported, "there is no gradebook")


def test_another_order_of_the_folders_is_read(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb", tables=None)
    for place in [*sorted(folder.glob("*/*/hw 1")), folder / "source" / "hw 1"]:
        step, student = place.relative_to(folder).parts[0], place.relative_to(folder).parts[1:-1] or (".",)
        shutil.copytree(place, folder / "hw 1" / step / student[0], dirs_exist_ok=True)
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("c.CourseDirectory.directory_structure = '{assignment_id}/{nbgrader_step}/{student_id}'\n")
    imported = import_nbgrader(folder, tmp_path / "course")
    assert [(one.id, one.submissions) for one in imported.assignments] == [("hw-1", 1)]


def test_no_file_is_replaced_and_the_course_of_nbgrader_stays_as_it_is(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "roster.csv").write_text("mine")
    with pytest.raises(UsageError, match="has a file 'roster\\.csv' already"):
        import_nbgrader(folder, tmp_path / "course")
    assert [path.name for path in (tmp_path / "course").iterdir()] == ["roster.csv"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    folder = a_nbgrader_course(tmp_path / "nb")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "submitted" / "ann" / "hw 1" / "link.txt").symlink_to(tmp_path / "secret.txt")
    imported = import_nbgrader(folder, tmp_path / "course")
    assert "is a link" in todo_of(imported, "link.txt")
    assert not list((tmp_path / "course").rglob("link.txt"))


def test_another_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no assignment in"):
        import_nbgrader(tmp_path, tmp_path / "course")
