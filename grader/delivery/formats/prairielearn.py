"""The format `prairielearn`: `results.json` of an external grader of PrairieLearn, one for each submission."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from grader.delivery.editions import (
    Editions,
    criterion_text,
    decided_fraction,
    fraction_text,
    has_points,
    late_title,
    overall_text,
    plain_text,
)
from grader.delivery.grade_export import GradeExport, GradeFormat, RowReport
from grader.delivery.submission_files import json_bytes, write_submissions
from grader.report.people import people_view
from grader.report.text import cut
from grader.schema.grade import CriterionGrade

__all__ = ["FORMAT", "LARGEST", "RESULTS", "prairielearn_results"]

RESULTS = "results.json"
"""Name of the file, in `/grade/results/`."""
LARGEST: Final = 1_000_000
"""PrairieLearn's limit of the file, in bytes."""
_ROOM: Final = 700_000
"""Number of bytes for the texts of the tests."""


def prairielearn_results(editions: Editions) -> dict[str, Any]:
    """Make the results of a submission for PrairieLearn.

    The score is a fraction of the decided points, for the automatic points of the question; points that a person gives
    are manual points there. An undecided criterion is a test with 0 of 0 points, which PrairieLearn shows in gray.
    A submission that was not graded is not gradable: it costs no points and no attempt. PrairieLearn has no hidden
    tests, so hidden criteria count in the score and are not listed.

    Args:
        editions: The grade.
    """
    shown, fraction = editions.shown, decided_fraction(editions.whole)
    message = overall_text(editions)
    if fraction is None:
        return {"gradable": False, "format_errors": [message or "not graded"]}
    tests = [*(_test(line, editions) for line in shown.criteria), *_late(editions)]
    return {"gradable": True, "score": round(fraction, 6), "message": message, "tests": _fitted(tests)}


def _test(line: CriterionGrade, editions: Editions) -> dict[str, Any]:
    decided = has_points(line)
    return {
        "name": plain_text(line.title or line.id),
        "points": line.points if decided else 0.0,
        "max_points": line.max_points if decided and not line.bonus else 0.0,
        "message": criterion_text(line, editions.language),
    }


def _late(editions: Editions) -> Iterator[dict[str, Any]]:
    late = editions.whole.late
    if late is not None and late.points:
        message = "\n".join(plain_text(text, editions.language) for text in people_view(editions.shown).late)
        yield {"name": late_title(editions.language), "points": late.points, "max_points": 0.0, "message": message}


def _fitted(tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cut the messages of many criteria so that the file stays below PrairieLearn's limit."""
    size = len(json.dumps(tests))
    if size <= _ROOM:
        return tests
    most = max(_ROOM // (8 * len(tests)), 80)
    return [{**test, "message": cut(test["message"], most)} for test in tests]


def _write(export: GradeExport) -> Sequence[RowReport]:
    return write_submissions(
        export,
        lambda editions: {RESULTS: json_bytes(prairielearn_results(editions))},
        lambda editions: fraction_text(editions.whole),
    )


FORMAT = GradeFormat(
    name="prairielearn",
    title="results.json of an external grader of PrairieLearn for each submission",
    file="",
    write=_write,
)
