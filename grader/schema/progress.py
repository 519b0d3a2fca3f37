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
    """Code cells executed so far."""
    total: int = 0
    """Code cells of the notebook; 0 while unknown."""
    failed: bool = False
    """For `done`: whether the grader could not grade the submission."""


Listener = Callable[[Step], None]
"""Receives progress reports."""
