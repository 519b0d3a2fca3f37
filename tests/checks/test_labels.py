"""The check `labels`."""

from typing import Any

import pytest

from grader.schema.evidence import Evidence, LabelFact
from tests.support.factories import an_evidence
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes, waits

ONE_HOT = LabelFact(shape=(54_000, 10), dtype="float32", one_hot=True, classes={str(k): 5_400 for k in range(10)})


COLUMN = LabelFact(shape=(50_000, 1), dtype="uint8", one_hot=False, classes={str(k): 5_000 for k in range(10)})


GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (fitted(y=ONE_HOT), {"one_hot": True, "classes": 10}),
    (an_evidence(), {"flat": True, "one_hot": False}),
)


BAD: tuple[tuple[Evidence, dict[str, Any], str], ...] = (
    (an_evidence(), {"one_hot": True}, "not one-hot"),
    (fitted(y=COLUMN), {"flat": True}, "not flat"),
    (fitted(y=ONE_HOT), {"classes": 8}, "instead of 8"),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (fitted(y=None), {"one_hot": True})


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("labels", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "said"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(evidence: Evidence, params: dict[str, Any], said: str) -> None:
    fails(judge("labels", evidence, **params), said)


def test_what_cannot_be_seen_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    waits(judge("labels", evidence, **params))


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("labels")
