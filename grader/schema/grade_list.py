"""The grades of a class as one JSON document, for other programs (`grader export --to json`)."""

from typing import Literal

from grader.schema.base import Document
from grader.schema.grade import CriterionStatus
from grader.schema.judgement import Moment

__all__ = ["GRADE_LIST_VERSION", "EntryStatus", "GradeEntry", "GradeList", "ListedCriterion", "ListedStudent"]

GRADE_LIST_VERSION = 1
"""1: first version."""

EntryStatus = Literal["graded", "not_graded", "missing", "excused", "unreadable"]
"""`graded`: there is a grade. `not_graded`: the grader failed. `missing`: the student handed in nothing. `excused`: the
student is excused. `unreadable`: the file of the grade is damaged, or somebody edited it by hand."""


class ListedStudent(Document):
    """A student of the roster."""

    id: str
    name: str
    email: str
    login: str = ""
    sis_id: str = ""
    section: str = ""
    group: str = ""
    moodle_participant: str = ""


class ListedCriterion(Document):
    """A criterion of a grade."""

    id: str
    title: str
    status: CriterionStatus
    points: float | None
    """None while nobody decided them."""
    max_points: float
    bonus: bool
    hidden: bool
    """Whether students do not see the criterion."""
    text: str
    """Message, advice and comments for the student, as plain text; empty for a hidden criterion."""


class GradeEntry(Document):
    """The grade of a student, or of a submission without a student."""

    submission: str | None
    """None if the student handed in nothing."""
    student: ListedStudent | None
    """None without a roster, or if nobody in the roster matches."""
    status: EntryStatus
    score: float | None
    """With the deduction for a late submission; None if it is unknown or held back."""
    max_score: float | None
    pending: float
    """Points that a person still has to give."""
    late_points: float | None = None
    """The deduction, 0 or negative; None if the submission was not late."""
    submitted: Moment | None = None
    held: str = ""
    """Why there is no score, in English; empty if there is one."""
    criteria: tuple[ListedCriterion, ...] = ()


class GradeList(Document):
    """The grades of a class."""

    version: Literal[1] = 1
    rubric: str
    title: str
    max_score: float
    grades: tuple[GradeEntry, ...]
