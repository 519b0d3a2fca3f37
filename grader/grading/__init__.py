"""Grade evidence by a rubric and compare it with the reference; read rubric files. All functions are pure."""

from grader.grading.compare import compare, mcnemar
from grader.grading.grade import grade, rejected, ungraded
from grader.grading.json_schema import rubric_schema
from grader.grading.loader import LoadedRubric, load_rubric, read_rubric

__all__ = [
    "LoadedRubric",
    "compare",
    "grade",
    "load_rubric",
    "mcnemar",
    "read_rubric",
    "rejected",
    "rubric_schema",
    "ungraded",
]
