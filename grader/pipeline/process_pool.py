"""Apply a pure function to thousands of names in worker processes: in chunks, in order, with little memory.

Workers are forked, so that they inherit the course, its labels and all registered checks. Their answers are sent back
and must be small. The parent must not have started threads before.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from grader.schema.errors import HarnessError

__all__ = ["in_chunks", "sparing"]

_Answer = TypeVar("_Answer")

_LARGEST_CHUNK = 64
_WORTH_A_PROCESS = 24
"""Smallest number of names that is worth starting workers, if each takes milliseconds."""
_BETWEEN_COLLECTIONS = 16
"""Names of a chunk between two collections of garbage."""
_AHEAD = 3
"""Chunks per worker that are pending, or done and not yet consumed."""
_PR_SET_PDEATHSIG = 1

_work: Callable[[Sequence[str]], Any] | None = None
"""The worker's function; set only in the worker."""


def in_chunks(
    work: Callable[[Sequence[str]], _Answer],
    names: Sequence[str],
    *,
    workers: int | None = None,
    least: int = _WORTH_A_PROCESS,
    most: int = _LARGEST_CHUNK,
) -> Generator[_Answer, None, None]:
    """Apply a function to all names, a chunk at a time.

    No worker is left when the generator ends or is closed. Workers also end when this process ends for any reason.

    Args:
        work: A pure function, or one that writes only files of its names.
        names: The names, in the order of the answers.
        workers: Number of processes; by default the number of cores. With 1 the work is done in this process.
        least: Smallest number of names that is worth starting workers.
        most: Largest number of names in a chunk.

    Yields:
        The answer for each chunk, in order.

    Raises:
        HarnessError: A worker process died.
    """
    count = workers or len(os.sched_getaffinity(0))
    if count == 1 or len(names) < least or sys.platform != "linux":
        yield from (_uncollected(work, chunk) for chunk in _chunks(names, most))
        return
    size = max(1, min(most, len(names) // (count * 4)))
    pool = ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("fork"), initializer=_begin, initargs=(work, os.getpid())
    )
    try:
        yield from _in_order(pool, list(_chunks(names, size)), count * _AHEAD)
    except BrokenProcessPool as error:
        msg = "a worker process died"
        advice = "check whether memory ran out; the same command continues from here"
        raise HarnessError(msg, advice=advice) from error
    finally:
        pool.shutdown(cancel_futures=True)


def sparing(names: Sequence[str]) -> Iterator[str]:
    """Yield the names of a chunk, and collect young garbage now and then, so that it does not take much memory."""
    for number, name in enumerate(names, start=1):
        yield name
        if number % _BETWEEN_COLLECTIONS == 0 and not gc.isenabled():
            gc.collect(0)


def _uncollected(work: Callable[[Sequence[str]], _Answer], chunk: Sequence[str]) -> _Answer:
    """Apply a function to a chunk without collecting garbage in between; see `_begin`."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return work(chunk)
    finally:
        if collects:
            gc.enable()


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def _in_order(pool: ProcessPoolExecutor, chunks: Sequence[Sequence[str]], most: int) -> Iterator[Any]:
    """Limit the number of submitted chunks, so that answers do not pile up if they are consumed slowly."""
    waiting: deque[Future[Any]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(_do, chunk))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _begin(work: Callable[[Sequence[str]], Any], parent: int) -> None:
    global _work  # noqa: PLW0603 - a worker has one function for its lifetime
    _end_with(parent)
    _work = work
    # The parent handles Ctrl-C and a closed terminal; workers finish their chunks.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # The pool terminates its workers with SIGTERM; replace the handler inherited from the parent.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Inherited objects are never garbage, and a collection would copy their memory pages. The worker collects its own
    # garbage between submissions (`sparing`), when nearly everything is garbage. At any other time, a collection walks
    # over documents that are in use.
    gc.freeze()
    gc.disable()


def _end_with(parent: int) -> None:
    """Let the kernel kill this worker when the parent ends; exit at once if it already has."""
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(1)


def _do(chunk: Sequence[str]) -> Any:
    if _work is None:
        msg = "the worker has no function"
        raise RuntimeError(msg)
    answer = _work(chunk)
    gc.collect()
    return answer
