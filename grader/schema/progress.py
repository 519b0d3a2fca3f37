"""Progress reports while submissions are graded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Listener", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """A progress report about one submission."""

    submission: str
    kind: Literal["begun", "working", "done"]
    text: str = ""
    """Current activity or outcome, in a few words."""
    done: int = 0
    """Code cells executed so far, in all attempts together."""
    total: int = 0
    """Code cells to execute, in all attempts together; 0 if the report is not about cells."""
    part: float = 0.0
    """Finished part of the running cell, 0 to 1; more than 0 during a training with a known number of epochs."""
    failed: bool = False
    """For `done`: whether the grader could not grade the submission."""


Listener = Callable[[Step], None]
"""Receives progress reports."""
