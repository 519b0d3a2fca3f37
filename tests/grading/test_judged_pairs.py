"""Judgements about two similar submissions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from grader.grading.judged import latest, with_judgements
from grader.schema.judgement import Judgement
from tests.support.mailing import a_grade

START = datetime(2030, 1, 1, tzinfo=UTC)


def judgement(minute: int, kind: str, other: str = "", why: str = "", **keys: Any) -> Judgement:
    return Judgement.model_validate(
        {
            "at": START + timedelta(minutes=minute),
            "by": "Ann",
            "submission": "amara",
            "kind": kind,
            "other": other,
            "why": why,
            **keys,
        }
    )


def test_flags_of_several_pairs_count_together() -> None:
    judgements = [
        judgement(1, "flag", "ben", "same code"),
        judgement(2, "flag", "cleo", "same text"),
        judgement(3, "flag", why="look at this"),
    ]
    grade = with_judgements(a_grade("amara"), judgements)
    assert [flag.why for flag in grade.flags] == ["same code", "same text", "look at this"]
    assert (grade.score, grade.review) == (a_grade("amara").score, ())


def test_an_explanation_changes_nothing_in_the_grade_and_the_latest_decision_counts() -> None:
    judgements = [
        judgement(1, "flag", "ben", "same code"),
        judgement(2, "flag", "ben"),
        judgement(2, "explained", "ben", "they worked together, as allowed"),
    ]
    counting = latest(judgements)
    assert [one.kind for one in counting.values()] == ["explained"]
    assert with_judgements(a_grade("amara"), judgements) == a_grade("amara")


@pytest.mark.parametrize(
    ("kind", "other", "keys"),
    [
        ("points", "ben", {"criterion": "accuracy", "points": 1}),
        ("flag", "ben", {"criterion": "accuracy"}),
        ("explained", "", {}),
        ("comment", "ben", {}),
    ],
)
def test_only_flags_and_explanations_of_whole_submissions_are_about_a_pair(
    kind: str, other: str, keys: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        judgement(1, kind, other, "why", **keys)
