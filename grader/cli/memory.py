"""Keeps the memory of a command that grades for hours small."""

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from grader.schema.progress import Listener, Step

__all__ = ["collecting", "give_memory_back"]

_MMAP_THRESHOLD, _ARENAS = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of malloc.h."""
_LARGE = 1 << 20
_GROWTH = 32 << 20
"""Bytes by which the process may grow between two collections of garbage."""


def give_memory_back() -> None:
    """Let the C library return large arrays to the machine at once, and keep fewer pools for threads.

    By default glibc learns from the first large array that is freed to keep the next ones. An array of all test images
    has 31 MB, and every thread would keep some.
    """
    with suppress(OSError, AttributeError):  # a C library without this function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENAS, 2)


def collecting(listener: "Listener", resident: Callable[[], int] | None = None) -> "Listener":
    """Also collect garbage in a progress listener, if the process has grown when a submission is done.

    Python counts the objects of garbage in reference cycles, not their bytes. It would keep a few objects that hold a
    notebook with hundreds of megabytes of outputs.

    Args:
        listener: Receives the steps.
        resident: Returns the resident bytes of this process.
    """
    size = resident or _resident
    limit = size() + _GROWTH

    def step(one: "Step") -> None:
        nonlocal limit
        listener(one)
        if one.kind == "done" and size() > limit:
            gc.collect()
            with suppress(OSError, AttributeError):  # a C library without this function
                ctypes.CDLL(None).malloc_trim(0)
            limit = size() + _GROWTH

    return step


def _resident() -> int:
    with suppress(psutil.Error, OSError):  # where /proc is closed, memory cannot be watched
        return int(psutil.Process().memory_info().rss)
    return 0
