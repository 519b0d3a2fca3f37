"""Order what a student can do next by the points that it brings."""

from collections.abc import Iterable
from dataclasses import dataclass

from grader.schema.grade import CauseGrade, CriterionGrade, Grade

__all__ = ["NextStep", "missed_points", "next_steps"]


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing to do: correct the cause of several missed criteria, or meet one criterion.

    Attributes:
        criteria: The criteria that it concerns, in the order of the rubric.
        points: The points that the criteria can still bring.
        cause: The cause; None for a criterion that depends on no other problem.
    """

    criteria: tuple[CriterionGrade, ...]
    points: float
    cause: CauseGrade | None


def missed_points(criterion: CriterionGrade) -> float:
    """Return the points that a criterion can still bring; 0 while a person has to judge it."""
    if criterion.status not in {"failed", "partial"}:
        return 0.0
    return max(round(criterion.max_points - criterion.points, 2), 0.0)


def next_steps(grade: Grade) -> tuple[NextStep, ...]:
    """List what brings points, most points first; criteria with the same cause are one step.

    Args:
        grade: The grade, in the edition for its readers, so that hidden criteria are not counted for students.
    """
    groups: dict[tuple[object, ...], list[CriterionGrade]] = {}
    for criterion in grade.criteria:
        if missed_points(criterion):
            groups.setdefault(_key(criterion), []).append(criterion)
    steps = (_step(group) for group in groups.values())
    return tuple(sorted(steps, key=lambda step: -step.points))


def _key(criterion: CriterionGrade) -> tuple[object, ...]:
    cause = criterion.cause
    return ("criterion", criterion.id) if cause is None else (cause.kind, cause.cell, cause.model, cause.message)


def _step(criteria: Iterable[CriterionGrade]) -> NextStep:
    group = tuple(criteria)
    return NextStep(group, round(sum(map(missed_points, group)), 2), group[0].cause)
