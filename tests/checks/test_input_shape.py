"""The check `input_shape`."""

from typing import Any

import pytest

from grader.checks.input_shape import InputShapeParams, input_shape
from grader.facts.language import english
from grader.schema.base import Assurance
from grader.schema.grade import RoleMatch
from grader.schema.message import say
from tests.support.factories import (
    a_case,
    a_cell,
    a_fit,
    a_model,
    a_run,
    an_array,
    an_error,
    an_evidence,
    conv,
    dense,
    good_cnn,
    layer,
)
from tests.support.says import ids, says

MNIST = InputShapeParams(shape=(28, 28, 1))


def test_the_required_shape_passes() -> None:
    finding = input_shape(a_case(), MNIST)
    assert finding.status == "passed"
    assert finding.assurance is Assurance.VERIFIED
    message = "{model:code} takes inputs of shape {shape:shape}."
    assert says(finding.message, message, model="model", shape=[28, 28, 1])


def test_flattened_images_are_recognized() -> None:
    model = a_model(dense(10, "softmax", inputs=784))
    finding = input_shape(a_case(an_evidence(models=(model,))), MNIST)
    assert finding.status == "failed"
    message = "{model:code} takes inputs of shape {shape:shape}, not {required:shape}."
    assert says(finding.message, message, shape=[784], required=[28, 28, 1])
    assert "flattened" in english(finding.advice)


def test_null_accepts_any_size() -> None:
    assert input_shape(a_case(), InputShapeParams(shape=(None, None, 1))).status == "passed"
    assert input_shape(a_case(), InputShapeParams(shape=(None, None, 3))).status == "failed"


@pytest.mark.parametrize(
    ("images", "status"),
    [
        ({"shape": (100, 28, 28, 1)}, "passed"),
        ({"shape": (100, 32, 32, 1)}, "failed"),
        ({"shape": (None, None, None, 1)}, "pending"),
        ({"shape": (100, 28, 28, 1), "mapped": True}, "pending"),
        ({"shape": (100, 784)}, "pending"),
    ],
)
def test_for_a_model_that_takes_any_size_the_size_of_its_images_counts(images: dict[str, Any], status: str) -> None:
    model = a_model(input_shape=(None, None, 1))
    evidence = an_evidence(models=(model,), fits=(a_fit(x=an_array(**images)),))
    assert input_shape(a_case(evidence), MNIST).status == status
    assert input_shape(a_case(evidence), InputShapeParams(shape=(28, 28, 3))).status == "failed"


def test_a_missing_channel_axis_is_not_the_shape() -> None:
    model = a_model(layer("Flatten"), dense(10, "softmax", inputs=784), input_shape=(28, 28))
    finding = input_shape(a_case(an_evidence(models=(model,))), MNIST)
    assert finding.status == "failed"
    assert "reshape" in english(finding.advice)


@pytest.mark.parametrize(("shape", "inner"), [((28, 28), "Reshape"), ((1, 28, 28), "Permute")])
def test_a_model_may_reshape_the_image_itself(shape: tuple[int, ...], inner: str) -> None:
    model = a_model(layer(inner), layer("Rescaling"), *good_cnn(), input_shape=shape)
    finding = input_shape(a_case(an_evidence(models=(model,))), MNIST)
    assert finding.status == "passed"
    message = "{model:code} takes inputs of shape {shape:shape} and reshapes them to {inside:shape} itself."
    assert says(finding.message, message, shape=list(shape), inside=[28, 28, 1])


@pytest.mark.parametrize("shape", [(784,), (32, 32, 1), (28, 28, 3)])
def test_a_flattened_or_another_image_does_not_have_the_required_shape(shape: tuple[int, ...]) -> None:
    model = a_model(layer("Reshape"), *good_cnn(), input_shape=shape)
    assert input_shape(a_case(an_evidence(models=(model,))), MNIST).status == "failed"


@pytest.mark.parametrize(("data_format", "status"), [("channels_first", "passed"), ("channels_last", "failed")])
def test_the_channels_may_come_first_if_the_first_weights_expect_it(data_format: str, status: str) -> None:
    model = a_model(conv(over=(1, 28, 28), data_format=data_format, padding="same"), dense(10), input_shape=(1, 28, 28))
    assert input_shape(a_case(an_evidence(models=(model,))), MNIST).status == status


def test_a_person_decides_about_an_ambiguous_role() -> None:
    match = RoleMatch(role="cnn", candidates=("m1", "m2"), message=say("Two models match."))
    finding = input_shape(a_case(None, None, cnn=match), InputShapeParams(model="cnn", shape=(28, 28, 1)))
    assert finding.status == "pending"
    assert says(finding.message, "Two models match.")
    assert says(finding.message, "A person must decide which model counts.")


def test_a_pytorch_notebook_is_recognized() -> None:
    evidence = an_evidence(models=(), fits=(), cells=(a_cell(0, "import torch.nn as nn"),))
    finding = input_shape(a_case(evidence), MNIST)
    assert says(finding.message, "{cell:Cell} imports PyTorch, but the grader sees Keras models only.", cell=0)
    assert says(finding.advice, "Write the model with Keras, as the assignment requires.")
    assert finding.evidence[0].cell == 0


OWN_LOOP = a_cell(0, "w = tf.Variable(w)\nwith tf.GradientTape() as tape:\n    loss = f(w)")


def test_a_model_of_variables_without_keras_waits_for_a_person() -> None:
    finding = input_shape(a_case(an_evidence(models=(), fits=(), cells=(OWN_LOOP,))), MNIST)
    assert finding.status == "pending"
    assert says(
        finding.message,
        "{cell:Cell} trains variables of TensorFlow itself, but the grader sees Keras models only.",
        cell=0,
    )


def test_a_loop_that_was_written_or_planned_does_not_excuse_a_missing_training() -> None:
    planned = a_cell(0, "w = tf.Variable(w)\n# Use tf.GradientTape() here.")
    assert input_shape(a_case(an_evidence(models=(), fits=(), cells=(planned,))), MNIST).status == "failed"
    step = a_cell(0, "def step(model, x):\n    with tf.GradientTape() as tape:\n        return loss(model(x))")
    assert input_shape(a_case(an_evidence(models=(), fits=(), cells=(step,))), MNIST).status == "failed"
    named = a_cell(1, "def build():\n    return keras.Sequential([...])")
    assert input_shape(a_case(an_evidence(models=(), fits=(), cells=(OWN_LOOP, named))), MNIST).status == "failed"
    untrained = an_evidence(fits=(), predictions=(), evaluations=(), cells=(OWN_LOOP,))
    assert input_shape(a_case(untrained), MNIST).status == "failed"


def test_without_a_training_the_first_error_is_named() -> None:
    evidence = an_evidence(fits=(), run=a_run(status="cell_error", errors=(an_error(6, "SyntaxError"),)))
    finding = input_shape(a_case(evidence), MNIST)
    assert says(finding.message, "The first error was {error:code} in {cell:cell}.", error="SyntaxError", cell=6)


def test_without_a_training_and_an_error_the_advice_is_to_train() -> None:
    finding = input_shape(a_case(an_evidence(fits=(), predictions=(), evaluations=())), MNIST)
    assert finding.status == "failed"
    assert says(finding.message, "No model was trained in this notebook.")
    assert says(finding.message, "The notebook creates {count:number} model and does not train it.", count=1)
    assert says(finding.advice, "Train the model in the notebook that you hand in: call `fit` in it.")


def test_without_a_role_the_last_trained_model_is_judged() -> None:
    first, second = a_model(model_id="m1"), a_model(model_id="m2", input_shape=(784,))
    evidence = an_evidence(models=(first, second), fits=(a_fit(), a_fit(model="m2", event=20)))
    assert input_shape(a_case(evidence), MNIST).status == "failed"


def test_an_unbuilt_model_has_no_shape() -> None:
    model = a_model(input_shape=None, output_shape=None, parameters=None)
    case = a_case(an_evidence(models=(model,), fits=()), net=RoleMatch(role="net", model="m1"))
    assert input_shape(case, InputShapeParams(model="net", shape=(28, 28, 1))).status == "failed"


def test_a_trained_model_without_a_visible_shape_waits_for_a_person() -> None:
    model = a_model(input_shape=None)
    assert input_shape(a_case(an_evidence(models=(model,))), MNIST).status == "pending"


@pytest.mark.parametrize(
    ("shapes", "status"),
    [
        (((28, 28, 1), (14, 14, 1)), "passed"),
        (((14, 28, 1), (14, 28, 1)), "failed"),
        (((28, 28, 1), None), "pending"),
    ],
)
def test_one_of_several_inputs_must_have_the_shape(shapes: tuple[tuple[int, ...] | None, ...], status: str) -> None:
    inputs = [layer("InputLayer", output_shape=shape) for shape in shapes]
    model = a_model(*inputs, *good_cnn(), input_shape=None)
    finding = input_shape(a_case(an_evidence(models=(model,))), MNIST)
    assert finding.status == status
    assert ("{model:code} takes inputs of the shapes {shapes}" in ids(finding.message)) is (status != "pending")
