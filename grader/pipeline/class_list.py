"""The list of a class: each student of the roster with the submission that counts, and submissions of nobody."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from grader.delivery.roster import Student
from grader.facts.language import english
from grader.grading.judged import latest
from grader.pipeline.course import Course
from grader.pipeline.course_folder import Assignment
from grader.report.classrow import ClassRow, RosterCell, absent_row, class_row
from grader.schema.errors import ArtefactError, EditedGradeError
from grader.schema.grade import Grade, SubmissionStamp
from grader.schema.judgement import WHOLE, Judgement, moment_text
from grader.schema.message import Message, say
from grader.store.results import ResultsFolder

__all__ = [
    "SUPERSEDED",
    "ClassList",
    "JudgedClass",
    "ListEntry",
    "ListStatus",
    "class_list",
    "grade_kept",
    "kept_row",
    "latest_of",
    "list_class",
    "page_rows",
    "row_of",
    "rows_of",
    "table_rows",
]

SUPERSEDED = "another submission of the same students counts"
"""Why a submission of students in the roster does not count."""
ListStatus = Literal["graded", "not_graded", "missing", "excused"]


class JudgedClass(Protocol):
    """The parts of a course that a list of the class needs."""

    @property
    def judgements(self) -> Mapping[str, tuple[Judgement, ...]]:
        """Judgements of people, by submission or by the student's key."""

    @property
    def assignment(self) -> Assignment | None:
        """The assignment of the course folder; None outside of a course folder."""


@dataclass(frozen=True, slots=True)
class ListEntry:
    """A student with the submission that counts, or a submission of nobody in the roster."""

    status: ListStatus
    student: Student | None = None
    """None if the submission belongs to nobody in the roster, or if there is no roster."""
    row: ClassRow | None = None
    """The submission's row; None if the student handed in nothing."""
    members: tuple[Student, ...] = ()
    """All members of the group that shares the submission, with this student; empty outside of a group."""
    reason: str = ""
    """Why a submission belongs to nobody, or does not count; for an excused student, the reason of the excuse."""

    @property
    def submission(self) -> str:
        """Id of the submission; empty if the student handed in nothing."""
        return "" if self.row is None else self.row.id


@dataclass(frozen=True, slots=True)
class ClassList:
    """A class."""

    entries: tuple[ListEntry, ...]
    """First the students, in the order of the roster; then submissions of nobody. Without a roster, the submissions."""
    notices: tuple[Message, ...] = ()
    """Notices for a person, such as two submissions of one group."""
    roster: bool = False
    """Whether the class has a roster."""

    @property
    def missing(self) -> tuple[Student, ...]:
        """The students who handed in nothing and are not excused."""
        return tuple(one.student for one in self.entries if one.status == "missing" and one.student is not None)

    @property
    def excused(self) -> tuple[Student, ...]:
        """The excused students."""
        return tuple(one.student for one in self.entries if one.status == "excused" and one.student is not None)


def class_list(out: ResultsFolder, course: Course) -> ClassList:
    """List the class of a results folder.

    Args:
        out: The results folder.
        course: The course with its judgements and assignment; see `grader.pipeline.judgements.judged_course`.
    """
    return list_class(rows_of(out, course), course)


def rows_of(out: ResultsFolder, course: Course) -> list[ClassRow]:
    """Read the rows of all submissions with a grade."""
    kept = (kept_row(out, name, course) for name in out.submissions())
    return [row for row in kept if row is not None]


def kept_row(out: ResultsFolder, name: str, course: Course) -> ClassRow | None:
    """Read the row of a submission from its grade; None if it is missing or damaged. An edited grade is marked."""
    try:
        try:
            grade, edited = out.read_grade(name), False
        except EditedGradeError:
            grade, edited = out.read_grade(name, edited=True), True
    except ArtefactError:
        return None
    return None if grade is None else replace(row_of(grade, course.ranked_by), edited=edited)


def row_of(result: Grade, ranked_by: str | None) -> ClassRow:
    """Reduce a grade to its row on the class page, to save memory in large classes."""
    return class_row(result, f"{result.submission.id}/instructor.html", ranked_by)


def grade_kept(out: ResultsFolder, name: str) -> Grade | None:
    """Read a grade; None if it is missing, damaged or edited by hand, since it can be made again."""
    try:
        return out.read_grade(name)
    except ArtefactError:
        return None


def list_class(rows: Sequence[ClassRow], course: JudgedClass) -> ClassList:
    """List a class.

    Args:
        rows: The rows of all submissions.
        course: The course with its judgements and assignment.
    """
    if course.assignment is None or not course.assignment.course.students:
        return ClassList(tuple(ListEntry(_status(row), row=row) for row in rows))
    owners, reasons = _owners(rows, course)
    counting, notices = _counting(owners, groups=course.assignment.settings.groups)
    row_of_student = {member.line: row for members, row in counting.values() for member in members}
    members_of_row = {row.id: members for members, row in counting.values()}
    students = [
        _entry(student, row_of_student.get(student.line), members_of_row, course)
        for student in course.assignment.course.students
    ]
    counted = {row.id for _, row in counting.values()}
    others = [
        ListEntry(_status(row), row=row, reason=reasons.get(row.id, SUPERSEDED))
        for row in rows
        if row.id not in counted
    ]
    return ClassList((*students, *others), tuple(notices), roster=True)


@dataclass(frozen=True, slots=True)
class _Stamp:
    id: str
    student: str


_Members = tuple[Student, ...]
_Owners = Mapping[tuple[int, ...], tuple[_Members, list[ClassRow]]]
"""Students and their submissions, by the lines of the students in the roster."""


def _owners(rows: Iterable[ClassRow], course: JudgedClass) -> tuple[_Owners, dict[str, str]]:
    """Find the students of each submission, and the reason where there are none."""
    owners: dict[tuple[int, ...], tuple[_Members, list[ClassRow]]] = {}
    reasons: dict[str, str] = {}
    for row in rows:
        stamp = _Stamp(row.id, row.student)
        members = course.assignment.members_of(stamp) if course.assignment is not None else ()
        if members:
            owners.setdefault(tuple(one.line for one in members), (members, []))[1].append(row)
        elif course.assignment is not None:
            reason = course.assignment.course.matcher.student_of(stamp)[1]
            reasons[row.id] = "" if reason is None else english(reason)
    return owners, reasons


def _counting(
    owners: _Owners, *, groups: bool
) -> tuple[dict[tuple[int, ...], tuple[_Members, ClassRow]], list[Message]]:
    """Choose the submission that counts: of several, the latest."""
    counting: dict[tuple[int, ...], tuple[_Members, ClassRow]] = {}
    notices: list[Message] = []
    for lines, (members, rows) in owners.items():
        last = max(rows, key=lambda row: (row.submitted, row.id))  # as `latest_of`
        counting[lines] = (members, last)
        if len(rows) > 1:
            notices.append(_several(members, rows, last, groups=groups))
    return counting, notices


def latest_of(stamps: Sequence[SubmissionStamp]) -> SubmissionStamp:
    """Find the submission that counts among several of the same students: the latest, else the last by name."""
    return max(stamps, key=lambda one: ("" if one.submitted is None else moment_text(one.submitted), one.id))


def _several(members: _Members, rows: Sequence[ClassRow], last: ClassRow, *, groups: bool) -> Message:
    name = f"{members[0].group} ({', '.join(one.label for one in members)})" if groups and members[0].group else ""
    known = all(row.submitted for row in rows)
    text = say(
        "{who:raw} handed in {submissions:list}: {last} counts, because it is the latest",
        who=name or members[0].label,
        submissions=[row.id for row in rows],
        last=last.id,
    )
    unsure = say(
        "{who:raw} handed in {submissions:list}: {last} counts, but the time of some is unknown; remove all but one",
        who=name or members[0].label,
        submissions=[row.id for row in rows],
        last=last.id,
    )
    return text if known else unsure


def _entry(
    student: Student, row: ClassRow | None, members_of_row: Mapping[str, _Members], course: JudgedClass
) -> ListEntry:
    """Make the entry of a student."""
    members = members_of_row.get(row.id, ()) if row is not None else ()
    group = members if len(members) > 1 else ()
    excuse = latest(course.judgements.get(student.key, ())).get((WHOLE, "excuse"))
    if excuse is not None:
        return ListEntry("excused", student, row, group, excuse.why or excuse.comment)
    if row is None:
        return ListEntry("missing", student)
    if row.people is not None and row.people.excused:
        return ListEntry("excused", student, row, group)
    return ListEntry(_status(row), student, row, group)


def _status(row: ClassRow) -> ListStatus:
    if row.people is not None and row.people.excused:
        return "excused"
    return "graded" if row.graded else "not_graded"


def table_rows(listed: ClassList, max_score: float) -> Iterator[ClassRow]:
    """Yield the rows of `grades.csv`: one for each student, and one for each submission of nobody.

    Args:
        listed: The class.
        max_score: The most points of the assignment.
    """
    for entry in listed.entries:
        student, row = entry.student, entry.row
        cell = None if student is None else _cell(student)
        if row is None:
            if student is not None and cell is not None:
                state: Literal["missing", "excused"] = "excused" if entry.status == "excused" else "missing"
                yield absent_row(student.label, state, max_score, cell)
            continue
        name = student.label if student is not None and entry.members else row.student
        yield replace(row, student=name, roster=cell, state="excused" if entry.status == "excused" else "")


def page_rows(rows: Sequence[ClassRow], listed: ClassList, max_score: float) -> Iterator[ClassRow]:
    """Yield the rows of the class page: the submissions, then the students without one.

    Args:
        rows: The submissions.
        listed: The class.
        max_score: The most points of the assignment.
    """
    groups = {one.submission: one.members for one in listed.entries if one.members}
    for row in rows:
        members = groups.get(row.id, ())
        yield replace(row, student=", ".join(one.label for one in members)) if members else row
    for entry in listed.entries:
        if entry.row is None and entry.student is not None:
            state: Literal["missing", "excused"] = "excused" if entry.status == "excused" else "missing"
            yield absent_row(entry.student.label, state, max_score, _cell(entry.student))


def _cell(student: Student) -> RosterCell:
    return RosterCell(
        id=student.id,
        name=student.name,
        email=student.email,
        login=student.login,
        section=student.section,
        group=student.group,
        sis_id=student.sis_id,
        moodle_participant=student.moodle_participant,
    )
