"""The state of the desk: the class, the judgements so far, and what a person adds to them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from pydantic import ValidationError

from grader.desk.guard import Visitor
from grader.desk.holds import Holds
from grader.desk.judgement_log import JudgementLog
from grader.desk.mailer import Mailer, MailSetup
from grader.desk.pairs import Pairs
from grader.desk.roll import Roll, computed
from grader.desk.updates import Updates
from grader.facts.nearest import did_you_mean
from grader.grading.judged import latest
from grader.pipeline.class_list import ListEntry, list_class, row_of
from grader.pipeline.course import Course
from grader.pipeline.judgements import with_people
from grader.pipeline.marks import after
from grader.schema.errors import UsageError
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.judgement import WHOLE, Judgement, JudgementKind
from grader.schema.rubric import Criterion
from grader.store.judgements import JudgementFile
from grader.store.results import ResultsFolder

__all__ = ["Desk", "Draft"]

_OF_THE_NOTEBOOK = frozenset({"points", "override", "comment", "flag", "explained"})
"""Kinds of judgements that depend on the notebook that was judged."""
_SHARED = frozenset({"extension", "excuse"})
_STEP = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision of a person, before it is checked and recorded."""

    submission: str
    kind: JudgementKind
    criterion: str = WHOLE
    points: float | None = None
    comment: str = ""
    why: str = ""
    until: datetime | None = None
    other: str = ""
    """Id of the other one of two similar submissions."""
    by: str = ""
    """The student, for a request; empty for the person at the desk."""


@dataclass
class Desk:
    """A results folder, its course, and the judgements about it."""

    out: ResultsFolder
    course: Course
    file: JudgementFile
    updates: Updates
    holds: Holds
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    graders: Sequence[str] = ()
    """The names of the people who may judge; empty if anybody may."""
    mailer: Mailer = field(default_factory=lambda: Mailer(MailSetup()))
    """Previews and sends mails."""
    log: JudgementLog = field(init=False)
    roll: Roll = field(init=False)
    pairs: Pairs = field(init=False)

    def __post_init__(self) -> None:
        """Open the judgements and the grades."""
        self.log = JudgementLog(self.file, self.course.stamp.id)
        self.roll = Roll(self.out)
        self.pairs = Pairs.of(self.out, self.course.loaded)
        self._lock = Lock()
        self._last = datetime.min.replace(tzinfo=UTC)
        self._shared: tuple[Judgement, ...] = ()
        self._grades: dict[str, tuple[Grade, tuple[Judgement, ...], Grade]] = {}

    # --- reading

    def grades(self) -> Mapping[str, Grade]:
        """Return the grades of the class with all judgements so far, in the order of ids.

        They have no models, notes and attempts, and the texts of the stored grades.

        Raises:
            UsageError: The file of judgements has wrong lines.
        """
        judgements = self.log.read()
        course = replace(self.course, judgements=judgements)
        # Extensions and excuses can concern the other members of a group, too.
        shared = tuple(one for some in judgements.values() for one in some if one.kind in _SHARED)
        known = self._grades if shared == self._shared else {}
        grades = {
            name: self._judged(known.get(name), grade, judgements.get(name, ()), course)
            for name, grade in self.roll.grades().items()
        }
        self._grades, self._shared = grades, shared
        return {name: judged for name, (_, _, judged) in grades.items()}

    def absent(self) -> tuple[ListEntry, ...]:
        """Return the students of the roster without a submission, in the order of the roster; none without a roster."""
        course = replace(self.course, judgements=self.log.read())
        rows = [row_of(grade, course.ranked_by) for grade in self.grades().values()]
        return tuple(entry for entry in list_class(rows, course).entries if entry.row is None)

    def judged(self, stored: Grade) -> Grade:
        """Add all judgements so far to a grade as it is stored.

        Args:
            stored: The grade, perhaps with earlier judgements.
        """
        return with_people(computed(stored), replace(self.course, judgements=self.log.read()))

    @staticmethod
    def _judged(
        known: tuple[Grade, tuple[Judgement, ...], Grade] | None,
        grade: Grade,
        judgements: tuple[Judgement, ...],
        course: Course,
    ) -> tuple[Grade, tuple[Judgement, ...], Grade]:
        if known is not None and known[0] is grade and known[1] is judgements:
            return known
        return grade, judgements, with_people(computed(grade), course)

    def grade(self, submission: str) -> Grade:
        """Return a submission's grade with all judgements so far; see `grades`.

        Raises:
            UsageError: The class has no such submission.
        """
        return _known(self.grades(), submission)

    def judgements(self, submission: str) -> tuple[Judgement, ...]:
        """Return the judgements about a submission, in the order of the file."""
        return self.log.read().get(submission, ())

    @property
    def criteria(self) -> Mapping[str, Criterion]:
        """The criteria of the rubric by id."""
        return {criterion.id: criterion for criterion in self.course.loaded.rubric.criteria}

    def outdated(self) -> tuple[str, ...]:
        """List the submissions whose stored grade lacks a judgement that counts."""
        stored = self.roll.grades()
        return tuple(name for name, grade in self.grades().items() if _decisions(grade) != _decisions(stored[name]))

    # --- recording

    def record(self, visitor: Visitor, drafts: Iterable[Draft]) -> tuple[Judgement, ...]:
        """Check what a person decided, and append it to the file; it is on the disk when this returns.

        Args:
            visitor: The person.
            drafts: The decisions, which `undo` takes back together.

        Raises:
            UsageError: A decision is not possible; none is recorded.
            StorageError: The file cannot be written; none is recorded.
        """
        if not visitor.name:
            msg = "enter your name first"
            raise UsageError(msg)
        drafts = tuple(drafts)
        with self._lock:
            grades, moment = self.grades(), self._moment(draft.submission for draft in drafts)
            recorded = tuple(self._checked(draft, grades, visitor.name, moment) for draft in drafts)
            self.file.append(recorded)
        if recorded:
            visitor.done.append(recorded)
            self.updates.note(one.submission for one in recorded)
        return recorded

    def undo(self, visitor: Visitor) -> tuple[Judgement, ...]:
        """Take back what a person recorded last: the earlier judgement counts again, or none.

        Returns:
            The judgements that were taken back; empty if there is nothing to undo.

        Raises:
            UsageError: Somebody has judged it again since.
        """
        if not visitor.done:
            return ()
        batch = visitor.done[-1]
        with self._lock:
            log, moment = self.log.read(), self._moment(one.submission for one in batch)
            self.file.append([_reverse(one, log.get(one.submission, ()), visitor.name, moment) for one in batch])
        visitor.done.pop()
        self.updates.note(one.submission for one in batch)
        return batch

    def _moment(self, submissions: Iterable[str]) -> datetime:
        """Return the time, but later than all judgements of this desk and about these submissions."""
        log = self.log.read()
        earlier = (one for name in set(submissions) for one in log.get(name, ()))
        self._last = after(max(self.clock(), self._last + _STEP), earlier)
        return self._last

    def _checked(self, draft: Draft, grades: Mapping[str, Grade], name: str, moment: datetime) -> Judgement:
        grade = _known(grades, draft.submission)
        line = next((line for line in grade.criteria if line.id == draft.criterion), None)
        if draft.criterion != WHOLE and line is None:
            msg = f"the rubric has no criterion {draft.criterion!r}"
            raise UsageError(msg)
        if draft.points is not None:
            _check_points(draft.points, line, grade)
        try:
            return Judgement(
                at=moment,
                by=draft.by or name,
                submission=draft.submission,
                notebook=grade.submission.sha256 if draft.kind in _OF_THE_NOTEBOOK else "",
                rubric=self.course.stamp.id,
                criterion=draft.criterion,
                kind=draft.kind,
                points=draft.points,
                of=None if line is None or draft.points is None else line.max_points,
                comment=draft.comment,
                why=draft.why,
                until=draft.until,
                other=draft.other,
            )
        except ValidationError as error:
            msg = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise UsageError(msg, where=draft.submission) from error


def _known(grades: Mapping[str, Grade], submission: str) -> Grade:
    if submission not in grades:
        msg = f"the class has no submission {submission!r}{did_you_mean(submission, grades)}"
        raise UsageError(msg)
    return grades[submission]


def _check_points(points: float, line: CriterionGrade | None, grade: Grade) -> None:
    if grade.status != "graded":
        msg = "it was not graded, so that nobody can give points for it"
        raise UsageError(msg, where=grade.submission.id)
    if line is not None and not (math.isfinite(points) and 0 <= points <= line.max_points):
        msg = f"{points:g} is not between 0 and {line.max_points:g} points"
        raise UsageError(msg, where=line.id)


def _reverse(one: Judgement, log: Sequence[Judgement], name: str, moment: datetime) -> Judgement:
    """Return the judgement that takes another one back."""
    of_key = [other for other in log if other.key == one.key]
    if one not in of_key or of_key[-1].model_copy(update={"at": one.at}) != one:
        msg = "somebody judged this again since; change it there"
        raise UsageError(msg, where=one.submission)
    before = latest(of_key[: of_key.index(one)]).get(one.key)
    if before is not None and one.kind != "request":
        return before.model_copy(update={"at": moment})
    kept = {"version", "submission", "notebook", "rubric", "criterion", "kind", "other"}
    by = one.by if one.kind == "request" else name
    return Judgement.model_validate({**one.model_dump(include=kept), "at": moment, "by": by})


def _decisions(grade: Grade) -> object:
    """Return the parts of a grade that follow from judgements."""
    lines = [(line.id, line.judged, line.comments) for line in grade.criteria]
    return (lines, grade.comments, grade.flags, grade.requests, grade.review, grade.excused)
