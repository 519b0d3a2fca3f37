"""The check `beats`."""

from typing import Any

from grader.schema.evidence import Evidence
from grader.schema.grade import RoleMatch
from tests.support.factories import HISTORY, a_fit, a_model, an_accuracy, an_evidence, dense
from tests.support.judging import judge

MODELS = (a_model(name="cnn"), a_model(dense(10, "softmax"), name="mlp", model_id="m2"))


BOTH = {
    "cnn": RoleMatch(role="cnn", model="m1"),
    "mlp": RoleMatch(role="mlp", model="m2"),
}


WORSE = {"accuracy": (0.8, 0.85, 0.9, 0.92), "val_accuracy": (0.85, 0.88, 0.91, 0.92)}


def rivals(ours: dict[str, Any], theirs: dict[str, Any], **keys: Any) -> Evidence:
    fits = (a_fit(total_steps=1688, **ours), a_fit(event=9, model="m2", total_steps=1688, history=WORSE, **theirs))
    values: dict[str, Any] = {"models": MODELS, "fits": fits, "accuracies": ()}
    return an_evidence(**(values | keys))


def test_the_better_network_beats_the_other_after_as_many_steps() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", within_steps=500)
    assert finding.status == "passed"
    assert "96.8 % after 422 steps and 85 % after 422 steps, on their validation images" in finding.message


def test_the_worse_network_does_not() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="mlp", than="cnn", within_steps=500)
    assert finding.status == "failed"
    assert judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", by=0.2).status == "failed"


def test_verified_accuracies_count_first_where_the_whole_training_was_short_enough() -> None:
    verified = (an_accuracy(9_000), an_accuracy(9_500, model="m2"))
    evidence = rivals({}, {}, accuracies=verified)
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp").status == "failed"
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp", within_epochs=4).assurance == "verified"
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp", within_steps=500).assurance == "recorded"


def test_steps_that_nothing_was_recorded_at_wait_for_a_person() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", within_steps=100)
    assert finding.status == "pending"
    assert "`cnn` and `mlp`" in finding.message


def test_a_network_that_was_never_trained_cannot_be_compared() -> None:
    evidence = an_evidence(models=MODELS, accuracies=(), fits=(a_fit(history=HISTORY),))
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp").status == "pending"
