"""Several conditions of one criterion."""

import pytest

from grader.checks.support.conditions import Condition, Conditions
from grader.facts.language import english
from grader.schema.grade import FindingDetails
from grader.schema.message import say

MET, MISSED, UNSEEN = (
    Condition(name, holds, seen)
    for name, holds, seen in (
        ("met", True, say("{images:number} images", images=3)),
        ("missed", False, say("that")),
        ("unseen", None, "?"),
    )
)


@pytest.mark.parametrize(
    ("items", "partial", "status", "fraction", "text"),
    [
        ((MET, MET), False, "passed", 1.0, "3 images; 3 images"),
        ((MET, MISSED), False, "failed", 0.0, "that"),
        ((MET, MISSED), True, "partial", 0.5, "that"),
        ((MISSED, MISSED), True, "failed", 0.0, "that; that"),
        ((MISSED, UNSEEN), False, "failed", 0.0, "that; ?"),
    ],
)
def test_the_conditions_decide_the_verdict_and_the_text(
    items: tuple[Condition, ...], partial: object, status: str, fraction: float, text: str
) -> None:
    conditions = Conditions.of(items)
    details: FindingDetails = {"measured": {"images": 3}, "advice": "look"}
    finding = conditions.finding(conditions.message, details, partial=bool(partial))
    assert (finding.status, finding.fraction, finding.advice) == (status, fraction, "look")
    assert english(finding.message) == english(conditions.message) == text
    assert finding.measured == {
        "images": 3,
        "held": [item.name for item in items if item.holds],
        "missed": [item.name for item in items if not item.holds],
    }


@pytest.mark.parametrize(
    ("items", "partial"), [((MET, UNSEEN), True), ((MET, UNSEEN), False), ((MISSED, UNSEEN), True)]
)
def test_an_undecided_condition_that_could_change_the_points_waits(
    items: tuple[Condition, ...], *, partial: bool
) -> None:
    conditions = Conditions.of(items)
    finding = conditions.finding(conditions.message, {}, partial=partial)
    assert (finding.status, finding.fraction) == ("pending", 0.0)
    assert finding.measured["missed"] == [item.name for item in items if not item.holds]


def test_an_undecided_condition_counts_as_missed_and_is_listed_apart() -> None:
    conditions = Conditions.of((MET, MISSED, UNSEEN))
    assert (conditions.met, conditions.missed, conditions.unseen) == ((MET,), (MISSED, UNSEEN), (UNSEEN,))
