"""The check `input_shape`."""

import pytest

from grader.checks.input_shape import InputShapeParams, input_shape
from grader.schema.base import Assurance
from grader.schema.grade import RoleMatch
from grader.schema.message import say
from tests.support.factories import a_case, a_cell, a_fit, a_model, a_run, an_error, an_evidence, dense, good_cnn, layer
from tests.support.says import says

MNIST = InputShapeParams(shape=(28, 28, 1))


def test_the_shape_asked_for_passes_and_is_said() -> None:
    finding = input_shape(a_case(), MNIST)
    assert finding.status == "passed"
    assert finding.assurance is Assurance.VERIFIED
    assert "28 \N{MULTIPLICATION SIGN} 28 \N{MULTIPLICATION SIGN} 1" in finding.message


def test_flattened_images_are_recognised_as_such() -> None:
    model = a_model(dense(10, "softmax", inputs=784))
    finding = input_shape(a_case(an_evidence(models=(model,))), MNIST)
    assert finding.status == "failed"
    assert "inputs of 784" in finding.message
    assert "flattened" in finding.advice


def test_null_stands_for_any_size() -> None:
    assert input_shape(a_case(), InputShapeParams(shape=(None, None, 1))).status == "passed"
    assert input_shape(a_case(), InputShapeParams(shape=(None, None, 3))).status == "failed"


def test_a_missing_channel_axis_is_not_the_shape() -> None:
    model = a_model(layer("Flatten"), dense(10, "softmax", inputs=784), input_shape=(28, 28))
    finding = input_shape(a_case(an_evidence(models=(model,))), MNIST)
    assert finding.status == "failed"
    assert "reshape" in finding.advice


@pytest.mark.parametrize(("given", "inner"), [((28, 28), "Reshape"), ((1, 28, 28), "Permute")])
def test_a_network_may_bring_the_picture_into_shape_itself(given: tuple[int, ...], inner: str) -> None:
    model = a_model(layer(inner), layer("Rescaling"), *good_cnn(), input_shape=given)
    finding = input_shape(a_case(an_evidence(models=(model,))), MNIST)
    assert finding.status == "passed"
    assert "makes 28 × 28 × 1 of them itself" in finding.message


@pytest.mark.parametrize("given", [(784,), (32, 32, 1), (28, 28, 3)])
def test_a_flattened_or_another_picture_is_not_the_shape_asked_for(given: tuple[int, ...]) -> None:
    model = a_model(layer("Reshape"), *good_cnn(), input_shape=given)
    assert input_shape(a_case(an_evidence(models=(model,))), MNIST).status == "failed"


def test_an_ambiguous_role_fails_with_the_possible_networks() -> None:
    match = RoleMatch(role="cnn", candidates=("m1", "m2"), message=say("Two models match."))
    finding = input_shape(a_case(None, None, cnn=match), InputShapeParams(model="cnn", shape=(28, 28, 1)))
    assert finding.status == "failed"
    assert says(finding.message, "Two models match.")
    assert says(finding.advice, "Keep only one such model in the notebook, or train the model to be graded last.")


def test_a_pytorch_notebook_is_recognized() -> None:
    evidence = an_evidence(models=(), fits=(), cells=(a_cell(0, "import torch.nn as nn"),))
    finding = input_shape(a_case(evidence), MNIST)
    assert says(finding.message, "{cell:Cell} imports PyTorch, but the grader sees Keras models only.", cell=0)
    assert says(finding.advice, "Write the model with Keras, as the assignment requires.")
    assert finding.evidence[0].cell == 0


def test_without_a_training_the_first_error_is_named() -> None:
    evidence = an_evidence(fits=(), run=a_run(status="cell_error", errors=(an_error(6, "SyntaxError"),)))
    finding = input_shape(a_case(evidence), MNIST)
    assert says(finding.message, "The first error was {error:code} in {cell:cell}.", error="SyntaxError", cell=6)


def test_without_a_training_and_an_error_the_advice_is_to_train() -> None:
    finding = input_shape(a_case(an_evidence(fits=())), MNIST)
    assert finding.status == "failed"
    assert says(finding.message, "No model was trained in this notebook.")
    assert says(finding.message, "The notebook creates {count:number} model and does not train it.", count=1)
    assert says(finding.advice, "Train the model in the notebook that you hand in: call `fit` in it.")


def test_the_network_trained_last_is_meant_when_no_role_is_given() -> None:
    first, second = a_model(model_id="m1"), a_model(model_id="m2", input_shape=(784,))
    evidence = an_evidence(models=(first, second), fits=(a_fit(), a_fit(model="m2", event=20)))
    assert input_shape(a_case(evidence), MNIST).status == "failed"


def test_an_unbuilt_network_has_no_shape() -> None:
    model = a_model(input_shape=None, output_shape=None, parameters=None)
    case = a_case(an_evidence(models=(model,)))
    assert input_shape(case, MNIST).status == "failed"
