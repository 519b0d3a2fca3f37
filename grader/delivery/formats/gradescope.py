"""The format `gradescope`: `results.json` of a Gradescope autograder, one for each submission."""

from collections.abc import Iterator, Sequence
from typing import Any

from grader.delivery.editions import (
    Editions,
    criterion_text,
    has_points,
    hidden_lines,
    late_title,
    overall_text,
    plain_text,
)
from grader.delivery.grade_export import GradeExport, GradeFormat, RowReport
from grader.delivery.submission_files import json_bytes, write_submissions
from grader.report.people import people_view
from grader.schema.errors import ArtefactError
from grader.schema.grade import CriterionGrade

__all__ = ["FORMAT", "RESULTS", "gradescope_results"]

RESULTS = "results.json"
"""Name of the file, in `/autograder/results/`."""


def gradescope_results(editions: Editions) -> dict[str, Any]:
    """Make the results of a submission for Gradescope.

    All texts have the format `text`, so that text of the student is never HTML or Markdown. Hidden criteria are tests
    with the visibility `hidden`, which only instructors see. An undecided criterion is a test without a score. The
    score has the deduction for a late submission and all decided points, also of hidden criteria.

    Args:
        editions: The grade.

    Raises:
        ArtefactError: The submission was not graded. Then no `results.json` should be written, so that Gradescope
            reports a failure of the autograder instead of a score.
    """
    whole, shown = editions.whole, editions.shown
    if whole.score is None:
        msg = "a submission without a grade has no results"
        raise ArtefactError(msg, where=whole.submission.id, advice="grade it again")
    lines = ((line, "visible") for line in shown.criteria)
    hidden = ((line, "hidden") for line in hidden_lines(editions))
    tests = [_test(line, visibility, editions) for line, visibility in (*lines, *hidden)]
    tests += _late(editions)
    results: dict[str, Any] = {
        "score": whole.score,
        "output": overall_text(editions),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "extra_data": {"submission": whole.submission.id, "rubric": whole.rubric.id, "pending": whole.pending},
        "tests": [{**test, "number": str(number)} for number, test in enumerate(tests, 1)],
    }
    if shown.execution is not None:
        results["execution_time"] = round(shown.execution.seconds)
    return results


def _test(line: CriterionGrade, visibility: str, editions: Editions) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": plain_text(line.title or line.id),
        "output": criterion_text(line, editions.language),
        "visibility": visibility,
        "extra_data": {"criterion": line.id, "status": line.status},
    }
    if has_points(line):
        test |= {
            "score": line.points,
            "max_score": 0.0 if line.bonus else line.max_points,
            "status": "passed" if line.status == "passed" else "failed",
        }
    return test


def _late(editions: Editions) -> Iterator[dict[str, Any]]:
    """Make the test with the deduction for a late submission."""
    late, shown = editions.whole.late, people_view(editions.shown)
    if late is not None and late.points:
        output = "\n".join(plain_text(text, editions.language) for text in shown.late)
        yield {
            "name": late_title(editions.language),
            "output": output,
            "visibility": "visible",
            "extra_data": {"criterion": "late", "status": "failed"},
            "score": late.points,
            "max_score": 0.0,
            "status": "failed",
        }


def _write(export: GradeExport) -> Sequence[RowReport]:
    return write_submissions(
        export,
        lambda editions: {RESULTS: json_bytes(gradescope_results(editions))},
        lambda editions: f"{editions.whole.score:g} points",
    )


FORMAT = GradeFormat(
    name="gradescope",
    title="results.json of a Gradescope autograder for each submission",
    file="",
    write=_write,
)
