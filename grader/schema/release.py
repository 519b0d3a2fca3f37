"""The students' version of a notebook, and how many points it already gets."""

from collections.abc import Mapping
from typing import Literal

from grader.schema.base import Document
from grader.schema.grade import CriterionStatus

__all__ = ["ReleaseCheck", "ReleaseRow", "Removed", "RemovedPart"]

Removed = Literal["solution", "hidden tests", "mark scheme", "cell"]
"""Kinds of removed text; `cell` is a whole cell for instructors."""


class RemovedPart(Document):
    """A part of the instructor's notebook that students do not get."""

    cell: int
    """Index of the cell in the instructor's notebook, from 0."""
    line: int
    """Line of the marker in the cell, from 1."""
    kind: Removed


class ReleaseRow(Document):
    """Points of the released notebook and of the reference for one criterion."""

    id: str
    title: str
    max_points: float
    bonus: bool = False
    released: float
    released_status: CriterionStatus
    released_message: str
    """The finding about the released notebook, in English."""
    reference: float
    reference_status: CriterionStatus
    reference_message: str
    cells: tuple[int, ...] = ()
    """Cells of the released notebook that the finding is about, from 0."""

    @property
    def gains(self) -> bool:
        """Whether the released notebook gets points."""
        return self.released > 0

    @property
    def misses(self) -> bool:
        """Whether the reference misses points that need no person."""
        return not self.bonus and self.reference_status != "pending" and self.reference < self.max_points


class ReleaseCheck(Document):
    """Points of the released notebook and of the reference."""

    rows: tuple[ReleaseRow, ...]
    executed: Mapping[str, bool]
    """Whether the notebooks `released` and `reference` were executed, or their stored evidence was graded."""

    @property
    def most(self) -> float:
        """Points without a person and without bonus points."""
        return sum(row.max_points for row in self.rows if not row.bonus and row.reference_status != "pending")

    @property
    def gained(self) -> float:
        """Points of the released notebook."""
        return sum(row.released for row in self.rows)

    @property
    def earned(self) -> float:
        """Points of the reference without bonus points."""
        return sum(row.reference for row in self.rows if not row.bonus)

    @property
    def percent(self) -> float:
        """Points of the released notebook, in percent of those that need no person."""
        return 100 * self.gained / self.most if self.most else 0.0

    @property
    def waiting(self) -> tuple[ReleaseRow, ...]:
        """Criteria that a person judges."""
        return tuple(row for row in self.rows if row.reference_status == "pending")

    @property
    def unknown(self) -> tuple[ReleaseRow, ...]:
        """Criteria that could not be judged in the released notebook alone."""
        return tuple(row for row in self.rows if row.released_status == "pending" != row.reference_status)
