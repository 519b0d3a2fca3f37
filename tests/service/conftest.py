"""A service without executions, and a client for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from grader.pipeline.course import Course
from grader.service import workshop as workshop_module
from grader.service.app import Service, Waiters, make_app
from grader.service.guard import Limits, Tokens
from grader.service.rooms import Room
from grader.service.workshop import Event, Workshop
from grader.store.queue import Queue
from tests.support.serving_class import CLIENT, INSTRUCTOR, QuickGrader, a_room, a_served_course, notebook_bytes
from tests.support.waiting import until


@dataclass
class Stand:
    """A service, and a client with the clients' token."""

    client: TestClient
    queue: Queue
    workshop: Workshop
    room: Room
    grader: QuickGrader
    events: list[Event]
    errors: list[Exception]

    def upload(
        self, content: bytes | None = None, student: str = "ada", headers: dict[str, str] | None = None, **fields: str
    ) -> Response:
        """Send a notebook as a form."""
        files = {"notebook": ("x.ipynb", notebook_bytes() if content is None else content)}
        return self.client.post(
            "/v1/submissions", files=files, data={"student": student, **fields}, headers=headers or {}
        )

    def graded(self, content: bytes | None = None, student: str = "ada") -> dict[str, Any]:
        """Send a notebook, and wait for its grade."""
        sent = self.upload(content, student)
        assert sent.status_code == 202, sent.text
        found: dict[str, Any] = self.client.get(sent.headers["location"], params={"wait": 30}).json()
        return found

    def as_instructor(self) -> dict[str, str]:
        """Return the headers of an instructor."""
        return {"authorization": f"Bearer {INSTRUCTOR}"}

    def settled(self) -> None:
        """Wait until nothing waits or runs."""
        until(lambda: self.queue.counts()["queued"] + self.queue.counts()["running"] == 0)


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The course, made once."""
    return a_served_course(tmp_path_factory.mktemp("served-course"))


@pytest.fixture
def limits() -> Limits:
    """The limits of the service."""
    return Limits(size=100_000, requests=20)


@pytest.fixture
def stand(course: Course, tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """A service that grades in one thread."""
    grader = QuickGrader()
    monkeypatch.setattr(workshop_module, "grade_found", grader)
    queue, room, waiters = Queue(tmp_path / "out", most=5), a_room(course, tmp_path / "out"), Waiters()
    events: list[Event] = []
    errors: list[Exception] = []
    workshop = Workshop(queue, {"served": room}, on_event=events.append, on_change=waiters.wake)
    service = Service(queue, {"served": room}, workshop, waiters)
    app = make_app(service, Tokens([CLIENT], [INSTRUCTOR]), limits, on_error=errors.append)
    headers = {"authorization": f"Bearer {CLIENT}"}
    with (
        queue.at_work(),
        workshop,
        TestClient(app, raise_server_exceptions=False, follow_redirects=False, headers=headers) as client,
    ):
        yield Stand(client, queue, workshop, room, grader, events, errors)
