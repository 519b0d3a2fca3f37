"""The check `accuracy`."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grader.checks.accuracy import AccuracyParams, accuracy, images_needed, untried
from grader.facts.language import english
from grader.schema.base import Assurance
from grader.schema.errors import PredictorError
from grader.schema.evidence import LabelFact
from grader.schema.grade import Finding, Lacking
from tests.support import transfer_cases as transfer
from tests.support.factories import a_case, a_fit, a_model, an_accuracy, an_array, an_evidence, layer, rows

FULL = AccuracyParams(at_least=0.99, partial_from=0.97)


def judge(correct: int, params: AccuracyParams = FULL, **keys: Any) -> Finding:
    return accuracy(a_case(an_evidence(accuracies=(an_accuracy(correct, **keys),))), params)


def test_the_threshold_itself_is_enough() -> None:
    assert judge(9_900).status == "passed"


def test_one_image_below_the_threshold_is_not() -> None:
    finding = judge(9_899)
    assert finding.status == "partial"
    assert "1 more right answer would make 99 %" in finding.message


def test_partial_points_grow_linearly() -> None:
    assert judge(9_800).fraction == pytest.approx(0.5)
    assert judge(9_852).fraction == pytest.approx(0.76)


def test_nothing_is_earned_at_the_start_of_the_partial_range() -> None:
    assert (judge(9_700).status, judge(9_700).fraction) == ("failed", 0)


def test_without_a_partial_range_it_is_all_or_nothing() -> None:
    assert judge(9_899, AccuracyParams(at_least=0.99)).status == "failed"


def test_the_message_has_the_figures_and_the_interval() -> None:
    message = judge(9_852).message
    assert "98.52 %" in message
    assert "9,852 right" in message
    assert "95 % interval 98.28 % to 98.76 %" in message
    assert "48 more right answers" in message


def test_a_threshold_that_was_missed_inside_the_interval_is_borderline() -> None:
    for finding in (judge(9_895), judge(9_895, AccuracyParams(at_least=0.99))):
        assert finding.borderline
        assert "10,000 images cannot tell this accuracy from 99 %: this is borderline" in finding.message
        assert (finding.measured["missing"], finding.measured["at_least"]) == (5, 0.99)
    assert not judge(9_500).borderline
    assert "borderline" not in judge(9_500).message


def test_borderline_changes_no_points() -> None:
    assert judge(9_899, AccuracyParams(at_least=0.99)).fraction == 0
    assert judge(9_899).fraction == pytest.approx(0.995)


def test_a_pass_by_a_hair_is_a_pass_and_says_that_it_was_one() -> None:
    finding = judge(9_900)
    assert (finding.status, finding.borderline) == ("passed", False)
    assert finding.measured["within_noise"] is True
    assert "it counts as reached" in finding.message
    assert judge(9_990).measured["within_noise"] is False


def test_what_waits_for_a_person_anyway_is_not_borderline_too() -> None:
    params = AccuracyParams(at_least=0.99, partial_from=0.97, require_verified=True)
    finding = judge(9_895, params, assurance=Assurance.RECORDED)
    assert (finding.status, finding.borderline) == ("pending", False)


def test_a_recorded_accuracy_counts_and_says_so() -> None:
    finding = judge(9_950, assurance=Assurance.RECORDED, note="a custom layer could not be loaded")
    assert finding.status == "passed"
    assert finding.assurance is Assurance.RECORDED
    assert "a custom layer could not be loaded" in finding.message


def test_a_recorded_accuracy_waits_for_a_person_where_only_verified_ones_count() -> None:
    params = AccuracyParams(at_least=0.99, require_verified=True)
    assert judge(9_950, params, assurance=Assurance.RECORDED).status == "pending"
    assert judge(9_850, params, assurance=Assurance.RECORDED).status == "failed"
    assert judge(9_950, params).status == "passed"


def test_an_unkept_network_fails_with_the_reason() -> None:
    model = a_model(artefact=None, unkept_reason="it was larger than the cap on kept models")
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "failed"
    assert "larger than the cap" in finding.message


def test_a_network_trained_on_other_data_fails_with_the_reason() -> None:
    fit = a_fit(x=an_array(of=rows(train=50_000, dataset="cifar10")))
    finding = accuracy(a_case(an_evidence(fits=(fit,), accuracies=())), FULL)
    assert "not seen to be trained on MNIST" in finding.message


def test_a_network_with_too_many_outputs_fails_with_the_reason() -> None:
    model = a_model(output_shape=(12,))
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "failed"
    assert "outputs of 12 it does not fit" in finding.message


def test_a_network_for_two_of_the_digits_fails_with_the_reason_and_is_not_tried_for_ever() -> None:
    labels = LabelFact(shape=(100,), dtype="uint8", one_hot=False, classes={"0": 50, "1": 50})
    found = an_evidence(models=(a_model(output_shape=(2,)),), fits=(a_fit(y=labels),), accuracies=())
    assert not untried(a_case(found), found.models[0], "mnist")
    assert "outputs of 2 it does not fit" in accuracy(a_case(found), FULL).message


def test_an_accuracy_the_grader_should_have_is_the_graders_failure() -> None:
    with pytest.raises(PredictorError, match="not known although a trained network was kept"):
        accuracy(a_case(an_evidence(accuracies=())), FULL)


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        ("unable", "the grader cannot prepare the test images as it takes them. A person has to look at it."),
        ("unasked", "A person has to look at it, or `grader grade` with this rubric executes the notebook again and"),
    ],
)
def test_an_accuracy_that_no_execution_can_follow_for_waits_for_a_person(lacking: Lacking, why: str) -> None:
    case = replace(a_case(an_evidence(accuracies=())), lacking=lacking)
    finding = accuracy(case, FULL)
    assert (finding.status, finding.measured) == ("pending", {"accuracy": None})
    assert "is not known: a trained network was kept, but" in finding.message
    assert why in finding.message


def test_a_padded_network_for_a_task_that_no_plan_can_be_made_for_waits_for_a_person() -> None:
    found, shape = transfer.evidence(accuracies=()), (48, 48)
    model = next(model for model in found.models if model.id == transfer.SCRATCH)
    fits = tuple(
        fit.model_copy(update={"x": fit.x.model_copy(update={"shape": (fit.x.shape[0], *shape)})}) if fit.x else fit
        for fit in found.fits
    )
    padded = found.model_copy(update={"models": (model.model_copy(update={"input_shape": shape}),), "fits": fits})
    case = replace(transfer.case(padded), lacking="unable")
    assert accuracy(case, ON_B.model_copy(update={"model": "scratch"})).status == "pending"


def test_a_network_that_takes_images_of_any_size_takes_those_it_was_trained_on() -> None:
    for shape, raised in (((None, None, 1), True), ((None, None, 3), False)):
        found = a_case(an_evidence(models=(a_model(input_shape=shape),), accuracies=()))
        assert untried(found, found.evidence.models[0], "mnist") is raised


def test_a_percentage_is_refused_as_a_part() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        AccuracyParams(at_least=99)


def test_a_partial_range_that_begins_above_full_marks_is_refused() -> None:
    with pytest.raises(ValidationError, match="not below"):
        AccuracyParams(at_least=0.9, partial_from=0.95)


@given(st.integers(1, 20_000), st.decimals("0.001", "1", places=3))
def test_images_needed_is_the_smallest_count_that_reaches_the_part(total: int, part: Any) -> None:
    needed = images_needed(float(part), total)
    assert needed >= part * total
    assert needed - 1 < part * total


@given(st.integers(0, 10_000))
def test_more_right_answers_never_earn_less(correct: int) -> None:
    assert judge(correct).fraction <= judge(min(correct + 1, 10_000)).fraction


def test_a_network_with_two_inputs_is_left_to_a_person() -> None:
    inputs = (layer("InputLayer", "image"), layer("InputLayer", "row"))
    model = a_model(*inputs, *a_model().layers, input_shape=None, unkept_reason="it expects 2 inputs.")
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "pending"
    assert "takes 2 inputs" in finding.message


SHRUNK = a_fit(x=an_array(of=None, shape=(60_000, 14, 14, 1)))


def test_a_network_for_images_of_the_student_s_own_making_is_left_to_a_person() -> None:
    model = a_model(input_shape=(14, 14, 1), artefact="models/m1.keras")
    finding = accuracy(a_case(an_evidence(models=(model,), fits=(SHRUNK,), accuracies=())), FULL)
    assert finding.status == "pending"
    assert "14 × 14 × 1 an image" in finding.message


def test_a_network_for_another_data_set_is_not() -> None:
    other = a_fit(x=an_array(of=rows(50_000, dataset="cifar10")))
    model = a_model(artefact="models/m1.keras")
    assert accuracy(a_case(an_evidence(models=(model,), fits=(other,), accuracies=())), FULL).status == "failed"


def test_an_accuracy_on_one_data_set_does_not_hide_that_of_another_is_lacking() -> None:
    params = AccuracyParams(at_least=0.9, dataset="digits")
    fit = a_fit(x=an_array(of=rows(50_000, dataset="digits")))
    found = an_evidence(fits=(fit,), accuracies=(an_accuracy(),))
    with pytest.raises(PredictorError, match="`grader grade` with this rubric executes the notebook again"):
        accuracy(a_case(found), params)
    assert accuracy(a_case(found), AccuracyParams(at_least=0.9)).status == "passed"


def test_a_network_that_went_on_to_another_data_set_fails_with_the_reason() -> None:
    fits = (a_fit(event=6), a_fit(event=9, x=an_array(of=rows(50_000, dataset="digits"))))
    finding = accuracy(a_case(an_evidence(fits=fits, accuracies=())), FULL)
    assert finding.status == "failed"
    assert "its last training was on digits" in finding.message


ON_B = AccuracyParams(at_least=0.9, task="b")


def on_task_b(**keys: Any) -> Finding:
    """Judge a network that was trained on task B, and that nobody tried on it."""
    found = transfer.evidence(accuracies=())
    model = next(model for model in found.models if model.id == transfer.SCRATCH)
    changed = found.model_copy(update={"models": (model.model_copy(update=keys),)})
    return accuracy(transfer.case(changed), ON_B.model_copy(update={"model": "scratch"}))


def test_a_task_that_was_written_after_the_execution_is_no_students_zero() -> None:
    for known in ({}, {"output_shape": (2,)}, {"output_shape": None}):
        with pytest.raises(PredictorError, match="on the task `b` is not known although a trained network was kept"):
            on_task_b(**known)


def test_a_network_that_cannot_name_the_classes_of_a_task_fails_with_the_reason() -> None:
    finding = on_task_b(output_shape=(4, 2))
    assert finding.status == "failed"
    assert "with outputs of 4 × 2 it cannot name the classes it was taught" in finding.message
    assert english(on_task_b(artefact=None).message).endswith("no trained network was kept.")
    assert english(on_task_b(unkept_reason="it was too large").message).endswith("it was too large.")


def test_what_the_grader_cannot_try_on_a_task_is_left_to_a_person() -> None:
    recorded = on_task_b(artefact="predictions/m2.npy", artefact_format="predictions")
    assert recorded.status == "pending"
    assert "could be used in the notebook's own process alone" in recorded.message
    cut = on_task_b(input_shape=(14, 14))
    assert cut.status == "pending"
    assert "with inputs of 14 × 14 the grader could not try it" in cut.message


def test_what_was_only_recorded_of_the_graded_images_is_left_to_a_person_on_others() -> None:
    model = a_model(artefact="predictions/m1.npy", artefact_format="predictions")
    fit = a_fit(x=an_array(of=rows(50_000, dataset="digits")))
    found = a_case(an_evidence(models=(model,), fits=(fit,), accuracies=()))
    finding = accuracy(found, AccuracyParams(at_least=0.9, dataset="digits"))
    assert finding.status == "pending"
    assert "was not tried on these images there. A person has to look at it." in finding.message
