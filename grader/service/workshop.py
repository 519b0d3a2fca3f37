"""Grade the notebooks of the queue in threads, until the service ends."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal, Self

from grader.grading.grade import outline
from grader.pipeline.publish import unexpected
from grader.pipeline.setup import warmed
from grader.pipeline.submission import grade_found, outcome_of, publish_failure
from grader.schema.errors import GraderError, HarnessError
from grader.schema.grade import Grade
from grader.schema.progress import Step
from grader.schema.submission import Submission
from grader.service.rooms import Room
from grader.store.queue import Queue, Ticket

__all__ = ["Event", "Workshop", "submission_of"]

_MOST_TRIES: Final = 2
"""Times that a notebook is tried before it is `not_graded`."""
_MOST_ENDS: Final = 3
"""Times that the service may end while it grades a notebook, before it is `not_graded`."""
_QUIET: Final = 2.0
"""Seconds without a running notebook after which the class pages are written and the folder is unlocked."""
_PAUSE: Final = 5.0
"""Seconds before the next try while the results folder cannot be used."""
_FILE: Final = "notebook.ipynb"

EventKind = Literal["started", "done", "again", "waiting"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the operator of the service reads in its log. It has no names of students."""

    kind: EventKind
    """`again`: the grader could not grade it, and tries again. `waiting`: the folder cannot be used at the moment."""
    submission: str
    rubric: str
    text: str = ""


class _StoppedError(BaseException):
    """Raised in a worker thread at its next progress report, so that it ends at once."""


def submission_of(ticket: Ticket, queue: Queue) -> Submission:
    """Describe an uploaded notebook for the pipeline. It has no files next to it."""
    return Submission(
        id=ticket.id,
        student=ticket.student,
        notebook=queue.notebook(ticket).resolve(),
        files=(_FILE,),
        sha256=ticket.sha256,
        submitted=datetime.fromtimestamp(int(ticket.received), UTC),
        submitted_from="metadata",
    )


class Workshop:
    """Threads that take notebooks out of the queue and grade them; a `with` block starts and ends them."""

    def __init__(
        self,
        queue: Queue,
        rooms: Mapping[str, Room],
        *,
        on_event: Callable[[Event], None] = lambda _event: None,
        on_change: Callable[[str], None] = lambda _id: None,
    ) -> None:
        """Set what the threads work on.

        Args:
            queue: The queue.
            rooms: The rubrics.
            on_event: Called from any thread.
            on_change: Called from any thread with the id of a submission that is done.
        """
        self._queue = queue
        self._rooms = rooms
        self._on_event = on_event
        self.on_change = on_change
        self._stack = ExitStack()
        self._wake = threading.Condition()
        self._draining = self._stopping = False
        self._steps: dict[str, Step] = {}
        self._threads: list[threading.Thread] = []
        self._caretaker = threading.Thread(target=self._take_care, name="serve-pages", daemon=True)
        self._idle = threading.Event()

    def __enter__(self) -> Self:
        """Start the threads."""
        first = next(iter(self._rooms.values()))
        # Warm processes are worth their start: the service does not know how many notebooks follow.
        warm = self._stack.enter_context(warmed(first.bench, 2)).warm
        for number, device in enumerate(first.bench.devices):
            rooms = {
                name: replace(room, bench=replace(room.bench, device=device, warm=warm))
                for name, room in self._rooms.items()
            }
            thread = threading.Thread(target=self._work, args=(rooms,), name=f"serve-{number}", daemon=True)
            self._threads.append(thread)
        for thread in (*self._threads, self._caretaker):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the running notebooks, write the class pages, and end everything."""
        self.drain()
        for thread in self._threads:
            thread.join()
        self._idle.set()
        self._caretaker.join()
        for room in self._rooms.values():
            self._settle(room, 0.0)
        self._stack.close()

    @property
    def jobs(self) -> int:
        """Number of notebooks at the same time."""
        return len(self._threads)

    @property
    def draining(self) -> bool:
        """Whether no further notebook is taken out of the queue."""
        return self._draining

    @property
    def working(self) -> bool:
        """Whether a thread still works."""
        return any(thread.is_alive() for thread in self._threads)

    def drain(self) -> None:
        """Take no further notebook out of the queue; running ones are finished."""
        with self._wake:
            self._draining = True
            self._wake.notify_all()

    def stop(self) -> None:
        """End also the running notebooks, within a second; the next start grades them."""
        self._stopping = True
        self.drain()

    def look(self) -> None:
        """Look into the queue now, because something was added."""
        with self._wake:
            self._wake.notify()

    def step_of(self, name: str) -> Step | None:
        """Return the last progress report of a running notebook."""
        return self._steps.get(name)

    # --- threads

    def _tell(self, event: Event) -> None:
        with suppress(Exception):  # a log that cannot be written stops no grading
            self._on_event(event)

    def _work(self, rooms: Mapping[str, Room]) -> None:
        while not self._draining:
            try:
                ticket = self._queue.take(rooms)
            except GraderError as error:
                self._pause(Event("waiting", "", "", str(error)))
                continue
            if ticket is None:
                self._sleep(1.0)
                continue
            try:
                self._grade(ticket, rooms[ticket.rubric])
            finally:
                self._steps.pop(ticket.id, None)

    def _sleep(self, seconds: float) -> None:
        with self._wake:
            if not self._draining:
                self._wake.wait(seconds)

    def _pause(self, event: Event) -> None:
        """Report why nothing can be graded, and wait a little."""
        self._tell(event)
        with self._wake:
            self._wake.wait_for(lambda: self._draining, timeout=_PAUSE)

    def _grade(self, ticket: Ticket, room: Room) -> None:
        self._tell(Event("started", ticket.id, ticket.rubric))
        try:
            result = self._result(ticket, room)
            self._note(ticket, result)
        except _StoppedError:
            self._queue.again(ticket, counts=False)
        except Exception as error:  # noqa: BLE001 - the notebook stays in the queue, and the service lives on
            # The results folder is locked or cannot be written: no fault of this notebook.
            reason = error if isinstance(error, GraderError) else unexpected(error)
            self._pause(Event("waiting", ticket.id, ticket.rubric, str(reason)))
            self._put_back(ticket)

    def _put_back(self, ticket: Ticket) -> None:
        """Put a notebook back into the queue; try until it works, or the service ends and its next start does it."""
        while True:
            try:
                return self._queue.again(ticket, counts=False)
            except GraderError as error:
                self._pause(Event("waiting", ticket.id, ticket.rubric, str(error)))
            if self._draining:
                return None

    def _result(self, ticket: Ticket, room: Room) -> Grade:
        found = submission_of(ticket, self._queue)

        def listen(step: Step) -> None:
            if self._stopping:
                raise _StoppedError
            if step.kind != "done":  # its text has the points of hidden criteria
                self._steps[ticket.id] = step

        with room.keeper.grading() as course:
            if ticket.tries > _MOST_ENDS:
                msg = f"the service ended {_MOST_ENDS} times while it graded this notebook"
                advice = "look into the log of the service for the reason; its next start tries again"
                return publish_failure(found, HarnessError(msg, advice=advice), course, room.out)
            return outline(grade_found(found, course, room.bench, room.out, listen))

    def _note(self, ticket: Ticket, result: Grade) -> None:
        text = outcome_of(result).text
        if result.status == "not_graded" and ticket.tries < _MOST_TRIES:
            self._queue.again(ticket, counts=True)
            self._tell(Event("again", ticket.id, ticket.rubric, text))
            return
        self._queue.finish(ticket, result.status)
        self._tell(Event("done", ticket.id, ticket.rubric, text))
        self.on_change(ticket.id)

    def _take_care(self) -> None:
        while not self._idle.wait(1.0):
            for room in self._rooms.values():
                self._settle(room, _QUIET)

    def _settle(self, room: Room, quiet: float) -> None:
        try:
            room.keeper.settle(quiet)
        except Exception as error:  # noqa: BLE001 - the pages can be written later
            reason = error if isinstance(error, GraderError) else unexpected(error)
            self._tell(Event("waiting", "", room.id, f"the class pages are not written: {reason}"))
