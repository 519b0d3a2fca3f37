"""List what was taken for which submission, before anything is executed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grader.delivery.roster import Matcher, Student
from grader.intake.accounting import Skipped, account_for
from grader.intake.companions import with_companions
from grader.intake.find import Findings, Found, Origin, Rejected
from grader.pipeline.course_folder import Assignment
from grader.schema.message import Message, say
from grader.schema.submission import Submission, SubmittedFrom

__all__ = ["Overview", "Taken", "overview_of"]

_EARLIER = "earlier/"
"""Start of the names of files that are listed and that the notebook cannot read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One submission, and what was taken for it."""

    id: str
    student: str
    in_roster: tuple[Student, ...]
    """The students of the roster that it belongs to: one, the members of a group, or none."""
    platform: str
    attempt: str
    others: tuple[str, ...]
    """The other attempts, which are not graded."""
    submitted: datetime | None
    submitted_from: SubmittedFrom
    late: bool
    """Whether the platform marks it as late, or it was handed in after the due date; grace periods and extensions
    are not considered."""
    notebook: str
    """Name of the notebook to execute, below the submission's folder; empty if there is none."""
    files: tuple[str, ...]
    """The files that the notebook can read."""
    kept: tuple[str, ...]
    """The files of other attempts, which are only listed."""
    parts: tuple[str, ...]
    """The paths of all its files; those in a zip are below the zip."""
    notes: tuple[Message, ...]
    problem: str
    """Why it cannot be executed, in English; empty if it can."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The submissions at the given paths, and the rest."""

    taken: tuple[Taken, ...]
    skipped: tuple[Skipped, ...]
    notices: tuple[Message, ...]
    missing: tuple[Student, ...] = ()
    """The students of the roster who have no submission."""
    roster: bool = False
    """Whether there is a roster."""


def overview_of(
    paths: Sequence[Path],
    findings: Findings,
    *,
    assignment: Assignment | None = None,
    students: Sequence[Student] = (),
) -> Overview:
    """List what was taken for which submission.

    Args:
        paths: The given paths.
        findings: What `grader.intake.find.find_all` found there; its folder for unpacked zips must still exist.
        assignment: The assignment of a course folder; None without one.
        students: A roster; empty for the course's roster.
    """
    secrets = () if assignment is None else assignment.course.secrets
    found = with_companions(findings.found, paths, without=secrets)
    account = account_for(paths, findings)
    everyone = students or (() if assignment is None else assignment.course.students)
    owners = _owners(found, assignment if not students else None, students)
    taken = tuple(
        _taken(one, origin, owners.get(one.id, ()), account.parts.get(one.id, ()), assignment)
        for one, origin in zip(found, findings.origins, strict=True)
    )
    present = {student.line for members in owners.values() for student in members}
    missing = tuple(student for student in everyone if student.line not in present)
    notices = (*findings.notices, *_matched_twice(owners))
    return Overview(taken, account.skipped, notices, missing, roster=bool(everyone))


def _owners(
    found: Sequence[Found], assignment: Assignment | None, students: Sequence[Student]
) -> dict[str, tuple[Student, ...]]:
    """Find the students of each submission."""
    if assignment is not None:
        return {one.id: assignment.members_of(one) for one in found}
    matcher = Matcher(students)
    return {one.id: (student,) for one in found if (student := matcher.student_of(one)[0]) is not None}


def _matched_twice(owners: Mapping[str, tuple[Student, ...]]) -> Iterator[Message]:
    """Note students of the roster with several submissions."""
    names: dict[int, list[str]] = {}
    labels: dict[int, str] = {}
    for name, members in owners.items():
        for student in members:
            names.setdefault(student.line, []).append(name)
            labels[student.line] = student.label
    for line, submissions in names.items():
        if len(submissions) > 1:
            yield say(
                "{count:number} submissions match {student:raw}: {submissions:raw list}",
                count=len(submissions),
                student=labels[line],
                submissions=submissions,
            )


def _taken(
    one: Found, origin: Origin, members: tuple[Student, ...], parts: tuple[str, ...], assignment: Assignment | None
) -> Taken:
    moment, source = one.submitted, one.submitted_from
    if assignment is not None and (listed := assignment.time_of(one)) is not None:
        moment, source = listed, "times"
    due = None if assignment is None else assignment.due
    return Taken(
        id=one.id,
        student=one.student,
        in_roster=members,
        platform=origin.platform,
        attempt=origin.attempt,
        others=origin.others,
        submitted=moment,
        submitted_from=source,
        late=origin.late or (due is not None and moment is not None and moment > due),
        notebook=_notebook(one),
        files=tuple(name for name in one.files if not name.startswith(_EARLIER)),
        kept=tuple(name for name in one.files if name.startswith(_EARLIER)),
        parts=parts,
        notes=one.notes,
        problem=str(one.error) if isinstance(one, Rejected) else "",
    )


def _notebook(one: Found) -> str:
    """Return the notebook's name below its folder; that of a gathered file is the student's own."""
    if not isinstance(one, Submission):
        return ""
    if one.folder is None:
        return one.files[0] if len(one.files) == 1 else one.notebook.name
    return one.notebook.relative_to(one.folder.resolve()).as_posix()
