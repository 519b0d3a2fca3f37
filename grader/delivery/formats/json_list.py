"""The format `json`: the grades of a class as one JSON document."""

from collections.abc import Sequence

from grader.delivery.editions import Editions, criterion_text, has_points
from grader.delivery.grade_export import GradeExport, GradeFormat, GradeRow, RowReport, reports_of
from grader.delivery.roster import Student
from grader.schema.grade import CriterionGrade
from grader.schema.grade_list import EntryStatus, GradeEntry, GradeList, ListedCriterion, ListedStudent

__all__ = ["FORMAT", "grade_entry"]


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
        student=None if student is None else _listed(student),
        status=status,
        score=whole.score if status == "graded" and not held else None,
        max_score=whole.max_score,
        pending=whole.pending,
        late_points=None if whole.late is None else whole.late.points,
        submitted=whole.submission.submitted,
        held=held,
        criteria=tuple(_criterion(line, texts.get(line.id)) for line in whole.criteria),
    )


def _listed(student: Student) -> ListedStudent:
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


def _entry(row: GradeRow) -> GradeEntry:
    """Make the entry of a row; one without a grade has no criteria."""
    if row.status in {"graded", "not_graded"}:
        return grade_entry(row.read(), row.student, held=row.held)
    return GradeEntry(
        submission=row.submission or None,
        student=None if row.student is None else _listed(row.student),
        status=row.status,
        score=None,
        max_score=None,
        pending=0.0,
        held=row.held,
    )


def _write(export: GradeExport) -> Sequence[RowReport]:
    entries = tuple(_entry(row) for row in export.rows)
    document = GradeList(rubric=export.rubric, title=export.title, max_score=export.max_score, grades=entries)
    export.target.write_text(document.model_dump_json(indent=1) + "\n", encoding="utf-8", errors="replace")
    return tuple(
        RowReport(row.label, row.submission, "written", f"{row.score:g} points", row.remark)
        if row.writable
        else reports_of(row)
        for row in export.rows
    )


FORMAT = GradeFormat(
    name="json",
    title="the grades of the class as one JSON document",
    file="grades.json",
    write=_write,
)
