"""How long one training may go on. Pure decisions; the clock is the caller's."""

from dataclasses import dataclass

from ..record.events import FitStatus

__all__ = ["FitBudget", "fit_status", "thin"]

OVERRUN = 1.5
"""One epoch that alone runs over the budget by this factor is cut at a batch's end."""


@dataclass(frozen=True, slots=True)
class FitBudget:
    """Seconds that one training may take, counted from its beginning.

    Attributes:
        soft: No epoch is begun that would end after this.
        hard: A batch that ends after this is the last one.
        by_deadline: Whether the notebook's deadline, and not the budget for one training, sets `soft`.
    """

    soft: float
    hard: float
    by_deadline: bool

    @classmethod
    def at(cls, now: float, *, fit_time: float, deadline: float, reserve: float) -> "FitBudget":
        """Make the budget of a training that begins now.

        Args:
            now: Unix time.
            fit_time: Seconds one training may take.
            deadline: Unix time at which the notebook's budget ends.
            reserve: Seconds before the deadline that belong to the later cells; a running epoch may eat half of it.
        """
        left = deadline - reserve - now
        soft = max(0.0, min(fit_time, left))
        hard = max(0.0, min(OVERRUN * fit_time, left + reserve / 2))
        return cls(soft, max(soft, hard), left < fit_time)

    def ends_after_epoch(self, elapsed: float, last_epoch: float) -> bool:
        """Whether another epoch like the last one would not fit.

        Args:
            elapsed: Seconds since the training began.
            last_epoch: Seconds the last epoch took.
        """
        return elapsed + last_epoch > self.soft

    def ends_now(self, elapsed: float) -> bool:
        """Whether even the running epoch has to be cut.

        Args:
            elapsed: Seconds since the training began.
        """
        return elapsed > self.hard


def fit_status(*, asked: int | None, done: int, by_budget: bool, stopping: bool) -> FitStatus:
    """How a training that returned normally ended.

    Args:
        asked: Epochs asked for; None where unknown.
        done: Epochs done.
        by_budget: Whether the grader stopped it.
        stopping: Whether the model's `stop_training` was set at the end, by whomever.
    """
    if by_budget:
        return "stopped_by_budget"
    if stopping and (asked is None or done < asked):
        return "stopped_early"
    return "completed"


def thin(values: list[float], most: int) -> list[float]:
    """Keep at most `most` values, evenly spaced, the first and the last among them.

    Args:
        values: Any number of values.
        most: At least 2.
    """
    if len(values) <= most:
        return values
    return [values[round(index * (len(values) - 1) / (most - 1))] for index in range(most)]
