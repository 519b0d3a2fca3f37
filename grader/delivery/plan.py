"""Decide who gets which message now: pure functions of grades, roster and ledger."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.delivery.letter import digest_of_grade
from grader.delivery.messages import Thread, message_id
from grader.delivery.roster import Matching, Student
from grader.schema.grade import Grade
from grader.schema.mail import GradeSent, MailRow

__all__ = ["Action", "Entry", "Selection", "plan"]

Action = Literal["send", "reply", "done", "held", "skipped", "unknown", "refused"]
"""`send`: a first message. `reply`: a message about a changed grade. `done`: the student has the current grade. `held`:
something has to be decided first. `skipped`: an option leaves it out. `unknown`: perhaps sent. `refused`: the server
rejected it."""

_IN_FLIGHT = frozenset({"sending", "unknown"})
_SETTLED = frozenset({"sent", "refused", *_IN_FLIGHT})


@dataclass(frozen=True, slots=True)
class Selection:
    """Options that choose among the messages."""

    only: Collection[str] | None = None
    """Ids of submissions; None for all."""
    only_changed: bool = False
    """Whether only students get a message whose grade changed since their last one."""
    with_pending: bool = False
    """Whether students get a message although a person still has to give points."""
    resend: Collection[str] = ()
    """Ids of submissions whose message was refused or is perhaps lost, and is sent again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The decision about one submission."""

    submission: str
    student: Student | None
    action: Action
    reason: str
    """Why, for people; empty if nothing has to be explained."""
    thread: Thread | None = None
    """The message, if one is sent."""
    before: GradeSent | None = None
    """The grade in the last message."""
    digest: str = ""

    @property
    def sends(self) -> bool:
        """Whether a message is sent."""
        return self.thread is not None


def plan(
    grades: Mapping[str, Grade | None],
    matching: Matching,
    rows: Sequence[MailRow],
    selection: Selection,
    domain: str,
) -> tuple[Entry, ...]:
    """Decide about each submission.

    Args:
        grades: The student's edition of each grade by submission; None if it cannot be read.
        matching: The students of the submissions.
        rows: The ledger, oldest first.
        selection: Options.
        domain: Domain of the sender.
    """
    return tuple(
        _entry(name, grade, matching, [row for row in rows if row.about == name], selection, domain)
        for name, grade in sorted(grades.items())
    )


def _entry(  # noqa: PLR0913, PLR0917 - the parts of a decision
    name: str,
    grade: Grade | None,
    matching: Matching,
    rows: Sequence[MailRow],
    selection: Selection,
    domain: str,
) -> Entry:
    student = matching.pairs.get(name)
    if selection.only is not None and name not in selection.only:
        return Entry(name, student, "skipped", "left out by --only")
    if grade is None:
        return Entry(name, student, "held", "its grade cannot be read: grade it again")
    if student is None:
        return Entry(name, None, "held", matching.unmatched.get(name, "nobody in the roster matches"))
    if grade.status == "not_graded":
        return Entry(name, student, "held", "it was not graded, because the grader failed: grade it again")
    mine = [row for row in rows if row.rubric == grade.rubric.id and row.state in _SETTLED]
    return _of_student(name, student, grade, mine, selection, domain)


def _of_student(  # noqa: PLR0913, PLR0917 - the parts of a decision
    name: str, student: Student, grade: Grade, rows: Sequence[MailRow], selection: Selection, domain: str
) -> Entry:
    """Decide about a grade that a student can get."""
    digest = digest_of_grade(grade)
    last = rows[-1] if rows else None
    delivered = [row for row in rows if row.state != "refused"]
    again = last is not None and last.digest == digest
    if last is not None and again:
        stopped = _settled(name, student, last, resend=name in selection.resend)
        if stopped is not None:
            return stopped
        thread = Thread(last.message, last.parents)
        earlier = next((row for row in delivered if row.message in last.parents[-1:]), None)
    else:
        earlier = delivered[-1] if delivered else None
        parents = (*earlier.parents, earlier.message) if earlier is not None else ()
        thread = Thread(message_id(student, name, grade.rubric.id, digest, parents, domain), parents)
    before = earlier.grade if earlier is not None else None
    if grade.pending > 0 and not selection.with_pending:
        reason = f"{grade.pending:g} points are pending; `--with-pending` sends it anyway"
        return Entry(name, student, "held", reason)
    if selection.only_changed and before is None:
        return Entry(name, student, "skipped", "a first message, left out by --only-changed")
    action: Action = "reply" if before is not None else "send"
    return Entry(name, student, action, "sent again" if again else "", thread, before, digest)


def _settled(name: str, student: Student, last: MailRow, *, resend: bool) -> Entry | None:
    """Decide about a grade that a message was already made for; None if it can be sent now."""
    if last.state == "sent":
        return Entry(name, student, "done", "")
    if resend:
        return None
    if last.state in _IN_FLIGHT:
        reason = (
            f"perhaps sent: {last.detail or 'the grader was stopped before the server answered'}. Ask "
            f"{last.address} or look into the server's log for {last.message}; `--resend {name}` sends it again"
        )
        return Entry(name, student, "unknown", reason)
    if last.address.casefold() != student.email.casefold():
        return None  # the roster has another address now
    reason = f"{last.address} was refused: {last.detail}. Correct the roster, or use `--resend {name}`"
    return Entry(name, student, "refused", reason)
