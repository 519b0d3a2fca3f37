"""The format `json`: the grades of a class as one JSON document."""

from grader.delivery.editions import Editions, criterion_text, has_points
from grader.delivery.roster import Student
from grader.schema.grade import CriterionGrade
from grader.schema.grade_list import EntryStatus, GradeEntry, ListedCriterion, ListedStudent

__all__ = ["grade_entry"]


def grade_entry(editions: Editions, student: Student | None = None, *, held: str = "") -> GradeEntry:
    """Make the entry of a submission.

    Args:
        editions: The grade.
        student: Its student; None if unknown.
        held: Why the score is held back; empty if it is not.
    """
    whole = editions.whole
    texts = {line.id: criterion_text(line, editions.language) for line in editions.shown.criteria}
    status: EntryStatus = whole.status if whole.excused is None else "excused"
    return GradeEntry(
        submission=whole.submission.id,
        student=None if student is None else listed_student(student),
        status=status,
        score=whole.score if status == "graded" and not held else None,
        max_score=whole.max_score,
        pending=whole.pending,
        late_points=None if whole.late is None else whole.late.points,
        submitted=whole.submission.submitted,
        held=held,
        criteria=tuple(_criterion(line, texts.get(line.id)) for line in whole.criteria),
    )


def listed_student(student: Student) -> ListedStudent:
    """Describe a student of the roster.

    Args:
        student: The student.
    """
    return ListedStudent(
        id=student.id,
        name=student.name,
        email=student.email,
        login=student.login,
        sis_id=student.sis_id,
        section=student.section,
        group=student.group,
        moodle_participant=student.moodle_participant,
    )


def _criterion(line: CriterionGrade, text: str | None) -> ListedCriterion:
    return ListedCriterion(
        id=line.id,
        title=line.title,
        status=line.status,
        points=line.points if has_points(line) else None,
        max_points=line.max_points,
        bonus=line.bonus,
        hidden=text is None,
        text=text or "",
    )
