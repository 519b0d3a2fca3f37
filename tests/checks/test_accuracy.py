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
from grader.schema.evidence import FitFact, HeldBackFact, LabelFact, OutputFact
from grader.schema.grade import Finding, Lacking
from grader.schema.message import say
from tests.support import transfer_cases as transfer
from tests.support.factories import a_case, a_fit, a_model, an_accuracy, an_array, an_evidence, layer, rows
from tests.support.says import ids, says

FULL = AccuracyParams(at_least=0.99, partial_from=0.97)


MORE = "{count:number} more correct image would make {required:percent}."
BORDERLINE = (
    "{count:number} image cannot distinguish this accuracy from {required:percent}: "
    "this is borderline, and a person should look at it."
)
REACHED = "{count:number} image cannot distinguish this accuracy from {required:percent}: it counts as reached."
UNITS = "its output has {count:number} unit, but {dataset:dataset} needs {classes:number}"


def judge(correct: int, params: AccuracyParams = FULL, **keys: Any) -> Finding:
    return accuracy(a_case(an_evidence(accuracies=(an_accuracy(correct, **keys),))), params)


def test_the_threshold_itself_is_enough() -> None:
    assert judge(9_900).status == "passed"


def test_one_image_below_the_threshold_is_not() -> None:
    finding = judge(9_899)
    assert finding.status == "partial"
    assert says(finding.message, MORE, count=1, required=0.99)


def test_partial_points_grow_linearly() -> None:
    assert judge(9_800).fraction == pytest.approx(0.5)
    assert judge(9_852).fraction == pytest.approx(0.76)


def test_nothing_is_earned_at_the_start_of_the_partial_range() -> None:
    assert (judge(9_700).status, judge(9_700).fraction) == ("failed", 0)


def test_without_a_partial_range_it_is_all_or_nothing() -> None:
    assert judge(9_899, AccuracyParams(at_least=0.99)).status == "failed"


def test_the_message_has_the_figures_and_the_interval() -> None:
    message = judge(9_852).message
    images = "{count:number} {dataset:dataset} {split:split} image"
    assert says(message, images, count=10_000, dataset="mnist", split="test")
    assert says(message, MORE, count=48, required=0.99)
    assert english(message) == (
        "`model` classifies 98.52 % of the 10,000 MNIST test images correctly "
        "(9,852 images; 95 % interval 98.28 % to 98.76 %). 48 more correct images would make 99 %."
    )


def test_a_threshold_that_was_missed_inside_the_interval_is_borderline() -> None:
    for finding in (judge(9_895), judge(9_895, AccuracyParams(at_least=0.99))):
        assert finding.borderline
        assert says(finding.message, BORDERLINE, count=10_000, required=0.99)
        assert (finding.measured["missing"], finding.measured["at_least"]) == (5, 0.99)
    assert not judge(9_500).borderline
    assert BORDERLINE not in ids(judge(9_500).message)


def test_borderline_changes_no_points() -> None:
    assert judge(9_899, AccuracyParams(at_least=0.99)).fraction == 0
    assert judge(9_899).fraction == pytest.approx(0.995)


def test_a_narrow_pass_is_a_pass_and_is_reported_as_narrow() -> None:
    finding = judge(9_900)
    assert (finding.status, finding.borderline) == ("passed", False)
    assert finding.measured["within_noise"] is True
    assert says(finding.message, REACHED, count=10_000, required=0.99)
    assert judge(9_990).measured["within_noise"] is False


def test_a_pending_criterion_is_not_borderline_too() -> None:
    params = AccuracyParams(at_least=0.99, partial_from=0.97, require_verified=True)
    finding = judge(9_895, params, assurance=Assurance.RECORDED)
    assert (finding.status, finding.borderline) == ("pending", False)


def test_a_recorded_accuracy_counts_and_is_reported_as_recorded() -> None:
    finding = judge(9_950, assurance=Assurance.RECORDED, note="a custom layer could not be loaded")
    assert finding.status == "passed"
    assert finding.assurance is Assurance.RECORDED
    assert says(
        finding.message,
        "The grader could not verify this accuracy, which was only recorded in the notebook's own process: {reason}.",
        reason="a custom layer could not be loaded",
    )
    without_note = judge(9_950, assurance=Assurance.RECORDED).message
    assert says(
        without_note,
        "The grader could not verify this accuracy, which was only recorded in the notebook's own process.",
    )


def test_a_recorded_accuracy_waits_for_a_person_if_only_verified_ones_count() -> None:
    params = AccuracyParams(at_least=0.99, require_verified=True)
    finding = judge(9_950, params, assurance=Assurance.RECORDED)
    assert finding.status == "pending"
    assert says(finding.message, "This rubric counts only verified accuracies, so a person must look at it.")
    assert judge(9_850, params, assurance=Assurance.RECORDED).status == "failed"
    assert judge(9_950, params).status == "passed"


def test_an_unkept_model_waits_for_a_person_with_the_reason() -> None:
    model = a_model(artefact=None, unkept_reason="it was larger than the cap on kept models")
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "pending"
    reason = "it was larger than the cap on kept models"
    assert says(finding.message, "{unknown}: {reason}. A person must look at it.", reason=reason)
    unknown = "The accuracy of {model:code} on {dataset:dataset} ({split:split}) is not known"
    assert says(finding.message, unknown, model="model", dataset="mnist", split="test")


NOT_USED = {
    "not saved": {"artefact": None},
    "not loaded": {"artefact": "models/m1.keras", "unkept_reason": "the model made no predictions within 5 min"},
}


@pytest.mark.parametrize("keys", NOT_USED.values(), ids=NOT_USED)
def test_a_model_that_the_grader_could_not_use_fails_only_for_the_students_own_mistakes(keys: dict[str, str]) -> None:
    def status(*fits: FitFact, **more: Any) -> str:
        model = a_model(**(keys | more))
        return accuracy(a_case(an_evidence(models=(model,), fits=fits, accuracies=())), FULL).status

    cifar = a_fit(event=9, x=an_array(of=rows(train=50_000, dataset="cifar10")))
    assert status(a_fit()) == "pending"
    assert status(a_fit(x=None)) == "pending"
    assert status(a_fit(x=an_array(of=None))) == "pending"
    assert status(a_fit(), output_shape=(5,)) == "failed"
    assert status() == "failed"
    assert status(cifar) == "failed"
    assert status(a_fit(), cifar) == "failed"


def test_an_accuracy_that_the_grader_cut_short_waits_for_a_person() -> None:
    def judged(correct: int, **keys: Any) -> Finding:
        found = an_evidence(fits=(a_fit(**keys),), accuracies=(an_accuracy(correct),))
        return accuracy(a_case(found), FULL)

    cut = {"status": "stopped_by_budget", "epochs_asked": 300}
    assert judged(9_800, **cut).status == "pending"
    assert judged(9_000, **cut).status == "pending"
    message = "A longer training might have reached more, so a person must judge it."
    assert says(judged(9_800, **cut).message, message)
    assert judged(9_910, **cut).status == "passed"
    assert judged(9_800, status="stopped_by_budget", epochs_asked=4).status == "partial"
    assert judged(9_800, status="stopped_early", epochs_asked=300).status == "partial"
    flat = {"accuracy": (0.5, *(0.97,) * 49), "val_accuracy": (0.5, *(0.96,) * 49)}
    assert judged(9_800, **cut, history=flat, epochs_done=50).status == "partial"


def test_a_model_trained_on_other_data_fails_with_the_reason() -> None:
    fit = a_fit(x=an_array(of=rows(train=50_000, dataset="cifar10")))
    finding = accuracy(a_case(an_evidence(fits=(fit,), accuracies=())), FULL)
    assert says(finding.message, "the grader saw no training on {dataset:dataset}", dataset="mnist")


def test_a_model_with_too_many_outputs_fails_with_the_reason() -> None:
    model = a_model(output_shape=(12,))
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "failed"
    assert says(finding.message, UNITS, count=12, dataset="mnist", classes=10)


def test_a_model_with_a_map_as_output_fails_with_the_shapes() -> None:
    model = a_model(output_shape=(7, 7, 10))
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "failed"
    message = (
        "it takes inputs of shape {inputs:shape} and gives outputs of shape {outputs:shape}, "
        "which does not fit the images"
    )
    assert says(finding.message, message, inputs=[28, 28, 1], outputs=[7, 7, 10])


def test_a_model_for_two_digits_fails_with_the_reason_and_is_not_tested_again_and_again() -> None:
    labels = LabelFact(shape=(100,), dtype="uint8", one_hot=False, classes={"0": 50, "1": 50})
    found = an_evidence(models=(a_model(output_shape=(2,)),), fits=(a_fit(y=labels),), accuracies=())
    assert not untried(a_case(found), found.models[0], "mnist")
    assert says(accuracy(a_case(found), FULL).message, UNITS, count=2, classes=10)


def test_an_accuracy_the_grader_should_have_is_the_graders_failure() -> None:
    with pytest.raises(PredictorError, match="not known although a trained model was kept"):
        accuracy(a_case(an_evidence(accuracies=())), FULL)


@pytest.mark.parametrize(
    ("lacking", "message", "reason"),
    [
        (
            "unable",
            "{unknown}: {reason}. A person must look at it.",
            "a trained model was kept, but the grader cannot prepare the test images in the form that it takes",
        ),
        (
            "unasked",
            (
                "{unknown}: {reason}. A person must look at it, or `grader grade` with this rubric executes the "
                "notebook again and tests the model."
            ),
            "a trained model was kept, but it was not tested on these images when the notebook was executed",
        ),
    ],
)
def test_an_accuracy_without_another_execution_waits_for_a_person(lacking: Lacking, message: str, reason: str) -> None:
    case = replace(a_case(an_evidence(accuracies=())), lacking=lacking)
    finding = accuracy(case, FULL)
    assert (finding.status, finding.measured) == ("pending", {"accuracy": None})
    assert says(finding.message, message, reason=say(reason))


def test_a_padded_model_that_no_plan_can_test_waits_for_a_person() -> None:
    found, shape = transfer.evidence(accuracies=()), (48, 48)
    model = next(model for model in found.models if model.id == transfer.SCRATCH)
    fits = tuple(
        fit.model_copy(update={"x": fit.x.model_copy(update={"shape": (fit.x.shape[0], *shape)})}) if fit.x else fit
        for fit in found.fits
    )
    padded = found.model_copy(update={"models": (model.model_copy(update={"input_shape": shape}),), "fits": fits})
    case = replace(transfer.case(padded), lacking="unable")
    assert accuracy(case, ON_B.model_copy(update={"model": "scratch"})).status == "pending"


def test_a_model_for_images_of_any_size_takes_its_training_images() -> None:
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


def test_a_model_with_two_inputs_waits_for_a_person() -> None:
    inputs = (layer("InputLayer", "image"), layer("InputLayer", "row"))
    model = a_model(*inputs, *a_model().layers, input_shape=None, unkept_reason="it expects 2 inputs.")
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "pending"
    assert says(
        finding.message,
        "the model takes several inputs ({inputs:number}), but the grader tests only models that take one image",
        inputs=2,
    )


SHRUNK = a_fit(x=an_array(of=None, shape=(60_000, 14, 14, 1)))


def test_a_model_for_images_that_the_student_made_waits_for_a_person() -> None:
    model = a_model(input_shape=(14, 14, 1), artefact="models/m1.keras")
    finding = accuracy(a_case(an_evidence(models=(model,), fits=(SHRUNK,), accuracies=())), FULL)
    assert finding.status == "pending"
    assert says(
        finding.message,
        "the grader does not recognize its training images of shape {shape:shape} as {dataset:dataset}, "
        "so it cannot prepare the test images in the same way",
        shape=[14, 14, 1],
        dataset="mnist",
    )


def test_a_model_for_another_data_set_fails() -> None:
    other = a_fit(x=an_array(of=rows(50_000, dataset="cifar10")))
    model = a_model(artefact="models/m1.keras")
    assert accuracy(a_case(an_evidence(models=(model,), fits=(other,), accuracies=())), FULL).status == "failed"


def test_an_accuracy_on_one_data_set_does_not_hide_a_missing_one() -> None:
    params = AccuracyParams(at_least=0.9, dataset="digits")
    fit = a_fit(x=an_array(of=rows(50_000, dataset="digits")))
    found = an_evidence(fits=(fit,), accuracies=(an_accuracy(),))
    with pytest.raises(PredictorError, match="`grader grade` with this rubric executes the notebook again"):
        accuracy(a_case(found), params)
    assert accuracy(a_case(found), AccuracyParams(at_least=0.9)).status == "passed"


def test_a_model_that_was_last_trained_on_another_data_set_fails_with_the_reason() -> None:
    fits = (a_fit(event=6), a_fit(event=9, x=an_array(of=rows(50_000, dataset="digits"))))
    finding = accuracy(a_case(an_evidence(fits=fits, accuracies=())), FULL)
    assert finding.status == "failed"
    assert says(finding.message, "its last training was on {dataset:dataset}", dataset="digits")


ON_B = AccuracyParams(at_least=0.9, task="b")


def on_task_b(**keys: Any) -> Finding:
    """Judge a model that was trained on task B and not tested on it."""
    found = transfer.evidence(accuracies=())
    model = next(model for model in found.models if model.id == transfer.SCRATCH)
    changed = found.model_copy(update={"models": (model.model_copy(update=keys),)})
    return accuracy(transfer.case(changed), ON_B.model_copy(update={"model": "scratch"}))


def test_a_task_from_after_the_execution_gives_no_zero() -> None:
    for known in ({}, {"output_shape": (2,)}, {"output_shape": None}):
        with pytest.raises(PredictorError, match="on the task `b` is not known although a trained model was kept"):
            on_task_b(**known)


def test_a_model_that_cannot_name_the_classes_of_a_task_fails_with_the_reason() -> None:
    finding = on_task_b(output_shape=(4, 2))
    assert finding.status == "failed"
    message = "its output of shape {outputs:shape} cannot name the classes that it was trained on"
    assert says(finding.message, message, outputs=[4, 2])


@pytest.mark.parametrize("keys", [{"artefact": None}, {"unkept_reason": "it was too large."}])
def test_a_model_of_a_task_that_was_not_kept_waits_for_a_person(keys: dict[str, str]) -> None:
    finding = on_task_b(**keys)
    assert finding.status == "pending"
    assert ("no trained model was kept" in ids(finding.message)) is ("artefact" in keys)


ONLY_RECORDED = "the model could only be used in the notebook's own process, and was not tested on these images there"


def test_a_model_that_the_grader_cannot_test_on_a_task_waits_for_a_person() -> None:
    recorded = on_task_b(artefact="predictions/m2.npy", artefact_format="predictions")
    assert recorded.status == "pending"
    assert says(recorded.message, ONLY_RECORDED)
    cut = on_task_b(input_shape=(14, 14))
    assert cut.status == "pending"
    message = "the grader could not test inputs of shape {inputs:shape} with the images of this task"
    assert says(cut.message, message, inputs=[14, 14])


def test_a_model_with_predictions_for_other_images_only_waits_for_a_person() -> None:
    model = a_model(artefact="predictions/m1.npy", artefact_format="predictions")
    fit = a_fit(x=an_array(of=rows(50_000, dataset="digits")))
    found = a_case(an_evidence(models=(model,), fits=(fit,), accuracies=()))
    finding = accuracy(found, AccuracyParams(at_least=0.9, dataset="digits"))
    assert finding.status == "pending"
    assert says(finding.message, "{unknown}: {reason}. A person must look at it.", reason=say(ONLY_RECORDED))


def pets(y: LabelFact | None, outputs: int = 1) -> Finding:
    """A model for a data set of two classes, without an accuracy."""
    x = an_array(400, of=rows(400, dataset="pets", classes={"0": 200, "1": 200}), shape=(400, 64, 64, 3))
    model = a_model(output_shape=(outputs,), input_shape=(64, 64, 3), artefact="models/m1.keras")
    evidence = an_evidence(models=(model,), fits=(a_fit(x=x, y=y),), accuracies=())
    return accuracy(a_case(evidence), AccuracyParams(at_least=0.9, dataset="pets"))


def test_a_single_output_whose_labels_were_not_seen_waits_for_a_person() -> None:
    finding = pets(None)
    assert finding.status == "pending"
    assert says(finding.message, "the grader could not see which class each label of its training stands for")


def test_a_model_without_an_output_for_each_class_fails_without_the_advice_to_train_it() -> None:
    labels = LabelFact(
        shape=(400,),
        dtype="int64",
        one_hot=False,
        classes={"0": 200, "1": 200},
        meaning={"0": {"0": 200}, "1": {"1": 200}},
    )
    finding = pets(labels, outputs=5)
    assert finding.status == "failed"
    assert says(finding.message, UNITS, count=5, classes=2)
    advice = "Train a model with one output for each class on these images, and on no others after that."
    assert says(finding.advice, advice)


def test_a_model_of_several_outputs_of_which_none_fits_fails_with_the_reason() -> None:
    outputs = (OutputFact(name="odd", shape=(1,)), OutputFact(name="image", shape=(28, 28, 1)))
    model = a_model(output_shape=None, outputs=outputs, artefact="models/m1.keras")
    finding = accuracy(a_case(an_evidence(models=(model,), accuracies=())), FULL)
    assert finding.status == "failed"
    none = "none of its {count:number} outputs has a number for each class of {dataset:dataset}"
    assert says(finding.message, none, count=2, dataset="mnist")


def test_labels_of_a_task_that_were_not_seen_wait_for_a_person() -> None:
    whole = transfer.evidence()
    fits = tuple(fit.model_copy(update={"y": None}) for fit in whole.fits)
    params = AccuracyParams.model_validate({"model": "scratch", "task": "b", "at_least": 0.9})
    finding = accuracy(transfer.case(whole.model_copy(update={"fits": fits, "accuracies": ()})), params)
    assert finding.status == "pending"
    assert says(finding.message, "the grader could not see which class each label of its training stands for")


NEW = HeldBackFact(seed=5, correct=4_930, total=5_000, value=0.986, low=0.982, high=0.989)
UNSEEN = FULL.model_copy(update={"held_back": True})


def test_new_images_confirm_the_points_for_the_test_images() -> None:
    finding = judge(9_910, UNSEEN, held_back=NEW)
    assert (finding.status, finding.measured["held_back"], finding.measured["held_back_total"]) == (
        "passed",
        0.986,
        5_000,
    )
    assert says(
        finding.message,
        "Of {count:number} new images, which the grader made from training images after the notebook had ended, "
        "it classifies {accuracy:percent} correctly (95 % interval {low:percent} to {high:percent}).",
        accuracy=0.986,
    )
    assert judge(9_800, UNSEEN, held_back=NEW).fraction == pytest.approx(0.5)


def test_without_an_answer_to_new_images_a_person_judges_points_that_would_be_earned() -> None:
    finding = judge(9_910, UNSEEN)
    assert (finding.status, finding.measured["held_back"]) == ("pending", None)
    assert judge(9_600, UNSEEN).status == "failed"
    assert judge(9_910).status == "passed"
    assert "held_back" not in judge(9_910, held_back=NEW).measured


def test_a_training_whose_labels_were_not_seen_waits_for_a_person() -> None:
    case = a_case(an_evidence(fits=(a_fit(y=None),), accuracies=()))
    finding = accuracy(case, FULL)
    assert finding.status == "pending"
    assert "the grader could not see which class each label of its training stands for" in ids(finding.message)
    other = a_model(output_shape=(7,))
    assert accuracy(a_case(an_evidence(models=(other,), fits=(a_fit(y=None),), accuracies=())), FULL).status == "failed"
