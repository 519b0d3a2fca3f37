"""Compare the grades of a released notebook and of the reference, criterion by criterion."""

from collections.abc import Mapping

from grader.schema.grade import CriterionGrade, Grade
from grader.schema.release import ReleaseCheck, ReleaseRow

__all__ = ["compare_release"]


def compare_release(released: Grade, reference: Grade, executed: Mapping[str, bool]) -> ReleaseCheck:
    """Compare two grades under the same rubric.

    Args:
        released: Grade of the students' version.
        reference: Grade of the instructor's notebook.
        executed: Which of `released` and `reference` were executed; see `ReleaseCheck`.
    """
    others = {criterion.id: criterion for criterion in reference.criteria}
    return ReleaseCheck(
        rows=tuple(_row(criterion, others[criterion.id]) for criterion in released.criteria),
        executed=dict(executed),
    )


def _row(released: CriterionGrade, reference: CriterionGrade) -> ReleaseRow:
    cells = dict.fromkeys(pointer.cell for pointer in released.evidence if pointer.cell is not None)
    return ReleaseRow(
        id=released.id,
        title=released.title,
        max_points=released.max_points,
        bonus=released.bonus,
        released=released.points,
        released_status=released.status,
        released_message=released.message,
        reference=reference.points,
        reference_status=reference.status,
        reference_message=reference.message,
        cells=tuple(cells),
    )
