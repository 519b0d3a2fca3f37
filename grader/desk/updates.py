"""Make grades and pages again in the background after judgements, so that recording one never waits."""

import hashlib
import os
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from threading import Condition, Thread
from typing import Final

from grader.datasets.store import DatasetStore
from grader.pipeline.course import Course
from grader.pipeline.regrade import course_of_results
from grader.pipeline.rejudge import ClassRows, rejudge
from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import GraderError, HarnessError, UsageError
from grader.store.results import ResultsFolder

__all__ = ["Rejudger", "UpdateState", "Updates"]

_QUIET: Final = 20.0
"""Seconds without a judgement before the pages are made."""


@dataclass(frozen=True, slots=True)
class UpdateState:
    """The pages that have to be made again."""

    waiting: int
    """Number of submissions."""
    running: bool
    problem: str = ""
    """Why the last update failed; empty if it did not."""


class Updates:
    """A thread that calls a function with submissions a while after the last judgement, when asked, and at the end."""

    def __init__(
        self,
        run: Callable[[frozenset[str]], None],
        *,
        quiet: float = _QUIET,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Set the function, the seconds to wait after a judgement, and what ends with the thread."""
        self._close = close
        self._run = run
        self._quiet = quiet
        self._condition = Condition()
        self._waiting: set[str] = set()
        self._asked = self._running = self._ended = self._blocked = False
        self._changes = 0
        self._problem = ""
        self._thread = Thread(target=self._work, name="desk-updates", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def note(self, submissions: Iterable[str]) -> None:
        """Note submissions whose pages are out of date."""
        with self._condition:
            self._waiting |= set(submissions)
            self._changes += 1
            self._blocked = False
            self._condition.notify_all()

    def ask(self) -> None:
        """Make the pages now."""
        with self._condition:
            self._asked = True
            self._condition.notify_all()

    def settle(self, seconds: float) -> UpdateState:
        """Make the pages now, wait until none is out of date or the update fails, and return the result.

        Args:
            seconds: Longest time to wait.
        """
        with self._condition:
            if self._thread.is_alive():
                if self._waiting:
                    self._asked, self._problem = True, ""
                    self._condition.notify_all()
                self._condition.wait_for(self._settled, timeout=seconds)
            return UpdateState(len(self._waiting), self._running, self._problem)

    def _settled(self) -> bool:
        return self._ended or bool(self._problem) or not (self._waiting or self._running)

    def finish(self) -> UpdateState:
        """Make all pages that are out of date, end the thread, and return the result."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        if self.state().waiting:
            self._update()
        self._close()
        return self.state()

    def state(self) -> UpdateState:
        """Return the pages that have to be made again."""
        with self._condition:
            return UpdateState(len(self._waiting), self._running, self._problem)

    def _work(self) -> None:
        while self._due():
            self._update()

    def _due(self) -> bool:
        """Wait until the pages have to be made; return False at the end."""
        with self._condition:
            while not self._ended:
                self._condition.wait_for(lambda: self._ended or self._asked or (self._waiting and not self._blocked))
                seen = self._changes
                more = self._condition.wait_for(partial(self._interrupted, seen), timeout=self._quiet)
                if self._asked or not more:
                    self._asked = False
                    return True
            return False

    def _interrupted(self, seen: int) -> bool:
        return self._ended or self._asked or self._changes != seen

    def _update(self) -> None:
        with self._condition:
            batch, self._running, self._problem = set(self._waiting), True, ""
            self._waiting.clear()
        problem = ""
        try:
            if batch:
                self._run(frozenset(batch))
        except GraderError as error:
            problem = str(error)
        finally:
            with self._condition:
                self._running, self._problem = False, problem
                self._blocked = bool(problem)
                if problem:
                    self._waiting |= batch
                self._condition.notify_all()


class Rejudger:
    """Make grades and pages again in another process, which loads the course once and keeps it.

    A thread of the desk's own process would slow the pages down.
    """

    def __init__(self, out: ResultsFolder, course: Callable[[], Course]) -> None:
        """Set the results folder, and a function that returns the present course."""
        self._out = out
        self._course = course
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, submissions: frozenset[str]) -> None:
        """Make the grades and pages of submissions again, and the class page.

        Raises:
            UsageError: The rubric's file has changed: a rubric is never applied on the way.
            HarnessError: The process died.
        """
        course = self._course()
        loaded = course.loaded
        job = _Job(self._out.root, loaded.path, loaded.sha256, loaded.language, course.data_root, submissions)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
        try:
            self._pool.submit(_rejudge, job).result()
        except BrokenProcessPool as error:
            self._pool = None
            msg = "the process that updates the pages died"
            raise HarnessError(msg, advice="the judgements are stored; update the pages again") from error

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


@dataclass(frozen=True, slots=True)
class _Job:
    folder: Path
    rubric: Path
    sha256: str
    language: str | None
    data: Path
    submissions: frozenset[str]


def _begin() -> None:
    """Let the desk decide when its process ends, and let its pages go first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)


def _rejudge(job: _Job) -> None:
    _check_rubric(job)
    course = _loaded(job.folder, job.rubric, job.sha256, job.language, job.data)
    rejudge(ResultsFolder(job.folder), course, sorted(job.submissions), rows=_rows(job.folder))


@lru_cache(maxsize=1)
def _loaded(folder: Path, rubric: Path, _sha256: str, language: str | None, data: Path) -> Course:
    loaded = replace(find_rubric(str(rubric)), language=language)
    return course_of_results(ResultsFolder(folder), loaded, DatasetStore(data))


@lru_cache(maxsize=1)
def _rows(_folder: Path) -> ClassRows:
    return ClassRows()


def _check_rubric(job: _Job) -> None:
    """Refuse to use a rubric that has changed since the desk was opened.

    Raises:
        UsageError: It has changed, or cannot be read.
    """
    try:
        current = hashlib.sha256(job.rubric.read_bytes()).hexdigest()
    except OSError as error:
        msg = f"the rubric cannot be read: {error.strerror or error}"
        raise UsageError(msg, where=str(job.rubric)) from error
    if current != job.sha256:
        msg = "the rubric has changed since the desk was opened"
        raise UsageError(msg, where=str(job.rubric), advice="run `grader regrade`, and open the desk again")
