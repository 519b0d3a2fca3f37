"""The same pure work on thousands of names: in chunks, over the machine's cores, in order, with little in memory.

Workers are forked, so that they have the course, its labels and every registered check without a word being sent; what
they answer is sent back and must be small. They are forked from a process that has no threads of its own yet.
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

__all__ = ["in_chunks"]

_Answer = TypeVar("_Answer")

_LARGEST_CHUNK = 64
_WORTH_A_PROCESS = 24
"""Fewer names than this are done before workers have begun."""
_AHEAD = 3
"""Chunks a worker that wait or are done and not yet asked for."""
_PR_SET_PDEATHSIG = 1

_work: Callable[[Sequence[str]], Any] | None = None
"""What a worker does; set in the worker alone."""


def in_chunks(
    work: Callable[[Sequence[str]], _Answer], names: Sequence[str], *, workers: int | None = None
) -> Generator[_Answer, None, None]:
    """Do work on all names, a chunk at a time.

    When this ends, or is closed, no worker is left; workers also end with this process, however it ends.

    Args:
        work: Pure, or writing only what belongs to its names.
        names: In the order of the answers.
        workers: Processes; by default as many as there are cores. One does the work in this process.

    Yields:
        The answer for each chunk, in order.

    Raises:
        HarnessError: A worker was lost.
    """
    count = workers or len(os.sched_getaffinity(0))
    if count == 1 or len(names) < _WORTH_A_PROCESS or sys.platform != "linux":
        yield from map(work, _chunks(names, _LARGEST_CHUNK))
        return
    size = max(1, min(_LARGEST_CHUNK, len(names) // (count * 4)))
    pool = ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("fork"), initializer=_begin, initargs=(work, os.getpid())
    )
    try:
        yield from _in_order(pool, list(_chunks(names, size)), count * _AHEAD)
    except BrokenProcessPool as error:
        msg = "a worker process was lost"
        advice = "was the memory full? What is done is kept: the same command goes on from here"
        raise HarnessError(msg, advice=advice) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def _in_order(pool: ProcessPoolExecutor, chunks: Sequence[Sequence[str]], most: int) -> Iterator[Any]:
    """Keep a few chunks on their way, so that answers do not pile up where they are used more slowly than made."""
    waiting: deque[Future[Any]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(_do, chunk))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _begin(work: Callable[[Sequence[str]], Any], parent: int) -> None:
    global _work  # noqa: PLW0603 - a worker has one work for its whole life
    _end_with(parent)
    _work = work
    # Ctrl-C and a terminal that was closed are the parent's to answer; a worker ends its chunk.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # With this one the pool ends its workers; the parent's own answer to it was inherited.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # What was inherited is never garbage, and looking at it would copy its pages.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _end_with(parent: int) -> None:
    """Be killed when the parent ends, or at once when it has: nobody else would tell a worker that it was."""
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(1)


def _do(chunk: Sequence[str]) -> Any:
    if _work is None:
        msg = "a worker was not told its work"
        raise RuntimeError(msg)
    return _work(chunk)
