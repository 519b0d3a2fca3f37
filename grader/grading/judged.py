"""Add the judgements of people to a grade. Pure: the same judgements give the same grade."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from grader.facts.language import english
from grader.facts.points import fraction_of, total_of
from grader.schema.base import Assurance
from grader.schema.grade import CriterionGrade, CriterionStatus, Grade, StudentView
from grader.schema.judgement import (
    WHOLE,
    CommentGrade,
    FlagGrade,
    JudgedGrade,
    Judgement,
    JudgementKind,
    RequestGrade,
    ReviewGrade,
    ReviewReason,
)
from grader.schema.message import Message, as_message, say, sentences

__all__ = ["concerns", "latest", "with_judgements"]

_DECIDE: Final[tuple[JudgementKind, ...]] = ("override", "points")
"""Kinds that give points."""
_ABOUT_THE_NOTEBOOK: Final = frozenset({*_DECIDE, "comment"})
"""Kinds that are about what was handed in."""
_Key = tuple[str, JudgementKind]
"""`Judgement.key`: criterion and kind."""


def concerns(judgement: Judgement, submission: str, rubric: str) -> bool:
    """Return whether a judgement is about a submission under a rubric."""
    return judgement.submission == submission and judgement.rubric in {"", rubric}


def latest(judgements: Iterable[Judgement]) -> Mapping[_Key, Judgement]:
    """Find the judgement that counts for each criterion and kind of one submission, and for each similar one.

    The latest time counts, and for equal times the later line. Withdrawn judgements are left out.

    Args:
        judgements: Judgements of one submission, in the order of the file.
    """
    counting: dict[_Key, Judgement] = {}
    for one in judgements:
        if one.key not in counting or one.at >= counting[one.key].at:
            counting[one.key] = one
    return {key: one for key, one in counting.items() if not one.withdraws}


def with_judgements(grade: Grade, judgements: Sequence[Judgement]) -> Grade:
    """Add judgements to a grade.

    Points and comments count only for the notebook that they were given for: after another submission the criterion
    is as computed, and the judgement is listed in `review`. If the criterion's most points changed, the same fraction
    of them counts, and the judgement is listed, too; of a criterion that was without points, nothing counts. Of points
    and an override, the later one counts. A grade with status `not_graded` gets no points from people.

    Args:
        grade: The grade as computed from evidence, without judgements.
        judgements: Judgements of this submission and rubric, in the order of the file.
    """
    counting, requests = latest(judgements), _requests(judgements)
    if not counting and not requests:
        return grade
    notebook = grade.submission.sha256
    graded = grade.status == "graded"
    criteria = tuple(_line(line, counting, notebook, graded=graded) for line in grade.criteria)
    excuse = counting.get((WHOLE, "excuse"))
    return grade.model_copy(
        update={
            "criteria": criteria,
            "score": total_of(line.points for line in criteria) if graded else None,
            "pending": total_of(line.max_points for line in criteria if line.status == "pending") if graded else 0.0,
            "comments": _comments(counting, WHOLE, notebook),
            "flags": _flags(counting.values()),
            "requests": requests,
            "review": tuple(_reviews(grade, counting)),
            "excused": None if excuse is None else excuse.why or excuse.comment,
        }
    )


def _line(line: CriterionGrade, counting: Mapping[_Key, Judgement], notebook: str, *, graded: bool) -> CriterionGrade:
    comments = _comments(counting, line.id, notebook)
    if comments:
        line = line.model_copy(update={"comments": comments})
    if not graded:
        return line
    decisions = [one for kind in _DECIDE if (one := counting.get((line.id, kind))) is not None]
    current = [one for one in decisions if _current(one, notebook)]
    decision = max(current, key=lambda one: one.at, default=None)
    points = None if decision is None else points_now(decision, line.max_points)
    return line if decision is None or points is None else _decided(line, decision, points)


def _current(judgement: Judgement, notebook: str) -> bool:
    """Return whether a judgement is about the notebook that is graded."""
    return judgement.notebook in {"", notebook}


def _decided(line: CriterionGrade, decision: Judgement, points: float) -> CriterionGrade:
    says = say(
        "{name:raw} judged this: {points:points} of {most:points}.",
        name=decision.by,
        points=points,
        most=line.max_points,
    )
    says = sentences(says, decision.comment.strip())
    pending = line.status == "pending"
    return line.model_copy(
        update={
            "points": points,
            "status": _status(points, line.max_points),
            "message": english(says),
            "says": says,
            "advice": "",
            "advice_says": None,
            "assurance": Assurance.JUDGED,
            "borderline": False,
            "student": StudentView(says=_for_student(says, line), measured=(line.student or line).measured),
            "cause": None,
            "judged": JudgedGrade(
                by=decision.by,
                at=decision.at,
                kind="override" if decision.kind == "override" else "points",
                why=decision.why,
                computed_points=None if pending else line.points,
                computed_status=line.status,
                computed_says=line.says or as_message(line.message),
                computed_advice_says=line.advice_says or (as_message(line.advice) if line.advice else None),
            ),
        }
    )


def _for_student(says: Message, line: CriterionGrade) -> Message:
    """Add the grader's own finding, as the student's edition words it, so that the reasons stay in the report."""
    if line.status == "pending":
        return says
    found = line.says or as_message(line.message)
    return sentences(says, found if line.student is None else line.student.says)


def points_now(decision: Judgement, most: float) -> float | None:
    """Convert the points of a judgement to a criterion's present number of points.

    Args:
        decision: A judgement with points.
        most: The most points of the criterion now.

    Returns:
        None if the criterion had no points when it was judged and has some now: 0 of 0 is no fraction.
    """
    points = decision.points or 0.0
    if decision.of == 0 and most > 0:
        return None
    if decision.of and decision.of != most:
        return fraction_of(most, points / decision.of)
    return total_of((points,))


def _status(points: float, most: float) -> CriterionStatus:
    if points >= most:
        return "passed"
    return "partial" if points > 0 else "failed"


def _comments(counting: Mapping[_Key, Judgement], criterion: str, notebook: str) -> tuple[CommentGrade, ...]:
    one = counting.get((criterion, "comment"))
    if one is None or not one.comment.strip() or not _current(one, notebook):
        return ()
    return (CommentGrade(by=one.by, at=one.at, text=one.comment),)


def _flags(counting: Iterable[Judgement]) -> tuple[FlagGrade, ...]:
    flags = (one for one in counting if one.kind == "flag")
    return tuple(FlagGrade(criterion=one.criterion, by=one.by, at=one.at, why=one.why or one.comment) for one in flags)


def _requests(judgements: Sequence[Judgement]) -> tuple[RequestGrade, ...]:
    """List all requests, the oldest first; an answer belongs to the last request before it for the same criterion."""
    requests: list[RequestGrade] = []
    for one in sorted(judgements, key=lambda judgement: judgement.at):
        last = next((n for n in reversed(range(len(requests))) if requests[n].criterion == one.criterion), None)
        if one.kind == "request" and not one.withdraws:
            requests.append(RequestGrade(criterion=one.criterion, by=one.by, at=one.at, why=one.why))
        elif one.kind == "request" and last is not None:
            del requests[last]
        elif one.kind == "answer" and last is not None:
            requests[last] = _answered(requests[last], one)
    return tuple(requests)


def _answered(request: RequestGrade, answer: Judgement) -> RequestGrade:
    """Add an answer, or remove it if the answer was withdrawn."""
    if answer.withdraws:
        return request.model_copy(update={"answer": None, "answered_by": "", "answered_at": None})
    update = {"answer": answer.comment or answer.why, "answered_by": answer.by, "answered_at": answer.at}
    return request.model_copy(update=update)


def _reviews(grade: Grade, counting: Mapping[_Key, Judgement]) -> Iterable[ReviewGrade]:
    """Find judgements that need another look."""
    lines = {line.id: line for line in grade.criteria}
    for one in counting.values():
        reason = _reason(one, lines.get(one.criterion), grade)
        if reason is not None:
            yield ReviewGrade(
                criterion=one.criterion,
                kind=one.kind,
                reason=reason,
                by=one.by,
                at=one.at,
                points=one.points,
                of=one.of,
                comment=one.comment,
            )


def _reason(one: Judgement, line: CriterionGrade | None, grade: Grade) -> ReviewReason | None:
    """Find what changed since a judgement was made; None if nothing did."""
    if line is None and one.criterion != WHOLE:
        # A grade without criteria does not show whether the rubric still has the criterion.
        return "criterion" if grade.criteria else None
    if one.kind in _ABOUT_THE_NOTEBOOK and not _current(one, grade.submission.sha256):
        return "notebook"
    if line is None or one.kind not in _DECIDE:
        return None
    if one.of is not None and one.of != line.max_points:
        return "points"
    return "computed" if one.kind == "points" and line.status != "pending" and grade.status == "graded" else None
