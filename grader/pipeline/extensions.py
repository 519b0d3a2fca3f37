"""Extend due dates and excuse students: find who is meant, and make the judgement."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from grader.delivery.roster import Student
from grader.facts.nearest import did_you_mean
from grader.pipeline.class_list import ClassList, ListEntry
from grader.pipeline.course import Course
from grader.schema.errors import UsageError
from grader.schema.judgement import Judgement, JudgementKind

__all__ = ["Whom", "decision_about", "find_whom"]


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom a decision is about."""

    name: str
    """Id of the submission, or the student's name in judgements."""
    label: str
    """Name for people."""
    submissions: tuple[str, ...] = ()
    """The submissions whose grades change."""


def find_whom(word: str, listed: ClassList, where: str = "STUDENT") -> Whom:
    """Find a submission by its id, or a student by any id, the address or the name in the roster.

    Args:
        word: What the command line names, without regard to case.
        listed: The class.
        where: Argument for errors.

    Raises:
        UsageError: It names nobody, or several.
    """
    wanted = word.strip().casefold()
    own = next((one for one in listed.entries if one.submission and one.submission.casefold() == wanted), None)
    if own is not None:
        return Whom(own.submission, _label(own), (own.submission,))
    students = {
        one.student.line: one for one in listed.entries if one.student is not None and wanted in _names(one.student)
    }
    if len(students) == 1:
        (entry,) = students.values()
        student = entry.student
        if student is not None:
            return Whom(student.key, student.label, (entry.submission,) if entry.submission else ())
    if students:
        labels = ", ".join(one.student.key for one in students.values() if one.student is not None)
        msg = f"{word!r} names several students: {labels}"
        raise UsageError(msg, where=where, advice="give the id of one of them")
    choices = [name for one in listed.entries for name in _words(one)]
    msg = f"{word!r} names no submission and no student of the roster{did_you_mean(word, choices)}"
    raise UsageError(
        msg, where=where, advice="give the id of a submission, or an id, an address or a name in the roster"
    )


def decision_about(  # noqa: PLR0913 - the parts of a judgement
    whom: Whom,
    kind: JudgementKind,
    course: Course,
    *,
    at: datetime,
    by: str,
    why: str,
    until: datetime | None = None,
) -> Judgement:
    """Make the judgement of an extension or an excuse; without a reason and a date it withdraws the earlier one.

    Args:
        whom: The submission or the student.
        kind: `extension` or `excuse`.
        course: The course, whose rubric the judgement is limited to.
        at: When it was decided.
        by: Who decided.
        why: The reason.
        until: The new due date of an extension.
    """
    return Judgement(at=at, by=by, submission=whom.name, rubric=course.stamp.id, kind=kind, why=why, until=until)


def _names(student: Student) -> set[str]:
    texts = (student.key, student.id, student.sis_id, student.login, student.email, student.name)
    return {text.casefold() for text in texts if text}


def _label(entry: ListEntry) -> str:
    if entry.members:
        return ", ".join(one.label for one in entry.members)
    if entry.student is not None:
        return entry.student.label
    return entry.submission if entry.row is None else entry.row.student


def _words(entry: ListEntry) -> Iterator[str]:
    if entry.submission:
        yield entry.submission
    if entry.student is not None:
        yield from filter(None, (entry.student.id, entry.student.name, entry.student.email))
