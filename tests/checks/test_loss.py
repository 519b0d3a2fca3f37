"""The check `loss`."""

from typing import Any

import pytest

from grader.checks.loss import LossParams, loss
from grader.facts.language import english
from grader.schema.evidence import Evidence, LossFact
from tests.support.factories import a_compile, a_model, an_evidence, dense, operation
from tests.support.judging import SOFTMAX, a_loop, fails, judge, lacks_its_model, passes, waits

GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (an_evidence(), {"name": "sparse_categorical_crossentropy"}),
    (
        an_evidence(models=(a_model(dense(10)),), compiles=(a_compile(from_logits=True),)),
        {"from_logits": True},
    ),
)


BAD: tuple[tuple[Evidence, dict[str, Any], str], ...] = (
    (an_evidence(compiles=(a_compile("mse"),)), {"name": "categorical_crossentropy"}, "mse"),
    (an_evidence(models=(a_model(dense(10)),)), {}, "so gives logits"),
    (an_evidence(compiles=(a_compile(from_logits=True),)), {}, "ends in softmax"),
    (an_evidence(compiles=()), {}, "never compiled"),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (
    an_evidence(compiles=(a_compile(LossFact(name="mine", from_logits=False, custom=True)),)),
    {"name": "mine"},
)


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("loss", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "said"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(evidence: Evidence, params: dict[str, Any], said: str) -> None:
    fails(judge("loss", evidence, **params), said)


def test_what_cannot_be_seen_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    waits(judge("loss", evidence, **params))


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("loss")


def test_a_loss_behind_an_unknown_operation_waits_for_a_person() -> None:
    compiles = (a_compile(),)
    unknown = an_evidence(models=(a_model(dense(10), operation("Add"), cls="Functional"),), compiles=compiles)
    assert judge("loss", unknown).status == "pending"
    known = an_evidence(models=(a_model(dense(10), operation("Softmax"), cls="Functional"),), compiles=compiles)
    assert judge("loss", known).status == "passed"


def test_the_loss_a_loop_called_is_judged_against_the_output() -> None:
    assert loss(a_loop(), LossParams(from_logits=True)).status == "passed"
    finding = loss(a_loop(*SOFTMAX), LossParams(from_logits=True))
    assert finding.status == "failed"
    assert "the loop of `model`" in english(finding.message).lower()
    assert "ends in softmax" in english(finding.message)


def test_a_loss_that_was_not_seen_waits_for_a_person() -> None:
    assert loss(a_loop(loss=None), LossParams(from_logits=True)).status == "pending"
