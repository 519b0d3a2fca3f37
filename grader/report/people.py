"""The decisions of people in the form that the template shows: who judged and when, comments, requests, a deduction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grader.report.bars import VERDICTS
from grader.report.links import Target
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.judgement import WHOLE, CommentGrade, JudgedGrade, LateGrade, ReviewGrade, ReviewReason
from grader.schema.message import Message, MessageLike, say
from grader.schema.submission import SubmittedFrom

__all__ = ["Decision", "PeopleView", "Remark", "RequestView", "decision_of", "people_view", "remarks_of"]

_REASONS: Mapping[ReviewReason, Message] = {
    "notebook": say("Another notebook was handed in since, so that this has no effect."),
    "points": say("The points of the criterion changed since, so that the same fraction of them counts."),
    "criterion": say("The rubric has no such criterion any more, so that this has no effect."),
    "computed": say("The grader computes this criterion now; the person's points count."),
}
_CLAIMED = say("This is the time of the last commit, as the computer that made it wrote it.")


@dataclass(frozen=True, slots=True)
class Remark:
    """A text of a person, with the name and the day."""

    head: Message
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision on a criterion."""

    head: Message
    """Who decided, and when."""
    why: str
    """The reason of an override; empty in the student's edition."""
    computed: Message | None
    """The points and the verdict of the grader; None in the student's edition."""
    computed_says: Message | None
    """The grader's message."""


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request of the student, with its answer."""

    about: MessageLike
    """Title of the criterion; the submission if it is about no single criterion."""
    request: Remark
    answer: Remark | None


@dataclass(frozen=True, slots=True)
class PeopleView:
    """The decisions of people about the whole submission."""

    comments: tuple[Remark, ...]
    requests: tuple[RequestView, ...]
    late: tuple[Message, ...]
    """Sentences about the deduction for a late submission."""
    excused: Message | None
    flags: tuple[tuple[MessageLike, Remark], ...]
    """The flagged criterion, and the reason; none in the student's edition."""
    review: tuple[tuple[MessageLike, Message, Message], ...]
    """The criterion, who judged it and when, and why somebody has to look again; none in the student's edition."""


def people_view(grade: Grade) -> PeopleView:
    """Describe the decisions of people about a whole submission.

    Args:
        grade: The grade, in the edition for its readers.
    """
    titles: dict[str, MessageLike] = {line.id: line.title for line in grade.criteria}
    titles[WHOLE] = say("The whole submission")
    return PeopleView(
        comments=remarks_of(grade.comments),
        requests=tuple(
            RequestView(
                titles.get(one.criterion, one.criterion),
                Remark(say("{name:raw} asked on {day:date}:", name=one.by, day=one.at.isoformat()), one.why),
                _answer(one.answer, one.answered_by, "" if one.answered_at is None else one.answered_at.isoformat()),
            )
            for one in grade.requests
        ),
        late=() if grade.late is None else _late(grade.late, grade.submission.submitted_from),
        excused=_excused(grade.excused),
        flags=tuple(
            (
                titles.get(one.criterion, one.criterion),
                Remark(say("{name:raw} on {day:date}:", name=one.by, day=one.at.isoformat()), one.why),
            )
            for one in grade.flags
        ),
        review=tuple((titles.get(one.criterion, one.criterion), *_review(one)) for one in grade.review),
    )


def _answer(text: str | None, by: str, day: str) -> Remark | None:
    return None if text is None else Remark(say("{name:raw} answered on {day:date}:", name=by, day=day), text)


def _excused(reason: str | None) -> Message | None:
    if reason is None:
        return None
    if not reason:
        return say("Excused from this assignment.")
    return say("Excused from this assignment. Reason: {reason:raw}", reason=reason)


def _late(late: LateGrade, source: SubmittedFrom) -> tuple[Message, ...]:
    due, submitted = late.due.isoformat(), late.submitted.isoformat()
    handed_in = say("Handed in on {submitted:time}, due on {due:time}.", submitted=submitted, due=due)
    if late.extended:
        handed_in = say(
            "Handed in on {submitted:time}, due on {due:time} after an extension.",
            submitted=submitted,
            due=due,
        )
    times = (handed_in, _CLAIMED) if source == "commit" else (handed_in,)
    limited = () if late.rule is None else (_limited(late.rule),)
    if not late.points:
        return (*limited, *times)
    deduction = say(
        "Late submission: {points:points} points. The score without this deduction is {before:points}.",
        points=late.points,
        before=late.before,
    )
    return (deduction, *limited, *times)


def _limited(rule: float) -> Message:
    return say("The rule gives {points:points} points; the score cannot fall below 0.", points=-rule)


def _review(one: ReviewGrade) -> tuple[Message, Message]:
    day = one.at.isoformat()
    if one.points is None:
        return say("{name:raw} on {day:date}:", name=one.by, day=day), _REASONS[one.reason]
    head = say("{name:raw} gave {points:points} points on {day:date}:", name=one.by, points=one.points, day=day)
    return head, _REASONS[one.reason]


def remarks_of(comments: Sequence[CommentGrade]) -> tuple[Remark, ...]:
    """Describe comments of people for the student."""
    return tuple(
        Remark(say("{name:raw} on {day:date}:", name=one.by, day=one.at.isoformat()), one.text) for one in comments
    )


def decision_of(line: CriterionGrade, to: Target) -> Decision | None:
    """Describe the decision of a person on a criterion; None if there is none.

    Args:
        line: The criterion, in the edition for its readers.
        to: The page.
    """
    judged = line.judged
    if judged is None:
        return None
    return Decision(
        head=_head(judged, line),
        why=judged.why,
        computed=_computed(judged, line, to) if judged.computed_status else None,
        computed_says=judged.computed_says,
    )


def _head(judged: JudgedGrade, line: CriterionGrade) -> Message:
    day = judged.at.isoformat()
    if judged.confirms(line.points, line.status):
        return say("Confirmed by {name:raw} on {day:date}.", name=judged.by, day=day)
    if judged.kind == "override":
        return say("Changed by {name:raw} on {day:date}.", name=judged.by, day=day)
    return say("Judged by {name:raw} on {day:date}.", name=judged.by, day=day)


def _computed(judged: JudgedGrade, line: CriterionGrade, to: Target) -> Message:
    verdict = VERDICTS.get(judged.computed_status)
    words = judged.computed_status if verdict is None else to.language.text(verdict)
    if judged.computed_points is None:
        return say("The grader's own verdict: {verdict:raw}.", verdict=words)
    return say(
        "The grader's own verdict: {verdict:raw}, {points:points} of {most:points}.",
        verdict=words,
        points=judged.computed_points,
        most=line.max_points,
    )
