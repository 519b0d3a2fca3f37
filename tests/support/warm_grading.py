"""Grade a class as the command does."""

from collections.abc import Sequence

from grader.intake.find import Found
from grader.pipeline.classroom import grade_class
from grader.pipeline.course import Course
from grader.pipeline.setup import Bench, executions_of, warmed
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder

__all__ = ["grade_warm"]


def grade_warm(found: Sequence[Found], course: Course, bench: Bench, out: ResultsFolder) -> tuple[Grade, ...]:
    """Grade submissions, with warm processes if the options of the bench allow them."""
    executions = executions_of(len(found), course.loaded, bench.options)
    with warmed(bench, executions, course.loaded, found) as ready:
        return grade_class(found, course, ready, out, lambda _: None)
