"""What the checks `optimizer` and `loss` say about training loops of the student's own."""

from typing import Any

from grader.checks.loss import LossParams, loss
from grader.checks.optimizer import OptimizerParams, optimizer
from grader.facts.case import Case
from grader.schema.evidence import LossFact, OptimizerFact
from tests.support.factories import a_case, a_fit, a_model, an_evidence, conv, dense, layer

LOGITS = (conv(16), layer("Flatten", output_shape=(100,)), dense(10, "linear", inputs=100))
SOFTMAX = (*LOGITS[:2], dense(10, "softmax", inputs=100))
TAKES_LOGITS = LossFact(name="sparse_categorical_crossentropy", from_logits=True)


def a_loop(*layers: Any, **keys: Any) -> Case:
    """A network that was never compiled, trained by a loop."""
    values: dict[str, Any] = {"optimizer": OptimizerFact(cls="Adam", learning_rate=0.001), "loss": TAKES_LOGITS}
    fit = a_fit(kind="custom_loop", history={}, compiled=None, **(values | keys))
    return a_case(an_evidence(models=(a_model(*(layers or LOGITS)),), fits=(fit,), compiles=()))


def test_the_optimizer_of_a_loop_is_judged_like_a_compiled_one() -> None:
    assert optimizer(a_loop(), OptimizerParams(cls="adaptive")).status == "passed"
    plain = a_loop(optimizer=OptimizerFact(cls="SGD", learning_rate=0.1))
    assert optimizer(plain, OptimizerParams(cls="adaptive")).status == "failed"


def test_a_loop_without_an_optimizer_waits_for_a_person() -> None:
    assert optimizer(a_loop(optimizer=None), OptimizerParams(cls="adaptive")).status == "pending"


def test_the_loss_a_loop_called_is_judged_against_the_output() -> None:
    assert loss(a_loop(), LossParams(from_logits=True)).status == "passed"
    finding = loss(a_loop(*SOFTMAX), LossParams(from_logits=True))
    assert finding.status == "failed"
    assert "the loop of `model`" in finding.message.lower()
    assert "ends in softmax" in finding.message


def test_a_loss_that_was_not_seen_waits_for_a_person() -> None:
    assert loss(a_loop(loss=None), LossParams(from_logits=True)).status == "pending"
