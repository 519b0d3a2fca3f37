"""The check `batch_norm`."""

import pytest

from grader.schema.evidence import LayerFact
from grader.schema.message import say
from tests.support.factories import activation, dense, layer, operation
from tests.support.judging import judge, net
from tests.support.says import says

NORM = layer("BatchNormalization", parameters=400)


OUT = dense(10, "softmax", name="out")


@pytest.mark.parametrize(
    ("layers", "place"),
    [
        ((dense(9), NORM, activation("elu"), OUT), "before_activation"),
        ((dense(9, "elu"), NORM, OUT), "after_activation"),
        ((dense(9), activation("elu"), NORM, OUT), "after_activation"),
        ((dense(9), NORM, operation("Elu"), OUT), "before_activation"),
        ((NORM, dense(9, "elu"), OUT), "input"),
        ((dense(9), NORM, OUT), "linear"),
    ],
)
def test_the_place_of_batch_normalization_is_recognized(layers: tuple[LayerFact, ...], place: str) -> None:
    assert judge("batch_norm", net(*layers), place=place).status == "passed"
    others = {"before_activation", "after_activation", "input", "linear"} - {place}
    assert judge("batch_norm", net(*layers), place=sorted(others)).status == "failed"


def test_too_few_normalisations_fail() -> None:
    finding = judge("batch_norm", net(dense(9), NORM, activation("elu"), OUT), at_least=2)
    assert finding.status == "failed"
    message = "{model:code} has {count:number} batch normalization layer: {places}."
    assert says(finding.message, message, model="model", count=1)
    assert says(finding.message, "{layers:number} {place}", layers=1, place=say("before an activation"))
    assert says(finding.message, "Required: at least {layers:number}.", layers=2)


def test_the_message_names_the_required_places() -> None:
    finding = judge("batch_norm", net(dense(9), OUT), place=["input", "after_activation"])
    assert says(finding.message, "{model:code} has no batch normalization layer.", model="model")
    places = [say("on the input"), say("after an activation")]
    assert says(finding.message, "Required: at least {layers:number} {places:or}.", layers=1, places=places)


def test_a_place_in_a_call_of_the_students_is_unknown() -> None:
    block = layer("Layer", custom="Block", layers=(dense(9), NORM))
    finding = judge("batch_norm", net(block, OUT), place="before_activation")
    assert finding.status == "pending"
    assert finding.measured["places"] == ["unknown"]
    assert judge("batch_norm", net(block, OUT)).status == "passed"
    assert judge("batch_norm", net(block, OUT), at_least=2).status == "failed"


@pytest.mark.parametrize("code", [layer("Lambda"), layer("Layer", custom="Swish"), operation("Relu", cls="TFOpLambda")])
def test_a_function_of_the_students_next_to_it_may_be_an_activation(code: LayerFact) -> None:
    known = code.operation is not None
    behind = judge("batch_norm", net(dense(9), NORM, code, OUT), place="before_activation")
    assert behind.status == ("passed" if known else "pending")
    before = judge("batch_norm", net(dense(9), code, NORM, OUT), place="after_activation")
    assert before.status == ("passed" if known else "pending")
    assert judge("batch_norm", net(dense(9), activation("elu"), NORM, code, OUT), place="linear").status == "failed"


def test_a_layer_class_of_the_students_with_weights_may_be_batch_normalization() -> None:
    own = layer("Layer", "own", custom="MyNorm", parameters=36)
    finding = judge("batch_norm", net(dense(9), own, OUT), place="linear")
    assert finding.status == "pending"
    code = "The grader could not see what the notebook's own code in {layers:code} does."
    assert says(finding.message, code, layers=["own"])
    assert judge("batch_norm", net(dense(9), own, OUT), at_least=2).status == "failed"
    assert judge("batch_norm", net(dense(9), layer("Layer", custom="Swish"), OUT)).status == "failed"
