"""The check `gain`."""

from dataclasses import replace
from typing import Any

import pytest

from grader.checks.gain import GainParams, gain
from grader.schema.errors import PredictorError
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding, Lacking
from tests.support.says import says, values
from tests.support.transfer_cases import SCRATCH, TRANSFERRED, accuracies, case, evidence


def compare(of: Evidence | None = None, **keys: Any) -> Finding:
    params = {"model": "transferred", "over": "scratch", "task": "b"} | keys
    return gain(case(of), GainParams.model_validate(params))


TESTED = (
    "Only one of the two models is right on {count:number} image; {model:code} is right on {ours:number} of them "
    "(exact paired test: p = {p:number})."
)


def test_a_clear_gain_is_more_than_chance() -> None:
    finding = compare(require_significant=True)
    assert finding.status == "passed"
    assert (finding.measured["only_model"], finding.measured["only_over"]) == (50, 5)
    assert finding.measured["gain"] == pytest.approx(0.0225)
    assert says(finding.message, "A difference of this size is unlikely to be chance.")
    assert says(finding.message, TESTED, count=55, ours=50)
    assert values(finding.message, "This is {points:number} percentage points more.")["points"] == pytest.approx(2.25)


def test_a_gain_within_the_noise_is_reported_as_such() -> None:
    found = evidence(accuracies=accuracies((SCRATCH, range(20)), (TRANSFERRED, range(5, 21))))
    assert compare(found).status == "passed"
    noise = "The difference is within the noise: another random seed could reverse it."
    assert says(compare(found).message, noise)
    strict = compare(found, require_significant=True)
    assert strict.status == "failed"
    assert says(strict.message, "This rubric requires a difference beyond the noise.")


def test_a_loss_is_no_gain_and_a_gain_can_be_too_small() -> None:
    worse = evidence(accuracies=accuracies((SCRATCH, range(20)), (TRANSFERRED, range(60))))
    assert compare(worse).status == "failed"
    message = compare(worse).message
    assert values(message, "This is {points:number} percentage points less.")["points"] == pytest.approx(2)
    small = compare(at_least=0.03)
    assert small.status == "failed"
    assert says(small.message, "Required: at least {points:number} percentage points more.", points=3.0)


def test_without_predictions_per_image_chance_cannot_be_tested() -> None:
    facts = tuple(fact.model_copy(update={"wrong": None}) for fact in evidence().accuracies)
    finding = compare(evidence(accuracies=facts))
    assert (finding.status, finding.measured["p_value"]) == ("passed", None)
    assert says(
        finding.message,
        "The grader could not test whether this is more than chance, "
        "because the predictions for the single images were not kept.",
    )


def test_an_unknown_accuracy_is_reported() -> None:
    found = evidence(accuracies=evidence().accuracies[1:])
    lost = tuple(model.model_copy(update={"unkept_reason": "it was too large"}) for model in found.models)
    finding = compare(found.model_copy(update={"models": lost}))
    assert finding.status == "pending"
    reason = "the accuracy of {model:code} on the images of the comparison is not known"
    assert says(finding.message, reason, model="model_b")


@pytest.mark.parametrize("known", [slice(1, None), slice(0, 1), slice(0, 0)])
def test_a_comparison_from_after_the_execution_gives_no_zero(known: slice) -> None:
    with pytest.raises(PredictorError, match="on the images of the comparison is not known although"):
        compare(evidence(accuracies=evidence().accuracies[known]))


@pytest.mark.parametrize("lacking", ["unable", "unasked"])
def test_a_comparison_without_another_execution_waits_for_a_person(lacking: Lacking) -> None:
    found = evidence(accuracies=evidence().accuracies[1:])
    params = GainParams(model="transferred", over="scratch", task="b")
    finding = gain(replace(case(found), lacking=lacking), params)
    assert (finding.status, finding.measured) == ("pending", {"gain": None})


@pytest.mark.parametrize("model", [SCRATCH, TRANSFERRED])
def test_a_gain_that_the_grader_cut_short_waits_for_a_person(model: str) -> None:
    found = evidence(accuracies=accuracies((SCRATCH, range(20)), (TRANSFERRED, range(60))))
    stop = {"status": "stopped_by_budget", "epochs_asked": 300, "history": {}}
    fits = tuple(fit.model_copy(update=stop if fit.model == model else {}) for fit in found.fits)
    finding = compare(found.model_copy(update={"fits": fits}))
    assert finding.status == "pending"
    assert says(finding.message, "A longer training might have reached more, so a person must judge it.")
