"""View 3, "One submission": the instructor's report, and everything that a person can decide about it."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from grader.delivery.requests import Reply
from grader.desk.guard import Form
from grader.desk.state import Desk, Draft
from grader.desk.view import View, desk_of, form_of, number_in, show, submission_url, to, visitor_of
from grader.grading.judged import latest
from grader.pipeline.publish import report_of
from grader.pipeline.requests import read_reply
from grader.schema.course import latest_moment
from grader.schema.errors import ArtefactError, UsageError
from grader.schema.evidence import Evidence
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.judgement import WHOLE, Judgement, JudgementKind

__all__ = ["REPORT_POLICY", "VIEW"]

REPORT_POLICY: Final = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""Policy of a report in a frame: nothing runs, nothing loads, and it is of another origin than the desk. The report's
own policy also restricts its style to one sheet."""
_LONGEST_NAME: Final = 500
_AGREED: Final = "The points of the grader are right."
_FLAG: Final = "Another person should look at this."


def _routes(_desk: Desk) -> Sequence[Route]:
    one = "/submission/{submission}"
    return [
        Route("/submission", _list, methods=["GET"]),
        Route("/request", _mail, methods=["POST"]),
        Route(one, _page, methods=["GET"]),
        Route(f"{one}/report", _report, methods=["GET"]),
        Route(f"{one}/judge", _judge, methods=["POST"]),
        Route(f"{one}/agree", _agree, methods=["POST"]),
        Route(f"{one}/comment", _comment, methods=["POST"]),
        Route(f"{one}/flag", _flag, methods=["POST"]),
        Route(f"{one}/excuse", _excuse, methods=["POST"]),
        Route(f"{one}/extension", _extension, methods=["POST"]),
        Route(f"{one}/request", _request, methods=["POST"]),
        Route(f"{one}/answer", _answer, methods=["POST"]),
    ]


VIEW: Final = View("submission", "One submission", "/submission", "s", _routes)


def _named(request: Request) -> tuple[str, Grade]:
    """Find the submission in a request's path."""
    name, grades = request.path_params["submission"], desk_of(request).grades()
    if name not in grades:
        raise HTTPException(404)
    return name, grades[name]


def _by_student(grade: Grade) -> tuple[str, str]:
    return grade.submission.student.casefold(), grade.submission.id


# --- pages


def _list(request: Request) -> Response:
    grades = desk_of(request).grades()
    rows = sorted(grades.values(), key=_by_student)
    absent = desk_of(request).absent()
    return show(request, "submissions.html.j2", "submission", rows=rows, absent=absent)


def _page(request: Request) -> Response:
    desk, (name, grade) = desk_of(request), _named(request)
    order = [one.submission.id for one in sorted(desk.grades().values(), key=_by_student)]
    place = order.index(name)
    judgements = desk.judgements(name)
    return show(
        request,
        "submission.html.j2",
        "submission",
        grade=grade,
        url=submission_url(name),
        titles={WHOLE: "The whole submission", **{line.id: line.title or line.id for line in grade.criteria}},
        decisions=_decisions(judgements),
        borderline=_borderline(grade, request.query_params.get("criterion", "")),
        flagged={flag.criterion: flag for flag in grade.flags},
        extension=next((one for one in reversed(judgements) if one.kind == "extension"), None),
        history=tuple(reversed(judgements)),
        number=place + 1,
        count=len(order),
        back=submission_url(order[place - 1]),
        onward=submission_url(order[(place + 1) % len(order)]),
    )


def _borderline(grade: Grade, first: str) -> list[CriterionGrade]:
    """List the borderline criteria that nobody has judged; a certain one is the first."""
    lines = [line for line in grade.criteria if _agreeable(line)] if grade.status == "graded" else []
    return sorted(lines, key=lambda line: line.id != first)


def _agreeable(line: CriterionGrade) -> bool:
    return line.borderline and line.judged is None and line.status != "pending"


def _decisions(judgements: Sequence[Judgement]) -> dict[str, Judgement]:
    """Return the judgement that the points of each criterion come from."""
    decisions = (one for one in latest(judgements).values() if one.kind in {"points", "override"})
    return {one.criterion: one for one in sorted(decisions, key=lambda one: one.at)}


def _report(request: Request) -> Response:
    """Render the instructor's report with all judgements so far; nothing in it can run."""
    desk, (name, _) = desk_of(request), _named(request)
    stored = desk.out.read_grade(name)
    if stored is None:
        raise HTTPException(404)
    grade = desk.judged(stored)
    page = report_of(grade, _evidence(desk, grade), desk.course, desk.out, "instructor")
    headers = {"content-security-policy": REPORT_POLICY, "referrer-policy": "no-referrer"}
    return HTMLResponse(page, headers=headers)


def _evidence(desk: Desk, grade: Grade) -> Evidence | None:
    if grade.status != "graded":
        return None
    try:
        return desk.out.read_evidence(grade.submission.id)
    except ArtefactError:
        return None


# --- what a person decides


def _line_of(grade: Grade, form: Form) -> CriterionGrade:
    wanted = form.get("criterion", "")
    line = next((line for line in grade.criteria if line.id == wanted), None)
    if line is None:
        msg = f"the rubric has no criterion {wanted!r}"
        raise UsageError(msg)
    return line


def _text(form: Form, name: str) -> str:
    return form.get(name, "").replace("\r\n", "\n").strip()


def _after(submission: str, criterion: str) -> Response:
    anchor = "whole" if criterion == WHOLE else f"criterion-{criterion}"
    return to(f"{submission_url(submission)}#{anchor}")


def _judge(request: Request) -> Response:
    """Give points, override a verdict with a reason, or take such a decision back."""
    desk, (name, grade), form = desk_of(request), _named(request), form_of(request)
    line = _line_of(grade, form)
    if form.get("withdraw") == "1":
        kinds: tuple[JudgementKind, ...] = ("points", "override")
        counting = {one.kind for one in desk.judgements(name) if one.criterion == line.id}
        desk.record(visitor_of(request), [Draft(name, kind, line.id) for kind in kinds if kind in counting])
        return _after(name, line.id)
    draft = _decision(grade, line, form, _text(form, "comment"))
    desk.record(visitor_of(request), [draft])
    return _after(name, line.id)


def _agree(request: Request) -> Response:
    """Confirm the computed points of a borderline criterion."""
    desk, (name, grade), form = desk_of(request), _named(request), form_of(request)
    line = _line_of(grade, form)
    if line not in _borderline(grade, ""):
        msg = "this is not borderline, or somebody has judged it since you opened the page"
        raise UsageError(msg, where=line.title or line.id, advice="open the submission again")
    # Not the kind `points`: a regrade would list it for another look, because the grader computes these points.
    desk.record(visitor_of(request), [Draft(name, "override", line.id, points=line.points, why=_AGREED)])
    rest = [one for one in _borderline(grade, "") if one.id != line.id]
    return to(f"{submission_url(name)}#borderline") if rest else _after(name, line.id)


def _decision(grade: Grade, line: CriterionGrade, form: Form, comment: str) -> Draft:
    """Make a judgement with the points of a form: an override, with its reason, of what the grader could decide.

    Raises:
        UsageError: The points are no number, or the reason is missing.
    """
    pending = line.status == "pending" or (line.judged is not None and line.judged.computed_status == "pending")
    kind: JudgementKind = "points" if pending else "override"
    why = _text(form, "why")
    if kind == "override" and not why:
        msg = "an override needs a reason"
        raise UsageError(msg, where=line.title or line.id)
    return Draft(grade.submission.id, kind, line.id, points=number_in(form, "points"), comment=comment, why=why)


def _concerned(grade: Grade, form: Form) -> str:
    """Return the criterion of a form; `*` for the whole submission."""
    return WHOLE if form.get("criterion", WHOLE) == WHOLE else _line_of(grade, form).id


def _comment(request: Request) -> Response:
    (name, grade), form = _named(request), form_of(request)
    criterion = _concerned(grade, form)
    desk_of(request).record(visitor_of(request), [Draft(name, "comment", criterion, comment=_text(form, "comment"))])
    return _after(name, criterion)


def _flag(request: Request) -> Response:
    (name, grade), form = _named(request), form_of(request)
    criterion = _concerned(grade, form)
    why = "" if form.get("remove") == "1" else _text(form, "why") or _FLAG
    desk_of(request).record(visitor_of(request), [Draft(name, "flag", criterion, why=why)])
    return _after(name, criterion)


def _excuse(request: Request) -> Response:
    (name, _), form = _named(request), form_of(request)
    why = "" if form.get("remove") == "1" else _text(form, "why")
    if not why and form.get("remove") != "1":
        msg = "an excuse needs a reason"
        raise UsageError(msg)
    desk_of(request).record(visitor_of(request), [Draft(name, "excuse", why=why)])
    return _after(name, WHOLE)


def _extension(request: Request) -> Response:
    (name, _), form = _named(request), form_of(request)
    removed = form.get("remove") == "1"
    until = None if removed else _moment(form.get("until", ""), desk_of(request).course.zone)
    why = "" if removed else _text(form, "why")
    desk_of(request).record(visitor_of(request), [Draft(name, "extension", until=until, why=why)])
    return _after(name, WHOLE)


def _moment(text: str, zone: tzinfo) -> datetime:
    """Read a date and time of the course's time zone; a browser sends it without a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is not a date with a time" if text else "enter the new due date"
        raise UsageError(msg) from error
    return latest_moment(moment, zone)


def _request(request: Request) -> Response:
    """Record a student's request from a pasted mail."""
    desk, (name, grade), form = desk_of(request), _named(request), form_of(request)
    reply = _reply(desk, form)
    if reply.submission not in {None, name}:
        msg = f"this mail is about the submission {reply.submission!r}"
        raise UsageError(msg, advice="enter it there, or without its headers here")
    criterion = _concerned(grade, form) if form.get("criterion") else reply.criterion
    _record_request(request, grade, criterion, reply.reason)
    return to(f"{submission_url(name)}#requests")


def _mail(request: Request) -> Response:
    """Record a request from a pasted mail, whose headers tell the submission."""
    desk, form = desk_of(request), form_of(request)
    reply = _reply(desk, form)
    if reply.submission is None:
        raise UsageError(reply.problem, advice="open the submission, and paste the mail there")
    _record_request(request, desk.grade(reply.submission), reply.criterion, reply.reason)
    return to(f"{submission_url(reply.submission)}#requests")


def _reply(desk: Desk, form: Form) -> Reply:
    reply = read_reply(desk.out, desk.course, form.get("mail", ""))
    if not reply.reason:
        msg = "paste the text of the request; lines that quote an earlier mail do not count"
        raise UsageError(msg)
    return reply


def _record_request(request: Request, grade: Grade, criterion: str, reason: str) -> None:
    stamp = grade.submission
    student = " ".join(stamp.student.split()) or stamp.id
    draft = Draft(stamp.id, "request", criterion, why=reason, by=student[:_LONGEST_NAME])
    desk_of(request).record(visitor_of(request), [draft])


def _answer(request: Request) -> Response:
    """Answer a request, perhaps with new points."""
    (name, grade), form = _named(request), form_of(request)
    text, criterion = _text(form, "answer"), form.get("criterion", "")
    if criterion not in {one.criterion for one in grade.requests}:
        msg = "there is no such request"
        raise UsageError(msg)
    if not text:
        msg = "write an answer"
        raise UsageError(msg)
    drafts = [Draft(name, "answer", criterion, comment=text)]
    if form.get("points", "").strip():
        drafts.insert(0, _decision(grade, _line_of(grade, form), form, ""))
    desk_of(request).record(visitor_of(request), drafts)
    return to(f"{submission_url(name)}#requests")
