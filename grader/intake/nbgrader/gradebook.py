"""Read `gradebook.db` of nbgrader, of any version of its tables. The file itself is never opened for writing."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

from grader.schema.errors import UsageError
from grader.schema.nbgrader import BookAssignment, BookCell, BookScore, BookStudent, BookSubmission, Gradebook

__all__ = ["read_gradebook"]

_ADVICE = "give the folder of an nbgrader course; its gradebook is a file of SQLite"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""SQLAlchemy stores an interval as this date plus the interval."""
_COMPANIONS = ("", "-wal", "-journal")
"""Files that belong to a database in use."""
_CELL_TABLES = ("grade_cells", "task_cells")
_FORMER_CELLS, _BASE_CELLS = "grade_cell", "base_cell"
"""Tables of cells before and after nbgrader 0.6."""
_MOST_PROBLEMS = 20

_Row = Mapping[str, Any]


def read_gradebook(path: Path) -> Gradebook:
    """Read a gradebook.

    A copy is opened, so that a database in use, or in a folder without write permission, can be read and stays as it
    is.

    Args:
        path: `gradebook.db`.

    Raises:
        UsageError: It cannot be read, or is not a gradebook.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="gradebook-") as folder:
            for suffix in _COMPANIONS:
                source = path.with_name(path.name + suffix)
                if suffix == "" or source.is_file():
                    shutil.copyfile(source, Path(folder) / f"gradebook.db{suffix}")
            with closing(sqlite3.connect(Path(folder) / "gradebook.db")) as book:
                return _Reader(book).read()
    except OSError as error:
        msg = f"the gradebook cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(path), advice=_ADVICE) from error
    except sqlite3.Error as error:
        msg = f"it is not a gradebook of nbgrader: {error}"
        raise UsageError(msg, where=str(path), advice=_ADVICE) from error


class _Reader:
    """Reads the tables that there are; a missing column is empty."""

    def __init__(self, book: sqlite3.Connection) -> None:
        book.row_factory = sqlite3.Row
        book.text_factory = lambda content: content.decode("utf-8", "replace")
        book.execute("PRAGMA trusted_schema = OFF")
        self._book = book
        self._tables = {row[0] for row in book.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        self._problems: list[str] = []

    def read(self) -> Gradebook:
        missing = {"student", "assignment", "notebook"} - self._tables
        if missing:
            msg = f"it has no table {min(missing)!r}"
            raise sqlite3.DatabaseError(msg)
        assignments = {row["id"]: _text(row, "name") for row in self._rows("assignment")}
        notebooks = {row["id"]: row for row in self._rows("notebook")}
        cells = {
            key: (assignments.get(notebooks[row["notebook_id"]].get("assignment_id"), ""), notebook, row)
            for key, row in self._cells()
            if (notebook := _text(notebooks.get(row["notebook_id"], {}), "name"))
        }
        courses = [_text(row, "id") for row in self._rows("course")]
        submissions, scores = self._submissions(assignments), self._scores(cells)
        return Gradebook(
            course=next((one for one in courses if one != "default_course"), ""),
            students=tuple(self._students()),
            assignments=tuple(
                BookAssignment(name=_text(row, "name"), due=self._moment(row, "duedate"))
                for row in self._rows("assignment")
            ),
            cells=tuple(
                BookCell(assignment=one, notebook=two, name=_text(row, "name"), points=_number(row, "max_score") or 0.0)
                for one, two, row in cells.values()
                if row.get("max_score") is not None
            ),
            submissions=tuple(submissions),
            scores=tuple(scores),
            problems=tuple(self._problems[:_MOST_PROBLEMS]),
        )

    def _rows(self, table: str) -> list[dict[str, Any]]:
        if table not in self._tables:
            return []
        return [dict(row) for row in self._book.execute(f'SELECT * FROM "{table}" ORDER BY rowid')]  # noqa: S608 - names of this module

    def _students(self) -> Iterator[BookStudent]:
        for row in self._rows("student"):
            keys = ("id", "first_name", "last_name", "email", "lms_user_id")
            yield BookStudent(**{key: _text(row, key) for key in keys})

    def _cells(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the cells with their points; cells without points have none."""
        if _BASE_CELLS not in self._tables:
            for row in (*self._rows(_FORMER_CELLS), *self._rows("solution_cell")):
                yield row["id"], {"max_score": None, **row}
            return
        points = {row["id"]: row.get("max_score") for table in _CELL_TABLES for row in self._rows(table)}
        for row in self._rows(_BASE_CELLS):
            yield row["id"], {**row, "max_score": points.get(row["id"])}

    def _submissions(self, assignments: Mapping[str, str]) -> Iterator[BookSubmission]:
        penalties: dict[str, float] = {}
        for row in self._rows("submitted_notebook"):
            own = _text(row, "assignment_id")
            penalties[own] = penalties.get(own, 0.0) + (_number(row, "late_submission_penalty") or 0.0)
        for row in self._rows("submitted_assignment"):
            yield BookSubmission(
                assignment=assignments.get(_text(row, "assignment_id"), ""),
                student=_text(row, "student_id"),
                submitted=self._moment(row, "timestamp"),
                extension=self._interval(row, "extension"),
                penalty=penalties.get(row["id"], 0.0),
            )

    def _scores(self, cells: Mapping[str, tuple[str, str, _Row]]) -> Iterator[BookScore]:
        owners = {row["id"]: _text(row, "student_id") for row in self._rows("submitted_assignment")}
        students = {row["id"]: owners.get(row.get("assignment_id"), "") for row in self._rows("submitted_notebook")}
        comments = self._comments(cells)
        for row in self._rows("grade"):
            cell, student = cells.get(row.get("cell_id", "")), students.get(row.get("notebook_id", ""), "")
            if cell is None or not student:
                self._problems.append("a score of a cell or a student that no longer exists was left out")
                continue
            yield BookScore(
                assignment=cell[0],
                notebook=cell[1],
                cell=_text(cell[2], "name"),
                student=student,
                auto=_number(row, "auto_score"),
                manual=_number(row, "manual_score"),
                extra=_number(row, "extra_credit"),
                waits=bool(row.get("needs_manual_grade")),
                comment=comments.get((row["notebook_id"], _text(cell[2], "name")), ""),
            )

    def _comments(self, cells: Mapping[str, tuple[str, str, _Row]]) -> dict[tuple[str, str], str]:
        """Map submitted notebooks and names of cells to the comment of a person, else to the automatic one.

        A comment belongs to a cell for solutions, a score to a cell for grades; both have the same name.
        """
        found: dict[tuple[str, str], str] = {}
        for row in self._rows("comment"):
            cell = cells.get(row.get("cell_id", ""))
            text = _text(row, "manual_comment") or _text(row, "auto_comment")
            if cell is not None and text:
                found[row["notebook_id"], _text(cell[2], "name")] = text
        return found

    def _moment(self, row: _Row, key: str) -> datetime | None:
        value = row.get(key)
        if value in {None, ""}:
            return None
        try:
            read = datetime.fromisoformat(str(value))
            return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self._problems.append(f"the {key} {value!r} is not a date")
            return None

    def _interval(self, row: _Row, key: str) -> timedelta | None:
        moment = self._moment(row, key)
        return None if moment is None else moment - _EPOCH


def _text(row: _Row, key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value).strip()


def _number(row: _Row, key: str) -> float | None:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        return None
    return float(value)
