"""The check `labels`."""

from typing import Any

import pytest

from grader.facts.language import english
from grader.schema.evidence import Evidence, LabelFact
from grader.schema.message import Message, say, say_count
from tests.support.factories import an_evidence
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes, waits
from tests.support.says import says

ONE_HOT = LabelFact(shape=(54_000, 10), dtype="float32", one_hot=True, classes={str(k): 5_400 for k in range(10)})


COLUMN = LabelFact(shape=(50_000, 1), dtype="uint8", one_hot=False, classes={str(k): 5_000 for k in range(10)})


SMOOTHED = LabelFact(shape=(54_000, 10), dtype="float32", one_hot=False, classes={})


GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (fitted(y=ONE_HOT), {"one_hot": True, "classes": 10}),
    (an_evidence(), {"flat": True, "one_hot": False}),
)


BAD: tuple[tuple[Evidence, dict[str, Any], Message], ...] = (
    (an_evidence(), {"one_hot": True}, say("they must be one-hot")),
    (fitted(y=ONE_HOT), {"one_hot": False}, say("they must be plain numbers")),
    (fitted(y=COLUMN), {"flat": True}, say("they must have the shape (n,)")),
    (an_evidence(), {"flat": False}, say("they must not have the shape (n,)")),
    (
        fitted(y=ONE_HOT),
        {"classes": 8},
        say_count("there must be {count:number} class", "there must be {count:number} classes", 8),
    ),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (fitted(y=None), {"one_hot": True})


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_labels_of_the_required_form_pass(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("labels", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "fault"), BAD)
def test_labels_of_another_form_fail_with_the_fault(evidence: Evidence, params: dict[str, Any], fault: Message) -> None:
    finding = judge("labels", evidence, **params)
    fails(finding, fault.id, **fault.values)
    assert finding.measured["faults"] == [english(fault)]


def test_the_message_has_the_shape_and_the_classes() -> None:
    finding = judge("labels", fitted(y=COLUMN))
    assert says(
        finding.message,
        "The training in {cell:cell} used numeric labels of shape {shape:shape} with {count:number} class",
        shape=[50_000, 1],
        count=10,
    )


def test_unseen_labels_wait_for_a_person() -> None:
    evidence, params = UNSEEN
    finding = judge("labels", evidence, **params)
    waits(finding)
    assert says(finding.message, "their form")


@pytest.mark.parametrize("params", [{"one_hot": True}, {"classes": 10}, {"one_hot": True, "flat": False}])
def test_smoothed_labels_wait_for_a_person(params: dict[str, Any]) -> None:
    finding = judge("labels", fitted(y=SMOOTHED), **params)
    waits(finding)
    assert says(finding.message, "the class of each row")


def test_the_shape_of_smoothed_labels_is_judged() -> None:
    fails(judge("labels", fitted(y=SMOOTHED), flat=True, one_hot=True), "they must have the shape (n,)")
    passes(judge("labels", fitted(y=SMOOTHED), flat=False))


def test_a_missing_model_fails() -> None:
    lacks_its_model("labels")
