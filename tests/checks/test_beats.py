"""The check `beats`."""

from typing import Any, Literal

import pytest

from grader.facts.language import english
from grader.schema.evidence import EvaluateFact, Evidence, SaveFact
from grader.schema.grade import RoleMatch
from grader.schema.message import Message, say, say_count
from tests.support.factories import HISTORY, a_fit, a_model, an_accuracy, an_array, an_evidence, dense, rows
from tests.support.judging import judge
from tests.support.says import says

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


VALIDATION = "Accuracy on their validation images: {model:code} {accuracy}, {other:code} {base}."
AFTER = "{accuracy:percent} after {training}"


def steps(count: int) -> Message:
    return say_count("{count:number} step", "{count:number} steps", count)


def test_the_better_model_beats_the_other_after_as_many_steps() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", within_steps=500)
    assert finding.status == "passed"
    ours = say(AFTER, accuracy=0.968, training=steps(422))
    theirs = say(AFTER, accuracy=0.85, training=steps(422))
    assert says(finding.message, "{model:code} is more accurate than {other:code}.", model="cnn", other="mlp")
    assert says(finding.message, VALIDATION, model="cnn", accuracy=ours, other="mlp", base=theirs)
    assert says(finding.message, "Only the first {limits} of training count.", limits=[steps(500)])


def test_the_worse_model_does_not() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="mlp", than="cnn", within_steps=500)
    assert finding.status == "failed"
    assert says(finding.message, "{model:code} is not more accurate than {other:code}.", model="mlp", other="cnn")
    narrow = judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", by=0.2)
    assert narrow.status == "failed"
    message = "{model:code} is more accurate than {other:code}, but by less than {margin:percent}."
    assert says(narrow.message, message, margin=0.2)


def test_verified_accuracies_count_first_if_the_whole_training_is_within_the_limit() -> None:
    verified = (an_accuracy(9_000), an_accuracy(9_500, model="m2"))
    evidence = rivals({}, {}, accuracies=verified)
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp").status == "failed"
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp", within_epochs=4).assurance == "verified"
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp", within_steps=500).assurance == "recorded"


def test_a_limit_before_the_first_record_waits_for_a_person() -> None:
    finding = judge("beats", rivals({}, {}), BOTH, model="cnn", than="mlp", within_steps=100)
    assert finding.status == "pending"
    message = "No accuracy of {models:code or} was recorded, so a person must compare the models."
    assert says(finding.message, message, models=["cnn", "mlp"])


def test_a_model_that_was_never_trained_cannot_be_compared() -> None:
    evidence = an_evidence(models=MODELS, accuracies=(), fits=(a_fit(history=HISTORY),))
    finding = judge("beats", evidence, BOTH, model="cnn", than="mlp")
    assert finding.status == "failed"
    assert "was never trained in this notebook" in english(finding.message)


@pytest.mark.parametrize("action", ["load", "set_weights"])
def test_a_model_with_weights_from_elsewhere_waits_for_a_person(action: Literal["load", "set_weights"]) -> None:
    taken = tuple(SaveFact(event=3, cell=2, action=action, model=model.id) for model in MODELS)
    evidence = an_evidence(models=MODELS, accuracies=(), fits=(a_fit(history=HISTORY),), saves=taken)
    assert judge("beats", evidence, BOTH, model="cnn", than="mlp").status == "pending"


def with_result(model: str, accuracy: float, **counts: Any) -> EvaluateFact:
    images = an_array(sum(v for v in counts.values() if isinstance(v, int)), of=rows(**counts))
    return EvaluateFact(event=20, cell=7, model=model, x=images, results={"accuracy": accuracy})


@pytest.mark.parametrize(
    "counts", [{"test": 10}, {"train": 5_000, "test": 10_000}, {"test": 10_000, "dataset": "cifar10"}]
)
def test_a_result_on_other_images_than_the_other_models_does_not_count(counts: dict[str, Any]) -> None:
    verified = (an_accuracy(9_000), an_accuracy(9_500, model="m2"))
    evidence = rivals({}, {}, accuracies=verified, evaluations=(with_result("m1", 1.0, **counts),))
    finding = judge("beats", evidence, BOTH, model="cnn", than="mlp")
    assert (finding.status, finding.measured["ours"]) == ("failed", 0.9)


def test_without_common_test_images_the_validation_images_are_compared() -> None:
    evidence = rivals({}, {}, evaluations=(with_result("m1", 0.9, test=100), with_result("m2", 0.95, test=10_000)))
    finding = judge("beats", evidence, BOTH, model="cnn", than="mlp")
    assert (finding.status, finding.measured["side"]) == ("passed", "validation")


def test_results_on_as_many_test_images_are_compared() -> None:
    results = (with_result("m1", 0.9, test=100), with_result("m1", 0.8, test=10_000), with_result("m2", 0.95, test=100))
    finding = judge("beats", rivals({}, {}, evaluations=results), BOTH, model="cnn", than="mlp")
    assert (finding.status, finding.measured["side"], finding.measured["ours"]) == ("failed", "tested", 0.9)
