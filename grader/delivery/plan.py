"""Decide who gets which message now: pure functions of grades, roster and ledger."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from grader.delivery.letter import digest_of_grade
from grader.delivery.messages import Thread, message_id
from grader.delivery.roster import Matching, Student
from grader.schema.grade import Grade
from grader.schema.mail import GradeSent, MailRow
from grader.schema.message import Message, say

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
    """Names of messages, which are ids of submissions outside of groups; None for all."""
    only_changed: bool = False
    """Whether only students get a message whose grade changed since their last one."""
    with_pending: bool = False
    """Whether students get a message although a person still has to give points."""
    resend: Collection[str] = ()
    """Names of messages that were refused or are perhaps lost, and are sent again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The decision about one submission."""

    submission: str
    student: Student | None
    action: Action
    reason: Message | None
    """Why, for people; None if nothing has to be explained."""
    thread: Thread | None = None
    """The message, if one is sent."""
    before: GradeSent | None = None
    """The grade in the last message."""
    digest: str = ""
    member: str = ""
    """Name of the student's message among those of a group; empty outside of a group."""

    @property
    def name(self) -> str:
        """Name of the message in the ledger and of its files: the submission, with the member of a group."""
        return f"{self.submission}~{self.member}" if self.member else self.submission

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
    about: defaultdict[str, list[MailRow]] = defaultdict(list)
    for row in rows:
        about[row.about].append(row)
    entries = list[Entry]()
    for name, grade in sorted(grades.items()):
        for student in matching.members.get(name, ()) or (matching.pairs.get(name),):
            member = member_name(student) if student is not None and name in matching.members else ""
            bare = Entry(name, student, "skipped", None, member=member)
            entries.append(_entry(bare, grade, matching, about[bare.name], selection, domain))
    return tuple(entries)


def member_name(student: Student) -> str:
    """Name a member of a group; the name is safe for files."""
    plain = re.sub(r"[^\w.@-]+", "-", student.key).strip("-.")
    return plain if plain == student.key else f"{plain}-{hashlib.sha256(student.key.encode()).hexdigest()[:6]}"


def _entry(  # noqa: PLR0913, PLR0917 - the parts of a decision
    bare: Entry,
    grade: Grade | None,
    matching: Matching,
    rows: Sequence[MailRow],
    selection: Selection,
    domain: str,
) -> Entry:
    if selection.only is not None and bare.name not in selection.only:
        return replace(bare, reason=say("left out by `--only`"))
    held = replace(bare, action="held")
    if grade is None:
        return replace(held, reason=say("its grade cannot be read: grade it again"))
    if bare.student is None:
        reason = matching.unmatched.get(bare.submission) or say("nobody in the roster matches")
        return replace(held, reason=reason)
    if grade.status == "not_graded":
        return replace(held, reason=say("it was not graded, because the grader failed: grade it again"))
    mine = [row for row in rows if row.rubric == grade.rubric.id and row.state in _SETTLED]
    return _of_student(bare, bare.student, grade, mine, selection, domain)


def _of_student(  # noqa: PLR0913, PLR0917 - the parts of a decision
    bare: Entry, student: Student, grade: Grade, rows: Sequence[MailRow], selection: Selection, domain: str
) -> Entry:
    """Decide about a grade that a student can get."""
    digest = digest_of_grade(grade)
    last = rows[-1] if rows else None
    delivered = [row for row in rows if row.state != "refused"]
    again = last is not None and last.digest == digest
    if last is not None and again:
        stopped = _settled(bare, student, last, resend=bare.name in selection.resend)
        if stopped is not None:
            return stopped
        thread = Thread(last.message, last.parents)
        earlier = next((row for row in delivered if row.message in last.parents[-1:]), None)
    else:
        earlier = delivered[-1] if delivered else None
        parents = (*earlier.parents, earlier.message) if earlier is not None else ()
        thread = Thread(message_id(student, bare.submission, grade.rubric.id, digest, parents, domain), parents)
    before = earlier.grade if earlier is not None else None
    if grade.pending > 0 and not selection.with_pending:
        reason = say("{points:points} points are pending; `--with-pending` sends it anyway", points=grade.pending)
        return replace(bare, action="held", reason=reason)
    if selection.only_changed and before is None:
        return replace(bare, reason=say("a first message, left out by `--only-changed`"))
    return replace(
        bare,
        action="reply" if before is not None else "send",
        reason=say("sent again") if again else None,
        thread=thread,
        before=before,
        digest=digest,
    )


def _settled(bare: Entry, student: Student, last: MailRow, *, resend: bool) -> Entry | None:
    """Decide about a grade that a message was already made for; None if it can be sent now."""
    if last.state == "sent":
        return replace(bare, action="done")
    if resend:
        return None
    if last.state in _IN_FLIGHT:
        reason = say(
            "perhaps sent: {why}. Ask {address:raw} or look into the server's log for {message:raw}; "
            "`--resend {name:raw}` sends it again",
            why=last.detail or say("the grader was stopped before the server answered"),
            address=last.address,
            message=last.message,
            name=bare.name,
        )
        return replace(bare, action="unknown", reason=reason)
    if last.address.casefold() != student.email.casefold():
        return None  # the roster has another address now
    reason = say(
        "{address:raw} was refused: {why:raw}. Correct the roster, or use `--resend {name:raw}`",
        address=last.address,
        why=last.detail,
        name=bare.name,
    )
    return replace(bare, action="refused", reason=reason)
