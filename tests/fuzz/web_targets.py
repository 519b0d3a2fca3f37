"""Readers of requests: the service's uploads, and the desk's forms."""

import asyncio
import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from grader.desk.app import make_app as make_desk
from grader.pipeline.course import Course
from grader.service.app import Service, Waiters
from grader.service.app import make_app as make_service
from grader.service.guard import Limits, Tokens
from grader.service.workshop import Workshop
from grader.store.queue import Queue
from grader.store.results import ResultsFolder
from tests.fuzz import seeds
from tests.fuzz.target import SHARED_FOLDERS, target
from tests.support.desk_class import PORT, Student, a_course, a_desk, a_door, keep_class
from tests.support.serving_class import CLIENT, a_room, a_served_course

_WAITS = 0.2
"""Seconds until a client goes away."""
_SERVER_ERROR = 500


@cache
def _shared() -> Path:
    """A folder for material that is made once."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-web-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    SHARED_FOLDERS.append(f"{os.path.realpath(folder)}{os.sep}")
    return folder


@cache
def _served_course() -> Course:
    return a_served_course(_shared())


@cache
def _desk_course() -> tuple[Course, Path]:
    course = a_course(_shared())
    out = ResultsFolder(_shared() / "class")
    cells = [("markdown", "# Homework"), ("markdown", "## Critique\nToo few layers."), ("code", "x = 1")]
    keep_class(out, course, [Student("ann", "Ann Lee", cells), Student("bob", "Bob Ray", cells)], pages=False)
    return course, out.root


# --- a request as a document -----------------------------------------------------------------------------------------


def _request(document: bytes, fixed: Sequence[tuple[bytes, bytes]]) -> tuple[dict[str, Any], bytes]:
    """Read the text of a request, as a server would, however damaged it is."""
    head, _, body = document.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, rest = first.partition(b" ")
    raw_path, _, query = rest.partition(b" ")[0].partition(b"?")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    names = {name for name, _ in headers}
    headers += [pair for pair in fixed if pair[0] not in names]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method.decode("latin-1").upper() or "GET",
        "scheme": "http",
        "path": unquote(raw_path.decode("latin-1")) or "/",
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", PORT),
        "state": {},
    }
    return scope, body


async def _answered(app: ASGIApp, scope: dict[str, Any], body: bytes) -> int:
    """Send a request in two pieces, go away after a moment, and return the status of the answer."""
    half = len(body) // 2
    waiting: list[Message] = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]
    status = 0

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(_WAITS)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    return status


# --- the service -----------------------------------------------------------------------------------------------------

_FORM = """\
--b
Content-Disposition: form-data; name="student"

ann
--b
Content-Disposition: form-data; name="notebook"; filename="x.ipynb"
Content-Type: application/json

{}
--b--
""".replace("\n", "\r\n")


def _service_requests() -> Sequence[bytes]:
    _served_course()  # before anything is watched
    notebook = seeds.notebooks()[-1]
    return [
        b"POST /v1/submissions HTTP/1.1\nContent-Type: multipart/form-data; boundary=b\nIdempotency-Key: k\n\n"
        + _FORM.replace("{}", notebook.decode()).encode(),
        b"POST /v1/submissions?student=ann&rubric=served HTTP/1.1\nContent-Type: application/json\n\n" + notebook,
        b"GET /v1/submissions/x?wait=0 HTTP/1.1\n\n",
        b"GET /v1/submissions/x/grade.json?edition=instructor HTTP/1.1\n\n",
        b"GET /v1/submissions/x/report.html HTTP/1.1\n\n",
        b"DELETE /v1/submissions/x HTTP/1.1\n\n",
        b"GET /v1/queue HTTP/1.1\n\n",
    ]


@target(
    "upload",
    "requests to the service of `grader serve`",
    form="text",
    seeds=_service_requests,
    covers=["grader.service.app", "grader.service.guard", "grader.service.uploads", "grader.store.queue"],
    slow=True,
)
def _upload(document: bytes, own: Path) -> None:
    course = _served_course()
    queue, room, waiters = Queue(own / "out", most=5), a_room(course, own / "out"), Waiters()
    workshop = Workshop(queue, {"served": room}, on_change=waiters.wake)
    service = Service(queue, {"served": room}, workshop, waiters)
    app = make_service(service, Tokens([CLIENT], []), Limits(size=100_000, requests=20), on_error=_raised)
    scope, body = _request(document, [(b"authorization", f"Bearer {CLIENT}".encode())])
    with warnings.catch_warnings():
        # Starlette leaves the file of a part without an end to Python, which closes it at once.
        warnings.filterwarnings("ignore", "Unclosed file <tempfile.SpooledTemporaryFile", ResourceWarning)
        status = asyncio.run(_answered(app, scope, body))
    assert 0 < status < _SERVER_ERROR, status
    accepted = int(queue.counts()["queued"])
    assert len([path for path in (own / "out").rglob("*.ipynb") if path.is_file()]) == accepted


def _raised(error: Exception) -> None:
    """Show an error for which the application has only an answer without details."""
    raise error


# --- the desk --------------------------------------------------------------------------------------------------------

_FIELDS = "csrf=CSRF&submission=ann&criterion=critique&points=3&note=well+done&then=%2F&key=critique%2Fann&force=1"


def _desk_requests() -> Sequence[bytes]:
    _desk_course()  # before anything is watched
    form = "Content-Type: application/x-www-form-urlencoded\n\n"
    reading = (
        "/",
        "/name?then=/x",
        "/question",
        "/question/critique",
        "/submission/ann",
        "/rubric",
        "/similar",
        "/updates",
    )
    writing = ("/name", "/undo", "/update", "/hold", "/question/critique", "/submission/ann", "/roll", "/rubric")
    return [
        *(f"GET {path} HTTP/1.1\n\n".encode() for path in reading),
        *(f"POST {path} HTTP/1.1\n{form}{_FIELDS}".encode() for path in writing),
    ]


@target(
    "desk",
    "requests to the desk, from somebody with its address",
    form="text",
    seeds=_desk_requests,
    covers=[
        "grader.desk.app",
        "grader.desk.guard",
        "grader.desk.answers",
        "grader.desk.question",
        "grader.desk.submission",
    ],
    slow=True,
)
def _desk(document: bytes, own: Path) -> None:
    course, kept = _desk_course()
    shutil.copytree(kept, own / "class")
    door = a_door()
    visitor = door.admit()
    fixed = [
        (b"host", f"127.0.0.1:{PORT}".encode()),
        (b"origin", f"http://127.0.0.1:{PORT}".encode()),
        (b"cookie", f"{door.cookie}={visitor.id}".encode()),
    ]
    app = make_desk(a_desk(own, course), door, on_error=_raised)
    scope, body = _request(document.replace(b"CSRF", visitor.csrf.encode()), fixed)
    status = asyncio.run(_answered(app, scope, body))
    assert 0 < status < _SERVER_ERROR, status
