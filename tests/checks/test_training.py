"""The check `training`."""

from typing import Any

import pytest

from grader.facts.language import english
from grader.schema.evidence import Evidence
from tests.support.factories import a_fit, an_evidence
from tests.support.judging import A_LOOP, fails, fitted, judge, lacks_its_model, passes, waits

GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (an_evidence(), {"kind": "fit", "epochs": {"at_least": 4}, "batch_size": {"at_most": 128}}),
    (fitted(A_LOOP), {"kind": "custom_loop", "steps": {"at_least": 300}}),
    (fitted(status="stopped_by_budget", epochs_asked=50), {"epochs": {"at_least": 50}}),
)


BAD: tuple[tuple[Evidence, dict[str, Any], str, dict[str, Any]], ...] = (
    (an_evidence(), {"kind": "custom_loop"}, "it must be a custom loop", {}),
    (an_evidence(), {"epochs": {"at_least": 20}}, "the number of epochs must be {range}", {}),
    (an_evidence(), {"epochs": {"at_least": 20}}, "{count:number} epoch", {"count": 4}),
    (an_evidence(), {"epochs": {"at_least": 20}}, "{low:number} or more", {"low": 20}),
    (an_evidence(), {"batch_size": {"at_most": 64}}, "batch size {size:number}", {"size": 128}),
    (an_evidence(), {"batch_size": {"at_most": 64}}, "the batch size must be {range}", {}),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (fitted(A_LOOP), {"batch_size": {"at_most": 128}})


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("training", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "fault", "values"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(
    evidence: Evidence, params: dict[str, Any], fault: str, values: dict[str, Any]
) -> None:
    fails(judge("training", evidence, **params), fault, **values)


def test_what_cannot_be_seen_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    waits(judge("training", evidence, **params))


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("training")


def test_each_training_has_to_be_as_asked_where_all_are_meant() -> None:
    evidence = fitted(a_fit(batch_size=32), a_fit(event=9, batch_size=512))
    assert judge("training", evidence, batch_size={"at_most": 64}).status == "passed"
    assert judge("training", evidence, batch_size={"at_most": 64}, trainings="all").status == "failed"
    assert judge("training", evidence, batch_size={"at_most": 64}, trainings="last").status == "failed"


def test_bounds_that_are_the_same_number_are_said_as_one() -> None:
    finding = judge("training", fitted(batch_size=32), batch_size={"at_least": 64, "at_most": 64})
    assert "must be exactly 64" in english(finding.message)
