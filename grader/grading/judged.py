"""Add the judgements of people to a grade. Pure: the same judgements give the same grade."""

from collections.abc import Iterable, Mapping, Sequence

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
)
from grader.schema.message import say, sentences

__all__ = ["concerns", "latest", "with_judgements"]

_Key = tuple[str, JudgementKind]
"""Criterion and kind."""


def concerns(judgement: Judgement, submission: str, rubric: str) -> bool:
    """Return whether a judgement is about a submission under a rubric."""
    return judgement.submission == submission and judgement.rubric in {"", rubric}


def latest(judgements: Iterable[Judgement]) -> Mapping[_Key, Judgement]:
    """Find the judgement that counts for each criterion and kind of one submission.

    The latest time counts, and for equal times the later line. Withdrawn judgements are left out.

    Args:
        judgements: Judgements of one submission, in the order of the file.
    """
    counting: dict[_Key, Judgement] = {}
    for one in judgements:
        key = (one.criterion, one.kind)
        if key not in counting or one.at >= counting[key].at:
            counting[key] = one
    return {key: one for key, one in counting.items() if not one.withdraws}


def with_judgements(grade: Grade, judgements: Sequence[Judgement]) -> Grade:
    """Add judgements to a grade.

    Points count only for the notebook that was judged: after another submission the criterion is as computed, and the
    judgement is listed in `review`. If the criterion's most points changed, the same fraction of them counts, and the
    judgement is listed, too. An override replaces points. A grade with status `not_graded` gets no points from people.

    Args:
        grade: The grade as computed from evidence, without judgements.
        judgements: Judgements of this submission and rubric, in the order of the file.
    """
    counting = latest(judgements)
    if not counting:
        return grade
    graded = grade.status == "graded"
    criteria = tuple(_line(line, counting, grade.submission.sha256, graded=graded) for line in grade.criteria)
    excuse = counting.get((WHOLE, "excuse"))
    return grade.model_copy(
        update={
            "criteria": criteria,
            "score": total_of(line.points for line in criteria) if graded else None,
            "pending": total_of(line.max_points for line in criteria if line.status == "pending") if graded else 0.0,
            "comments": _comments(counting, WHOLE),
            "flags": _flags(counting.values()),
            "requests": _requests(judgements),
            "review": tuple(_reviews(grade, counting)),
            "excused": None if excuse is None else excuse.why or excuse.comment,
        }
    )


def _line(line: CriterionGrade, counting: Mapping[_Key, Judgement], notebook: str, *, graded: bool) -> CriterionGrade:
    comments = _comments(counting, line.id)
    if comments:
        line = line.model_copy(update={"comments": comments})
    if not graded:
        return line
    decisions = (counting.get((line.id, kind)) for kind in ("override", "points"))
    decision = next((one for one in decisions if one is not None and _current(one, notebook)), None)
    return line if decision is None else _decided(line, decision)


def _current(judgement: Judgement, notebook: str) -> bool:
    """Return whether a judgement is about the notebook that is graded."""
    return judgement.notebook in {"", notebook}


def _decided(line: CriterionGrade, decision: Judgement) -> CriterionGrade:
    points = points_now(decision, line.max_points)
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
            "student": StudentView(says=says, measured=(line.student or line).measured),
            "cause": None,
            "judged": JudgedGrade(
                by=decision.by,
                at=decision.at,
                kind="override" if decision.kind == "override" else "points",
                why=decision.why,
                computed_points=None if pending else line.points,
                computed_status=line.status,
            ),
        }
    )


def points_now(decision: Judgement, most: float) -> float:
    """Convert the points of a judgement to a criterion's present number of points.

    Args:
        decision: A judgement with points.
        most: The most points of the criterion now.
    """
    points = decision.points or 0.0
    if decision.of and decision.of != most:
        return fraction_of(most, points / decision.of)
    return total_of((points,))


def _status(points: float, most: float) -> CriterionStatus:
    if points >= most:
        return "passed"
    return "partial" if points > 0 else "failed"


def _comments(counting: Mapping[_Key, Judgement], criterion: str) -> tuple[CommentGrade, ...]:
    one = counting.get((criterion, "comment"))
    if one is None or not one.comment.strip():
        return ()
    return (CommentGrade(by=one.by, at=one.at, text=one.comment),)


def _flags(counting: Iterable[Judgement]) -> tuple[FlagGrade, ...]:
    flags = (one for one in counting if one.kind == "flag")
    return tuple(FlagGrade(criterion=one.criterion, by=one.by, at=one.at, why=one.why or one.comment) for one in flags)


def _requests(judgements: Sequence[Judgement]) -> tuple[RequestGrade, ...]:
    """List all requests, the oldest first; an answer belongs to the last request before it for the same criterion."""
    requests: list[RequestGrade] = []
    for one in sorted(judgements, key=lambda judgement: judgement.at):
        if one.kind == "request" and not one.withdraws:
            requests.append(RequestGrade(criterion=one.criterion, by=one.by, at=one.at, why=one.why))
        if one.kind == "answer":
            _answer(requests, one)
    return tuple(requests)


def _answer(requests: list[RequestGrade], answer: Judgement) -> None:
    for index in reversed(range(len(requests))):
        if requests[index].criterion == answer.criterion:
            text = None if answer.withdraws else answer.comment or answer.why
            update = {
                "answer": text,
                "answered_by": "" if text is None else answer.by,
                "answered_at": None if text is None else answer.at,
            }
            requests[index] = requests[index].model_copy(update=update)
            return


def _reviews(grade: Grade, counting: Mapping[_Key, Judgement]) -> Iterable[ReviewGrade]:
    """Find judgements that need another look."""
    most = {line.id: line.max_points for line in grade.criteria}
    for one in counting.values():
        if one.criterion != WHOLE and one.criterion not in most:
            yield _review(one, "criterion")
        elif one.kind in {"points", "override"}:
            if not _current(one, grade.submission.sha256):
                yield _review(one, "notebook")
            elif one.of and one.of != most[one.criterion]:
                yield _review(one, "points")


def _review(one: Judgement, reason: str) -> ReviewGrade:
    return ReviewGrade.model_validate(
        {
            "criterion": one.criterion,
            "kind": one.kind,
            "reason": reason,
            "by": one.by,
            "at": one.at,
            "points": one.points,
            "of": one.of,
            "comment": one.comment,
        }
    )
