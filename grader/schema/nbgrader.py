"""The parts of a course of nbgrader."""

from datetime import datetime, timedelta
from typing import Literal

from grader.schema.base import Document

__all__ = [
    "BookAssignment",
    "BookCell",
    "BookScore",
    "BookStudent",
    "BookSubmission",
    "Gradebook",
    "GradedCell",
    "GradedNotebook",
]


class GradedCell(Document):
    """A cell of a source notebook that has points."""

    grade_id: str
    """Name of the cell, unique in its notebook."""
    kind: Literal["answer", "test", "task"]
    """`answer`: the student writes it, and a person grades it; `test`: its code grades the student's cells; `task`:
    describes work that a person grades anywhere in the notebook."""
    cell_type: str
    """`code` or `markdown`."""
    points: float
    source: str
    """Text of the cell in the source notebook, with the solution and hidden tests."""
    heading: str = ""
    """The last heading before the cell."""
    question: str = ""
    """The last text cell before the cell."""


class GradedNotebook(Document):
    """One notebook of an assignment."""

    name: str
    """File name without `.ipynb`."""
    title: str = ""
    """The first heading of the first level."""
    code: str = ""
    """The code of all cells."""
    cells: tuple[GradedCell, ...] = ()
    problems: tuple[str, ...] = ()
    """Descriptions of cells that could not be read."""


class BookStudent(Document):
    """A student of the gradebook."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""


class BookAssignment(Document):
    """An assignment of the gradebook."""

    name: str
    due: datetime | None = None
    """The due date, in UTC."""


class BookCell(Document):
    """A cell with points."""

    assignment: str
    notebook: str
    name: str
    points: float


class BookSubmission(Document):
    """Times and deduction of a student's submission."""

    assignment: str
    student: str
    submitted: datetime | None = None
    """Time of submission, in UTC."""
    extension: timedelta | None = None
    penalty: float = 0.0
    """Points deducted for lateness, in all notebooks together."""


class BookScore(Document):
    """The score of a student for one cell."""

    assignment: str
    notebook: str
    cell: str
    student: str
    auto: float | None = None
    """Points from the test."""
    manual: float | None = None
    """Points from a person; they replace those from the test."""
    extra: float | None = None
    """Extra credit."""
    waits: bool = False
    """Whether a person still has to grade it."""
    comment: str = ""

    @property
    def points(self) -> float | None:
        """The points that count, without extra credit; None before anybody or anything gave some."""
        if self.manual is not None:
            return self.manual
        return None if self.waits else self.auto


class Gradebook(Document):
    """The content of `gradebook.db`."""

    course: str = ""
    students: tuple[BookStudent, ...] = ()
    assignments: tuple[BookAssignment, ...] = ()
    cells: tuple[BookCell, ...] = ()
    submissions: tuple[BookSubmission, ...] = ()
    scores: tuple[BookScore, ...] = ()
    problems: tuple[str, ...] = ()
    """Descriptions of values that could not be read."""
