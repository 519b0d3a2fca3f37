"""`result.json` of Classroom 50: whole numbers, and the identity that the runner gives."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from grader.delivery.editions import editions_of
from grader.delivery.formats.classroom50 import FORMAT, classroom50_result
from grader.schema.errors import ArtefactError, UsageError
from tests.delivery.formats.test_gradescope import LATE
from tests.support.exporting import a_row, an_export
from tests.support.mailing import NOW, RUBRIC, a_criterion, a_grade

RUNNER = {
    "CLASSROOM": "dl-2026",
    "ASSIGNMENT": "mnist-cnn",
    "ASSIGNMENT_TYPE": "individual",
    "OWNER": "alice",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d",
    "COMMIT_URL": "https://example.org/commit/1",
    "RELEASE_URL": "https://example.org/release/1",
}
TEXTS = {"classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release", "review", "datetime"}
REQUIRED = {*TEXTS, "schema", "score", "max-score", "tests"}
"""The keys of Classroom 50's JSON Schema, which allows no others."""
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")


def result(**keys: Any) -> dict[str, Any]:
    return classroom50_result(editions_of(a_grade(**keys), RUBRIC), RUNNER, NOW)


def assert_valid(document: dict[str, Any]) -> None:
    """Check the rules of the schema and of the collector."""
    assert set(document) == REQUIRED
    assert document["schema"] == "classroom50/result/v1"
    assert all(isinstance(document[key], str) and document[key] for key in TEXTS)
    assert MOMENT.fullmatch(document["datetime"])
    assert document["submission"].startswith("submit/")
    assert document["assignment_type"] in {"individual", "group"}
    for part in (document, *document["tests"]):
        assert type(part["score"]) is int
        assert type(part["max-score"]) is int
        assert 0 <= part["score"] <= part["max-score"]
    for test in document["tests"]:
        assert test["test-name"]
        assert isinstance(test["passed"], bool)


@pytest.mark.parametrize(
    "keys", [{}, {"pending": True}, {"late": LATE, "score": 19.5}, {"accuracy": 20.86}, {"score": 60.0}, {"score": 0.0}]
)
def test_the_document_follows_the_schema_and_the_collector(keys: dict[str, Any]) -> None:
    assert_valid(result(**keys))


def test_points_are_rounded_half_up_and_the_exact_ones_are_kept() -> None:
    document = result(accuracy=20.5)
    (accuracy,) = (test for test in document["tests"] if test["test-name"] == "Title of accuracy")
    assert (document["score"], document["max-score"]) == (25, 44)
    assert (accuracy["score"], accuracy["points"], accuracy["passed"]) == (21, 20.5, False)


def test_undecided_points_are_not_part_of_the_maximum() -> None:
    document = result(pending=True)
    assert (document["score"], document["max-score"]) == (24, 44)
    assert "Title of explained" not in {test["test-name"] for test in document["tests"]}


def test_hidden_criteria_are_not_listed() -> None:
    assert "trap" not in json.dumps(result())


def test_bonus_points_cannot_exceed_the_maximum_of_a_test() -> None:
    assert_valid(result(criteria=(a_criterion("extra", 2.5, 3, bonus=True),)))


def test_missing_variables_of_the_runner_are_named() -> None:
    with pytest.raises(UsageError, match="missing: CLASSROOM, OWNER"):
        classroom50_result(editions_of(a_grade(), RUBRIC), {**RUNNER, "CLASSROOM": "", "OWNER": ""}, NOW)


def test_the_file_needs_one_submission_with_a_score(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    with pytest.raises(UsageError, match="2 submissions"):
        FORMAT.write(an_export(target, a_row(), a_row(a_grade("ben")), environment=RUNNER))
    with pytest.raises(UsageError, match="5 points are pending"):
        FORMAT.write(an_export(target, a_row(held="5 points are pending"), environment=RUNNER))
    with pytest.raises(ArtefactError, match="not graded"):
        FORMAT.write(an_export(target, a_row(status="not_graded", held="it was not graded"), environment=RUNNER))
    FORMAT.write(an_export(target, a_row(), environment=RUNNER))
    assert_valid(json.loads(target.read_text()))
