"""Requests of students: import them, list those that are open, and answer them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grader.delivery.requests import Criteria, Reply, RequestLine, mail_text, parse_reply, parse_requests
from grader.delivery.roster import Student, match
from grader.facts.nearest import did_you_mean
from grader.grading.judged import concerns
from grader.pipeline.course import Course
from grader.pipeline.judgements import judgement_file
from grader.pipeline.marks import after, check_grader, current_grades
from grader.schema.errors import UsageError
from grader.schema.grade import Grade, SubmissionStamp
from grader.schema.judgement import WHOLE, Judgement, RequestGrade
from grader.store.database import Database
from grader.store.ledger import MailLedger
from grader.store.results import ResultsFolder

__all__ = [
    "Answer",
    "OpenRequest",
    "answer_request",
    "import_requests",
    "open_requests",
    "read_reply",
    "shown_criteria",
]


_MAILS = frozenset({".eml", ".txt"})


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that nobody has answered."""

    submission: str
    student: str
    title: str
    """Title of the criterion; empty for the whole submission."""
    request: RequestGrade


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    submission: str
    criterion: str
    by: str
    comment: str
    points: float | None = None
    """New points of the criterion; None leaves them."""
    why: str = ""
    """The reason for other points than the grader's, for instructors."""


def shown_criteria(course: Course) -> Criteria:
    """List the criteria that students see, with their titles."""
    return {one.id: one.title for one in course.loaded.rubric.criteria if not one.hidden}


def import_requests(  # noqa: PLR0913 - the last two by keyword
    out: ResultsFolder,
    course: Course,
    file: Path,
    students: Sequence[Student] = (),
    *,
    now: Callable[[], datetime],
    dry_run: bool = False,
) -> tuple[Judgement, ...]:
    """Import a table of requests: all rows, or none if one is wrong. A request that is already stored is left out.

    A file that ends in `.eml` or `.txt` is a mail with one request; see `read_reply`. The text of a student only ever
    becomes the reason of a request.

    Args:
        out: The results folder.
        course: The course.
        file: The table, or a mail.
        students: The roster; may be empty.
        now: Function that returns the time, with its zone; the time of a request without one.
        dry_run: Whether nothing is stored.

    Returns:
        The new requests.

    Raises:
        UsageError: The table is wrong; all problems are listed with their lines. Or nobody knows whose mail it is.
        StorageError: The requests cannot be stored.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        msg = f"the file cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(file)) from error
    stamps = {one.id: one for one in _stamps(out)}
    if file.suffix.casefold() in _MAILS:
        rows = [_mailed(read_reply(out, course, mail_text(content), students), stamps, file)]
    else:
        rows = list(parse_requests(content, tuple(stamps.values()), shown_criteria(course), students, name=str(file)))
    moment = now()

    def decide(stored: tuple[Judgement, ...]) -> tuple[Judgement, ...]:
        known = {_same(one) for one in stored if one.kind == "request"}
        new: dict[tuple[str, str, str, str], Judgement] = {}
        for row in rows:
            request = request_of(row.submission, row.criterion, row.reason, course, at=row.at or moment)
            if _same(request) not in known:
                new.setdefault(_same(request), request)
        return tuple(new.values())

    store = judgement_file(out)
    return decide(store.read().judgements) if dry_run else store.update(decide)


def _mailed(reply: Reply, stamps: Mapping[str, SubmissionStamp], file: Path) -> RequestLine:
    """Convert a mail to a request.

    Raises:
        UsageError: Nobody knows which submission it is about, or it has no text.
    """
    stamp = None if reply.submission is None else stamps.get(reply.submission)
    if stamp is None or not reply.reason:
        problem = reply.problem or "its submission is not in the results folder"
        msg = problem if stamp is None else "the mail has no text except for quotes"
        raise UsageError(msg, where=str(file), advice="write the request as a line of a CSV file (docs/judgements.md)")
    return RequestLine(1, stamp, reply.criterion, reply.reason, None)


def request_of(stamp: SubmissionStamp, criterion: str, reason: str, course: Course, *, at: datetime) -> Judgement:
    """Make a request in the name of a submission's student.

    Args:
        stamp: The submission.
        criterion: Id of the criterion, or `*`.
        reason: The student's text.
        course: The course.
        at: When the student asked.
    """
    return Judgement(
        at=at,
        by=" ".join(stamp.student.split())[:500] or stamp.id,
        submission=stamp.id,
        notebook=stamp.sha256,
        rubric=course.stamp.id,
        criterion=criterion,
        kind="request",
        why=reason.encode("utf-8", "replace").decode("utf-8"),
    )


def _same(request: Judgement) -> tuple[str, str, str, str]:
    """Return the part of a request by which a second import recognizes it."""
    return (request.submission, request.rubric, request.criterion, request.why)


def _stamps(out: ResultsFolder) -> tuple[SubmissionStamp, ...]:
    return tuple(grade.submission for grade in current_grades(out).values())


def open_requests(out: ResultsFolder) -> tuple[OpenRequest, ...]:
    """List the requests that nobody has answered, the oldest first.

    Args:
        out: The results folder, whose grades have the judgements.

    Raises:
        EditedGradeError: Somebody edited a grade by hand.
        ArtefactError: A grade is damaged.
    """
    requests = []
    for grade in current_grades(out).values():
        titles = {line.id: line.title for line in grade.criteria}
        stamp = grade.submission
        requests += [
            OpenRequest(stamp.id, stamp.student, titles.get(one.criterion, ""), one)
            for one in grade.requests
            if one.answer is None
        ]
    return tuple(sorted(requests, key=lambda one: (one.request.at, one.submission)))


def answer_request(
    out: ResultsFolder, course: Course, answer: Answer, *, now: Callable[[], datetime]
) -> tuple[Judgement, ...]:
    """Answer a request, perhaps with new points. The caller makes the grade again (`rejudge`).

    Args:
        out: The results folder.
        course: The course.
        answer: The answer.
        now: Function that returns the time, with its zone.

    Raises:
        UsageError: There is no such request, or the points are not possible.
        StorageError: The answer cannot be stored.
    """
    by = check_grader(out, answer.by)
    names = out.submissions()
    grade = out.read_grade(answer.submission) if answer.submission in names else None
    if grade is None:
        msg = f"there is no submission {answer.submission!r}{did_you_mean(answer.submission, names)}"
        raise UsageError(msg)
    if not answer.comment.strip():
        msg = "the answer is empty"
        raise UsageError(msg, where="--comment", advice="the student reads it in the report")
    points = _points(grade, answer)

    def decide(stored: tuple[Judgement, ...]) -> tuple[Judgement, ...]:
        mine = [one for one in stored if concerns(one, answer.submission, course.stamp.id)]
        about = [one for one in mine if one.criterion == answer.criterion]
        if not any(one.kind == "request" and not one.withdraws for one in about):
            asked = sorted({one.criterion for one in mine if one.kind == "request"})
            msg = f"{answer.submission} has no request about {answer.criterion!r}"
            raise UsageError(msg, advice=f"it has requests about {', '.join(asked)}" if asked else "it has no requests")
        common = {
            "at": after(now(), about),
            "by": by,
            "submission": grade.submission.id,
            "notebook": grade.submission.sha256,
            "rubric": course.stamp.id,
            "criterion": answer.criterion,
        }
        reply = Judgement.model_validate({**common, "kind": "answer", "comment": answer.comment})
        return (*(Judgement.model_validate({**common, **one}) for one in points), reply)

    return judgement_file(out).update(decide)


def _points(grade: Grade, answer: Answer) -> list[dict[str, object]]:
    """Check the new points of an answer, and make the fields of their judgement; empty without points.

    Raises:
        UsageError: The points are not possible.
    """
    if answer.points is None:
        return []
    line = next((one for one in grade.criteria if one.id == answer.criterion), None)
    where = f"--points {answer.points:g}"
    if line is None or grade.status != "graded":
        msg = "points need a criterion" if answer.criterion == WHOLE else f"{answer.criterion} has no points"
        raise UsageError(msg, where=where)
    if not 0 <= answer.points <= line.max_points:
        msg = f"{answer.criterion} has 0 to {line.max_points:g} points"
        raise UsageError(msg, where=where)
    waited = (line.judged.computed_status if line.judged is not None else line.status) == "pending"
    if not waited and not answer.why.strip():
        msg = f"the grader computes {answer.criterion}: other points need a reason, which students do not see"
        raise UsageError(msg, where=where, advice="add `--why TEXT`")
    kind = "points" if waited else "override"
    return [{"kind": kind, "points": answer.points, "of": line.max_points, "why": answer.why}]


def read_reply(out: ResultsFolder, course: Course, text: str, students: Sequence[Student] = ()) -> Reply:
    """Read a pasted mail as a request, with the ledger of sent mail and the roster.

    Args:
        out: The results folder.
        course: The course.
        text: The mail, with or without its headers.
        students: The roster; may be empty.
    """
    pairs = match(students, _stamps(out)).pairs if students else {}
    addresses = {student.email.casefold(): name for name, student in pairs.items() if student.email}
    rows = MailLedger(Database(out.database_path)).rows()
    mine = [row for row in rows if row.rubric == course.stamp.id]
    return parse_reply(text, mine, shown_criteria(course), addresses)
