"""Run many submissions in parallel.

An engine takes submissions and yields their grades as they are done. Every engine grades a submission with
`grader.pipeline.submission.grade_found`; engines differ in the place and the number of parallel submissions.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Protocol

from grader.intake.find import Found
from grader.schema.grade import Grade
from grader.schema.progress import Listener, Step

__all__ = ["Engine", "LocalEngine"]

_AWAKE_SECONDS = 0.5
"""Longest delay until a signal is handled."""


class Engine(Protocol):
    """Runs many submissions."""

    def grades(self, found: Sequence[Found], listener: Listener) -> Generator[Grade, None, None]:
        """Grade submissions, and yield each grade as it is done, in any order.

        No submission is left running when the generator ends or is closed.

        Args:
            found: The submissions; ids are unique.
            listener: Receives progress reports, possibly from several threads.

        Raises:
            GraderError: The class cannot be graded at all. A failure of one submission is a grade, not an error.
            KeyboardInterrupt: The user stopped the run.
        """


class _Stopped(BaseException):
    """Raised in a worker thread at its next progress report, like a KeyboardInterrupt in the main thread."""


class LocalEngine:
    """Runs submissions in threads of this process."""

    def __init__(self, grade_one: Callable[[Found, Listener], Grade], jobs: int) -> None:
        """Set the function and the number of threads.

        Args:
            grade_one: Grades one submission.
            jobs: Number of submissions at the same time.
        """
        self._grade_one = grade_one
        self._jobs = max(1, jobs)

    def grades(self, found: Sequence[Found], listener: Listener) -> Generator[Grade, None, None]:
        """Grade submissions in parallel; see `Engine`."""
        stop = threading.Event()

        def listen(step: Step) -> None:
            if stop.is_set():
                raise _Stopped
            listener(step)

        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            try:
                running = {pool.submit(self._grade_one, one, listen) for one in found}
                while running:
                    # Use a timeout: a signal that another thread receives does not interrupt an endless wait.
                    done, running = wait(running, _AWAKE_SECONDS, FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            except BaseException:
                # Leaving the pool waits for its threads, which stop within a second.
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
