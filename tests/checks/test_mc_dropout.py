"""The check `mc_dropout`."""

from typing import Any

import pytest

from grader.schema.evidence import CallFact, Evidence, ModelFact, PredictFact, RepeatedPassesFact
from tests.support.factories import a_model, an_array, an_evidence, dense, layer, some_passes
from tests.support.judging import fails, judge
from tests.support.says import says

SELU = dense(100, "selu", name="hidden", kernel_initializer={"class_name": "LecunNormal", "config": {}})


OUT = dense(10, "softmax", name="out")


PREDICTED = "{cell:Cell} predicted {images} {passes:number} times with {model:code} ({how})"


JUDGE = "A person must judge it: {reasons}."


def made(*facts: RepeatedPassesFact, **keys: Any) -> Evidence:
    return an_evidence(repeated_passes=facts, **keys)


def older(**keys: Any) -> Evidence:
    """Calls in a record without the comparison."""
    fact = {"event": 9, "cell": 0, "model": "m1", "training": True, "count": 20, "repeats": 20, "outputs_differ": True}
    return an_evidence(calls=(CallFact.model_validate({**fact, "x": an_array(5_000), **keys}),))


def older_predictions(count: int = 12, *, differ: bool = True) -> Evidence:
    own = layer("AlphaDropout", custom="MCAlphaDropout", config={"rate": 0.1})
    return an_evidence(
        models=(a_model(SELU, own, OUT, name="mc"),),
        predictions=tuple(
            PredictFact(event=9 + n, cell=0, model="m1", pass_number=n, outputs_differ=differ)
            for n in range(1, count + 1)
        ),
    )


def test_calls_in_training_mode_that_differ_and_are_averaged_pass() -> None:
    finding = judge("mc_dropout", made(some_passes()), images_at_least=1_000)
    assert finding.status == "passed"
    assert says(finding.message, PREDICTED, passes=20, model="model")
    assert says(finding.message, "the same image", count=5_000)
    assert says(finding.message, "calls with `training=True`")
    assert says(finding.message, "An array is their mean.")


def test_predictions_of_a_dropout_class_of_ones_own_pass() -> None:
    own = layer("AlphaDropout", custom="MCAlphaDropout", config={"rate": 0.1})
    models = (a_model(SELU, own, OUT, name="mc"),)
    finding = judge(
        "mc_dropout", made(some_passes(way="predict", training=None, passes=12, averaged=12), models=models)
    )
    assert finding.status == "passed"
    assert says(finding.message, "calls of `predict`")


@pytest.mark.parametrize(
    "model",
    [
        a_model(SELU, OUT, cls="Net"),
        a_model(SELU, layer("Lambda"), OUT),
        a_model(SELU, layer("TFOpLambda", config={"function": "nn.dropout"}), OUT),
    ],
)
def test_passes_that_differ_count_if_the_model_s_own_code_drops(model: ModelFact) -> None:
    assert judge("mc_dropout", made(some_passes(), models=(model,))).status == "passed"


@pytest.mark.parametrize(("cls", "differ"), [("Net", False), ("Sequential", True)])
def test_passes_of_a_model_without_dropout_do_not_count(cls: str, differ: bool) -> None:  # noqa: FBT001 - a parameter
    models = (a_model(SELU, OUT, cls=cls),)
    fails(
        judge("mc_dropout", made(some_passes(differ=differ), models=models)),
        "No model with dropout predicts the same images repeatedly.",
    )


def test_a_median_is_an_average() -> None:
    assert judge("mc_dropout", made(some_passes(average="median"))).status == "passed"


def test_a_trial_before_the_averaged_passes_does_not_count() -> None:
    assert judge("mc_dropout", made(some_passes(passes=21, averaged=20))).status == "passed"
    fails(judge("mc_dropout", made(some_passes(averaged=2))), "the mean is over only {count:number} pass", count=2)


@pytest.mark.parametrize(
    ("average", "fault"),
    [
        ("discarded", "the mean of the passes is computed and not used"),
        ("wrong_axis", "the mean is over images or classes and not over the passes"),
        ("accuracies", "the accuracy of each pass is computed, and not the accuracy of their mean"),
    ],
)
def test_another_average_is_a_mistake(average: str, fault: str) -> None:
    fails(judge("mc_dropout", made(some_passes(average=average))), fault)
    assert judge("mc_dropout", made(some_passes(average=average)), averaged=False).status == "passed"


@pytest.mark.parametrize(
    ("average", "reason"),
    [
        (None, "the grader saw no array that is the mean of the passes"),
        ("sum", "the passes are added up, and the grader saw no array that is their mean"),
    ],
)
def test_an_average_that_was_not_seen_waits_for_a_person(average: str | None, reason: str) -> None:
    finding = judge("mc_dropout", made(some_passes(average=average, averaged=None)))
    assert finding.status == "pending"
    assert says(finding.message, "The predictions differ, so dropout was on.")
    assert says(finding.message, JUDGE)
    assert says(finding.message, reason)


@pytest.mark.parametrize("evidence", [older(), older_predictions()])
def test_an_older_record_waits_for_a_person(evidence: Evidence) -> None:
    finding = judge("mc_dropout", evidence)
    assert finding.status == "pending"
    assert says(finding.message, "the grader could not compare the notebook's arrays with the passes")
    assert judge("mc_dropout", evidence, averaged=False).status == "passed"


def test_averaged_passes_are_judged_and_not_longer_ones_that_nobody_averaged() -> None:
    finding = judge("mc_dropout", made(some_passes(passes=50, average=None, averaged=None), some_passes(cell=1)))
    assert finding.status == "passed"
    assert says(finding.message, PREDICTED, cell=1, passes=20)


@pytest.mark.parametrize(
    ("evidence", "fault"),
    [
        (made(some_passes(differ=False)), "all passes gave the same numbers, so dropout was off"),
        (older(outputs_differ=False), "all passes gave the same numbers, so dropout was off"),
        (older_predictions(differ=False), "all passes gave the same numbers, so dropout was off"),
        (made(some_passes(passes=5, averaged=5)), "at least {passes:number} passes are required"),
        (made(some_passes(passes=5, average=None)), "the grader saw no array that is the mean of the passes"),
        (older(repeats=1), "No model with dropout predicts the same images repeatedly."),
        (an_evidence(), "No model with dropout predicts the same images repeatedly."),
    ],
)
def test_anything_less_is_no_monte_carlo_dropout(evidence: Evidence, fault: str) -> None:
    fails(judge("mc_dropout", evidence), fault)


def test_the_message_gives_the_required_numbers() -> None:
    finding = judge("mc_dropout", made(some_passes(passes=5, averaged=5)), images_at_least=6_000)
    assert says(finding.message, "at least {passes:number} passes are required", passes=10)
    assert says(finding.message, "at least {images:number} images per pass are required", images=6_000)


def test_passes_that_could_not_be_compared_wait_for_a_person() -> None:
    finding = judge("mc_dropout", older(outputs_differ=None))
    assert finding.status == "pending"
    assert says(finding.message, JUDGE)
    assert says(finding.message, "the grader could not see whether the passes differ")


def test_passes_in_a_function_that_became_a_graph_wait_for_a_person() -> None:
    finding = judge("mc_dropout", older(count=0, repeats=None, outputs_differ=None, traced=True, x=None))
    assert finding.status == "pending"
    assert says(
        finding.message,
        "A `tf.function` in {cell:cell} calls {model:code} with `training=True`. The grader could not see how often "
        "it ran and on which images, so a person must judge it.",
        cell=0,
        model="model",
    )
    assert judge("mc_dropout", older(count=0, repeats=None, traced=True, training=None)).status == "failed"
