"""Limits the time for looking at the steps of the student's own loops, so that they stay as fast as without the grader.

At first, everything in a cell is looked at. Then some calls are chosen by chance, and a few rows of each, so that the
looks take a small part of the time. Training on an image needs many steps, so a random part shows it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["Ration"]

_FREE = 0.1
"""Seconds of processor time in each cell for looking at everything."""
_SHARE = 0.015
"""Part of the time that later looks may take."""
_OVERHEAD = 5e-5
"""Seconds that a look takes in addition, before and after it is measured."""
_FEW_ROWS = 16
"""Rows that are looked at in each call when a loop was looked at for some time."""
_CHANCE = 0.5
"""Chance of a call to be looked at when it may be; otherwise slow calls would never be followed by a look."""


class Ration:
    """The time for looks in one cell."""

    def __init__(self, random: np.random.Generator) -> None:
        """Start a cell.

        Args:
            random: A generator of the recorder.
        """
        self._random = random
        self._spent = 0.0
        self._until = 0.0

    def cell_ended(self) -> None:
        """Start the next cell."""
        self._spent = self._until = 0.0

    @property
    def full(self) -> bool:
        """Whether everything is looked at."""
        return self._spent < _FREE

    @property
    def rows(self) -> int | None:
        """Number of rows that are looked at in each call, chosen by chance; None for all."""
        return None if self.full else _FEW_ROWS

    def allows(self) -> bool:
        """Decide whether a call is looked at."""
        return self.full or (time.perf_counter() >= self._until and self._random.random() < _CHANCE)

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Measure a look, and wait for a random time in proportion to it."""
        began = time.thread_time()
        try:
            yield
        finally:
            took = time.thread_time() - began
            self._spent += took
            pause = (took + _OVERHEAD) / _SHARE * 2 * self._random.random()
            self._until = max(self._until, time.perf_counter()) + pause
