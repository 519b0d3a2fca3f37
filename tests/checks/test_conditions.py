"""Several conditions of one criterion."""

import pytest

from grader.checks.support.conditions import Condition, Conditions
from grader.schema.grade import FindingDetails

MET, MISSED, UNSEEN = (
    Condition(name, holds, seen)
    for name, holds, seen in (("met", True, "this"), ("missed", False, "that"), ("unseen", None, "?"))
)


@pytest.mark.parametrize(
    ("items", "partial", "status", "fraction", "text"),
    [
        ((MET, MET), False, "passed", 1.0, "this; this"),
        ((MET, MISSED), False, "failed", 0.0, "that"),
        ((MET, MISSED), True, "partial", 0.5, "that"),
        ((MISSED, MISSED), True, "failed", 0.0, "that; that"),
        ((MET, UNSEEN), True, "partial", 0.5, "?"),
    ],
)
def test_the_conditions_decide_the_verdict_and_the_text(
    items: tuple[Condition, ...], partial: object, status: str, fraction: float, text: str
) -> None:
    conditions = Conditions.of(items)
    details: FindingDetails = {"measured": {"images": 3}, "advice": "look"}
    finding = conditions.finding(conditions.text, details, partial=bool(partial))
    assert (finding.status, finding.fraction, finding.message, finding.advice) == (status, fraction, text, "look")
    assert finding.measured == {
        "images": 3,
        "held": [item.name for item in items if item.holds],
        "missed": [item.name for item in items if not item.holds],
    }


def test_what_could_not_be_seen_counts_as_missed_and_is_known_apart() -> None:
    conditions = Conditions.of((MET, MISSED, UNSEEN))
    assert (conditions.met, conditions.missed, conditions.unseen) == ((MET,), (MISSED, UNSEEN), (UNSEEN,))
