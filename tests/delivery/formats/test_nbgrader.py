"""nbgrader's gradebook: the request to its interface, and a real gradebook of a real nbgrader."""

import csv
import json
import os
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.formats.nbgrader import FORMAT, cells_of, grade_of
from grader.delivery.grade_export import GradeRow, RowReport, Worksheet
from grader.schema.errors import UsageError
from grader.schema.judgement import JudgedGrade
from tests.delivery.formats.test_gradescope import LATE
from tests.support.environments import new_environment
from tests.support.exporting import a_row, an_export, states
from tests.support.mailing import a_criterion, a_grade, a_student

NBGRADER = "nbgrader==0.9.6"
_MAKE = """
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    for name, first, last in (("amara", "Amara", "Okafor"), ("s2", "Ben", "M\u00fcller"), ("zed", "Zed", "Other")):
        book.add_student(name, first_name=first, last_name=last, email=f"{name}@example.org")
    book.add_assignment("ps1")
    book.add_notebook("p1", "ps1")
    book.add_grade_cell("c1", "p1", "ps1", max_score=3, cell_type="code")
"""
_READ = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook(f"sqlite:///{sys.argv[1]}") as book:
    found = {}
    for one in book.assignment_submissions("sample"):
        grades = one.notebooks[0].grades
        cells = {g.name: [g.auto_score, g.manual_score, g.max_score, g.needs_manual_grade] for g in grades}
        found[one.student.id] = [one.score, one.max_score, one.needs_manual_grade, cells]
    print(json.dumps(found))
"""


def test_points_of_people_are_manual_scores_and_undecided_ones_are_no_scores() -> None:
    judged = JudgedGrade(by="Nina", at=datetime(2026, 5, 1, tzinfo=UTC), kind="points", computed_points=0.0)
    grade = a_grade(
        criteria=(
            a_criterion("runs", 4, 4),
            a_criterion("explained", 3, 5, judged=judged),
            a_criterion("sketch", 0, 5, status="pending"),
            a_criterion("extra", 2, 3, bonus=True),
        ),
        late=LATE,
    )
    assert cells_of(grade) == [
        {"name": "runs", "max_score": 4.0},
        {"name": "explained", "max_score": 5.0},
        {"name": "sketch", "max_score": 5.0},
        {"name": "extra", "max_score": 0.0},
    ]
    request = grade_of(grade, "amara")
    assert (request["student"], request["penalty"]) == ("amara", 4.5)
    assert request["scores"] == {
        "runs": {"auto": 4.0, "manual": None, "pending": False},
        "explained": {"auto": None, "manual": 3.0, "pending": False},
        "sketch": {"auto": None, "manual": None, "pending": True},
        "extra": {"auto": 2.0, "manual": None, "pending": False},
    }


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A database that looks like a gradebook."""
    path = tmp_path / "book.db"
    with closing(sqlite3.connect(path)) as database:
        for table in ("student", "assignment", "grade"):
            database.execute(f"CREATE TABLE {table} (id TEXT)")
    return path


def test_an_interpreter_without_nbgrader_is_an_error_with_advice(tmp_path: Path, book: Path) -> None:
    with pytest.raises(UsageError, match="nbgrader is not installed there") as caught:
        FORMAT.write(an_export(tmp_path / "out.db", a_row(), worksheet=Worksheet(book, b"")))
    assert "--python" in caught.value.advice
    with pytest.raises(UsageError, match="cannot be run"):
        FORMAT.write(an_export(tmp_path / "out.db", worksheet=Worksheet(book, b""), python=str(tmp_path / "python")))


def test_a_file_that_is_no_gradebook_is_an_error(tmp_path: Path, book: Path) -> None:
    text = tmp_path / "grades.csv"
    text.write_text("assignment,score\n" * 100)
    with pytest.raises(UsageError, match="cannot be read"):
        FORMAT.write(an_export(tmp_path / "out.db", worksheet=Worksheet(text, b"")))
    with closing(sqlite3.connect(book)) as database:
        database.execute("DROP TABLE grade")
    with pytest.raises(UsageError, match="no gradebook of nbgrader"):
        FORMAT.write(an_export(tmp_path / "other.db", worksheet=Worksheet(book, b"")))


# --- with a real nbgrader ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nbgrader."""
    return new_environment(tmp_path_factory.mktemp("nbgrader") / "environment", NBGRADER) / "python"


def run(python: Path, folder: Path, *words: str | Path) -> str:
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    done = subprocess.run(
        [python.parent / words[0], *words[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def rows(**amara: Any) -> tuple[GradeRow, ...]:
    return (
        a_row(a_grade("amara", **amara), a_student("amara")),
        a_row(a_grade("ben", 33.0, late=LATE, score=32.5), a_student("x", name="Ben", email="s2@example.org")),
        a_row(a_grade("stranger"), a_student("y", name="Nobody Here")),
    )


@pytest.mark.slow
@pytest.mark.early
def test_a_real_gradebook_has_the_grades_and_nbgrader_exports_them(python: Path, tmp_path: Path) -> None:
    run(python, tmp_path, "python", "-c", _MAKE)
    book, target = tmp_path / "gradebook.db", tmp_path / "new.db"
    before = book.read_bytes()

    def write(source: Path, *given: GradeRow, **keys: Any) -> tuple[RowReport, ...]:
        sheet = Worksheet(source, b"")
        return tuple(FORMAT.write(an_export(target, *given, worksheet=sheet, python=str(python), **keys)))

    with pytest.raises(UsageError, match="has notebooks of its own: p1"):
        write(book, *rows(), column="ps1")
    target.unlink()
    reports = write(book, *rows())
    assert states(reports) == {
        "Amara": ("written", "24 points"),
        "Ben": ("written", "32.5 points"),
        "Nobody Here": ("unmatched", ""),
        "Zed Other": ("left", ""),
    }
    assert book.read_bytes() == before
    # The course uses the new gradebook, and exports again after a change of the rubric and the grade.
    target.replace(book)
    write(book, *rows(accuracy=30.0, pending=True))
    score, most, manual, cells = json.loads(run(python, tmp_path, "python", "-c", _READ, target))["amara"]
    assert (score, most, manual) == (34.0, 49.0, True)
    assert cells["accuracy"] == [30.0, None, 33.0, False]
    assert cells["explained"] == [None, None, 5.0, True]
    target.replace(book)
    run(python, tmp_path, "nbgrader", "export", "--to", "grades.csv")
    with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
        table = {(row["assignment"], row["student_id"]): row for row in csv.DictReader(file)}
    ben = table["sample", "s2"]
    assert [float(ben[name]) for name in ("raw_score", "late_submission_penalty", "score", "max_score")] == [
        *(37.0, 4.5, 32.5, 49.0)
    ]
    assert float(table["sample", "amara"]["score"]) == 34.0
    assert float(table["ps1", "amara"]["max_score"]) == 3.0
