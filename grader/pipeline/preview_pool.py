"""Preview changed rubrics of a large class at once, with worker processes that keep what they read."""

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock
from typing import Final, Self

from grader.datasets.store import DatasetStore
from grader.grading.loader import LoadedRubric
from grader.pipeline.course import Course, load_course
from grader.pipeline.course_folder import Assignment
from grader.pipeline.judgements import judged_course
from grader.pipeline.preview import Preview, Previewed, joined, snapshot
from grader.pipeline.previewer import Previewer
from grader.pipeline.regrade import room_of
from grader.schema.errors import GraderError, HarnessError
from grader.schema.judgement import Judgement
from grader.store.results import ResultsFolder

__all__ = ["PreviewPool"]

_EVERY: Final = 10
"""Number of submissions between two reports of a worker."""
_MOST_KEPT: Final = 128 << 20
"""Size of the stored grades that all workers keep together, in bytes; see `Previewer`."""
_END_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Task:
    """The part of a preview that one worker makes."""

    loaded: LoadedRubric
    judgements: Mapping[str, tuple[Judgement, ...]]
    assignment: Assignment | None
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection


class PreviewPool:
    """Worker processes for previews of one results folder. They end with this process, for any reason."""

    def __init__(self, root: Path, data: Path, *, workers: int | None = None, most_kept: int = _MOST_KEPT) -> None:
        """Set the folders; the first preview starts the workers.

        Args:
            root: The results folder.
            data: The folder of the data sets.
            workers: Number of processes; by default the number of cores.
            most_kept: Size of the stored grades that the workers keep, in bytes.
        """
        self._root = root
        self._data = data
        self._count = workers or len(os.sched_getaffinity(0))
        self._most = most_kept
        self._workers: list[_Worker] = []
        self._busy = Lock()

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self.close()

    def preview(
        self,
        loaded: LoadedRubric,
        *,
        listener: Callable[[int, int], None] = lambda _done, _all: None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Preview | None:
        """Compute what a regrade with a rubric would do; see `preview_class`. One preview runs at a time.

        Args:
            loaded: The rubric.
            listener: Called with the number of finished submissions and the total.
            wanted: Called when its turn has come, whether the preview is still wanted.

        Returns:
            None if it was not wanted any more.

        Raises:
            GraderError: The course cannot be loaded, or the file of judgements is wrong.
            HarnessError: A worker process died; the next preview starts a new one.
        """
        with self._busy:
            if not wanted():
                return None
            out = ResultsFolder(self._root)
            course = judged_course(_course(loaded, self._data), out)
            names = out.submissions()
            self._start()
            for index, worker in enumerate(self._workers):
                worker.connection.send(_Task(loaded, course.judgements, course.assignment, names[index :: self._count]))
            try:
                done = self._collect(len(names), listener)
            except BaseException:
                # Answers of the interrupted preview must not reach the next one.
                self._end()
                raise
            order = {name: index for index, name in enumerate(names)}
            with snapshot(out) as copy:
                return joined(room_of(course, copy), names, sorted(done, key=lambda one: order[one.score.submission]))

    def close(self) -> None:
        """End the workers; a running preview is finished first."""
        with self._busy:
            self._end()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        while len(self._workers) < self._count:
            here, there = context.Pipe()
            process = context.Process(
                target=_serve, args=(there, self._root, self._data, self._most // self._count), daemon=True
            )
            process.start()
            there.close()
            self._workers.append(_Worker(process, here))

    def _collect(self, total: int, listener: Callable[[int, int], None]) -> list[Previewed]:
        done: list[Previewed] = []
        finished: dict[Connection, int] = {}
        waiting = {worker.connection for worker in self._workers}
        while waiting:
            ready = wait(list(waiting))
            for connection in [one for one in waiting if one in ready]:
                answer = _received(connection)
                if isinstance(answer, BaseException):
                    raise answer
                if isinstance(answer, int):
                    finished[connection] = answer
                    listener(sum(finished.values()), total)
                else:
                    done += answer
                    waiting.remove(connection)
        listener(total, total)
        return done

    def _end(self) -> None:
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.terminate()
            worker.process.join(_END_SECONDS)
        self._workers.clear()


def _received(connection: Connection) -> "int | list[Previewed] | BaseException":
    try:
        answer: int | list[Previewed] | BaseException = connection.recv()
    except (EOFError, ConnectionError):
        return HarnessError("a worker process died", advice="check whether memory ran out; then try again")
    return answer


def _course(loaded: LoadedRubric, data: Path) -> Course:
    return load_course(loaded, DatasetStore(data, may_download=True))


def _serve(connection: Connection, root: Path, data: Path, most_kept: int) -> None:
    """Answer tasks until the other end is closed; the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    previewer = Previewer(ResultsFolder(root), most_kept=most_kept)
    with suppress(EOFError, ConnectionError):
        while True:
            task: _Task = connection.recv()
            try:
                course = _course(task.loaded, data)
                course = replace(course, judgements=task.judgements, assignment=task.assignment)
                answer: object = previewer.preview(course, task.names, listener=_every(connection))
            except GraderError as error:
                answer = error
            connection.send(answer)
            # The stored grades and evidence are no garbage; a search through them would take longer than the preview.
            gc.collect()
            gc.freeze()


def _every(connection: Connection) -> Callable[[int], None]:
    def step(done: int) -> None:
        if done % _EVERY == 0:
            connection.send(done)

    return step
