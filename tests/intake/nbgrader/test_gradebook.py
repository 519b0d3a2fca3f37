"""Gradebooks of different versions give the same, and are never written."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grader.intake.nbgrader.gradebook import read_gradebook
from grader.schema.errors import UsageError
from tests.support.nbgrader_course import FORMER_TABLES, TABLES, write_gradebook


@pytest.mark.parametrize("tables", [FORMER_TABLES, TABLES], ids=["0.4", "0.9"])
def test_all_versions_have_people_dates_and_scores(tmp_path: Path, tables: str) -> None:
    book = read_gradebook(write_gradebook(tmp_path / "gradebook.db", tables))
    assert [(one.id, one.first_name, one.last_name) for one in book.students] == [
        ("ann", "Ann", "Müller"),
        ("ben", "", ""),
    ]
    assert book.assignments[0].due == datetime(2026, 11, 8, 17, tzinfo=UTC)
    assert {(one.notebook, one.name): one.points for one in book.cells}["cnn", "explain"] == 3.0
    assert book.submissions[0].submitted == datetime(2026, 11, 9, 9, 30, tzinfo=UTC)
    assert book.submissions[0].extension == timedelta(days=2)
    assert book.submissions[0].penalty == 0.5
    scores = {one.cell: one for one in book.scores}
    assert scores["accurate"].points == 2.0
    assert (scores["explain"].points, scores["explain"].comment) == (2.5, "Well explained.")
    assert book.problems == ()


def test_newer_columns_are_read(tmp_path: Path) -> None:
    book = read_gradebook(write_gradebook(tmp_path / "gradebook.db"))
    assert book.course == "dl-2026"
    assert book.students[0].lms_user_id == "77"
    assert {one.name: one.points for one in book.cells}["draw"] == 4.0
    assert {one.cell: one.extra for one in book.scores}["explain"] == 1.5


def test_a_score_that_waits_for_a_person_has_no_points(tmp_path: Path) -> None:
    path = write_gradebook(tmp_path / "gradebook.db")
    with closing(sqlite3.connect(path)) as book:
        book.execute("UPDATE grade SET needs_manual_grade = 1, manual_score = NULL, auto_score = 0 WHERE id = 'g2'")
        book.commit()
    assert {one.cell: one.points for one in read_gradebook(path).scores}["explain"] is None


def test_a_database_in_use_is_read_with_its_journal_and_stays_as_it_is(tmp_path: Path) -> None:
    path = write_gradebook(tmp_path / "gradebook.db")
    with closing(sqlite3.connect(path)) as book:
        book.execute("PRAGMA journal_mode = WAL")
        book.execute("INSERT INTO student (id) VALUES ('new')")
        book.commit()
        before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
        assert "new" in {one.id for one in read_gradebook(path).students}
        assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_values_of_wrong_kinds_are_listed_or_empty(tmp_path: Path) -> None:
    path = write_gradebook(tmp_path / "gradebook.db")
    with closing(sqlite3.connect(path)) as book:
        book.execute("UPDATE assignment SET duedate = 'soon'")
        book.execute("UPDATE grade SET auto_score = 'much' WHERE id = 'g1'")
        book.execute("UPDATE grade SET cell_id = 'gone' WHERE id = 'g2'")
        book.commit()
    book_read = read_gradebook(path)
    assert book_read.assignments[0].due is None
    assert book_read.scores[0].points is None
    assert len(book_read.problems) == 2


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough " * 20])
def test_another_file_is_an_error_with_advice(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gradebook.db"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a gradebook of nbgrader"):
        read_gradebook(path)
