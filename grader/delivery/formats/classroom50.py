"""The format `classroom50`: `result.json` of a Classroom 50 autograder, for the one submission of a results folder."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from grader.delivery.editions import Editions, criterion_text, has_points, plain_text
from grader.delivery.grade_export import GradeExport, GradeFormat, RowReport, reports_of
from grader.delivery.submission_files import json_bytes
from grader.facts.points import total_of
from grader.schema.errors import ArtefactError, UsageError
from grader.schema.grade import CriterionGrade

__all__ = ["FORMAT", "classroom50_result"]

_SCHEMA: Final = "classroom50/result/v1"
_VARIABLES: Final = {
    "classroom": ("CLASSROOM",),
    "assignment": ("ASSIGNMENT",),
    "assignment_type": ("ASSIGNMENT_TYPE",),
    "owner": ("OWNER", "USERNAME"),
    "submission": ("SUBMISSION_TAG",),
    "commit": ("COMMIT_URL",),
    "release": ("RELEASE_URL",),
    "review": ("REVIEW_URL", "COMMIT_URL"),
}
"""Key of the document → the variables that the runner sets, of which the first one with a value counts."""


def classroom50_result(editions: Editions, environment: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Make the result of a submission for Classroom 50, whose scores are whole numbers.

    Points are rounded half up; the exact points are in `points` and `max-points` of each test. The maximum is that of
    the decided points, since the score has no others. Hidden criteria count and are not listed. The student can read
    the document in the release of the repository.

    Args:
        editions: The grade.
        environment: The variables of the runner.
        now: The time for a submission whose time is unknown; the runner replaces it by the time of the commit.

    Raises:
        UsageError: Variables of the runner are missing.
        ArtefactError: There is no score.
    """
    whole = editions.whole
    if whole.score is None:
        msg = "a submission without a grade has no result"
        raise ArtefactError(msg, where=whole.submission.id, advice="grade it again")
    pending = sum(line.max_points for line in whole.criteria if line.status == "pending" and not line.bonus)
    most = _whole(total_of((whole.max_score, -pending)))
    submitted = whole.submission.submitted or now
    return {
        "schema": _SCHEMA,
        **_identity(environment),
        "datetime": submitted.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": min(_whole(whole.score), most),
        "max-score": most,
        "tests": [_test(line, editions) for line in editions.shown.criteria if has_points(line)],
    }


def _identity(environment: Mapping[str, str]) -> dict[str, str]:
    found = {
        key: next((value for name in names if (value := environment.get(name, ""))), "")
        for key, names in _VARIABLES.items()
    }
    if missing := [_VARIABLES[key][0] for key, value in found.items() if not value]:
        msg = f"variables of the runner are missing: {', '.join(missing)}"
        raise UsageError(msg, where="--to classroom50", advice="run it in an autograder.py of Classroom 50")
    return found


def _test(line: CriterionGrade, editions: Editions) -> dict[str, Any]:
    most = _whole(line.max_points)
    return {
        "test-name": plain_text(line.title or line.id),
        "passed": line.status == "passed",
        "score": min(_whole(line.points), most),
        "max-score": most,
        "points": line.points,
        "max-points": line.max_points,
        "message": criterion_text(line, editions.language),
    }


def _whole(points: float) -> int:
    return max(int(Decimal(str(points)).quantize(Decimal(1), ROUND_HALF_UP)), 0)


def _write(export: GradeExport) -> Sequence[RowReport]:
    submissions = {row.submission for row in export.rows if row.submission}
    if len(submissions) != 1:
        msg = f"the folder has {len(submissions)} submissions; Classroom 50 grades one repository at a time"
        raise UsageError(msg, where="--to classroom50", advice="use `--to json` or `--to csv` for a class")
    row = next(row for row in export.rows if row.submission)
    if not row.writable:
        msg = f"there is no result of {row.label}: {row.held}"
        kind = UsageError if row.status in {"graded", "excused"} else ArtefactError
        raise kind(msg, where="--to classroom50", advice="add `--with-pending`" if row.pending else "")
    result = classroom50_result(row.read(), export.environment, export.now)
    export.target.write_bytes(json_bytes(result))
    value = f"{result['score']} of {result['max-score']}"
    others = (reports_of(one) for one in export.rows if not one.submission)
    return (RowReport(row.label, row.submission, "written", value, row.remark), *others)


FORMAT = GradeFormat(
    name="classroom50",
    title="result.json of a Classroom 50 autograder, for the one submission of the folder",
    file="result.json",
    write=_write,
)
