"""Put the service together: its routes, and the answers to them."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Final

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from grader.report.edition import edition
from grader.schema.errors import GraderError, UsageError
from grader.schema.grade import Audience, Grade
from grader.schema.service import (
    Health,
    Links,
    Outcome,
    Progress,
    QueueCounts,
    RubricAnswer,
    RubricsAnswer,
    SubmissionAnswer,
)
from grader.service.guard import Guard, Limits, Tokens
from grader.service.openapi import describe
from grader.service.refusals import RefusedRequestError, problem_answer
from grader.service.rooms import Room, room_named
from grader.service.uploads import check_notebook, receive_upload
from grader.service.workshop import Workshop
from grader.store.database import Database
from grader.store.queue import Queue, Ticket
from grader.store.results import grade_bytes, grade_data
from grader.store.seal import SEAL

__all__ = ["Service", "Waiters", "make_app"]

REPORT_POLICY: Final = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Policy of a report: nothing runs, nothing loads, and no other page can frame it."""
_LONGEST_WAIT: Final = 60.0
_CHECKS_AT_ONCE: Final = 2
"""Uploads that are checked at the same time, which limits the memory for parsing."""
_SECONDS: Final = re.compile(r"[0-9]{1,4}")
_ACCEPTED: Final = 202
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


class Waiters:
    """Requests that wait for a submission to be done. Only `wake` may be called from any thread."""

    def __init__(self) -> None:
        """Start without a waiting request."""
        self._events: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def wait(self, name: str, is_done: Callable[[], bool], seconds: float) -> None:
        """Wait until a submission is done, or until the seconds are over.

        Args:
            name: Its id.
            is_done: Whether it is done already; asked once, after which no `wake` is missed.
            seconds: Longest time to wait.
        """
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        self._events.setdefault(name, set()).add(event)
        try:
            if not await asyncio.to_thread(is_done):
                async with asyncio.timeout(seconds):
                    await event.wait()
        except TimeoutError:
            return
        finally:
            events = self._events[name]
            events.discard(event)
            if not events:
                del self._events[name]

    def wake(self, name: str) -> None:
        """End the waiting for a submission."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._set, (name,))

    def wake_all(self) -> None:
        """End all waiting."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(lambda: self._set(tuple(self._events)))

    def _set(self, names: tuple[str, ...]) -> None:
        for name in names:
            for event in self._events.get(name, ()):
                event.set()


class Service:
    """The state that all requests share."""

    def __init__(self, queue: Queue, rooms: dict[str, Room], workshop: Workshop, waiters: Waiters) -> None:
        """Set the parts.

        Args:
            queue: The queue.
            rooms: The rubrics.
            workshop: The threads that grade.
            waiters: The requests that wait.
        """
        self.queue = queue
        self.rooms = rooms
        self.workshop = workshop
        self.waiters = waiters
        self.checking = asyncio.Semaphore(_CHECKS_AT_ONCE)

    def ticket(self, request: Request) -> Ticket:
        """Find the submission of a request.

        Raises:
            RefusedRequestError: There is none.
        """
        ticket = self.queue.get(request.path_params["id"])
        if ticket is None or ticket.rubric not in self.rooms:
            msg = "there is no such submission"
            raise RefusedRequestError(msg, _NOT_FOUND, where="id")
        return ticket

    def grade(self, ticket: Ticket, audience: Audience) -> Grade:
        """Read an edition of a grade.

        Raises:
            RefusedRequestError: It is not done.
            HarnessError: The grade cannot be read.
        """
        room = self.rooms[ticket.rubric]
        grade = room.out.read_grade(ticket.id) if ticket.state == "done" else None
        if grade is None:
            msg = "the submission has no grade yet" if ticket.state != "done" else "the grade was removed"
            advice = "ask for the submission with `?wait=30` until its status is `done`"
            raise RefusedRequestError(msg, _CONFLICT, where="id", advice=advice)
        return edition(grade, room.course.loaded.rubric, audience)

    def describe(self, ticket: Ticket) -> SubmissionAnswer:
        """Describe a submission."""
        step = self.workshop.step_of(ticket.id) if ticket.state == "running" else None
        here = f"/v1/submissions/{ticket.id}"
        return SubmissionAnswer(
            id=ticket.id,
            rubric=ticket.rubric,
            student=ticket.student,
            sha256=ticket.sha256,
            received=datetime.fromtimestamp(ticket.received, UTC).isoformat(timespec="seconds"),
            status=ticket.state,
            position=self.queue.position(ticket) if ticket.state == "queued" else None,
            progress=None if step is None else Progress(text=step.text, cells_done=step.done, cells_total=step.total),
            result=_outcome(self.grade(ticket, "student")) if ticket.state == "done" else None,
            links=Links(self=here, grade=f"{here}/grade.json", report=f"{here}/report.html"),
        )


def _outcome(grade: Grade) -> Outcome:
    return Outcome(
        status=grade.status, score=grade.score, max_score=grade.max_score, pending=grade.pending, reason=grade.reason
    )


def make_app(
    service: Service,
    tokens: Tokens,
    limits: Limits,
    *,
    on_error: Callable[[Exception], None] = lambda _error: None,
) -> ASGIApp:
    """Make the application that serves a queue.

    Args:
        service: The state.
        tokens: The tokens.
        limits: The limits.
        on_error: Called with errors of the grader, whose answers have no details.
    """

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, RefusedRequestError):
            on_error(error)
        return problem_answer(error, getattr(request.state, "language", None))

    app = Starlette(
        routes=[
            Route("/healthz", _health, methods=["GET"]),
            Route("/v1/openapi.json", _openapi, methods=["GET"]),
            Route("/v1/rubrics", _rubrics, methods=["GET"]),
            Route("/v1/queue", _counts, methods=["GET"]),
            Route("/v1/submissions", _upload, methods=["POST"]),
            Route("/v1/submissions/{id}", _submission, methods=["GET"]),
            Route("/v1/submissions/{id}", _delete, methods=["DELETE"]),
            Route("/v1/submissions/{id}/grade.json", _grade, methods=["GET"]),
            Route("/v1/submissions/{id}/report.html", _report, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _no_such_page, GraderError: refused, Exception: refused},
    )
    app.state.service = service
    app.state.limits = limits
    # A redirection from `/v1/queue/` would name the address before a proxy, perhaps without encryption.
    app.router.redirect_slashes = False
    # Outside of Starlette, so that its own answers have the headers, too.
    return Guard(app, tokens, limits)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _json(document: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(document.model_dump_json(), status, headers, media_type="application/json")


async def _no_such_page(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else _NOT_FOUND
    msg = "there is no such page" if status == _NOT_FOUND else "this method is not possible here"
    return problem_answer(RefusedRequestError(msg, status, advice="`GET /v1/openapi.json` lists the addresses"))


async def _health(request: Request) -> Response:
    return _json(Health(status="draining" if _service(request).workshop.draining else "ok"))


async def _openapi(request: Request) -> Response:
    limits: Limits = request.app.state.limits
    return Response(describe(limits), media_type="application/json")


async def _rubrics(request: Request) -> Response:
    rubrics = (room.course.loaded.rubric for room in _service(request).rooms.values())
    shown = [
        RubricAnswer(
            id=rubric.id,
            title=rubric.title,
            max_score=sum(one.points for one in rubric.criteria if not one.hidden and not one.bonus),
        )
        for rubric in rubrics
    ]
    return _json(RubricsAnswer(rubrics=tuple(shown)))


def _counts(request: Request) -> Response:
    queue = _service(request).queue
    return _json(QueueCounts(**queue.counts(), most=queue.most))


async def _upload(request: Request) -> Response:
    """Accept a notebook: it is on the disk before the answer is sent."""
    service = _service(request)
    if service.workshop.draining:
        msg = "the service is about to end, and accepts no more notebooks"
        raise RefusedRequestError(msg, 503, advice="send the same request again later")
    await asyncio.to_thread(service.queue.check_length)
    path = service.queue.new_upload()
    try:
        upload = await receive_upload(request, path)
        room = room_named(service.rooms, upload.rubric)
        request.state.language = room.course.language
        async with service.checking:
            await asyncio.to_thread(check_notebook, path, upload.sha256)
        add = partial(service.queue.add, rubric=room.id, student=upload.student, sha256=upload.sha256, key=upload.key)
        ticket = await asyncio.to_thread(add, path)
    finally:
        path.unlink(missing_ok=True)
    service.workshop.look()
    answer = await asyncio.to_thread(service.describe, ticket)
    status = 200 if ticket.state == "done" else _ACCEPTED
    return _json(answer, status, {"location": answer.links.self})


async def _submission(request: Request) -> Response:
    service = _service(request)
    ticket = await asyncio.to_thread(service.ticket, request)
    seconds = _wait_of(request)
    if seconds and ticket.state != "done":

        def is_done() -> bool:
            return service.ticket(request).state == "done"

        await _while_connected(request, service.waiters.wait(ticket.id, is_done, seconds))
        ticket = await asyncio.to_thread(service.ticket, request)
    return _json(await asyncio.to_thread(service.describe, ticket))


async def _while_connected(request: Request, waiting: Coroutine[None, None, None]) -> None:
    """Wait, but no longer than the client: otherwise clients with short timeouts take all places for requests."""

    async def disconnected() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.create_task(waiting), asyncio.create_task(disconnected())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


def _wait_of(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    if not _SECONDS.fullmatch(text) or int(text) > _LONGEST_WAIT:
        msg = f"`wait` must be a number of seconds from 0 to {_LONGEST_WAIT:g}"
        raise RefusedRequestError(msg, where="wait")
    return float(text)


def _edition_of(request: Request) -> Audience:
    """Read the edition that a request asks for.

    Raises:
        RefusedRequestError: There is no such edition, or it is the instructor's and the token is not.
    """
    name = request.query_params.get("edition", "student")
    if name == "student":
        return "student"
    if name != "instructor":
        msg = "the editions are `student` and `instructor`"
        raise RefusedRequestError(msg, where="edition")
    _check_instructor(request)
    return "instructor"


def _check_instructor(request: Request) -> None:
    if request.state.caller != "instructor":
        msg = "this needs an instructor's token"
        raise RefusedRequestError(msg, 403, where="Authorization")


def _grade(request: Request) -> Response:
    service, audience = _service(request), _edition_of(request)
    data = grade_data(service.grade(service.ticket(request), audience))
    # The seal is for the file in the results folder.
    content = grade_bytes({key: value for key, value in data.items() if key != SEAL})
    return Response(content, media_type="application/json")


def _report(request: Request) -> Response:
    service, audience = _service(request), _edition_of(request)
    ticket = service.ticket(request)
    service.grade(ticket, audience)
    try:
        page = service.rooms[ticket.rubric].out.report_path(ticket.id, audience).read_bytes()
    except OSError as error:
        msg = "the submission has no report"
        raise RefusedRequestError(msg, _NOT_FOUND, where="id", advice="`grader report DIR` makes it again") from error
    return Response(page, headers={"content-security-policy": REPORT_POLICY}, media_type="text/html")


def _delete(request: Request) -> Response:
    _check_instructor(request)
    service = _service(request)
    ticket = service.ticket(request)
    room = service.rooms[ticket.rubric]
    with ExitStack() as stack:
        try:
            stack.enter_context(room.keeper.grading())
        except UsageError as error:
            msg = f"the results cannot be deleted now: {error.message}"
            raise RefusedRequestError(msg, 503, advice="send the same request again later") from error
        if not service.queue.remove(ticket):
            msg = "the submission is being graded"
            raise RefusedRequestError(msg, _CONFLICT, where="id", advice="delete it when its status is `done`")
        room.out.remove(ticket.id)
        Database(room.out.database_path).replace_rows(ticket.id, {})
    return Response(status_code=204)
