"""Waiting for an event, without a claim about how long it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["DEADLOCK_SECONDS", "until"]

DEADLOCK_SECONDS = 300.0
"""Limit of every wait for a process or an event. It turns a deadlock into a failure; no test claims to be faster."""
_T = TypeVar("_T")


def until(condition: Callable[[], _T], *, every: float = 0.05) -> _T:
    """Wait until a condition holds.

    Args:
        condition: Called again and again; may raise to give up.
        every: Seconds between two calls.

    Returns:
        The first true value of the condition.

    Raises:
        TimeoutError: The condition did not hold before the limit for deadlocks.
    """
    ends = time.monotonic() + DEADLOCK_SECONDS
    while not (value := condition()):
        if time.monotonic() > ends:
            message = f"{condition} did not hold within {DEADLOCK_SECONDS:.0f} seconds"
            raise TimeoutError(message)
        time.sleep(every)
    return value
