"""What is told while submissions are graded."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to one submission."""

    submission: str
    kind: Literal["begun", "working", "done"]
    text: str = ""
    """What is going on, or how it ended, in a few words."""
    done: int = 0
    """Cells executed by now."""
    total: int = 0
    """Code cells of the notebook; 0 while that is not known."""
    failed: bool = False
    """Whether the grader could not grade it, for `done`."""
