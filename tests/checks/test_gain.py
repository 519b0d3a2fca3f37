"""The check `gain`."""

from dataclasses import replace
from typing import Any

import pytest

from grader.checks.gain import GainParams, gain
from grader.schema.errors import PredictorError
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding, Lacking
from tests.support.transfer_cases import SCRATCH, TRANSFERRED, accuracies, case, evidence


def compare(found: Evidence | None = None, **keys: Any) -> Finding:
    given = {"model": "transferred", "over": "scratch", "task": "b"} | keys
    return gain(case(found), GainParams.model_validate(given))


def test_a_clear_gain_is_more_than_chance() -> None:
    finding = compare(require_significant=True)
    assert finding.status == "passed"
    assert (finding.measured["only_model"], finding.measured["only_over"]) == (50, 5)
    assert finding.measured["gain"] == pytest.approx(0.0225)
    assert "which chance does not explain" in finding.message


def test_a_gain_inside_the_noise_is_said_to_be_that() -> None:
    found = evidence(accuracies=accuracies((SCRATCH, range(20)), (TRANSFERRED, range(5, 21))))
    assert compare(found).status == "passed"
    assert "inside the noise" in compare(found).message
    assert compare(found, require_significant=True).status == "failed"


def test_a_loss_is_no_gain_and_a_gain_can_be_too_small() -> None:
    worse = evidence(accuracies=accuracies((SCRATCH, range(20)), (TRANSFERRED, range(60))))
    assert compare(worse).status == "failed"
    assert "2 percentage points less" in compare(worse).message
    assert compare(at_least=0.03).status == "failed"


def test_without_single_answers_chance_cannot_be_told() -> None:
    facts = tuple(fact.model_copy(update={"wrong": None}) for fact in evidence().accuracies)
    finding = compare(evidence(accuracies=facts))
    assert (finding.status, finding.measured["p_value"]) == ("passed", None)
    assert "could not be tested" in finding.message


def test_an_accuracy_that_is_not_known_is_said() -> None:
    found = evidence(accuracies=evidence().accuracies[1:])
    lost = tuple(model.model_copy(update={"unkept_reason": "it was too large"}) for model in found.models)
    finding = compare(found.model_copy(update={"models": lost}))
    assert finding.status == "failed"
    assert "the accuracy of `model_b` on the images" in finding.message


@pytest.mark.parametrize("known", [slice(1, None), slice(0, 1), slice(0, 0)])
def test_a_comparison_that_was_written_after_the_execution_is_no_students_zero(known: slice) -> None:
    with pytest.raises(PredictorError, match="on the images of the comparison is not known although"):
        compare(evidence(accuracies=evidence().accuracies[known]))


@pytest.mark.parametrize("lacking", ["unable", "unasked"])
def test_a_comparison_that_no_execution_can_follow_for_waits_for_a_person(lacking: Lacking) -> None:
    found = evidence(accuracies=evidence().accuracies[1:])
    params = GainParams(model="transferred", over="scratch", task="b")
    finding = gain(replace(case(found), lacking=lacking), params)
    assert (finding.status, finding.measured) == ("pending", {"gain": None})
