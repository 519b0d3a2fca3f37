"""View 1, "What needs you": everything in the class that waits for a person."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from grader.desk.state import Desk
from grader.desk.view import View, desk_of, show, submission_url
from grader.schema.grade import Grade
from grader.schema.judgement import WHOLE

__all__ = ["KINDS", "PROVIDERS", "VIEW", "Need", "Provider", "needs_of", "noun_of"]


@dataclass(frozen=True, slots=True)
class Need:
    """One item that waits for a person."""

    kind: str
    """Key of `KINDS`."""
    title: str
    href: str
    detail: str = ""
    number: int = 1
    """Number of answers that it stands for."""


Provider = Callable[[Desk, Mapping[str, Grade]], Iterable[Need]]
"""Finds items of one kind in a class."""

KINDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "request": ("Requests of students", "open request", "open requests"),
    "review": ("Judgements that need another look", "judgement to review", "judgements to review"),
    "answer": ("Answers to read", "answer to read", "answers to read"),
    "ungraded": ("Not graded", "not graded", "not graded"),
    "flag": ("Flagged", "flag", "flags"),
    "borderline": ("Borderline", "borderline", "borderline"),
    "similar": ("Who worked together", "similar pair", "similar pairs"),
}
"""Kinds of items in the order in which they are opened: heading, and nouns for one and for several."""
_REASONS: Final[Mapping[str, str]] = {
    "notebook": "another notebook was handed in after it was judged",
    "points": "the criterion has another number of points now",
    "criterion": "the rubric has no such criterion any more",
    "computed": "it waited for a person, and the grader computes it now",
}


def noun_of(kind: str, number: int) -> str:
    """Return the noun for a number of items of a kind."""
    return KINDS[kind][1 if number == 1 else 2]


def needs_of(desk: Desk) -> tuple[Need, ...]:
    """List everything that waits for a person, in the order in which it is opened.

    Raises:
        UsageError: The file of judgements has wrong lines.
    """
    grades = desk.grades()
    items = [item for provider in PROVIDERS for item in provider(desk, grades)]
    order = list(KINDS)
    return tuple(sorted(items, key=lambda item: order.index(item.kind)))


def _answers(desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
    """Find the criteria with answers that nobody has read."""
    for criterion in desk.criteria.values():
        waiting = sum(
            line.id == criterion.id and line.status == "pending" for grade in grades.values() for line in grade.criteria
        )
        if waiting:
            title = criterion.title or criterion.id
            yield Need("answer", title, f"/question/{criterion.id}", f"{waiting} of {len(grades)}", waiting)


def _borderline(_desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
    for name, grade in grades.items():
        for line in grade.criteria:
            if line.borderline and line.judged is None:
                href = f"{submission_url(name)}?{urlencode({'criterion': line.id})}#borderline"
                yield Need("borderline", grade.submission.student, href, f"{line.title}: {line.message}")


def _ungraded(_desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
    for name, grade in grades.items():
        if grade.status == "not_graded" and grade.excused is None:
            yield Need("ungraded", grade.submission.student, submission_url(name), grade.reason or "")


def _requests(_desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
    for name, grade in grades.items():
        for request in grade.requests:
            if request.answer is None:
                detail = f"{_title(grade, request.criterion)}: {request.why}"
                yield Need("request", grade.submission.student, f"{submission_url(name)}#requests", detail)


def _reviews(_desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
    for name, grade in grades.items():
        for review in grade.review:
            detail = f"{_title(grade, review.criterion)}: {_REASONS[review.reason]}"
            yield Need("review", grade.submission.student, f"{submission_url(name)}#history", detail)


def _flags(_desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
    for name, grade in grades.items():
        for flag in grade.flags:
            detail = f"{_title(grade, flag.criterion)}: {flag.why} ({flag.by})"
            yield Need("flag", grade.submission.student, submission_url(name), detail)


def _title(grade: Grade, criterion: str) -> str:
    if criterion == WHOLE:
        return "the whole submission"
    return next((line.title or line.id for line in grade.criteria if line.id == criterion), criterion)


PROVIDERS: Final[list[Provider]] = [_requests, _reviews, _answers, _ungraded, _flags, _borderline]
"""Functions that find the items of each kind; other views add their own."""


def _page(request: Request) -> Response:
    desk = desk_of(request)
    items = needs_of(desk)
    groups = []
    for kind, (heading, _, _) in KINDS.items():
        some = [item for item in items if item.kind == kind]
        number = sum(item.number for item in some)
        if some:
            groups.append((kind, heading, number, noun_of(kind, number), some))
    return show(
        request,
        "needs.html.j2",
        "needs",
        groups=groups,
        total=len(items),
        size=len(desk.grades()),
    )


def _routes(_desk: Desk) -> Sequence[Route]:
    return [Route("/", _page, methods=["GET"])]


VIEW: Final = View("needs", "What needs you", "/", "n", _routes)
