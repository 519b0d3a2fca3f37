"""View 2, "Question by question": one criterion over the whole class, without names, by keys."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from grader.desk.answers import Answers, Group, answered_cells, names_in, questions
from grader.desk.guard import Form
from grader.desk.state import Desk, Draft
from grader.desk.view import View, desk_of, form_of, number_in, show, to, visitor_of
from grader.facts.nearest import did_you_mean
from grader.schema.errors import UsageError
from grader.schema.judgement import Judgement
from grader.schema.rubric import Criterion

__all__ = ["VIEW", "place_of"]

_MOST_BY_ONE_KEY: Final = 9
"""Largest number of points that a single digit gives; for more points, digits are typed."""
_MOST_COMMENTS: Final = 60
_FIRST: Final = "first"
"""Instead of a key: the first answer, even if it is judged."""
_FLAG: Final = "Another person should look at this."


def _routes(_desk: Desk) -> Sequence[Route]:
    return [
        Route("/question", _overview, methods=["GET"]),
        Route("/question/{criterion}", _question, methods=["GET"]),
        Route("/question/{criterion}/judge", _judge, methods=["POST"]),
        Route("/question/{criterion}/flag", _flag, methods=["POST"]),
        Route("/question/{criterion}/split", _split, methods=["POST"]),
    ]


VIEW: Final = View("question", "Question by question", "/question", "q", _routes)


def _answers(request: Request) -> Answers:
    """Return the answers of the class, which are kept between requests."""
    state, desk = request.app.state, desk_of(request)
    if getattr(state, "answers", None) is None or state.answers.desk is not desk:
        state.answers = Answers(desk)
    answers: Answers = state.answers
    return answers


def _criterion(request: Request) -> Criterion:
    name, desk = request.path_params["criterion"], desk_of(request)
    if name not in desk.criteria:
        msg = f"the rubric has no criterion {name!r}{did_you_mean(name, desk.criteria)}"
        raise HTTPException(404, msg)
    return desk.criteria[name]


# --- pages


@dataclass(frozen=True, slots=True)
class _Progress:
    criterion: Criterion
    judged: int
    total: int
    groups: int
    """Groups that still wait."""


def _progress(criterion: Criterion, groups: Sequence[Group]) -> _Progress:
    total = sum(len(group.members) for group in groups)
    waiting = sum(len(group.waiting) for group in groups)
    return _Progress(criterion, total - waiting, total, sum(bool(group.waiting) for group in groups))


def _overview(request: Request) -> Response:
    desk, answers = desk_of(request), _answers(request)
    rows = [_progress(criterion, answers.groups(criterion)) for criterion in questions(desk)]
    return show(request, "questions.html.j2", "question", rows=rows)


def _question(request: Request) -> Response:
    desk, visitor, criterion = desk_of(request), visitor_of(request), _criterion(request)
    groups = _answers(request).groups(criterion)
    query = request.query_params
    held = {key.rpartition("/")[2]: name for key, name in desk.holds.others(visitor.id, visitor.name).items()}
    at = _place(groups, query.get("at", ""), held)
    if at is None:
        return show(request, "question-done.html.j2", "question", progress=_progress(criterion, groups))
    group = groups[at]
    holder = desk.holds.take(_hold_key(criterion, group), visitor.id, visitor.name)
    open_names, everything = query.get("names") == "1", query.get("all") == "1"
    grades = desk.grades()
    hidden = None if open_names else names_in(grades[group.members[0]].submission)
    cells = answered_cells(desk, group.members[0], None if everything else group.answer.cells, hidden)
    skip = _next_waiting(groups, group.key, held)
    flags = [flag for flag in grades[group.members[0]].flags if flag.criterion == criterion.id]
    return show(
        request,
        "question.html.j2",
        "question",
        criterion=criterion,
        group=group,
        line=group.line,
        cells=cells,
        progress=_progress(criterion, groups),
        number=at + 1,
        count=len(groups),
        open_names=open_names,
        everything=everything,
        members=[grades[name].submission for name in group.members] if open_names else (),
        flags=flags,
        steps=_steps(group.line.max_points),
        bank=comment_bank(desk, criterion.id),
        comment=_comment(desk, group, criterion.id),
        holder=holder,
        hold_key=_hold_key(criterion, group),
        # Going back and forth visits all answers; after a judgement the next one that waits is opened.
        back=_address(criterion, groups[at - 1].key, names=open_names),
        onward=_address(criterion, groups[(at + 1) % len(groups)].key, names=open_names),
        skip=_address(criterion, skip, names=open_names) if skip else "",
        toggled_names=_address(criterion, group.key, names=not open_names, everything=everything),
        toggled_all=_address(criterion, group.key, names=open_names, everything=not everything),
        here=_address(criterion, group.key, names=open_names),
    )


def _steps(most: float) -> tuple[float, ...]:
    """Return the points that single keys give; none if there are too many points for that."""
    if most > _MOST_BY_ONE_KEY:
        return ()
    whole = [float(number) for number in range(math.floor(most) + 1)]
    return tuple(whole if whole[-1] == most else [*whole, most])


def _hold_key(criterion: Criterion, group: Group) -> str:
    return f"{criterion.id}/{group.key}"


def _address(criterion: Criterion, key: str, *, names: bool = False, everything: bool = False) -> str:
    fields = {"at": key, **({"names": "1"} if names else {}), **({"all": "1"} if everything else {})}
    return f"/question/{criterion.id}?{urlencode(fields)}"


def _place(groups: Sequence[Group], key: str, held: Mapping[str, str]) -> int | None:
    """Find the group to show: the one with the key, else the first one that waits and that nobody else holds."""
    if key == _FIRST:
        return 0 if groups else None
    for index, group in enumerate(groups):
        if group.key == key:
            return index
    waiting = [index for index, group in enumerate(groups) if group.waiting]
    free = [index for index in waiting if groups[index].key not in held]
    return next(iter((*free, *waiting)), None)


def _next_waiting(groups: Sequence[Group], key: str, held: Mapping[str, str]) -> str:
    """Return the key of the next group that waits after the given one; empty if none does."""
    after = sorted(groups, key=lambda group: (group.key <= key, group.key))
    waiting = [group.key for group in after if group.waiting and group.key != key]
    return next(iter((*(one for one in waiting if one not in held), *waiting)), "")


def place_of(request: Request, judgement: Judgement) -> str:
    """Return the address of the answer that a judgement is about; the overview if there is none."""
    criterion = desk_of(request).criteria.get(judgement.criterion)
    if criterion is not None:
        for group in _answers(request).groups(criterion):
            if judgement.submission in group.members:
                return _address(criterion, group.key)
    return VIEW.path


def comment_bank(desk: Desk, criterion: str) -> tuple[tuple[str, int], ...]:
    """List the comments on a criterion with the number of their uses, the most used first.

    A comment counts once for each submission and moment: judging a group at once is one use.
    """
    uses = {
        (one.comment.strip(), one.at)
        for some in desk.log.read().values()
        for one in some
        if one.criterion == criterion and one.kind in {"points", "override", "comment"} and one.comment.strip()
    }
    counts = Counter(comment for comment, _ in sorted(uses, key=lambda use: use[1]))
    return tuple(counts.most_common(_MOST_COMMENTS))


def _comment(desk: Desk, group: Group, criterion: str) -> str:
    """Return the comment of the judgement that counts for the group."""
    for name in group.members:
        if group.lines[name].judged is not None:
            some = [
                one
                for one in desk.judgements(name)
                if one.criterion == criterion and one.kind in {"points", "override"}
            ]
            return some[-1].comment if some else ""
    return ""


# --- what a person decides


def _group(request: Request, criterion: Criterion, form: Form) -> tuple[Group, tuple[Group, ...]]:
    """Find the group that a form is about.

    Raises:
        UsageError: The answers have changed since the page was opened.
    """
    groups = _answers(request).groups(criterion)
    found = next((group for group in groups if group.key == form.get("at", "")), None)
    if found is None:
        msg = "this answer has changed since you opened the page"
        raise UsageError(msg, advice="open the question again")
    return found, groups


def _judge(request: Request) -> Response:
    desk, visitor, criterion, form = desk_of(request), visitor_of(request), _criterion(request), form_of(request)
    group, groups = _group(request, criterion, form)
    held = {key.rpartition("/")[2]: name for key, name in desk.holds.others(visitor.id, visitor.name).items()}
    if group.key in held:
        msg = f"{held[group.key]} is judging this answer"
        raise UsageError(msg, advice="open the next one, or take it over")
    points, comment = number_in(form, "points"), form.get("comment", "").replace("\r\n", "\n").strip()
    drafts = [
        Draft(name, "points", criterion.id, points=points, comment=comment)
        for name in group.members
        if not _same(desk, name, group, points, comment)
    ]
    desk.record(visitor, drafts)
    following = _next_waiting(groups, group.key, held)
    names = form.get("names") == "1"
    return to(_address(criterion, following, names=names) if following else f"/question/{criterion.id}")


def _same(desk: Desk, name: str, group: Group, points: float, comment: str) -> bool:
    """Return whether the judgement that counts says the same, so that another one is not needed."""
    line = group.lines[name]
    if line.judged is None or line.points != points:
        return False
    some = [one for one in desk.judgements(name) if one.criterion == line.id and one.kind in {"points", "override"}]
    return bool(some) and some[-1].comment == comment


def _flag(request: Request) -> Response:
    desk, visitor, criterion, form = desk_of(request), visitor_of(request), _criterion(request), form_of(request)
    group, _ = _group(request, criterion, form)
    remove = form.get("remove") == "1"
    why = "" if remove else " ".join(form.get("why", "").split()) or _FLAG
    desk.record(visitor, [Draft(name, "flag", criterion.id, why=why) for name in group.members])
    return to(_address(criterion, group.key, names=form.get("names") == "1"))


def _split(request: Request) -> Response:
    criterion, form = _criterion(request), form_of(request)
    group, _ = _group(request, criterion, form)
    # Without names, a member is known by its place in the group.
    place = form.get("member", "")
    member = group.members[int(place)] if place.isdecimal() and int(place) < len(group.members) else ""
    if not member:
        msg = "this answer has changed since you opened the page"
        raise UsageError(msg, advice="open the question again")
    answers = _answers(request)
    answers.split(criterion.id, member)
    own: Any = next(one for one in answers.groups(criterion) if member in one.members)
    return to(_address(criterion, own.key, names=form.get("names") == "1"))
