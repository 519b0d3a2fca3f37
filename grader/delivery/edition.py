"""Reduce a grade to what its student may see."""

from typing import Literal

from grader.schema.grade import Grade
from grader.schema.rubric import Rubric

__all__ = ["edition"]


def edition(grade: Grade, rubric: Rubric | None, audience: Literal["student", "instructor"]) -> Grade:
    """Remove hidden criteria, and the guides of criteria that a person judges.

    Args:
        grade: The grade.
        rubric: Its rubric.
        audience: Who reads it.
    """
    del rubric
    if audience == "instructor":
        return grade
    criteria = tuple(
        one.model_copy(update={"message": "", "says": None, "measured": {}}) if one.status == "pending" else one
        for one in grade.criteria
        if not one.hidden
    )
    return grade.model_copy(update={"criteria": criteria, "reference": None})
