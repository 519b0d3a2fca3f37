"""The rubrics of a service: the course, the sandbox and the results folder of each."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from grader.datasets.store import DatasetStore
from grader.facts.nearest import suggestion
from grader.grading.loader import LoadedRubric
from grader.pipeline.canary import check_class, place_of
from grader.pipeline.course import Course, load_course
from grader.pipeline.judgements import judged_course
from grader.pipeline.publish import publish_rows
from grader.pipeline.rejudge import ClassRows
from grader.pipeline.rubrics import note_rubric
from grader.pipeline.setup import Bench, Options, set_up
from grader.schema.errors import UsageError
from grader.store.queue import Queue
from grader.store.results import ResultsFolder

__all__ = ["Keeper", "Room", "open_rooms", "room_named"]

_WAIT: Final = 5.0
"""Seconds to wait for another grader that uses the results folder."""
_PAGES_SECONDS: Final = 60.0
"""Seconds between two versions of the class pages while the service is busy."""


@dataclass(frozen=True)
class Room:
    """One rubric of the service."""

    course: Course
    bench: Bench
    out: ResultsFolder
    keeper: "Keeper"

    @property
    def id(self) -> str:
        """Id of the rubric."""
        return self.course.loaded.rubric.id


@dataclass
class Keeper:
    """Locks a results folder while submissions are graded, and writes its class pages.

    While the service is idle the folder is not locked, so that `grader regrade` can use it.
    """

    course: Course
    out: ResultsFolder
    clock: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: ExitStack | None = None
    _judged: Course | None = None
    _working: int = 0
    _swept: bool = False
    _dirty: bool = False
    _last: float = 0.0
    _published: float = 0.0
    _rows: ClassRows = field(default_factory=ClassRows)

    @contextmanager
    def grading(self) -> Iterator[Course]:
        """Keep the folder locked during a `with` block.

        Yields:
            The course, with the judgements of people.

        Raises:
            UsageError: Another grader uses the folder, or the file of judgements is wrong.
            StorageError: The folder cannot be written.
        """
        with self._lock:
            course = self._begin()
            self._working += 1
        try:
            yield course
        finally:
            with self._lock:
                self._working -= 1
                self._dirty = True
                self._last = self.clock()

    def _begin(self) -> Course:
        if self._judged is not None:
            return self._judged
        with ExitStack() as stack:
            stack.enter_context(self.out.at_work(wait=_WAIT, small=self._swept))
            self._swept = True
            note_rubric(self.course.loaded, self.out)
            judged = judged_course(self.course, self.out)
            self._open = stack.pop_all()
        self._judged, self._published = judged, self.clock()
        return judged

    def settle(self, quiet: float) -> None:
        """Write the class pages if they are due, and unlock the folder if nothing was graded for some seconds.

        Args:
            quiet: The seconds.

        Raises:
            StorageError: The pages cannot be written.
        """
        with self._lock:
            idle = self._working == 0 and self.clock() - self._last >= quiet
            due = self._dirty and (idle or self.clock() - self._published >= _PAGES_SECONDS)
            try:
                if due and self._judged is not None:
                    self._dirty, self._published = False, self.clock()
                    publish_rows(self._rows.read(self._judged, self.out), self._judged, self.out)
            finally:
                if idle and self._open is not None:
                    self._open.close()
                    self._open = self._judged = None


def open_rooms(
    rubrics: Sequence[LoadedRubric],
    queue: Queue,
    options: Options,
    *,
    store: DatasetStore,
    clock: Callable[[], float],
) -> dict[str, Room]:
    """Load the courses, choose the sandbox, and test the recorder before anything is uploaded.

    Args:
        rubrics: The rubrics.
        queue: The queue, which notes the results folder of each rubric.
        options: Options of the command line.
        store: The data sets.
        clock: Function that returns seconds.

    Returns:
        The rooms by the rubrics' ids. All have the same number of jobs: the smallest that the machine allows.

    Raises:
        UsageError: Two rubrics have the same id, or no sandbox works here.
        HarnessError: A data set is missing, or the recorder misses facts that the checks read.
    """
    _check_ids(rubrics)
    jobs = min(len(set_up(one, options).devices) for one in rubrics)
    rooms = {}
    for loaded in sorted(rubrics, key=lambda one: one.rubric.id):
        bench = set_up(loaded, replace(options, jobs=jobs))
        check_class(place_of(bench), (), loaded)
        course = load_course(loaded, store)
        name = queue.results_name(loaded.rubric.id, alone=len(rubrics) == 1)
        out = ResultsFolder(queue.root / name if name else queue.root)
        rooms[loaded.rubric.id] = Room(course, bench, out, Keeper(course, out, clock))
    return rooms


def _check_ids(rubrics: Sequence[LoadedRubric]) -> None:
    ids = [one.rubric.id for one in rubrics]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        msg = f"two rubrics have the id {twice[0]!r}"
        raise UsageError(msg, where="--rubric", advice="give each rubric an `id` of its own")


def room_named(rooms: dict[str, Room], rubric: str) -> Room:
    """Find a rubric of the service by the id that an upload names; with one rubric, the id may be empty.

    Raises:
        UsageError: The service has no such rubric.
    """
    if not rubric and len(rooms) == 1:
        return next(iter(rooms.values()))
    if rubric not in rooms:
        msg = (
            f"there is no rubric {rubric[:100]!r}{suggestion(rubric[:100], rooms)}"
            if rubric
            else "the request names no rubric"
        )
        raise UsageError(msg, where="rubric", advice=f"the rubrics are {', '.join(rooms)}")
    return rooms[rubric]
