"""Decide what a message to a student says: the score, the cause, the next steps, and what changed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from grader.facts.next_steps import NextStep, next_steps
from grader.schema.grade import CriterionGrade, ErrorGrade, Grade
from grader.schema.mail import CriterionSent, GradeSent
from grader.schema.message import Message, MessageLike, literal, say, say_count

__all__ = [
    "MOST_STEPS",
    "Cause",
    "Change",
    "Curves",
    "Letter",
    "Place",
    "Step",
    "digest_of_grade",
    "grade_sent",
    "letter",
]

MOST_STEPS = 5
_MOST_STRENGTHS = 4
_MOST_CHANGES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the notebook."""

    cell: int
    """Index of the cell, from 0."""
    line: int | None = None
    """Line of the cell, from 1."""
    code: str = ""
    """The line itself, if it is known."""

    @property
    def says(self) -> Message:
        """The place in words."""
        if self.line is None:
            return say("{cell:cell}", cell=self.cell)
        return say("{cell:cell}, line {line:number}", cell=self.cell, line=self.line)


@dataclass(frozen=True, slots=True)
class Cause:
    """The first error of the notebook, which later errors and missing points often follow from."""

    place: Place
    name: str
    """Class of the exception."""
    text: str
    advice: MessageLike


@dataclass(frozen=True, slots=True)
class Step:
    """What can still bring points: a criterion, or the cause of several missed criteria."""

    title: str
    """Title of the criterion; empty if the step is a cause."""
    points: float
    """Points that are missing."""
    says: MessageLike
    advice: MessageLike
    place: Place | None
    cause: MessageLike = ""
    """The cause; `says` then names the criteria that depend on it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A criterion whose points or status changed since the last message."""

    title: str
    before: CriterionSent | None
    """None for a new criterion."""
    after: CriterionSent | None
    """None for a criterion that was removed."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Learning curves of the graded model."""

    values: Mapping[str, Sequence[float | None]]
    """By name: `accuracy`, `val_accuracy`, `loss` and `val_loss`; one value per epoch."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The contents of one message, without a language and without a form."""

    title: str
    """Title of the assignment."""
    name: str
    """Name of the student; empty if unknown."""
    scores: bool
    """Whether the message contains points."""
    score: float
    decided: float
    """Points that were decided so far: the maximum without what a person still has to judge."""
    open_points: float
    open_criteria: tuple[str, ...]
    """Titles of the criteria that a person still has to judge."""
    reason: MessageLike
    """Why the notebook could not be executed; empty if it was."""
    cause: Cause | None
    steps: tuple[Step, ...]
    more_steps: int
    """Number of further criteria with missing points."""
    strengths: tuple[str, ...]
    """Titles of the criteria with the most points that have full marks."""
    full_marks: int
    """Number of criteria with full marks."""
    before: GradeSent | None
    """The grade in the last message; None for the first one."""
    changes: tuple[Change, ...]
    more_changes: int
    object_until: date | None
    report: str
    """Address of the report; empty if it has none."""
    attached: bool
    """Whether the report is attached."""
    curves: Curves | None

    @property
    def score_says(self) -> Message:
        """The score in words."""
        if self.open_points:
            return say("{score:points} of {decided:points} points so far", score=self.score, decided=self.decided)
        return say("{score:points} of {decided:points} points", score=self.score, decided=self.decided)

    @property
    def open_says(self) -> Message:
        """The answers that a person still has to judge, in words."""
        if not self.open_criteria:
            return Message(id="")
        if not self.scores:
            return say_count(
                "A person still reads one answer.",
                "A person still reads {count:number} answers.",
                len(self.open_criteria),
            )
        return say_count(
            "A person still reads one answer, for up to {points:points} points.",
            "A person still reads {count:number} answers, for up to {points:points} points.",
            len(self.open_criteria),
            points=self.open_points,
        )


def digest_of_grade(grade: Grade) -> str:
    """Compute a digest of everything in a grade that is worth another message: points and verdicts, not words.

    Args:
        grade: The student's edition of a grade.
    """
    content = [grade.rubric.id, grade.status, grade_sent(grade).model_dump(mode="json")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def grade_sent(grade: Grade) -> GradeSent:
    """Summarize a grade for the ledger.

    Args:
        grade: The student's edition of a grade.
    """
    return GradeSent(
        score=grade.score,
        max_score=grade.max_score,
        pending=grade.pending,
        criteria={one.id: _sent(one) for one in grade.criteria},
    )


def _sent(criterion: CriterionGrade) -> CriterionSent:
    return CriterionSent(points=criterion.points, max_points=criterion.max_points, status=criterion.status)


def letter(  # noqa: PLR0913 - each is a part of the message
    grade: Grade,
    *,
    name: str,
    before: GradeSent | None = None,
    sources: Mapping[int, str] | None = None,
    curves: Curves | None = None,
    scores: bool = True,
    object_until: date | None = None,
    report: str = "",
    attached: bool = False,
) -> Letter:
    """Choose the contents of a message.

    Args:
        grade: The student's edition of a grade; nothing else of the grade gets into the message.
        name: Name of the student.
        before: The grade in the last message to the student.
        sources: Code of the notebook's cells by index, for the line of an error.
        curves: Learning curves of the graded model.
        scores: Whether the message contains points.
        object_until: Last day for objections.
        report: Address of the report.
        attached: Whether the report is attached.
    """
    counted = [one for one in grade.criteria if not one.bonus]
    pending = [one for one in grade.criteria if one.status == "pending"]
    open_points = sum(one.max_points for one in counted if one.status == "pending")
    root = _root_error(grade)
    steps = next_steps(grade)
    full = [one for one in grade.criteria if one.status == "passed" and one.max_points > 0]
    strengths = sorted(full, key=lambda one: -one.max_points)[:_MOST_STRENGTHS]
    changes = _changes(grade, before) if before is not None else []
    return Letter(
        title=grade.rubric.title or grade.rubric.id,
        name=name,
        scores=scores,
        score=grade.score or 0.0,
        decided=grade.max_score - open_points,
        open_points=open_points,
        open_criteria=tuple(one.title or one.id for one in pending),
        reason=(grade.reason_says or grade.reason or "") if grade.execution is None else "",
        cause=_cause(root, sources or {}) if root is not None else None,
        steps=tuple(_step(one, grade, sources or {}) for one in steps[:MOST_STEPS]),
        more_steps=sum(len(step.criteria) for step in steps[MOST_STEPS:]),
        strengths=tuple(one.title or one.id for one in strengths),
        full_marks=len(full),
        before=before,
        changes=tuple(changes[:_MOST_CHANGES]),
        more_changes=max(0, len(changes) - _MOST_CHANGES),
        object_until=object_until,
        report=report,
        attached=attached,
        curves=curves,
    )


def _root_error(grade: Grade) -> ErrorGrade | None:
    errors = grade.execution.errors if grade.execution is not None else ()
    return next((error for error in errors if error.follows is None and error.cell is not None), None)


def _cause(error: ErrorGrade, sources: Mapping[int, str]) -> Cause:
    return Cause(
        place=_place(error.cell or 0, error.line, sources),
        name=error.name,
        text=error.cause or error.message,
        advice=error.advice_says or error.advice,
    )


def _place(cell: int, line: int | None, sources: Mapping[int, str]) -> Place:
    lines = sources.get(cell, "").splitlines()
    code = lines[line - 1].strip() if line is not None and 0 < line <= len(lines) else ""
    return Place(cell, line, code)


def _step(step: NextStep, grade: Grade, sources: Mapping[int, str]) -> Step:
    if step.cause is None:
        return _of_criterion(step.criteria[0], grade, sources)
    cause = step.cause
    depending = say_count(
        "{count:number} criterion depends on this: {titles}.",
        "{count:number} criteria depend on this: {titles}.",
        len(step.criteria),
        titles=[literal(one.title or one.id) for one in step.criteria],
    )
    return Step(
        title="",
        points=step.points,
        says=depending,
        advice=cause.advice_says or cause.advice,
        place=None if cause.cell is None else _place(cause.cell, cause.line, sources),
        cause=cause.says,
    )


def _of_criterion(criterion: CriterionGrade, grade: Grade, sources: Mapping[int, str]) -> Step:
    cell = next((pointer.cell for pointer in criterion.evidence if pointer.cell is not None), None)
    errors = grade.execution.errors if grade.execution is not None else ()
    line = next((error.line for error in errors if cell is not None and error.cell == cell), None)
    return Step(
        title=criterion.title or criterion.id,
        points=criterion.max_points - criterion.points,
        says=criterion.says or criterion.message,
        advice=criterion.advice_says or criterion.advice,
        place=_place(cell, line, sources) if cell is not None else None,
    )


def _changes(grade: Grade, before: GradeSent) -> list[Change]:
    """List changed criteria, in the rubric's order; removed ones come last."""
    titles = {one.id: one.title or one.id for one in grade.criteria}
    now = {one.id: _sent(one) for one in grade.criteria}
    both = dict.fromkeys([*now, *before.criteria])
    return [
        Change(titles.get(name, name), before.criteria.get(name), now.get(name))
        for name in both
        if before.criteria.get(name) != now.get(name)
    ]
