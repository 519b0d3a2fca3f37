"""The threads that grade lose no notebook, whatever happens while they do."""

import threading
from pathlib import Path
from typing import Any

import pytest

from grader.pipeline.course import Course
from grader.schema.errors import StorageError
from grader.schema.progress import Step
from grader.service import workshop as workshop_module
from grader.service.workshop import Workshop
from grader.store.queue import Queue, Ticket
from tests.service.conftest import Stand
from tests.support.serving_class import a_room, notebook_bytes
from tests.support.waiting import until


def test_a_second_signal_ends_a_running_notebook_and_keeps_it(stand: Stand) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def run(found: Any, listener: Any) -> None:
        begun.set()
        stopped.wait()
        listener(Step(found.id, "working"))

    stand.grader.before = run
    sent = stand.upload().json()
    begun.wait()
    stand.workshop.stop()
    stopped.set()
    until(lambda: not stand.workshop.working)
    ticket = stand.queue.get(sent["id"])
    assert ticket is not None
    assert (ticket.state, ticket.tries) == ("queued", 0)


def test_a_first_signal_lets_a_running_notebook_end(stand: Stand) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def run(*_: Any) -> None:
        begun.set()
        goes_on.wait()

    stand.grader.before = run
    first, second = stand.upload().json(), stand.upload(student="ben").json()
    begun.wait()
    stand.workshop.drain()
    goes_on.set()
    until(lambda: not stand.workshop.working)
    states = [ticket and ticket.state for ticket in (stand.queue.get(first["id"]), stand.queue.get(second["id"]))]
    assert states == ["done", "queued"]


def test_a_notebook_that_ends_the_service_again_and_again_is_not_graded(
    stand: Stand, course: Course, tmp_path: Path
) -> None:
    stand.workshop.stop()
    until(lambda: not stand.workshop.working)
    root = tmp_path / "crashing"
    queue = Queue(root, most=5)
    upload = queue.new_upload()
    upload.write_bytes(notebook_bytes())
    ticket = queue.add(upload, rubric="served", student="ada", sha256="0" * 64)
    for _ in range(3):  # three services that were killed
        with queue.at_work():
            assert queue.take(["served"]) is not None
    room = a_room(course, root)
    with queue.at_work(), Workshop(queue, {"served": room}):
        until(lambda: queue.counts()["done"] == 1)
    grade = room.out.read_grade(ticket.id)
    assert grade is not None
    assert (grade.status, grade.score) == ("not_graded", None)
    assert "ended 3 times" in (grade.reason or "")
    # The next start tries it again.
    with queue.at_work(), Workshop(queue, {"served": room}):
        until(lambda: queue.counts()["done"] == 1)
    again = room.out.read_grade(ticket.id)
    assert again is not None
    assert again.status == "graded"


def test_a_locked_folder_delays_a_notebook(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop_module, "_PAUSE", 0.01)
    monkeypatch.setattr("grader.service.rooms._WAIT", 0.0)
    with stand.room.out.at_work():
        sent = stand.upload()
        until(lambda: any(event.kind == "waiting" for event in stand.events))
    assert stand.client.get(sent.headers["location"], params={"wait": 30}).json()["result"]["status"] == "graded"


def test_a_full_disk_delays_a_notebook(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop_module, "_PAUSE", 0.01)
    failures = [StorageError("cannot write: the disk is full"), ZeroDivisionError()]

    def fail(*_: Any) -> None:
        if failures:
            raise failures.pop()

    stand.grader.before = fail
    assert stand.graded()["result"]["status"] == "graded"
    assert sum(event.kind == "waiting" for event in stand.events) == 2


def test_a_notebook_is_put_back_as_soon_as_the_queue_can_be_written(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop_module, "_PAUSE", 0.01)
    again, full = stand.queue.again, [True, True]
    grading_fails = [True]

    def fail(*_: Any) -> None:
        if grading_fails:
            grading_fails.pop()
            msg = "cannot write: the disk is full"
            raise StorageError(msg)

    def put_back(ticket: Ticket, *, counts: bool) -> None:
        if full:
            full.pop()
            msg = "cannot write to the database"
            raise StorageError(msg)
        again(ticket, counts=counts)

    stand.grader.before = fail
    monkeypatch.setattr(stand.queue, "again", put_back)
    assert stand.graded()["result"]["status"] == "graded"


def test_a_log_that_cannot_be_written_stops_nothing(stand: Stand) -> None:
    def fail(_event: Any) -> None:
        raise BrokenPipeError

    stand.workshop._on_event = fail
    assert stand.graded()["result"]["status"] == "graded"


def test_the_log_has_no_names_of_students(stand: Stand) -> None:
    stand.graded(student="Ada Abara")
    assert stand.events
    assert "Ada" not in repr(stand.events)
