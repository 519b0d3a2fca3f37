"""The check `loss`."""

from typing import Any

import pytest

from grader.checks.loss import LossParams, loss
from grader.facts.language import english
from grader.schema.evidence import Evidence, LossFact
from grader.schema.message import Message, say
from tests.support.factories import a_compile, a_fit, a_model, an_evidence, dense, operation
from tests.support.judging import SOFTMAX, a_loop, fails, judge, lacks_its_model, passes, waits
from tests.support.says import ids, says

GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (an_evidence(), {"name": "sparse_categorical_crossentropy"}),
    (
        an_evidence(models=(a_model(dense(10)),), compiles=(a_compile(from_logits=True),)),
        {"from_logits": True},
    ),
)


BAD: tuple[tuple[Evidence, dict[str, Any], Message], ...] = (
    (
        an_evidence(compiles=(a_compile("mse"),)),
        {"name": "categorical_crossentropy"},
        say("the loss must be {losses:code or}", losses=["categorical_crossentropy"]),
    ),
    (an_evidence(models=(a_model(dense(10)),)), {}, say("the model ends without an activation, so it gives logits")),
    (
        an_evidence(compiles=(a_compile(from_logits=True),)),
        {},
        say("the model ends in {activation:code}, so it gives probabilities", activation="softmax"),
    ),
    (
        an_evidence(),
        {"from_logits": True, "fits_output": False},
        say("the loss must expect logits (`from_logits=True`)"),
    ),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (
    an_evidence(compiles=(a_compile(LossFact(name="mine", from_logits=False, custom=True)),)),
    {"name": "custom:mine"},
)


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_a_loss_that_matches_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("loss", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "fault"), BAD)
def test_a_loss_with_a_fault_fails_with_the_fault(evidence: Evidence, params: dict[str, Any], fault: Message) -> None:
    finding = judge("loss", evidence, **params)
    fails(finding, fault.id, **fault.values)
    assert finding.measured["faults"] == [english(fault)]


def test_the_message_names_the_loss() -> None:
    finding = judge("loss", an_evidence(compiles=(a_compile("mse"),)), name="categorical_crossentropy")
    assert says(finding.message, "{loss:code}, which expects probabilities", loss="mse")


def test_every_name_of_a_loss_is_the_same_loss() -> None:
    evidence = an_evidence(compiles=(a_compile("mean_squared_error"),))
    assert judge("loss", evidence, name="MSE").status == "passed"
    assert judge("loss", evidence, name="MeanSquaredError").status == "passed"
    fails(judge("loss", evidence, name="mae"), "the loss must be {losses:code or}", losses=["mae"])


def test_a_model_that_was_never_compiled_fails() -> None:
    fails(judge("loss", an_evidence(compiles=())), "{model:code} was never compiled with a loss.", model="model")


def test_a_custom_loss_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    finding = judge("loss", evidence, **params)
    waits(finding)
    assert says(finding.message, "whether the loss matches the output of the model")


@pytest.mark.parametrize(
    "params", [{}, {"name": "sparse_categorical_crossentropy"}, {"from_logits": True}, {"from_logits": False}]
)
def test_a_function_of_the_student_waits_whatever_its_name(params: dict[str, Any]) -> None:
    """The function may call the required loss."""
    used = LossFact(name="nll", from_logits=None, custom=True)
    finding = judge("loss", an_evidence(compiles=(a_compile(used),)), **params)
    waits(finding)
    assert ("which loss the student's own code computes" in ids(finding.message)) is bool(params)


def test_a_missing_model_fails() -> None:
    lacks_its_model("loss")


def test_a_loss_after_an_unknown_operation_waits_for_a_person() -> None:
    compiles = (a_compile(),)
    unknown = an_evidence(models=(a_model(dense(10), operation("Add"), cls="Functional"),), compiles=compiles)
    assert judge("loss", unknown).status == "pending"
    known = an_evidence(models=(a_model(dense(10), operation("Softmax"), cls="Functional"),), compiles=compiles)
    assert judge("loss", known).status == "passed"


def test_the_loss_a_loop_called_is_judged_against_the_output() -> None:
    assert loss(a_loop(), LossParams(from_logits=True)).status == "passed"
    finding = loss(a_loop(*SOFTMAX), LossParams(from_logits=True))
    assert finding.status == "failed"
    assert says(
        finding.message, "The custom loop that trains {model:code} in {cell:cell} uses the loss {loss}", model="model"
    )
    assert says(finding.message, "the model ends in {activation:code}, so it gives probabilities", activation="softmax")


def test_a_loss_that_was_not_seen_waits_for_a_person() -> None:
    assert loss(a_loop(loss=None), LossParams(from_logits=True)).status == "pending"


def test_a_loss_that_code_of_the_students_computes_in_a_fit_waits_for_a_person() -> None:
    waits(judge("loss", an_evidence(compiles=(a_compile(None),))))
    unused = an_evidence(compiles=(a_compile(None), a_compile(None, event=8)), fits=(a_fit(compiled=99),))
    fails(judge("loss", unused), "no loss was given")
