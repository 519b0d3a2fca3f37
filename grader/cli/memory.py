"""Keeps the memory of a command that grades for hours small."""

import ctypes
from contextlib import suppress

__all__ = ["give_memory_back"]

_MMAP_THRESHOLD, _ARENAS = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of malloc.h."""
_LARGE = 1 << 20


def give_memory_back() -> None:
    """Let the C library return large arrays to the machine at once, and keep fewer pools for threads.

    By default glibc learns from the first large array that is freed to keep the next ones. An array of all test images
    has 31 MB, and every thread would keep some.
    """
    with suppress(OSError, AttributeError):  # a C library without this function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENAS, 2)
