"""What runs many submissions: the seam between one submission and a class.

An engine is given submissions and yields their grades as they are done. What happens to one submission is the same with
every engine, `grader.pipeline.submission.grade_found`; where and how many at a time is the engine's.
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
"""How long a signal may wait for its answer."""


class Engine(Protocol):
    """Runs many submissions."""

    def grades(self, found: Sequence[Found], listener: Listener) -> Generator[Grade, None, None]:
        """Grade submissions, and yield each grade as it is done, in any order.

        When this ends, however it ends, nothing of the submissions is left running.

        Args:
            found: What intake found; ids are unique.
            listener: Told how it goes, perhaps from several threads.

        Raises:
            GraderError: The class cannot be graded at all; one submission's failure is a grade, not an error.
            KeyboardInterrupt: The person does not want to wait.
        """


class _Stopped(BaseException):
    """Raised in a worker's thread at its next word to the listener, as Ctrl-C is in the main one."""


class LocalEngine:
    """Threads of this process, each with one submission at a time."""

    def __init__(self, grade_one: Callable[[Found, Listener], Grade], jobs: int) -> None:
        """Name what is done.

        Args:
            grade_one: Grades one submission.
            jobs: Submissions at the same time.
        """
        self._grade_one = grade_one
        self._jobs = max(1, jobs)

    def grades(self, found: Sequence[Found], listener: Listener) -> Generator[Grade, None, None]:
        """Grade submissions, a few at a time; see `Engine`."""
        stop = threading.Event()

        def listen(step: Step) -> None:
            if stop.is_set():
                raise _Stopped
            listener(step)

        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            try:
                running = {pool.submit(self._grade_one, one, listen) for one in found}
                while running:
                    # The operating system may hand a signal to any thread, and then nothing wakes a wait without end.
                    done, running = wait(running, _AWAKE_SECONDS, FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            except BaseException:
                # Leaving the pool waits for its threads, which hear of it within a second.
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
