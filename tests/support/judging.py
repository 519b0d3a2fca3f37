"""Helpers for tests of checks: notebooks, and the findings of a check on them."""

from typing import Any

from grader.checks import all_checks
from grader.facts.case import Case
from grader.facts.language import english
from grader.schema.evidence import Evidence, FitFact, LayerFact, LossFact, OptimizerFact
from grader.schema.grade import Finding, RoleMatch
from grader.schema.message import say
from tests.support.factories import a_case, a_fit, a_model, an_evidence, conv, dense, layer
from tests.support.says import ids, says

__all__ = [
    "A_LOOP",
    "LOGITS",
    "SOFTMAX",
    "TAKES_LOGITS",
    "a_loop",
    "fails",
    "fitted",
    "judge",
    "lacks_its_model",
    "net",
    "passes",
    "waits",
]


def judge(check: str, evidence: Evidence | None = None, roles: dict[str, RoleMatch] | None = None, **w: Any) -> Finding:
    """The finding of a check by its name, with these parameters."""
    spec = all_checks()[check]
    return spec.run(a_case(evidence, None, **(roles or {})), spec.parameters.model_validate(w))


def passes(finding: Finding) -> None:
    """Assert full marks, and that the finding says where it was seen."""
    assert (finding.status, finding.fraction) == ("passed", 1.0), finding.message
    assert finding.evidence


def fails(finding: Finding, fault: str, **values: Any) -> None:
    """Assert that nothing was earned, and that the message has a part with this id and these values."""
    assert (finding.status, finding.fraction) == ("failed", 0.0)
    if values or fault in ids(finding.message):
        assert says(finding.message, fault, **values), finding.message
    else:
        assert fault in english(finding.message)


def waits(finding: Finding) -> None:
    """Assert that a person must judge what the grader could not see."""
    assert finding.status == "pending"
    text = english(finding.message)
    assert "could not see" in text or "could not be seen" in text


def lacks_its_model(check: str, **params: Any) -> None:
    """Assert that a role that no model fills fails with the reason."""
    finding = judge(check, None, {"cnn": RoleMatch(role="cnn", message=say("No model fits."))}, model="cnn", **params)
    assert finding.status == "failed"
    assert "No model fits." in ids(finding.message)


A_LOOP = a_fit(kind="custom_loop", epochs_done=0, batch_size=None, total_steps=400, compiled=None, x=None)
"""A training loop of which little was recorded."""


def fitted(*fits: FitFact, **keys: Any) -> Evidence:
    return an_evidence(fits=fits or (a_fit(**keys),))


def net(*layers: LayerFact) -> Evidence:
    return an_evidence(models=(a_model(*layers),))


LOGITS = (conv(16), layer("Flatten", output_shape=(100,)), dense(10, "linear", inputs=100))


SOFTMAX = (*LOGITS[:2], dense(10, "softmax", inputs=100))


TAKES_LOGITS = LossFact(name="sparse_categorical_crossentropy", from_logits=True)


def a_loop(*layers: Any, **keys: Any) -> Case:
    """A network that was never compiled, trained by a loop."""
    values: dict[str, Any] = {"optimizer": OptimizerFact(cls="Adam", learning_rate=0.001), "loss": TAKES_LOGITS}
    fit = a_fit(kind="custom_loop", history={}, compiled=None, **(values | keys))
    return a_case(an_evidence(models=(a_model(*(layers or LOGITS)),), fits=(fit,), compiles=()))
