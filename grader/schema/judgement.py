"""Judgements: decisions of people about submissions, one JSON line each; and the parts of a grade made from them."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, PlainSerializer, StringConstraints, model_validator

from grader.schema.base import Document
from grader.schema.message import Message

__all__ = [
    "JUDGEMENT_KINDS",
    "JUDGEMENT_VERSION",
    "WHOLE",
    "CommentGrade",
    "FlagGrade",
    "JudgedGrade",
    "Judgement",
    "JudgementKind",
    "LateGrade",
    "RequestGrade",
    "ReviewGrade",
    "ReviewReason",
    "moment_text",
]

JUDGEMENT_VERSION = 1
"""1: first version."""

JudgementKind = Literal[
    "points", "override", "comment", "flag", "excuse", "extension", "request", "answer", "explained"
]
"""`explained`: the similarity to another submission has an honest reason."""
JUDGEMENT_KINDS: Final[tuple[JudgementKind, ...]] = (
    *("points", "override", "comment", "flag", "excuse", "extension", "request", "answer", "explained"),
)

WHOLE = "*"
"""The criterion of a judgement about the whole submission."""

ReviewReason = Literal["notebook", "points", "criterion", "computed"]
"""The change since a judgement."""

_ONE_CRITERION = frozenset({"points", "override"})
_WHOLE_SUBMISSION = frozenset({"excuse", "extension"})
_WITH_REASON = frozenset({"override", "request"})
_OF_A_PAIR = frozenset({"flag", "explained"})


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def moment_text(moment: datetime) -> str:
    """Write a point in time as documents store it, such as `2026-05-01T18:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(moment_text, return_type=str)]
"""A point in time, stored in UTC."""
_Name = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
_Text = Annotated[str, StringConstraints(max_length=20_000)]
_Points = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Judgement(Document):
    """A decision of a person: one line of `judgements.jsonl`.

    For each submission, criterion and kind, the latest judgement counts. A judgement without points, comment and
    reason withdraws the earlier one.
    """

    version: Literal[1] = 1
    at: Moment
    """When it was decided."""
    by: _Name
    """The person who decided; for a request, the student."""
    submission: _Name
    """Id of the submission."""
    notebook: str = ""
    """SHA-256 of the submission when it was judged; empty if it does not depend on what was handed in."""
    rubric: str = ""
    """Id of the rubric; empty for all rubrics."""
    criterion: str = WHOLE
    """Id of the criterion, or `*` for the whole submission."""
    kind: JudgementKind
    points: _Points | None = None
    """Points of the criterion."""
    of: _Points | None = None
    """The most points of the criterion when it was judged."""
    comment: _Text = ""
    """Text for the student."""
    why: _Text = ""
    """The reason. Instructors see it; of requests and answers, students see it, too."""
    until: Moment | None = None
    """The extended due date."""
    other: str = ""
    """Id of the other submission, if it is about two similar submissions."""

    @property
    def key(self) -> tuple[str, JudgementKind]:
        """Of the judgements about a submission with the same key, the latest counts."""
        return (f"{self.criterion} {self.other}" if self.other else self.criterion, self.kind)

    @property
    def withdraws(self) -> bool:
        """Whether it only takes back an earlier judgement."""
        return self.points is None and self.until is None and not self.comment.strip() and not self.why.strip()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind in _ONE_CRITERION and self.criterion == WHOLE:
            msg = f"a judgement of kind {self.kind!r} needs the id of one criterion"
            raise ValueError(msg)
        if self.kind in _WHOLE_SUBMISSION and self.criterion != WHOLE:
            msg = f"a judgement of kind {self.kind!r} concerns the whole submission: its criterion is '*'"
            raise ValueError(msg)
        if self.points is not None and self.kind not in _ONE_CRITERION:
            msg = f"a judgement of kind {self.kind!r} has no points"
            raise ValueError(msg)
        if self.kind in _ONE_CRITERION and self.points is None and not self.withdraws:
            msg = f"a judgement of kind {self.kind!r} needs points"
            raise ValueError(msg)
        if self.points is not None and self.of is not None and self.points > self.of:
            msg = f"{self.points:g} points are more than the {self.of:g} points of the criterion"
            raise ValueError(msg)
        if self.kind in _WITH_REASON and not self.why.strip() and not self.withdraws:
            msg = f"a judgement of kind {self.kind!r} needs a reason in 'why'"
            raise ValueError(msg)
        if self.other and (self.kind not in _OF_A_PAIR or self.criterion != WHOLE):
            msg = f"a judgement of kind {self.kind!r} about {self.criterion!r} has no 'other'"
            raise ValueError(msg)
        if self.kind == "explained" and not self.other:
            msg = "a judgement of kind 'explained' needs the id of the other submission in 'other'"
            raise ValueError(msg)
        if self.kind == "extension" and self.until is None and not self.withdraws:
            msg = "an extension needs the new due date in 'until'"
            raise ValueError(msg)
        return self


class JudgedGrade(Document):
    """Who judged a criterion, when, and the grader's own verdict."""

    by: str
    at: Moment
    kind: Literal["points", "override"]
    why: str = ""
    """The reason of an override. Instructors see it."""
    computed_points: float | None = None
    """Points that the grader computed; None if it had none, and in the student's edition if the person's differ."""
    computed_status: str = ""
    """Verdict of the grader, such as `pending`; empty in the student's edition."""
    computed_says: Message | None = None
    """The grader's message; None in the student's edition."""
    computed_advice_says: Message | None = None
    """The grader's advice; None without advice, and in the student's edition."""

    def confirms(self, points: float, status: str) -> bool:
        """Return whether the person's points and verdict are those of the grader.

        Args:
            points: Points of the criterion.
            status: Verdict of the criterion.
        """
        return self.computed_points == points and self.computed_status in {"", status}


class CommentGrade(Document):
    """A person's comment for the student."""

    by: str
    at: Moment
    text: str


class FlagGrade(Document):
    """A person's mark that somebody has to look at a submission. Students do not see it."""

    criterion: str
    by: str
    at: Moment
    why: str


class RequestGrade(Document):
    """A student's request to look at a criterion again, and the answer."""

    criterion: str
    """Id of the criterion, or `*` for the whole submission."""
    by: str
    at: Moment
    why: str
    """The student's reason."""
    answer: str | None = None
    """Text of the answer; None while it is open."""
    answered_by: str = ""
    answered_at: Moment | None = None


class ReviewGrade(Document):
    """A judgement that needs another look, because what it was about has changed."""

    criterion: str
    kind: JudgementKind
    reason: ReviewReason
    """`notebook`: another notebook was handed in, and the judgement has no effect. `points`: the criterion's most
    points changed, and the same fraction counts. `criterion`: the rubric has no such criterion any more. `computed`:
    points were given while the criterion waited for a person, and the grader computes them now; the person's points
    count."""
    by: str
    at: Moment
    points: float | None = None
    """The points of the judgement."""
    of: float | None = None
    """The most points of the criterion when it was judged."""
    comment: str = ""


class LateGrade(Document):
    """The deduction for a late submission."""

    due: Moment
    """The due date of this student, with an extension."""
    submitted: Moment
    days: float = Field(ge=0)
    """Days after the due date and the grace period that count."""
    points: float = Field(le=0)
    """The deduction, 0 or negative."""
    before: float
    """The score without the deduction."""
    rule: float | None = Field(default=None, le=0)
    """The deduction by the rules, negative, if it is more than the score; None if `points` is the whole deduction."""
    extended: bool = False
    """Whether the student has an extension."""
