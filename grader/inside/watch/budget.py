"""Decides how long one training may run; pure functions, the caller provides the time."""

from dataclasses import dataclass

from ..record.events import FitStatus

__all__ = ["FitBudget", "fit_status", "thin"]

OVERRUN = 1.5
"""A single epoch that exceeds the time limit by this factor is stopped after a batch."""


@dataclass(frozen=True, slots=True)
class FitBudget:
    """Time limits of one training, in seconds from its start.

    Attributes:
        soft: No epoch starts that would end later.
        hard: No batch starts after this time.
        by_deadline: Whether `soft` comes from the notebook's deadline and not from the limit for one training.
    """

    soft: float
    hard: float
    by_deadline: bool

    @classmethod
    def at(cls, now: float, *, fit_time: float, deadline: float, reserve: float) -> "FitBudget":
        """Make the time limits of a training that starts now.

        Args:
            now: Unix time.
            fit_time: Time limit of one training in seconds.
            deadline: End of the notebook's time limit, as Unix time.
            reserve: Seconds before the deadline reserved for later cells; a running epoch may use half of them.
        """
        left = deadline - reserve - now
        soft = max(0.0, min(fit_time, left))
        hard = max(0.0, min(OVERRUN * fit_time, left + reserve / 2))
        return cls(soft, max(soft, hard), left < fit_time)

    def ends_after_epoch(self, elapsed: float, last_epoch: float) -> bool:
        """Whether another epoch of the same duration would exceed the limit.

        Args:
            elapsed: Seconds since the start of the training.
            last_epoch: Duration of the last epoch in seconds.
        """
        return elapsed + last_epoch > self.soft

    def ends_now(self, elapsed: float) -> bool:
        """Whether the running epoch must be stopped.

        Args:
            elapsed: Seconds since the start of the training.
        """
        return elapsed > self.hard


def fit_status(*, asked: int | None, done: int, by_budget: bool, stopping: bool) -> FitStatus:
    """Return the status of a training that ended without an exception.

    Args:
        asked: Number of epochs passed to `fit`; None if unknown.
        done: Number of completed epochs.
        by_budget: Whether the grader stopped it.
        stopping: Whether the model's `stop_training` was set at the end.
    """
    if by_budget:
        return "stopped_by_budget"
    if stopping and (asked is None or done < asked):
        return "stopped_early"
    return "completed"


def thin(values: list[float], most: int) -> list[float]:
    """Keep at most `most` evenly spaced values, including the first and the last.

    Args:
        values: Any number of values.
        most: Maximum number of values, at least 2.
    """
    if len(values) <= most:
        return values
    return [values[round(index * (len(values) - 1) / (most - 1))] for index in range(most)]
